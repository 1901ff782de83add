"""`hundredfold embed`: a feature row for each image."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("embed", epilog="Example: hundredfold embed demo digits --to features.npz")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("source")
@click.option("--to", required=True, type=click.Path(path_type=Path), metavar="FILE", help=".parquet, .npz or .csv")
@click.option("--accelerator", default="auto", show_default=True, help="auto, cpu, cuda or mps.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def command(run: Path, source: str, to: Path, accelerator: str, debug: bool) -> None:
    """Write one feature row for each image of SOURCE, in input order, by the encoder of RUN."""
    from hundredfold.studies.inference import embed

    found = embed(run, source, to=to, accelerator=accelerator)
    click.echo(f"{len(found.names):,} rows of {found.features.shape[1]} features in {to}")
