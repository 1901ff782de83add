"""A study -> what the template of its page shows: the answer, the tables of its kind, every cell, data and time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hundredfold.report.figures.strip import share_bar
from hundredfold.report.provenance import flattened, stages
from hundredfold.report.study_batch_size import batch_size_answer, batch_size_view
from hundredfold.report.study_cells import NEIGHBOURS, accuracy, varied
from hundredfold.report.study_methods import methods_answer, methods_view, state
from hundredfold.report.wording import UNKNOWN
from hundredfold.study_records import StudyCell, StudyResult

TITLES = {"methods": "Methods compared", "batch-size": "Batch size, temperature and variance reduction"}
VIEWS = {"methods": methods_view, "batch-size": batch_size_view}
ANSWERS = {"methods": methods_answer, "batch-size": batch_size_answer}


def study_view(result: StudyResult) -> dict[str, Any]:
    """The names that `study.html.j2` uses; a study of a kind that is not known here is shown cell by cell."""
    content = VIEWS[result.study](result) if result.study in VIEWS else {}
    return {
        "result": result,
        "title": TITLES.get(result.study, result.study),
        "answer": ANSWERS[result.study](result) if result.study in ANSWERS else None,
        "content": content,
        "broad": result.study == "methods",
        "failed": [cell for cell in result.cells if cell.failure],
        "notes": list(dict.fromkeys(result.notes + result.data.notes)),
        "cells": cells_table(result),
        "stages": [(stage, share_bar(stage.share, title=stage.name)) for stage in stages(result.seconds)],
    }


def cells_table(result: StudyResult) -> dict[str, Any]:
    """Every cell with the settings that differ and its figures."""
    names = list(varied(result.cells))
    return {
        "settings": names,
        "rows": [(cell, *_row(cell, names, result.labels)) for cell in result.cells],
        "neighbours": any(accuracy(cell, result.labels, NEIGHBOURS) is not None for cell in result.cells),
    }


def _row(
    cell: StudyCell, names: Sequence[str], labels: int
) -> tuple[list[str], float | None, float | None, tuple[str, bool]]:
    settings = flattened(cell.settings)
    return (
        [settings.get(name, UNKNOWN) for name in names],
        accuracy(cell, labels),
        accuracy(cell, labels, NEIGHBOURS),
        state(cell),
    )
