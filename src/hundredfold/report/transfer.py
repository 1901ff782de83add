"""A transfer -> what the template of its page shows: the answer, the generator, the arms side by side, how settings
were chosen, every draw, data and time."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from hundredfold.records import Interval, Score
from hundredfold.report.exhibits import exhibits_section
from hundredfold.report.figures.intervals import Estimate, Row, intervals
from hundredfold.report.figures.strip import share_bar
from hundredfold.report.figures.svg import wide_and_narrow
from hundredfold.report.folder import StoredExhibit
from hundredfold.report.provenance import flattened, stages
from hundredfold.report.transfer_answer import LONG_SCRATCH, SCRATCH, certainty, share_text, transfer_answer
from hundredfold.report.transfer_quality import quality_section
from hundredfold.report.wording import counted, points, value, visible
from hundredfold.transfer_records import ArmChoice, ArmFacts, Comparison, Recovered, TransferResult

ORACLES = "what a transfer does not have"
SYMBOLS = {"weight": "λ", "temperature": "τ"}
COLOURS = ("k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7", "k9")  # of label counts; k8 is grey
NAME = 28  # characters of a name beside a figure
SAMPLES = "samples"  # the exhibit that repeats the generator's quality


@dataclass(frozen=True, kw_only=True)
class ArmRow:
    """One arm at one label count.

    Attributes:
        arm: what it is.
        interval: accuracy over the draws, or None where it has none.
        first: whether it is the most accurate of those without an oracle's data.
        scratch, longer: against training from scratch, and for as many steps; None where that was not compared.
        others: title of an arm that it goes on from, and the comparison.
        shares: of each oracle's gain, as text; empty where that was not asked.
    """

    arm: ArmFacts
    interval: Interval | None
    first: bool
    scratch: Comparison | None
    longer: Comparison | None
    others: tuple[tuple[str, Comparison], ...]
    shares: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ArmTable:
    """The arms at one label count.

    Attributes:
        labels: how many each learnt from.
        rows: in the order of the result, without oracles.
        oracles: the rows of those.
        oracle_titles: whose gains have a column of shares.
        several: whether there is more than one draw.
        longer, others: whether any row has such a comparison.
        columns: of the whole table.
    """

    labels: int
    rows: tuple[ArmRow, ...]
    oracles: tuple[ArmRow, ...]
    oracle_titles: tuple[str, ...]
    several: bool
    longer: bool
    others: bool
    columns: int


@dataclass(frozen=True, kw_only=True)
class ChoiceRow:
    """What an arm chose at a label count: "λ = 0.1, τ = 4" and in how many of its draws, the commonest first."""

    title: str
    labels: int
    draws: int
    chosen: tuple[tuple[str, int], ...]


def transfer_view(
    result: TransferResult, exhibits: Sequence[StoredExhibit] = (), gaps: Sequence[str] = ()
) -> dict[str, Any]:
    """The names that `transfer.html.j2` uses.

    Args:
        result: the content of `results.json`.
        exhibits: what lies in `exhibits/`.
        gaps: sentences on what could not be read.
    """
    titles = {arm.name: arm.title for arm in result.arms}
    return {
        "result": result,
        "answer": transfer_answer(result),
        "quality": quality_section(result.quality),
        "tables": [arm_table(result, labels) for labels in result.label_counts],
        "oracles_heading": ORACLES,
        "titles": titles,
        "figure": differences_figure(result),
        "dots": any(one.draws > 1 for one in result.comparisons),
        "exhibits": exhibits_section([_without_repetition(one, result) for one in exhibits]),
        "exhibits_title": "Samples, and what they were made from",
        "choices": choice_rows(result),
        "tried": [_tried(choice, titles) for choice in result.choices],
        "logs": _logs(result, titles),
        "records": sorted(result.records, key=_place_of(result)),
        "notes": list(dict.fromkeys((*result.notes, *result.data.notes, *gaps))),
        "settings": flattened(result.settings),
        "stages": [(stage, share_bar(stage.share, title=visible(stage.name))) for stage in stages(result.seconds)],
    }


def arm_table(result: TransferResult, labels: int) -> ArmTable:
    """Every arm with its accuracy and its comparisons at one label count."""
    oracles = [
        arm.name
        for arm in result.arms
        if any(one.oracle == arm.name and one.labels == labels for one in result.recovered)
    ]
    means = {
        arm.name: found.mean for arm in result.arms if not arm.oracle and (found := _interval(result, arm, labels))
    }
    first = max(means, key=lambda name: means[name], default="")
    rows = [_arm_row(result, arm, labels, oracles, first) for arm in result.arms]
    longer, others = any(row.longer for row in rows), any(row.others for row in rows)
    titles = {arm.name: arm.title for arm in result.arms}
    return ArmTable(
        labels=labels,
        rows=tuple(row for row in rows if not row.arm.oracle),
        oracles=tuple(row for row in rows if row.arm.oracle),
        oracle_titles=tuple(titles[name] for name in oracles),
        several=any(row.interval is not None and row.interval.draws > 1 for row in rows),
        longer=longer,
        others=others,
        columns=3 + longer + others + len(oracles),
    )


def paired_differences(records: Iterable[Score], arm: str, labels: int) -> tuple[float, ...]:
    """What an arm is more accurate than training from scratch, draw by draw; draws that lack one are left out."""
    found: dict[str, dict[tuple[int, int], float]] = {arm: {}, SCRATCH: {}}
    for record in records:
        if record.labels == labels and record.model in found:
            found[record.model][record.draw, record.seed] = record.accuracy
    shared = sorted(found[arm].keys() & found[SCRATCH].keys())
    return tuple(found[arm][draw] - found[SCRATCH][draw] for draw in shared)


def differences_figure(result: TransferResult) -> Markup | None:
    """The differences to training from scratch by arm and label count, or None where nothing was compared."""
    own = [row for arm in result.arms if not arm.oracle and (row := _figure_row(result, arm))]
    oracles = [row for arm in result.arms if arm.oracle and (row := _figure_row(result, arm))]
    if oracles and own:
        oracles[0] = dataclasses.replace(oracles[0], heading=ORACLES)
    if not own and not oracles:
        return None
    colours = _colours(result)
    groups = [(counted(labels, "label"), colour) for labels, colour in colours.items()]
    return wide_and_narrow(
        lambda width: intervals(
            own + oracles,
            title="Difference to training from scratch",
            description="Mean over draws of labels and 95 % interval, in points of test accuracy, for each arm: "
            + " ".join(f"{row.name}: {', '.join(one.note for one in row.estimates)}." for row in own + oracles),
            x_name="points of test accuracy over training from scratch",
            write=_points_tick,
            groups=groups if len(groups) > 1 else (),
            width=width,
        )
    )


def choice_rows(result: TransferResult) -> list[ChoiceRow]:
    """Which settings were chosen how often, by arm and label count in the order of the tables."""
    order = _order(result)
    titles = {arm.name: arm.title for arm in result.arms}
    found: dict[tuple[str, int], Counter[str]] = {}
    for choice in result.choices:
        found.setdefault((choice.arm, choice.labels), Counter())[settings_text(choice.chosen)] += 1
    return [
        ChoiceRow(title=titles.get(arm, arm), labels=labels, draws=seen.total(), chosen=tuple(seen.most_common()))
        for (arm, labels), seen in sorted(found.items(), key=lambda one: (one[0][1], order.get(one[0][0], len(order))))
    ]


def settings_text(settings: Mapping[str, float]) -> str:
    """Chosen settings in a few signs.

    >>> settings_text({"weight": 0.1, "temperature": 4.0})
    'λ = 0.1, τ = 4'
    """
    return ", ".join(f"{SYMBOLS.get(name) or visible(name, 40)} = {value(number)}" for name, number in settings.items())


def _arm_row(result: TransferResult, arm: ArmFacts, labels: int, oracles: Sequence[str], first: str) -> ArmRow:
    titles = {known.name: known.title for known in result.arms}
    found = {one.against: one for one in result.comparisons if one.arm == arm.name and one.labels == labels}
    shares = {one.oracle: one for one in result.recovered if one.arm == arm.name and one.labels == labels}
    return ArmRow(
        arm=arm,
        interval=_interval(result, arm, labels),
        first=arm.name == first,
        scratch=found.get(SCRATCH),
        longer=found.get(LONG_SCRATCH),
        others=tuple(
            (titles.get(against, against), one)
            for against, one in found.items()
            if against not in (SCRATCH, LONG_SCRATCH)
        ),
        shares=tuple(_share(shares.get(oracle)) for oracle in oracles),
    )


def _share(found: Recovered | None) -> str:
    if found is None:
        return ""
    return "no gain" if found.share is None else share_text(found.share)


def _most_accurate(result: TransferResult, labels: int) -> str:
    """The name of the arm without an oracle's data that is right most often, or the empty text."""
    known = {arm.name: _interval(result, arm, labels) for arm in result.arms if not arm.oracle}
    means = {name: found.mean for name, found in known.items() if found}
    return max(means, key=lambda name: means[name], default="")


def _interval(result: TransferResult, arm: ArmFacts, labels: int) -> Interval | None:
    return result.summary.get(arm.name, {}).get(str(labels))


def _figure_row(result: TransferResult, arm: ArmFacts) -> Row | None:
    colours = _colours(result)
    found = [one for one in result.comparisons if one.arm == arm.name and one.against == SCRATCH]
    estimates = [
        Estimate(
            mean=one.mean,
            low=one.low,
            high=one.high,
            values=paired_differences(result.records, arm.name, one.labels) if one.draws > 1 else (),
            colour=colours.get(one.labels, "k8"),
            note=f"{points(one.mean)} at {counted(one.labels, 'label')} ({certainty(one)})",
        )
        for one in sorted(found, key=lambda one: one.labels)
    ]
    return Row(name=visible(arm.title, NAME), estimates=tuple(estimates), soft=arm.oracle) if estimates else None


def _colours(result: TransferResult) -> dict[int, str]:
    return {labels: COLOURS[place % len(COLOURS)] for place, labels in enumerate(result.label_counts)}


def _points_tick(difference: float) -> str:
    size = f"{abs(difference) * 100:.6g}"
    return size if difference == 0 else ("+" if difference > 0 else "−") + size


def _tried(choice: ArmChoice, titles: Mapping[str, str]) -> tuple[ArmChoice, str, str, tuple[tuple[str, float], ...]]:
    trials = tuple((settings_text(trial.settings), trial.held_out) for trial in choice.trials)
    return choice, titles.get(choice.arm, choice.arm), settings_text(choice.chosen), trials


def _logs(result: TransferResult, titles: Mapping[str, str]) -> list[tuple[str, str, str]]:
    return [
        (titles.get(arm, arm), labels, _means(means))
        for arm, by_labels in result.logs.items()
        for labels, means in by_labels.items()
        if means
    ]


def _means(means: Mapping[str, float]) -> str:
    return ", ".join(f"{visible(name, 40)} {value(mean, 3)}" for name, mean in means.items())


def _order(result: TransferResult) -> dict[str, int]:
    return {arm.name: place for place, arm in enumerate(result.arms)}


def _place_of(result: TransferResult) -> Callable[[Score], tuple[int, int, int]]:
    order = _order(result)
    return lambda record: (record.labels, order.get(record.model, len(order)), record.draw)


def _without_repetition(stored: StoredExhibit, result: TransferResult) -> StoredExhibit:
    """The samples without the figures and sentences that the page has said of the generator's quality."""
    if stored.record.name != SAMPLES:
        return stored
    said = set(result.quality.sentences)
    sentences = tuple(sentence for sentence in stored.record.sentences if sentence not in said)
    return dataclasses.replace(stored, record=dataclasses.replace(stored.record, sentences=sentences, tables=()))
