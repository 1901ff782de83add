"""`hundredfold pretrain`: an encoder from images alone."""

from __future__ import annotations

from typing import Any

import click

from hundredfold.cli._options import FOLDER, MACHINE, TALK, TRAINING, options, run_study


@click.command("pretrain", epilog="Example: hundredfold pretrain digits --method simclr --epochs 20 --out encoder")
@click.argument("source", required=False)
@options(TRAINING, MACHINE, FOLDER, TALK)
def command(source: str | None, **keywords: Any) -> None:
    """Pre-train an encoder on SOURCE. Labels, if there are any, are not looked at."""
    from hundredfold.studies.few_labels import pretrain

    run_study(pretrain, source, needs_labels=False, **keywords)
