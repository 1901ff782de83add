"""`hundredfold map`: images on a plane."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("map", epilog="Example: hundredfold map demo digits --how pca")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("source", required=False)
@click.option("--how", metavar="NAME", default="tsne", show_default=True, help="tsne, pca, umap, or latent.")
@click.option("--count", type=int, default=2000, show_default=True, help="How many images at most.")
@click.option("--to", type=click.Path(path_type=Path), metavar="FILE", help=".csv")
@click.option("--seed", type=int, default=0, show_default=True, help="Of t-SNE and UMAP.")
@click.option("--accelerator", default="auto", show_default=True, help="auto, cpu, cuda or mps.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def command(
    run: Path, source: str | None, how: str, count: int, to: Path | None, seed: int, accelerator: str, debug: bool
) -> None:
    """Lay the images of SOURCE out on a plane by their features, and show it in the report of RUN.

    Without SOURCE, the images that the run held out. `latent` shows the code of a generative model of two dimensions.
    """
    from hundredfold.studies.map_features import map_features

    found = map_features(run, source, how=how, count=count, to=to, seed=seed, accelerator=accelerator)
    for sentence in found.sentences():
        click.echo(sentence)
    click.echo(f"{len(found.names):,} points: {', '.join(str(place) for place in (to, found.report) if place)}")
