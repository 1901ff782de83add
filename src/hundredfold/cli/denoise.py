"""`hundredfold denoise`: noise off images."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("denoise", epilog="Example: hundredfold denoise demo digits --noise 0.5")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("source", required=False)
@click.option(
    "--noise",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="Add noise of this standard deviation first, to measure.",
)
@click.option("--to", type=click.Path(path_type=Path), metavar="FILE", help=".png, .npz, .npy or a folder")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the noise.")
@click.option("--accelerator", default="auto", show_default=True, help="auto, cpu, cuda or mps.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def command(
    run: Path, source: str | None, noise: float, to: Path | None, seed: int, accelerator: str, debug: bool
) -> None:
    """Take the noise off the images of SOURCE with the model of RUN, and show some in its report.

    RUN is best of denoising_autoencoder. With --noise the images are spoilt first, and what is gained is measured
    beside the best Gaussian and median filter. Without SOURCE, the images that the run held out.
    """
    from hundredfold.studies.denoise import denoise

    found = denoise(run, source, noise=noise, to=to, seed=seed, accelerator=accelerator)
    for sentence in found.sentences():
        click.echo(sentence)
    click.echo(f"pictures: {', '.join(str(place) for place in (to, found.report) if place)}")
