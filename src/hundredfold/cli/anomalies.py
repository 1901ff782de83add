"""`hundredfold anomalies`: images unlike those that a run learnt from."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("anomalies", epilog="Example: hundredfold anomalies demo digits --to scores.csv")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("source", required=False)
@click.option("--normal", metavar="SOURCE", help="Ordinary images. [those that RUN learnt from]")
@click.option(
    "--normal-class",
    "normal_classes",
    multiple=True,
    metavar="NAME",
    help="A class of SOURCE that is ordinary, to measure; may be given several times.",
)
@click.option("--to", type=click.Path(path_type=Path), metavar="FILE", help=".csv")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the Isolation Forest.")
@click.option("--accelerator", default="auto", show_default=True, help="auto, cpu, cuda or mps.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def command(
    run: Path,
    source: str | None,
    normal: str | None,
    normal_classes: tuple[str, ...],
    to: Path | None,
    seed: int,
    accelerator: str,
    debug: bool,
) -> None:
    """Score how unlike the images of SOURCE are to those that RUN learnt from, and show the strangest in its report.

    By the distance to known images in the encoder's features, by that from their middle and, for a generative method,
    by the error of the reconstruction; beside an Isolation Forest on pixels. Without SOURCE, the images held out.
    """
    from hundredfold.studies.anomalies import anomalies

    found = anomalies(
        run, source, normal=normal, normal_classes=normal_classes, to=to, seed=seed, accelerator=accelerator
    )
    for sentence in found.sentences():
        click.echo(sentence)
    click.echo(f"{len(found.names):,} images: {', '.join(str(place) for place in (to, found.report) if place)}")
