"""`hundredfold predict`: a label for each image."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("predict", epilog="Example: hundredfold predict demo digits --to labels.csv")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("source")
@click.option("--to", required=True, type=click.Path(path_type=Path), metavar="FILE", help=".csv")
@click.option("--accelerator", default="auto", show_default=True, help="auto, cpu, cuda or mps.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def command(run: Path, source: str, to: Path, accelerator: str, debug: bool) -> None:
    """Write label and probabilities of each image of SOURCE, in input order, by the model that RUN chose."""
    from hundredfold.studies.inference import predict

    found = predict(run, source, to=to, accelerator=accelerator)
    click.echo(f"{len(found.names):,} images, {len(found.classes)} classes, in {to}")
