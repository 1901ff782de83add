"""`hundredfold run`: the main job."""

from __future__ import annotations

from typing import Any

import click

from hundredfold.cli._options import FOLDER, LABELS, MACHINE, TALK, TRAINING, options, run_study


@click.command("run", epilog="Example: hundredfold run digits --labels 100 --out demo")
@click.argument("source", required=False)
@options(LABELS, TRAINING, MACHINE, FOLDER, TALK)
def command(source: str | None, **keywords: Any) -> None:
    """Pre-train on all of SOURCE without its labels, learn from a few of them, compare, write the report.

    SOURCE is an embedded set (digits), a folder of images (one sub-folder per class if labelled), a folder with train/
    and test/, IDX, .npz, .npy, .parquet, a .csv naming files, or hub:OWNER/NAME.
    """
    from hundredfold.studies.few_labels import run

    run_study(run, source, **keywords)
