"""Solving a task against being useful: how far each method's loss fell, beside what its features are worth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from hundredfold.records import EpochRecord
from hundredfold.report.curves import epoch_ticks
from hundredfold.report.figures.axes import Level
from hundredfold.report.figures.labelled_points import Point, labelled_points
from hundredfold.report.figures.line_chart import Line, line_chart
from hundredfold.report.figures.svg import wide_and_narrow
from hundredfold.report.wording import count, counted, fixed, percent, percent_tick, value, visible

FAMILIES = {"contrastive": "k0", "pretext": "k1", "generative": "k2"}  # style classes; any other has the last
OTHER = "k8"
NAME = 22  # characters beside a point
FEWEST = 3  # methods from which on an order is worth comparing
SMALL = 350.0  # px: beside others of its kind


@dataclass(frozen=True, kw_only=True)
class Solved:
    """A method in this comparison: its name and family, the loss at the end as a share of that of its first epoch, and
    the accuracy of a linear probe."""

    title: str
    family: str
    left: float
    accuracy: float


def loss_left(epochs: Sequence[EpochRecord]) -> float | None:
    """The last epoch's loss as a share of the first one's, or None where that is no measure: losses of different
    methods have no common unit, so each is compared with itself, which takes two epochs and a loss above zero."""
    if len(epochs) < 2 or not (epochs[0].loss > 0 and epochs[-1].loss >= 0):
        return None
    return epochs[-1].loss / epochs[0].loss


def tasks_figure(solved: Sequence[Solved], reference: tuple[str, float] | None) -> Markup:
    """Accuracy against what is left of the loss, one named point for each method; nothing for fewer than two.

    Args:
        solved: the methods.
        reference: name and accuracy of the better model without pre-training, or None.
    """
    if len(solved) < 2:
        return Markup("")
    families = [family for family in dict.fromkeys(one.family for one in solved) if family]
    points = [
        Point(name=visible(one.title, NAME), colour=_colour(one.family), x=one.left, y=one.accuracy, note=_note(one))
        for one in sorted(solved, key=lambda one: one.left)
    ]
    return wide_and_narrow(
        lambda width: labelled_points(
            points,
            title="Accuracy against what is left of the loss",
            description=tasks_sentence(solved),
            x_name="loss at the end, of that at the first epoch",
            y_name="accuracy of a linear probe",
            write_x=percent_tick,
            write_y=percent_tick,
            groups=[(family, _colour(family)) for family in families],
            levels=[Level(name=reference[0], value=round(reference[1], 3))] if reference else (),
            limits=((0.0, math.inf), (0.0, 1.0)),
            width=width,
            height=440 if width > 480 else 520,
        )
    )


def tasks_sentence(solved: Sequence[Solved]) -> str:
    """Who solved their task best, who is most useful, and how alike the two orders are."""
    best = min(solved, key=lambda one: one.left)
    by_accuracy = sorted(solved, key=lambda one: -one.accuracy)
    first = by_accuracy[0]
    if best is first:
        told = f"{_title(best)} took its own loss down furthest, to {percent(best.left)}, and is also the most useful"
    else:
        place = by_accuracy.index(best) + 1
        told = (
            f"{_title(best)} took its own loss down furthest, to {percent(best.left)}, and is number {place} of "
            f"{count(len(solved))} by accuracy; the most useful, {_title(first)}, took its own to {percent(first.left)}"
        )
    alike = rank_correlation([-one.left for one in solved], [one.accuracy for one in solved])
    if len(solved) < FEWEST or alike is None:
        return f"{told}."
    return f"{told}. Rank correlation of the two over {counted(len(solved), 'method')}: {fixed(alike)}."


def rank_correlation(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Spearman's rank correlation, equal values sharing their mean rank; None where all are equal."""
    a, b = _ranks(one), _ranks(other)
    mean = (len(a) + 1) / 2
    spread = math.sqrt(sum((x - mean) ** 2 for x in a) * sum((x - mean) ** 2 for x in b))
    return sum((x - mean) * (y - mean) for x, y in zip(a, b, strict=True)) / spread if spread else None


def small_loss_curve(epochs: Sequence[EpochRecord], title: str) -> Markup:
    """The loss against epochs, small; nothing for fewer than two of them."""
    if len(epochs) < 2:
        return Markup("")
    line = Line(
        name="training",
        colour="k0",
        points=[(record.epoch, record.loss) for record in epochs],
        notes=[f"epoch {record.epoch}: loss {value(record.loss)}" for record in epochs],
        dots=len(epochs) <= 40,
    )
    return line_chart(
        [line],
        title=f"Loss against epochs: {title}",
        description=f"From {value(epochs[0].loss)} to {value(epochs[-1].loss)}.",
        x_name="epochs",
        y_name="loss",
        write_x=count,
        write_y=value,
        x_ticks=epoch_ticks(epochs[-1].epoch),
        width=SMALL,
        height=230,
    )


def _colour(family: str) -> str:
    return FAMILIES.get(family, OTHER)


def _title(one: Solved) -> str:
    return visible(one.title, 60)


def _note(one: Solved) -> str:
    return f"{_title(one)}: {percent(one.accuracy)} accurate, {percent(one.left)} of the loss left"


def _ranks(values: Sequence[float]) -> list[float]:
    return [sum(other < own for other in values) + (1 + sum(other == own for other in values)) / 2 for own in values]
