"""The cells of a study as numbers to compare, over seeds: no HTML.

A condition is what is compared (batch size, temperature, weight of variance reduction). Cells that differ in nothing
but the weight make a pair: they share the seed, and with it the initial weights, the batches and the views.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hundredfold.evaluate.paired import Paired, paired_difference
from hundredfold.records import Interval
from hundredfold.report.provenance import flattened
from hundredfold.study_records import StudyCell, StudyResult

PROBE = "linear_probe"
NEIGHBOURS = "knn"

BATCH = "plan.batch_size"
TEMPERATURE = "method_settings.temperature"
WEIGHT = "variance_reduction"
SEED = "seed"
RATE = "plan.lr"  # a study of batch sizes lets it follow the batch


@dataclass(frozen=True, kw_only=True)
class Condition:
    """What the seeds of a mean have in common; None where the study does not say."""

    batch_size: float | None = None
    temperature: float | None = None
    weight: float = 0.0

    @property
    def order(self) -> tuple[float, float, float]:
        """Sorts by temperature, then batch size, then weight; what is not said comes first."""
        return (
            -math.inf if self.temperature is None else self.temperature,
            -math.inf if self.batch_size is None else self.batch_size,
            self.weight,
        )


@dataclass(frozen=True, kw_only=True)
class Spread:
    """A figure over seeds: mean, sample standard deviation (None for one seed), seeds."""

    mean: float
    std: float | None
    count: int


def interval(cell: StudyCell, labels: int, model: str = PROBE) -> Interval | None:
    """A model's accuracy over the draws of labels, or None where it was not tested."""
    return cell.summary.get(model, {}).get(str(labels))


def accuracy(cell: StudyCell, labels: int, model: str = PROBE) -> float | None:
    """A model's mean accuracy over the draws of labels, or None where it was not tested."""
    found = interval(cell, labels, model)
    return found.mean if found else None


def negative_variance(cell: StudyCell) -> float | None:
    """The variance of the similarity of views of different images, or None where nothing was looked at."""
    return cell.similarity.negative_variance if cell.similarity else None


def condition(cell: StudyCell) -> Condition:
    """The condition of a cell; a weight that is not given is 0."""
    return Condition(
        batch_size=_number(cell.settings.get(BATCH)),
        temperature=_number(cell.settings.get(TEMPERATURE)),
        weight=_number(cell.settings.get(WEIGHT)) or 0.0,
    )


def over_seeds(
    cells: Iterable[StudyCell], figure: Callable[[StudyCell], float | None]
) -> dict[Condition, Spread | None]:
    """condition -> figure over its cells, in the order of the conditions; None where no cell has one."""
    found: dict[Condition, list[float]] = {}
    for cell in cells:
        value = figure(cell)
        found.setdefault(condition(cell), []).extend([] if value is None else [value])
    return {key: spread(found[key]) for key in sorted(found, key=lambda key: key.order)}


def spread(values: Sequence[float]) -> Spread | None:
    """Mean and sample standard deviation; None of nothing."""
    if not values:
        return None
    std = statistics.stdev(values) if len(values) > 1 else None
    return Spread(mean=statistics.fmean(values), std=std, count=len(values))


def differences(result: StudyResult) -> dict[Condition, Paired | None]:
    """condition with a weight -> what the weight does to the probe's accuracy against weight 0, pair by pair.

    None where no pair is complete; empty where no cell has weight 0.
    """
    plain = {
        _partner(cell): value
        for cell in result.cells
        if condition(cell).weight == 0 and (value := accuracy(cell, result.labels)) is not None
    }
    pairs: dict[Condition, list[tuple[float, float]]] = {}
    for cell in result.cells if plain else ():
        if condition(cell).weight == 0:
            continue
        known = pairs.setdefault(condition(cell), [])
        after = accuracy(cell, result.labels)
        if after is not None and _partner(cell) in plain:
            known.append((plain[_partner(cell)], after))
    return {
        key: paired_difference(*zip(*pairs[key], strict=True)) if pairs[key] else None
        for key in sorted(pairs, key=lambda key: key.order)
    }


def varied(cells: Iterable[StudyCell]) -> dict[str, list[str]]:
    """setting -> its values in the order of the cells, of those settings that are not the same in all cells."""
    each = [flattened(cell.settings) for cell in cells]
    names = dict.fromkeys(name for one in each for name in one)
    values = {name: list(dict.fromkeys(one.get(name, "none") for one in each)) for name in names}
    return {name: different for name, different in values.items() if len(different) > 1}


def _partner(cell: StudyCell) -> tuple[tuple[str, str], ...]:
    """What two cells of a pair share: all settings but the weight."""
    return tuple(sorted((name, str(value)) for name, value in _without_weight(cell.settings).items()))


def _without_weight(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name != WEIGHT}


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) else None
