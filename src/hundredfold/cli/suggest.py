"""`hundredfold suggest`: which images to label next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


@click.command("suggest", epilog="Example: hundredfold suggest demo digits --ignore-labels --count 20 --to next.csv")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("source")
@click.option("--count", type=click.IntRange(min=1), default=100, show_default=True, help="How many images.")
@click.option(
    "--to", type=click.Path(path_type=Path), default="to_label.csv", show_default=True, metavar="FILE", help=".csv"
)
@click.option("--labelled", metavar="TABLE", help="Labels known so far: a table (.csv) for images of SOURCE.")
@click.option(
    "--strategy",
    metavar="NAME",
    default="auto",
    show_default=True,
    help="typiclust (needs no label), density, badge, or auto.",
)
@click.option("--ignore-labels", is_flag=True, help="Take the images for unlabelled, whatever labels SOURCE has.")
@click.option(
    "--report", type=click.Path(path_type=Path), metavar="FILE", help="The page. [beside --to, ending in .html]"
)
@click.option("--overwrite", is_flag=True, help="Replace --to even if labels in it are lost.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of everything random.")
@click.option("--accelerator", default="auto", show_default=True, help="auto, cpu, cuda or mps.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def command(run: Path, source: str, debug: bool, **keywords: Any) -> None:
    """Write a table of the images of SOURCE whose labels a model would gain most from, and a page that shows them.

    It goes by the encoder of RUN: without labels, typical images; with some, images that a model is unsure of.
    """
    from hundredfold.studies.suggest import suggest

    found = suggest(run, source, **keywords)
    click.echo(found.how())
    click.echo(f"{len(found.names):,} images to label in {found.table}, shown in {found.page}")
    click.echo("Write the class of each into the column `label`; what cannot be told stays empty. Then:")
    click.echo(f"  {found.next_command(run, source)}")
    for note in found.notes:
        click.echo(f"note: {note}", err=True)
