"""The answer of a run: one sentence, and the table of models at the label count that was asked for.

Differences between models are paired: both learnt from the same draw of labels, so what the draw is worth cancels.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from hundredfold.records import Interval, RunResult, Score
from hundredfold.report.wording import count, counted, duration, method_title, model_title, percent, points, value

BASELINE = "baseline"
SMALLEST = 0.0005  # a difference that is printed as 0.0 points

# How a model is called inside the sentence; {features} says what its encoder learnt from.
PHRASES = {
    "baseline": "the network trained from scratch on the labels alone",
    "pixels": "logistic regression on the raw pixels",
    "random_encoder": "a linear probe on a random encoder",
    "knn": "a vote of nearest neighbours among features learnt from {features}",
    "linear_probe": "a linear probe on features learnt from {features}",
    "finetune": "the network pre-trained on {features} and fine-tuned",
    "label_propagation": "label propagation over features learnt from {features}",
    "pseudo_label": "pseudo-labelling that starts from features learnt from {features}",
    "fixmatch": "FixMatch that starts from features learnt from {features}",
}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The first sentence of the page; `figure` is the part of it to set in bold, or empty."""

    sentence: str
    figure: str = ""


@dataclass(frozen=True, kw_only=True)
class Gain:
    """A paired difference of accuracies over draws: mean, 2 standard deviations (None for one draw), draws."""

    mean: float
    spread: float | None
    draws: int

    @property
    def clear(self) -> bool:
        """Whether the mean is more than two standard errors away from none; one draw cannot tell."""
        return self.spread is not None and abs(self.mean) > self.spread / math.sqrt(self.draws)


@dataclass(frozen=True, kw_only=True)
class ModelRow:
    """One line of the table of models; `gain` is over the baseline, None where there is nothing to pair with."""

    model: str
    title: str
    chosen: bool
    interval: Interval
    accuracies: tuple[float, ...]
    macro_f1: float | None
    gain: Gain | None
    seconds: float | None


def asked_count(result: RunResult) -> int | None:
    """The number of labels that the run was about: the chosen model's, or the largest there is."""
    if result.chosen:
        return result.chosen.labels
    return max((labels for counts in label_counts(result).values() for labels in counts), default=None)


def label_counts(result: RunResult) -> dict[str, dict[int, Interval]]:
    """model -> number of labels, rising -> interval."""
    return {
        model: dict(sorted((int(labels), interval) for labels, interval in by_count.items() if labels.isdigit()))
        for model, by_count in result.summary.items()
    }


def scores(result: RunResult, model: str, labels: int) -> dict[int, Score]:
    """draw -> score of one model at one label count."""
    return {score.draw: score for score in result.records if score.model == model and score.labels == labels}


def gain(result: RunResult, model: str, over: str, labels: int) -> Gain | None:
    """How much more accurate `model` is than `over`, draw by draw; None if they share no draw."""
    ours, theirs = scores(result, model, labels), scores(result, over, labels)
    differences = [ours[draw].accuracy - theirs[draw].accuracy for draw in sorted(ours.keys() & theirs.keys())]
    if not differences or model == over:
        return None
    spread = 2 * statistics.stdev(differences) if len(differences) > 1 else None
    return Gain(mean=statistics.fmean(differences), spread=spread, draws=len(differences))


def model_rows(result: RunResult, labels: int) -> list[ModelRow]:
    """The models at one label count, most accurate first."""
    rows = []
    for model, by_count in label_counts(result).items():
        if labels not in by_count:
            continue
        records = list(scores(result, model, labels).values())
        rows.append(
            ModelRow(
                model=model,
                title=model_title(model),
                chosen=bool(result.chosen and result.chosen.model == model),
                interval=by_count[labels],
                accuracies=tuple(record.accuracy for record in records),
                macro_f1=statistics.fmean(record.macro_f1 for record in records) if records else None,
                gain=gain(result, model, BASELINE, labels),
                seconds=statistics.fmean(record.seconds for record in records) if records else None,
            )
        )
    return sorted(rows, key=lambda row: -row.interval.mean)


def answer(result: RunResult, unlabelled: int | None = None) -> Answer:
    """The run in one sentence.

    Args:
        result: the run.
        unlabelled: images that pre-training learnt from; by default all that were read.
    """
    learnt_from = f"{counted(unlabelled or result.data.images, 'unlabelled image')}"
    labels = asked_count(result)
    if labels is None:
        return Answer(sentence=_pretraining(result, learnt_from))
    if result.chosen is None:
        return Answer(sentence=_no_choice(model_rows(result, labels), labels))
    model = result.chosen.model
    interval = label_counts(result).get(model, {}).get(labels)
    phrase = PHRASES.get(model, "the model “" + model_title(model).replace("{", "{{").replace("}", "}}") + "”")
    subject = f"With {counted(labels, 'label')}, {phrase.format(features=learnt_from)}"
    if interval is None:
        unknown = "was chosen; without labelled test images, nobody knows how often it is right"
        return Answer(sentence=f"{subject} {unknown}.")
    figure = percent(interval.mean)
    tested = sum(map(sum, next(iter(scores(result, model, labels).values())).confusion)) if result.records else 0
    images = f"{count(tested)} test images" if tested else "the test images"
    sentence = f"{subject} is right for {figure} of {images} ({_spread(interval)})"
    return Answer(sentence=sentence + _against(result, model, labels) + ".", figure=figure)


def _spread(interval: Interval) -> str:
    if interval.draws < 2:
        return "one draw of labels: its spread is not known"
    return f"± {points(2 * interval.std, signed=False)} over {counted(interval.draws, 'draw')}"


def _against(result: RunResult, model: str, labels: int) -> str:
    difference = gain(result, model, BASELINE, labels)
    if difference is None:
        return ""
    other = f"{'the same' if model in _NETWORKS else 'a'} network trained from scratch on the same labels"
    size = f"{points(difference.mean, signed=False)} points"
    if difference.spread is not None and not difference.clear:
        spread = points(difference.spread, signed=False)
        return f": no clear difference from {other} ({points(difference.mean)} ± {spread} points)"
    if abs(difference.mean) < SMALLEST:
        return f": no difference from {other}"
    return f": {size} {'more' if difference.mean >= 0 else 'less'} than {other}"


_NETWORKS = frozenset(PHRASES) - {"pixels", "baseline"}


def _no_choice(rows: Sequence[ModelRow], labels: int) -> str:
    if not rows:
        return "No model was learnt from labels."
    best = rows[0]
    return (
        f"No model was chosen; at {counted(labels, 'label')}, {best.title} came out first on the test images with "
        f"{percent(best.interval.mean)} ({_spread(best.interval)})."
    )


def _pretraining(result: RunResult, learnt_from: str) -> str:
    training = result.training
    if training is None:
        return f"{counted(result.data.images, 'image')} were read; nothing was trained or evaluated."
    method = method_title(result.method)
    if not training.epochs:
        return f"{method} has not yet finished an epoch on {learnt_from}."
    first, last = training.epochs[0], training.epochs[-1]
    end = "nothing is labelled, so nothing was classified"
    if result.data.labelled:
        end = "no classifier was learnt or tested"
    return (
        f"{method} learnt features from {learnt_from} in {duration(training.seconds)}: its loss went from "
        f"{value(first.loss)} to {value(last.loss)} in {counted(last.epoch, 'epoch')}; {end}."
    )
