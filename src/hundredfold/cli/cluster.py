"""`hundredfold cluster`: images in groups."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("cluster", epilog="Example: hundredfold cluster demo digits --clusters 10 --to groups.csv")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("source", required=False)
@click.option("--how", metavar="NAME", default="kmeans", show_default=True, help="kmeans, mixture, dbscan or hdbscan.")
@click.option("--clusters", type=int, metavar="N", help="How many, for kmeans and mixture. [chosen]")
@click.option("--eps", type=float, metavar="X", help="How near is near, for dbscan. [chosen]")
@click.option("--to", type=click.Path(path_type=Path), metavar="FILE", help=".csv")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the starts.")
@click.option("--accelerator", default="auto", show_default=True, help="auto, cpu, cuda or mps.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def command(
    run: Path,
    source: str | None,
    how: str,
    clusters: int | None,
    eps: float | None,
    to: Path | None,
    seed: int,
    accelerator: str,
    debug: bool,
) -> None:
    """Put the images of SOURCE into groups by their features, and show some of each in the report of RUN.

    Without SOURCE, the images that the run held out. Labels, where there are some, are only compared with.
    """
    from hundredfold.studies.cluster import cluster

    found = cluster(run, source, how=how, clusters=clusters, eps=eps, to=to, seed=seed, accelerator=accelerator)
    for sentence in found.sentences():
        click.echo(sentence)
    click.echo(f"{len(found.names):,} images: {', '.join(str(place) for place in (to, found.report) if place)}")
