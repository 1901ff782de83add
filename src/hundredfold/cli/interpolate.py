"""`hundredfold interpolate`: from one image to another."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("interpolate", epilog="Example: hundredfold interpolate demo 0 7 --to way.png")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("a")
@click.argument("b")
@click.option("--steps", type=click.IntRange(min=2), default=9, show_default=True, help="Frames, both ends included.")
@click.option("--how", metavar="NAME", default="linear", show_default=True, help="linear or spherical")
@click.option("--to", type=click.Path(path_type=Path), metavar="FILE", help=".png, .npz, .npy or a folder")
@click.option("--accelerator", default="auto", show_default=True, help="auto, cpu, cuda or mps.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def command(run: Path, a: str, b: str, steps: int, how: str, to: Path | None, accelerator: str, debug: bool) -> None:
    """Go from image A to image B through the codes of RUN, and show the way in its report.

    A and B are image files, or numbers of images that the run held out. RUN is of a generative method.
    """
    from hundredfold.studies.interpolate import interpolate

    found = interpolate(run, a, b, steps=steps, how=how, to=to, accelerator=accelerator)
    for sentence in found.sentences():
        click.echo(sentence)
    click.echo(f"pictures: {', '.join(str(place) for place in (to, found.report) if place)}")
