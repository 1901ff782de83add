"""Keeps the figures of a finished study: a JSON record beside this file and, if named, a table in the README.

    python benchmarks/record_study.py STUDY NAME [--readme MARKER]

The record holds what was measured and what it was measured on, and no path or host name.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

from record import into_readme

from hundredfold.methods import catalogue
from hundredfold.records import Interval, from_json, to_plain
from hundredfold.settings import read_toml
from hundredfold.study_records import StudyCell, StudyResult

HERE = Path(__file__).parent
REFERENCES = ("pixels", "random_encoder")


def record(study: Path, name: str) -> Path:
    """Writes `benchmarks/NAME.json` from a study's folder."""
    result = read(study)
    environment = json.loads((study / "cells" / result.cells[0].name / "environment.json").read_text())
    settings = read_toml(study / "cells" / result.cells[0].name / "settings.toml")
    of_cells = {key.partition(".")[0] for cell in result.cells for key in cell.settings}
    content = {
        "name": name,
        "study": result.study,
        "verdict": list(result.verdict),
        "labels": result.labels,
        "reference": to_plain(result)["reference"],
        "cells": [figures(cell) for cell in result.cells],
        "seconds": result.seconds,
        "settings": {key: value for key, value in settings.items() if key not in {"source", "test"} | of_cells},
        "plan": {
            key: value for key, value in settings["plan"].items() if f"plan.{key}" not in result.cells[0].settings
        },
        "versions": environment["versions"],
        "machine": environment["machine"],
        "precision": environment["precision"],
    }
    path = HERE / f"{name}.json"
    path.write_text(json.dumps(content, indent=1) + "\n")
    return path


def figures(cell: StudyCell) -> dict[str, Any]:
    """What a cell found, in a few numbers."""
    plain = to_plain(cell)
    similarity = {key: value for key, value in (plain["similarity"] or {}).items() if not isinstance(value, dict)}
    training = cell.training
    return {
        "name": cell.name,
        "settings": cell.settings,
        "summary": plain["summary"],
        "healthy": cell.healthy,
        "verdict": plain["verdict"],
        "similarity": similarity,
        "task": plain["task"],
        "first_loss": training.epochs[0].loss if training and training.epochs else None,
        "last_loss": training.epochs[-1].loss if training and training.epochs else None,
        "images_per_second": speed(cell),
        "peak_bytes": training.peak_bytes if training else None,
        "seconds": cell.seconds,
        "failure": cell.failure,
    }


def methods_table(result: StudyResult) -> str:
    """The study of methods as a Markdown table, best probe first, references last."""
    labels = str(result.labels)
    ratios = json.loads((HERE / "method_cost.json").read_text())["step_over_simclr"]
    families = {info.name: info.family for info in catalogue.names()}
    head = ["method", "family", "probe", "kNN", "health", "task", "rank", "step", "memory"]
    rows = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    done = [cell for cell in result.cells if not cell.failure]
    for cell in sorted(done, key=lambda cell: -cell.summary["linear_probe"][labels].mean):
        found = cell.similarity or cell.task
        peak = cell.training.peak_bytes if cell.training else None
        values = [
            f"`{cell.name}`",
            families[cell.name],
            percent(cell.summary["linear_probe"][labels]),
            percent(cell.summary["knn"][labels]),
            "healthy" if cell.healthy else "ill",
            solved(cell),
            f"{found.effective_rank:.0f} of {found.dimensions}" if found else "",
            f"{ratios[cell.name]:.2f}",
            f"{peak / 2**20:,.0f} MiB" if peak else "",
        ]
        rows.append("| " + " | ".join(values) + " |")
    for model in REFERENCES:
        if model in result.reference:
            rows.append(f"| *`{model}`* | | {percent(result.reference[model][labels])} | | | | | | |")
    return "\n".join(rows)


def solved(cell: StudyCell) -> str:
    """How well a task that compares no views was solved on held-out images."""
    task = cell.task
    if task is None:
        return ""
    if task.accuracy is not None:
        return f"{100 * task.accuracy:.0f} % right"
    return f"{100 * task.explained:.0f} % explained" if task.explained is not None else ""


def percent(interval: Interval) -> str:
    """Mean and two standard deviations."""
    return f"{100 * interval.mean:.1f} ± {200 * interval.std:.1f}"


def speed(cell: StudyCell) -> float | None:
    """Images a second, the median of the epochs."""
    if cell.training is None or not cell.training.epochs:
        return None
    return statistics.median(epoch.images_per_second for epoch in cell.training.epochs)


def read(study: Path) -> StudyResult:
    """What a study's folder holds."""
    return from_json(StudyResult, (study / "results.json").read_text())


def main() -> None:
    """Records a study."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    parser.add_argument("name")
    parser.add_argument("--readme", metavar="MARKER")
    arguments = parser.parse_args()
    print(record(arguments.study, arguments.name))
    if arguments.readme:
        into_readme(methods_table(read(arguments.study)), arguments.readme)


if __name__ == "__main__":
    main()
