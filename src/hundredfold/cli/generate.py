"""`hundredfold generate`: new images from a generative model."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("generate", epilog="Example: hundredfold generate demo --count 64 --to new.png")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--count", type=click.IntRange(min=1), default=64, show_default=True, help="How many images.")
@click.option("--class", "label", metavar="NAME", help="Of which class, if the run knows any. [all in turn]")
@click.option("--to", type=click.Path(path_type=Path), metavar="FILE", help=".png, .npz, .npy or a folder")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the noise they are made of.")
@click.option("--accelerator", default="auto", show_default=True, help="auto, cpu, cuda or mps.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def command(
    run: Path, count: int, label: str | None, to: Path | None, seed: int, accelerator: str, debug: bool
) -> None:
    """Draw new images from the model of RUN, and show them in its report.

    RUN is of a method that can draw: vae, or conditional_vae and diffusion, which can be asked for a class.
    """
    from hundredfold.studies.generate import generate

    found = generate(run, count=count, label=label, to=to, seed=seed, accelerator=accelerator)
    places = ", ".join(str(place) for place in (to, found.report) if place)
    click.echo(f"{len(found.images):,} new images: {places}")
