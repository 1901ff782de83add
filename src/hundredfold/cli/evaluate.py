"""`hundredfold evaluate`: what an existing encoder is worth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hundredfold.cli._options import FOLDER, LABELS, MACHINE, TALK, options, run_study


@click.command("evaluate", epilog="Example: hundredfold evaluate demo digits --labels 50 --out demo-50")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("source")
@options(LABELS, MACHINE, FOLDER, TALK)
def command(run: Path, source: str, **keywords: Any) -> None:
    """Compare baselines, probe and fine-tuning on the encoder of RUN, with labels of SOURCE."""
    from hundredfold.studies.few_labels import evaluate

    run_study(evaluate, run, source, **keywords)
