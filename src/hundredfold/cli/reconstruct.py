"""`hundredfold reconstruct`: images through the codes of a generative model and back."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("reconstruct", epilog="Example: hundredfold reconstruct demo digits --to again.png")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("source", required=False)
@click.option("--count", type=click.IntRange(min=1), default=12, show_default=True, help="How many images to show.")
@click.option("--to", type=click.Path(path_type=Path), metavar="FILE", help=".png, .npz, .npy or a folder")
@click.option("--accelerator", default="auto", show_default=True, help="auto, cpu, cuda or mps.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def command(run: Path, source: str | None, count: int, to: Path | None, accelerator: str, debug: bool) -> None:
    """Send the images of SOURCE through the codes of RUN and back: how much is lost, and pictures in the report.

    RUN is of a generative method (autoencoder, vae, ...). Without SOURCE, the images that the run held out.
    """
    from hundredfold.studies.reconstruct import reconstruct

    found = reconstruct(run, source, count=count, to=to, accelerator=accelerator)
    for sentence in found.sentences():
        click.echo(sentence)
    click.echo(f"pictures: {', '.join(str(place) for place in (to, found.report) if place)}")
