"""What is taken for what: matrices for few classes, the most confused pairs for any number, scores by class."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from hundredfold.records import Score
from hundredfold.report.figures.heat_map import heat_map
from hundredfold.report.wording import counted, visible

LARGEST_NUMBERED = 16  # classes: more, and counts do not fit into cells
LARGEST_MATRIX = 40  # classes: more, and a cell is too small to see
PAIRS = 10
CLASS_ROWS = 30  # classes in the table by class: with more, only the hardest
NAME = 14  # characters of a class name beside a matrix


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One confusion: how many images of `true` were taken for `predicted`, and which share of `true` that is."""

    true: str
    predicted: str
    count: int
    share: float


@dataclass(frozen=True, kw_only=True)
class ClassRow:
    """Scores of one class, averaged over draws; `baseline_recall` is None without a baseline."""

    name: str
    support: int
    precision: float
    recall: float
    baseline_recall: float | None


def summed(scores: Iterable[Score]) -> np.ndarray:
    """The confusion matrices of several draws added up: [k, k] counts, rows are the true classes."""
    return np.sum([np.asarray(score.confusion, dtype=np.int64) for score in scores], axis=0)


def most_confused(matrix: np.ndarray, names: Sequence[str], most: int = PAIRS) -> list[Pair]:
    """The largest cells off the diagonal, largest first."""
    wrong = matrix.copy()  # [k, k]
    np.fill_diagonal(wrong, 0)
    totals = np.maximum(matrix.sum(1), 1)
    largest = np.argsort(-wrong, axis=None, kind="stable")[:most]
    cells = [divmod(int(position), wrong.shape[1]) for position in largest]
    return [
        Pair(
            true=names[row],
            predicted=names[column],
            count=int(wrong[row, column]),
            share=wrong[row, column] / totals[row],
        )
        for row, column in cells
        if wrong[row, column] > 0
    ]


def largest_wrong_share(matrix: np.ndarray) -> float:
    """The largest cell off the diagonal as a share of its row, 0..1."""
    shares = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    np.fill_diagonal(shares, 0)
    return float(shares.max(initial=0.0))


def matrix_figure(matrix: np.ndarray, names: Sequence[str], title: str, worst: float) -> Markup:
    """The matrix as a heat map; `worst` is the wrong share that has full colour."""
    right, total = int(np.trace(matrix)), int(matrix.sum())
    return heat_map(
        matrix.tolist(),
        [visible(name, NAME) for name in names],
        title=title,
        description=f"{right:,} of {total:,} right; rows are true classes, columns predicted ones",
        worst=worst,
        numbers=len(names) <= LARGEST_NUMBERED,
    )


def class_rows(scores: Sequence[Score], baseline: Sequence[Score]) -> list[ClassRow]:
    """Precision and recall of each class over draws, in class order; of many classes the hardest, hardest first."""
    theirs = _recalls(baseline)
    tables = [np.array([[c.precision, c.recall, c.support] for c in score.per_class]) for score in scores]
    if not tables:
        return []
    mean = np.mean(tables, axis=0)  # [k, 3]
    rows = [
        ClassRow(
            name=entry.name,
            precision=float(precision),
            recall=float(recall),
            support=round(float(support)),
            baseline_recall=theirs.get(entry.name),
        )
        for entry, (precision, recall, support) in zip(scores[0].per_class, mean)
    ]
    if len(rows) <= CLASS_ROWS:
        return rows
    return sorted(rows, key=lambda row: row.recall)[:CLASS_ROWS]


def what_is_summed(scores: Sequence[Score]) -> str:
    """Which draws a matrix holds, in words."""
    return "one draw" if len(scores) == 1 else f"{counted(len(scores), 'draw')} summed"


def _recalls(scores: Sequence[Score]) -> dict[str, float]:
    if not scores:
        return {}
    mean = np.mean([[entry.recall for entry in score.per_class] for score in scores], axis=0)
    return {entry.name: float(recall) for entry, recall in zip(scores[0].per_class, mean)}
