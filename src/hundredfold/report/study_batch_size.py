"""The study of batch size: variance of negative similarity, accuracy, and what reducing that variance changes.

After Lee, Lim, Lee & Sohn, "On the Similarities of Embeddings in Contrastive Learning", ICML 2025: table 1, figure 3
(temperature) and figure 4 (batch size).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from markupsafe import Markup

from hundredfold.evaluate.paired import Paired
from hundredfold.report.answer import Answer
from hundredfold.report.figures.line_chart import Line, line_chart
from hundredfold.report.figures.svg import wide_and_narrow
from hundredfold.report.study_cells import (
    BATCH,
    RATE,
    SEED,
    TEMPERATURE,
    WEIGHT,
    Condition,
    Spread,
    accuracy,
    differences,
    negative_variance,
    over_seeds,
    varied,
)
from hundredfold.report.wording import UNKNOWN, count, counted, fixed, percent, percent_tick, points, value
from hundredfold.study_records import StudyResult

SIDE_BY_SIDE = 420.0  # px, of charts beside each other
BATCHES, TEMPERATURES = "batch size", "temperature"
COLOURS = ("k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7")
Found = TypeVar("Found", Spread, Paired)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A table cell: a figure, what is written smaller beside it, and whether it is set in bold."""

    figure: str
    beside: str = ""
    strong: bool = False


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A table with a column for each weight.

    Attributes:
        across: what the rows are ("batch size" or "temperature").
        columns: names of the weights.
        groups: (title or "", rows), a row being its name and an entry or None for each column.
    """

    across: str
    columns: tuple[str, ...]
    groups: tuple[tuple[str, tuple[tuple[str, tuple[Entry | None, ...]], ...]], ...]


def batch_size_view(result: StudyResult) -> dict[str, Any]:
    """The names that the part of `study.html.j2` on batch size uses."""
    variances = over_seeds(result.cells, negative_variance)
    accuracies = over_seeds(result.cells, lambda cell: accuracy(cell, result.labels))
    gains = differences(result)
    seeds = max((found.count for found in (*variances.values(), *accuracies.values()) if found), default=0)
    others = [name for name in varied(result.cells) if name not in (BATCH, TEMPERATURE, WEIGHT, SEED, RATE)]
    return {
        "seeds": seeds,
        "others": others,
        "rate_follows": RATE in varied(result.cells),
        "variance": _grid(variances, lambda found: _variance(found, seeds)) if any(variances.values()) else None,
        "accuracy": _grid(accuracies, lambda found: _accuracy(found, seeds)) if any(accuracies.values()) else None,
        "gains": _grid(gains, _gain) if gains else None,
        "paired": max((found.count for found in gains.values() if found), default=0),
        "by_batch": _panels(accuracies, BATCHES),
        "by_temperature": _panels(accuracies, TEMPERATURES),
    }


def batch_size_answer(result: StudyResult) -> Answer:
    """Which condition is first."""
    found = over_seeds(result.cells, lambda cell: accuracy(cell, result.labels))
    known = {key: spread for key, spread in found.items() if spread}
    if not known:
        return Answer(sentence=f"None of {counted(len(result.cells), 'run')} could be evaluated.")
    best = max(known, key=lambda key: known[key].mean)
    spread, figure = known[best], percent(known[best].mean)
    parts = [
        f"batches of {count(best.batch_size)} images" if best.batch_size is not None else "",
        f"temperature {value(best.temperature)}" if best.temperature is not None else "",
        _weight_name(best.weight) if len({key.weight for key in known}) > 1 else "",
    ]
    where = ", ".join(part for part in parts if part)
    came = f"the best of {counted(len(known), 'setting')} was {where}: " if len(known) > 1 and where else ""
    seeds = f" (± {points(spread.std, signed=False)} over {counted(spread.count, 'seed')})" if spread.std else ""
    return Answer(
        sentence=f"With {counted(result.labels, 'label')}, {came}a linear probe is right for {figure} of the test "
        f"images{seeds}.",
        figure=figure,
    )


def _grid(found: Mapping[Condition, Found | None], write: Callable[[Found], Entry]) -> Grid:
    """Batch sizes as rows, grouped by temperature; temperatures as rows where there is one batch size."""
    weights = sorted({key.weight for key in found})
    one_batch, one_temperature = (len(_values(found, name)) < 2 for name in (BATCHES, TEMPERATURES))
    row, group = (TEMPERATURES, BATCHES) if one_batch and not one_temperature else (BATCHES, TEMPERATURES)
    groups = []
    for apart in _values(found, group):
        rows = []
        for across in _values(found, row):
            keys = [_condition({row: across, group: apart}, weight) for weight in weights]
            if any(key in found for key in keys):
                figures = [found.get(key) for key in keys]
                rows.append((_written(row, across), tuple(write(figure) if figure else None for figure in figures)))
        groups.append((_named(group, apart), tuple(rows)))
    return Grid(across=row, columns=tuple(_weight_name(weight) for weight in weights), groups=tuple(groups))


def _variance(found: Spread, seeds: int) -> Entry:
    # Four decimals, as in the paper's table, and six where those would say nothing.
    digits = 4 if found.mean == 0 or found.mean >= 0.001 else 6
    beside = f"± {fixed(found.std, digits)}" if found.std is not None else ""
    return Entry(figure=fixed(found.mean, digits), beside=_with_count(beside, found, seeds))


def _accuracy(found: Spread, seeds: int) -> Entry:
    beside = f"± {points(found.std, signed=False)}" if found.std is not None else ""
    return Entry(figure=percent(found.mean), beside=_with_count(beside, found, seeds))


def _gain(found: Paired) -> Entry:
    if found.low is None or found.high is None:
        return Entry(figure=points(found.mean), beside="one pair")
    return Entry(figure=points(found.mean), beside=f"({points(found.low)} to {points(found.high)})", strong=found.clear)


def _with_count(text: str, found: Spread, seeds: int) -> str:
    """Says how many seeds there are where some are missing."""
    return text if found.count == seeds else f"{text} ({counted(found.count, 'seed')})".strip()


def _panels(found: Mapping[Condition, Spread | None], row: str) -> list[tuple[str, Markup]]:
    """Accuracy against `row`, a line for each weight: one chart for each value of the other one, on a common axis."""
    group = TEMPERATURES if row == BATCHES else BATCHES
    known = {key: spread for key, spread in found.items() if spread}
    apart = [one for one in _values(known, group) if len(_values(_where(known, group, one), row)) > 1]
    shown = {key: spread for one in apart for key, spread in _where(known, group, one).items()}
    ends = [end for spread in shown.values() for end in _band(spread)]
    panels = []
    for one in apart:
        lines = _lines(_where(known, group, one), row)
        panels.append((_named(group, one), _chart(lines, row, _named(group, one), ends, several=len(apart) > 1)))
    return panels


def _lines(known: Mapping[Condition, Spread], row: str) -> list[Line]:
    weights = sorted({key.weight for key in known})
    styles = dict(zip([weight for weight in weights if weight], COLOURS * len(weights)))
    lines = []
    for weight in weights:
        at = sorted((_value(key, row) or 0.0, spread) for key, spread in known.items() if key.weight == weight)
        several = any(spread.std is not None for _, spread in at)
        lines.append(
            Line(
                name=_weight_name(weight),
                colour=styles.get(weight, "k8"),
                points=[(x, spread.mean) for x, spread in at],
                band=[_band(spread) for _, spread in at] if several else (),
                notes=[f"{_weight_name(weight)}, {row} {_written(row, x)}: {_said(spread)}" for x, spread in at],
                dashed=weight == 0 and len(weights) > 1,
                strong=weight != 0 and len(weights) == 2,
            )
        )
    return lines


def _chart(lines: Sequence[Line], row: str, title: str, ends: Sequence[float], *, several: bool) -> Markup:
    across = sorted({point[0] for line in lines for point in line.points})

    def draw(width: float) -> Markup:
        return line_chart(
            lines,
            title=f"Test accuracy of the linear probe against {row}" + (f", {title}" if title else ""),
            description="; ".join(note for line in lines for note in line.notes),
            x_name="images in a batch" if row == BATCHES else "temperature",
            y_name="test accuracy",
            write_x=count if row == BATCHES else value,
            write_y=percent_tick,
            limits=(0.0, 1.0),
            also=ends,
            x_ticks=across,
            logarithmic=row == BATCHES,
            width=width,
            height=330,
        )

    return draw(SIDE_BY_SIDE) if several else wide_and_narrow(draw)


def _band(spread: Spread) -> tuple[float, float]:
    reach = spread.std or 0.0
    return max(0.0, spread.mean - reach), min(1.0, spread.mean + reach)


def _said(spread: Spread) -> str:
    around = f" ± {points(spread.std, signed=False)}" if spread.std is not None else ""
    return f"{percent(spread.mean)}{around} over {counted(spread.count, 'seed')}"


def _values(found: Mapping[Condition, object], name: str) -> list[float | None]:
    return sorted({_value(key, name) for key in found}, key=lambda one: (one is not None, one or 0.0))


def _value(key: Condition, name: str) -> float | None:
    return key.batch_size if name == BATCHES else key.temperature


def _where(found: Mapping[Condition, Spread], name: str, one: float | None) -> dict[Condition, Spread]:
    return {key: spread for key, spread in found.items() if _value(key, name) == one}


def _condition(where: Mapping[str, float | None], weight: float) -> Condition:
    return Condition(batch_size=where[BATCHES], temperature=where[TEMPERATURES], weight=weight)


def _named(name: str, one: float | None) -> str:
    return f"{name} {_written(name, one)}" if one is not None else ""


def _written(name: str, one: float | None) -> str:
    if one is None:
        return UNKNOWN
    return count(one) if name == BATCHES else value(one)


def _weight_name(weight: float) -> str:
    return f"variance reduction {value(weight)}" if weight else "no variance reduction"
