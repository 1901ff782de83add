"""The study of methods: one table of what each learnt, how its views lie and what it cost, and a figure for each."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from hundredfold.evaluate.diagnosis import Worth
from hundredfold.evaluate.health import illnesses
from hundredfold.evaluate.verdict import worth
from hundredfold.methods import catalogue
from hundredfold.records import EpochRecord, Interval, Similarity
from hundredfold.report.answer import Answer
from hundredfold.report.figures.histogram import Hill, histogram
from hundredfold.report.figures.scale import widened
from hundredfold.report.figures.strip import strip, strip_axis
from hundredfold.report.provenance import flattened
from hundredfold.report.study_cells import NEIGHBOURS, PROBE, interval, varied
from hundredfold.report.study_tasks import Solved, loss_left, small_loss_curve, tasks_figure, tasks_sentence
from hundredfold.report.wording import (
    UNKNOWN,
    counted,
    fixed,
    method_title,
    model_title,
    percent,
    percent_tick,
    points,
    visible,
)
from hundredfold.study_records import StudyCell, StudyResult
from hundredfold.task_records import TaskFindings

METHOD = "method"
STRIP = 84.0  # px
HISTOGRAM = 350.0  # px
LONGEST = 90  # characters of an illness
REFERENCES = {"pixels": "the raw pixels", "random_encoder": "a random encoder"}  # inside a sentence
MEBIBYTE = 2**20


@dataclass(frozen=True, kw_only=True)
class Named:
    """A method for a reader: how it is spelt, its family, and what it does in a sentence; the last two may be empty."""

    title: str
    family: str = ""
    what: str = ""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table: a method, or a reference model that needs no pre-training (`cell` is None).

    Attributes:
        named: how it is called.
        cell: what was found.
        probe, knn: accuracy over the draws of labels, or None.
        accuracies: of the probe, draw by draw, if they were kept.
        gain: of the probe over the better reference model, a share; None if there is none.
        losses: of pre-training at its first and its last epoch, or None without an epoch.
        solved: how the task was solved on held-out images: a share, and what it is a share of; None if unknown.
        rank: effective rank of the features and their dimensions, or None.
        state: health in a few words, and whether it is an illness.
        speed: images a second, median over epochs, or None.
        memory: at the peak of training, MiB, or None.
    """

    named: Named
    cell: StudyCell | None = None
    probe: Interval | None = None
    knn: Interval | None = None
    accuracies: tuple[float, ...] = ()
    gain: float | None = None
    losses: tuple[float, float] | None = None
    solved: tuple[float, str] | None = None
    rank: tuple[float, int] | None = None
    state: tuple[str, bool] = ("", False)
    speed: float | None = None
    memory: float | None = None


def methods_view(result: StudyResult) -> dict[str, Any]:
    """The names that the part of `study.html.j2` on methods uses."""
    rows = method_rows(result)
    tested = [row for row in rows if row.probe]
    axis = _limits(tested)
    dimensions = {row.rank[1] for row in rows if row.rank}
    shown = {
        "knn": any(row.knn for row in rows),
        "losses": any(row.losses for row in rows),
        "solved": any(row.solved for row in rows),
        "similar": any(row.cell and row.cell.similarity for row in rows),
    }
    return {
        **shown,
        "columns": 7 + shown["knn"] + shown["losses"] + shown["solved"] + 3 * shown["similar"],  # right of the strip
        "rows": [(row, _strip(row, axis) if row.probe else "") for row in rows],
        "axis": strip_axis(axis, percent_tick, width=STRIP),
        "several": any(row.probe.draws > 1 for row in tested if row.probe),
        "references": [row.named.title for row in rows if row.cell is None],
        "dimensions": dimensions.pop() if len(dimensions) == 1 else None,
        "tasks": tasks_section(rows, references(result)),
        "alone": any(row.cell and not row.cell.similarity and row.losses for row in rows),
        "cards": [(row, _card_figure(row)) for row in rows if row.cell and not row.cell.failure],
    }


def tasks_section(rows: Sequence[Row], references: Mapping[str, Interval]) -> dict[str, Any] | None:
    """How well the tasks were solved beside what the features are worth; None where there is nothing to compare."""
    compared, left_out = [], []
    for row in rows:
        left = loss_left(_epochs(row.cell))
        if row.probe and left is not None:
            name, family = row.named.title, row.named.family
            compared.append(Solved(title=name, family=family, left=left, accuracy=row.probe.mean))
        elif row.probe and row.cell:
            left_out.append(row.named.title)
    if len(compared) < 2:
        return None
    best = max(references.items(), key=lambda found: found[1].mean, default=None)
    return {
        "figure": tasks_figure(compared, (model_title(best[0]), best[1].mean) if best else None),
        "sentence": tasks_sentence(compared),
        "left_out": left_out,
    }


def methods_answer(result: StudyResult) -> Answer:
    """Which method is first, by how much, and whether it was worth it."""
    found = [row for row in method_rows(result) if row.cell and row.probe]
    if not found or found[0].probe is None:
        return Answer(sentence=f"None of {counted(len(result.cells), 'method')} could be evaluated.")
    best, probe = found[0], found[0].probe
    figure = percent(probe.mean)
    evaluated = "" if len(found) == len(result.cells) else " that could be evaluated"
    place = f"first of {counted(len(found), 'method')}{evaluated}" if len(found) > 1 else "the only method evaluated"
    spread = (
        f" (± {points(2 * probe.std, signed=False)} over {counted(probe.draws, 'draw')})" if probe.draws > 1 else ""
    )
    sentence = f"With {counted(result.labels, 'label')}, {best.named.title} is {place}: a linear probe on its features "
    sentence += f"is right for {figure} of the test images{spread}"
    if best.gain is not None:
        over = max(references(result).items(), key=lambda found: found[1].mean)[0]
        sentence += f", {_difference(best.gain)} than {REFERENCES.get(over, model_title(over))}"
    return Answer(sentence=sentence + ".", figure=figure)


def method_rows(result: StudyResult) -> list[Row]:
    """Methods and reference models, the most accurate probe first; what has no accuracy comes last."""
    best = max((found.mean for found in references(result).values()), default=None)
    rows = [Row(named=Named(title=model_title(model)), probe=found) for model, found in references(result).items()]
    rows += [_row(result, cell, named, best) for cell, named in zip(result.cells, _names(result), strict=True)]
    return sorted(rows, key=lambda row: -row.probe.mean if row.probe else 1.0)


def references(result: StudyResult) -> dict[str, Interval]:
    """The models that need no pre-training, with their accuracy at the label count of the tables."""
    labels = str(result.labels)
    return {model: by_count[labels] for model, by_count in result.reference.items() if labels in by_count}


def state(cell: StudyCell, found: Worth | None = None) -> tuple[str, bool]:
    """The health of a cell in a few words, and whether it is an illness.

    Args:
        cell: of a study.
        found: what its features were good for, or None.
    """
    if cell.failure:
        return "failed", True
    if cell.healthy is None:
        return UNKNOWN, False
    if cell.healthy:
        return "healthy", False
    named = ", ".join(illnesses(cell.similarity, cell.training, cell.task, found))
    if named:
        return named, True
    # A record of a version with other thresholds: its verdict begins with the illness, what it is before the colon.
    first = cell.verdict[0] if cell.verdict else "not healthy"
    return visible(first.partition(": ")[0].partition(". ")[0].rstrip("."), LONGEST), True


def _row(result: StudyResult, cell: StudyCell, named: Named, reference: float | None) -> Row:
    probe = interval(cell, result.labels)
    epochs = _epochs(cell)
    peak = cell.training.peak_bytes if cell.training else None
    return Row(
        named=named,
        cell=cell,
        probe=probe,
        knn=interval(cell, result.labels, NEIGHBOURS),
        accuracies=tuple(
            record.accuracy
            for record in result.records
            if (record.model, record.labels, record.settings) == (PROBE, result.labels, cell.settings)
        ),
        gain=probe.mean - reference if probe and reference is not None else None,
        losses=(epochs[0].loss, epochs[-1].loss) if epochs else None,
        solved=_share_solved(cell.task),
        rank=_rank(cell),
        state=state(cell, worth({**result.reference, **cell.summary}, result.labels)),
        speed=statistics.median(epoch.images_per_second for epoch in epochs) if epochs else None,
        memory=peak / MEBIBYTE if peak is not None else None,
    )


def _epochs(cell: StudyCell | None) -> tuple[EpochRecord, ...]:
    return cell.training.epochs if cell and cell.training else ()


def _share_solved(task: TaskFindings | None) -> tuple[float, str] | None:
    """Of its questions, those answered rightly; of pixels, the variance that is predicted."""
    if task is None:
        return None
    if task.accuracy is not None:
        return (
            task.accuracy,
            f"chance {percent_tick(round(task.chance, 3))}" if task.chance is not None else "of the answers",
        )
    return (task.explained, "of variance") if task.explained is not None else None


def _rank(cell: StudyCell) -> tuple[float, int] | None:
    found = cell.similarity or cell.task
    return (found.effective_rank, found.dimensions) if found else None


def _names(result: StudyResult) -> list[Named]:
    """Each cell's method; cells of one method are told apart by the other settings that differ."""
    known = {info.name: info for info in catalogue.names()}
    others = [name for name in varied(result.cells) if name != METHOD]
    found = []
    for cell in result.cells:
        method, settings = str(cell.settings.get(METHOD, cell.name)), flattened(cell.settings)
        title, family, what = method_title(method), "", ""
        if method in known:
            # Each method's file begins "Name: what it does."
            name, _, what = known[method].summary.partition(": ")
            title, family = name if what else title, known[method].family
        told = ", ".join(f"{other} {settings[other]}" for other in others if other in settings)
        found.append(Named(title=f"{title} ({told})" if told else title, family=family, what=what))
    return found


def _limits(rows: Sequence[Row]) -> tuple[float, float]:
    """One scale for the accuracies of all rows."""
    seen = [end for row in rows if row.probe for end in (row.probe.low, row.probe.high, *row.accuracies)]
    low, high = widened(min(seen), max(seen), about=4) if seen else (0.0, 1.0)
    return max(0.0, low), min(1.0, high)


def _strip(row: Row, limits: tuple[float, float]) -> Markup:
    if row.probe is None:
        return Markup("")
    return strip(
        row.accuracies,
        mean=row.probe.mean,
        interval=(row.probe.low, row.probe.high) if row.probe.draws > 1 else None,
        limits=limits,
        colour="k0" if row.cell else "k8",
        title=f"{visible(row.named.title)}: {percent(row.probe.mean)}",
        description="Dots are draws of labels, the tick is their mean, the bar mean ± 2 standard deviations.",
        width=STRIP,
    )


def _card_figure(row: Row) -> Markup:
    """How its views lie; the loss of a method that compares none."""
    if row.cell and row.cell.similarity is None:
        return small_loss_curve(_epochs(row.cell), visible(row.named.title))
    return _hills(row)


def _hills(row: Row) -> Markup:
    """Both histograms of similarity, small; nothing where they were not kept."""
    found: Similarity | None = row.cell.similarity if row.cell else None
    if found is None or found.positives is None or found.negatives is None:
        return Markup("")
    pairs = [
        ("different images", "k2", found.negatives, found.negative_mean),
        ("same image", "k0", found.positives, found.positive_mean),
    ]
    return histogram(
        [Hill(name=n, colour=c, edges=kept.edges, counts=kept.counts, mean=mean) for n, c, kept, mean in pairs],
        title=f"Cosine similarity of pairs of views: {visible(row.named.title)}",
        description=f"Mean {found.positive_mean:.2f} for two views of the same image, {found.negative_mean:.2f} for "
        "views of different images.",
        x_name="cosine similarity",
        y_name="share of pairs",
        write_x=fixed,
        write_y=percent_tick,
        width=HISTOGRAM,
        height=230,
    )


def _difference(share: float) -> str:
    return f"{points(share, signed=False)} points {'more' if share >= 0 else 'less'}"
