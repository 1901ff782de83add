"""A run -> what the template of its page shows, section by section."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from hundredfold.records import DataSummary, EpochRecord, RunResult, Score
from hundredfold.report import pictures
from hundredfold.report.answer import BASELINE, ModelRow, answer, asked_count, label_counts, model_rows, scores
from hundredfold.report.confusion import (
    CLASS_ROWS,
    LARGEST_MATRIX,
    class_rows,
    largest_wrong_share,
    matrix_figure,
    most_confused,
    summed,
    what_is_summed,
)
from hundredfold.report.curves import Curve, colours, learning_curve, loss_curve
from hundredfold.report.exhibits import exhibits_section
from hundredfold.report.figures.scale import widened
from hundredfold.report.figures.strip import share_bar, strip, strip_axis
from hundredfold.report.folder import RunFolder
from hundredfold.report.provenance import flattened, stages, without_private
from hundredfold.report.similarity import similarity_curves, similarity_facts, similarity_figure, similarity_sentence
from hundredfold.report.suspects import suspects_section
from hundredfold.report.task import task_section
from hundredfold.report.trust import trust_section
from hundredfold.report.wording import counted, duration, model_title, percent, points

EPOCH_ROWS = 60
BAD_FILES = 200


def run_view(run: RunFolder) -> dict[str, Any]:
    """The names that `run.html.j2` uses."""
    result = run.result
    labels = asked_count(result)
    rows = model_rows(result, labels) if labels is not None else []
    styles = colours(label_counts(result), result.chosen.model if result.chosen else None)
    return {
        "run": run,
        "result": result,
        "answer": answer(result, run.unlabelled),
        "labels": labels,
        "models": models_table(rows, styles),
        "curve": curve_section(result, styles),
        "training": training_section(result),
        "confusion": confusion_section(result, labels),
        "draws": chosen_draws(result, labels),
        "trust": trust_section(result),
        "mistakes": mistakes_section(run),
        "suspects": suspects_section(run),
        "views": views_section(run),
        "similarity": similarity_section(result),
        "task": task_section(result),
        "exhibits": exhibits_section(run.exhibits),
        "data": data_section(result.data),
        "stages": [(stage, share_bar(stage.share, title=stage.name)) for stage in stages(result.seconds)],
        "settings": flattened(run.settings),
        "environment": flattened(without_private(run.environment)),
    }


def models_table(rows: Sequence[ModelRow], styles: dict[str, str]) -> dict[str, Any]:
    """The models at the asked label count, each with its accuracies on one common scale."""
    seen = [value for row in rows for value in (row.interval.low, row.interval.high, *row.accuracies)]
    low, high = widened(min(seen), max(seen), about=4) if seen else (0.0, 1.0)
    limits = (max(0.0, low), min(1.0, high))

    def picture(row: ModelRow) -> Markup:
        several = row.interval.draws > 1
        return strip(
            row.accuracies,
            mean=row.interval.mean,
            interval=(row.interval.low, row.interval.high) if several else None,
            limits=limits,
            colour=styles[row.model],
            title=f"{row.title}: {', '.join(percent(value) for value in row.accuracies)}",
            description="Dots are draws of labels, the tick is their mean, the bar mean ± 2 standard deviations.",
        )

    return {
        "rows": [(row, picture(row)) for row in rows],
        "axis": strip_axis(limits, lambda share: f"{share * 100:.0f} %"),
        "gains": any(row.gain for row in rows),
        "several": any(row.interval.draws > 1 for row in rows),
    }


def curve_section(result: RunResult, styles: dict[str, str]) -> dict[str, Any] | None:
    """Accuracy against labels as figure and table; None where no two numbers of labels were tested."""
    curves = label_counts(result)
    if max((len(by_count) for by_count in curves.values()), default=0) < 2:  # one point is no curve
        return None
    shown = sorted({labels for by_count in curves.values() for labels in by_count})
    named = [Curve(name=model_title(m), colour=styles[m], intervals=by_count) for m, by_count in curves.items()]
    return {
        "figure": learning_curve(named, "Test accuracy against the number of labels"),
        "counts": shown,
        "lines": [
            (curve.name, curve.colour == "k0", [curve.intervals.get(labels) for labels in shown]) for curve in named
        ],
    }


def training_section(result: RunResult) -> dict[str, Any] | None:
    """The pre-training: loss curve, facts, a table of epochs; None for a run without one."""
    training = result.training
    if training is None:
        return None
    epochs = training.epochs
    facts = {
        "parameters": f"{training.parameters:,}",
        "batch": counted(training.batch_size, "image"),
        "steps": f"{training.steps:,}",
        "time": duration(training.seconds),
        "precision": training.precision,
        "device": training.device,
    }
    if epochs:
        facts["speed"] = f"{statistics.median(e.images_per_second for e in epochs):,.0f} images/s"
        facts["waiting for data"] = percent(statistics.fmean(e.data_wait for e in epochs))
    if training.peak_bytes:
        facts["memory at its peak"] = f"{training.peak_bytes / 2**20:,.0f} MiB"
    return {
        "record": training,
        "figure": loss_curve(training) if epochs else "",
        "facts": facts,
        "epochs": _evenly(epochs, EPOCH_ROWS),
        "validated": any(record.val_loss is not None for record in epochs),
        "logs": sorted({name for record in epochs for name in record.logs}),
    }


def confusion_section(result: RunResult, labels: int | None) -> dict[str, Any] | None:
    """Matrices or pairs of the chosen model and the baseline, and scores by class; None where nothing was tested."""
    if labels is None:
        return None
    model = result.chosen.model if result.chosen else next((row.model for row in model_rows(result, labels)), "")
    ours, theirs = _scores(result, model, labels), _scores(result, BASELINE, labels)
    if not ours or not ours[0].per_class:
        return None
    shown = [(model, ours)] + ([(BASELINE, theirs)] if theirs and model != BASELINE else [])
    names = [entry.name for entry in ours[0].per_class]
    matrices = [(model_title(name), summed(group), what_is_summed(group)) for name, group in shown]
    worst = max(largest_wrong_share(matrix) for _, matrix, _ in matrices)
    drawn = 1 < len(names) <= LARGEST_MATRIX
    rows = class_rows(ours, theirs if model != BASELINE else [])
    return {
        "title": model_title(model),
        "classes": len(names),
        "what": what_is_summed(ours),
        "figures": [
            (title, what, matrix_figure(matrix, names, f"Confusions of {title}, {what}", worst) if drawn else "")
            for title, matrix, what in matrices
        ],
        "drawn": drawn,
        "pairs": [(title, most_confused(matrix, names)) for title, matrix, _ in matrices],
        "rows": [(row, share_bar(row.recall, title=f"recall {percent(row.recall)}", width=90)) for row in rows],
        "compared": any(row.baseline_recall is not None for row in rows),
        "only_hardest": len(names) > CLASS_ROWS,
    }


def chosen_draws(result: RunResult, labels: int | None) -> list[Score]:
    """Each draw of the chosen model, in order."""
    return _scores(result, result.chosen.model, labels) if result.chosen and labels is not None else []


def mistakes_section(run: RunFolder) -> list[tuple[Any, str | None]]:
    """The worst mistakes, each with its picture if it was kept."""
    addresses = pictures.mistake_addresses(run.pictures)
    mistakes = run.result.mistakes[: pictures.MISTAKES]
    return [(m, addresses[k] if k < len(addresses) else None) for k, m in enumerate(mistakes)]


def views_section(run: RunFolder) -> dict[str, Any] | None:
    """Images beside their two views; None if none were kept."""
    shown = pictures.triples(run.pictures)
    if not shown:
        return None
    return {"triples": shown, "views": any(t.view_a or t.view_b for t in shown)}


def similarity_section(result: RunResult) -> dict[str, Any] | None:
    """The similarity of views as figure, sentence and numbers, and its course over the epochs."""
    if result.similarity is None:
        return None
    epochs = result.training.epochs if result.training else ()
    return {
        "record": result.similarity,
        "figure": similarity_figure(result.similarity),
        "sentence": similarity_sentence(result.similarity),
        "facts": similarity_facts(result.similarity),
        "curves": similarity_curves(epochs),
        "compared": max((epoch.similarity.images for epoch in epochs if epoch.similarity), default=0),
    }


def data_section(data: DataSummary) -> dict[str, Any]:
    """What was read, and how the labels are spread over the classes."""
    most = max(data.class_counts, default=0) or 1
    listed = list(zip(data.classes, data.class_counts)) if len(data.classes) <= CLASS_ROWS else []
    return {
        "record": data,
        "classes": [(name, n, share_bar(n / most, title=f"{n:,}", width=90)) for name, n in listed],
        "channels_note": pictures.channels_note(data.channels),
        "pixelated": max(data.height, data.width) <= pictures.SIDE // 2,
        "bad_files": data.bad_files[:BAD_FILES],
        "summary": _spread_of(data.class_counts),
    }


def gain_text(row: ModelRow) -> str:
    """A gain as the table writes it: mean ± 2 standard deviations, in points."""
    if row.gain is None:
        return ""
    spread = f" ± {points(row.gain.spread, signed=False)}" if row.gain.spread is not None else ""
    return f"{points(row.gain.mean)}{spread}"


def _spread_of(counts: Sequence[int]) -> str:
    if not counts:
        return ""
    if min(counts) == max(counts):
        return f"{min(counts):,} of each class"
    return f"from {min(counts):,} to {max(counts):,} of a class (median {statistics.median(counts):,.0f})"


def _scores(result: RunResult, model: str, labels: int) -> list[Score]:
    by_draw = scores(result, model, labels)
    return [by_draw[draw] for draw in sorted(by_draw)]


def _evenly(epochs: Sequence[EpochRecord], most: int) -> list[EpochRecord]:
    step = -(-len(epochs) // most) or 1
    return [record for position, record in enumerate(epochs) if position % step == 0 or position == len(epochs) - 1]
