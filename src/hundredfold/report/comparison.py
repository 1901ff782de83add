"""Several runs -> what the template of their common page shows: models against runs, curves, what differs, time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from hundredfold.records import Interval
from hundredfold.report.answer import label_counts
from hundredfold.report.curves import COLOURS, Curve, learning_curve
from hundredfold.report.folder import RunFolder
from hundredfold.report.provenance import flattened
from hundredfold.report.wording import UNKNOWN, counted, model_title, percent, visible

Cell: TypeAlias = tuple[int, Interval]  # a label count and the accuracy with it

CURVE_OF = "linear_probe"  # the model whose curve is drawn where a run chose none


def comparison_view(runs: Sequence[RunFolder]) -> dict[str, Any]:
    """The names that `comparison.html.j2` uses."""
    names = _distinct([run.name for run in runs])
    labels = common_count(runs)
    return {
        "names": names,
        "runs": runs,
        "labels": labels,
        "sentence": sentence(runs, names, labels),
        "models": models_table(runs, labels),
        "curve": curves(runs, names),
        "settings": differing([flattened(run.settings) for run in runs]),
        "stages": sorted({stage for run in runs for stage in run.result.seconds}, key=lambda stage: stage == "total"),
        "gaps": [f"{name}: {gap}" for name, run in zip(names, runs, strict=True) for gap in run.gaps],
    }


def common_count(runs: Sequence[RunFolder]) -> int | None:
    """The largest number of labels that every run was tested with, or None."""
    each = [{n for by_count in label_counts(run.result).values() for n in by_count} for run in runs]
    return max(set.intersection(*each), default=None) if each else None


def sentence(runs: Sequence[RunFolder], names: Sequence[str], labels: int | None) -> str:
    """Which run's handed-over model is most accurate, in one sentence."""
    if labels is None:
        return f"{counted(len(runs), 'run')} that were tested with no common number of labels."
    found = [
        (interval.mean, name, model)
        for name, run in zip(names, runs, strict=True)
        for model, interval in [_curve(run, labels)]
        if interval
    ]
    if not found:
        return f"{counted(len(runs), 'run')}, compared at {counted(labels, 'label')}."
    best, name, model = max(found)
    return (
        f"With {counted(labels, 'label')}, {model_title(model)} of {visible(name, 60)} is first with {percent(best)}."
    )


def models_table(runs: Sequence[RunFolder], labels: int | None) -> list[tuple[str, list[Cell | None]]]:
    """Model -> for each run the label count and interval: the common count, or the run's own largest."""
    models = list(dict.fromkeys(model for run in runs for model in run.result.summary))
    return [(model_title(model), [_at(run, model, labels) for run in runs]) for model in models]


def curves(runs: Sequence[RunFolder], names: Sequence[str]) -> Any:
    """The learning curve of each run's handed-over model."""
    lines = []
    for position, (name, run) in enumerate(zip(names, runs, strict=True)):
        model, _ = _curve(run, None)
        by_count = label_counts(run.result).get(model, {})
        if by_count:
            lines.append(Curve(name=name, colour=f"k{1 + position % COLOURS}", intervals=by_count))
    return learning_curve(lines, "Test accuracy against the number of labels, by run") if lines else ""


def differing(settings: Sequence[Mapping[str, str]]) -> list[tuple[str, list[str]]]:
    """The settings that are not the same in all runs, with the value of each run."""
    names = dict.fromkeys(name for one in settings for name in one)
    rows = [(name, [one.get(name, UNKNOWN) for one in settings]) for name in names]
    return [(name, values) for name, values in rows if len(set(values)) > 1]


def _curve(run: RunFolder, labels: int | None) -> tuple[str, Interval | None]:
    model = run.result.chosen.model if run.result.chosen else CURVE_OF
    return model, label_counts(run.result).get(model, {}).get(labels or 0)


def _at(run: RunFolder, model: str, labels: int | None) -> Cell | None:
    by_count = label_counts(run.result).get(model, {})
    count = labels if labels is not None else max(by_count, default=None)
    return (count, by_count[count]) if count in by_count else None


def _distinct(names: Sequence[str]) -> list[str]:
    """Folder names; those that occur twice get a number."""
    return [
        f"{name} ({names[: position + 1].count(name)})" if names.count(name) > 1 else name
        for position, name in enumerate(names)
    ]
