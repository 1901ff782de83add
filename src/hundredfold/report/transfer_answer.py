"""A transfer in one sentence: what it is worth over the labels alone, or how good the model is that it hands over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hundredfold.records import Interval
from hundredfold.report.answer import Answer
from hundredfold.report.wording import counted, percent, points, visible
from hundredfold.transfer_records import ArmFacts, Comparison, Recovered, TransferResult

SCRATCH, LONG_SCRATCH = "scratch", "long_scratch"
NAME = 60  # characters of a title inside a sentence

# How an arm is called inside the sentence; others by their titles.
PHRASES = {
    "logit_matching": "matching the source classifier's logits",
    "soft_target": "learning the source classifier's soft targets",
    "relational": "relational distillation from the source classifier",
    "pseudo_pretraining": "pre-training on generated images",
    "contrastive_pretraining": "contrastive pre-training on generated images",
    "pseudo_semi_supervised": "learning from pseudo samples beside the labels",
    "pseudo_both": "pre-training on generated images and learning from pseudo samples",
}
ORACLES = {  # what follows "of what"
    "source_oracle": "the real source would give",
    "unlabelled_oracle": "real unlabelled images would give",
}


def transfer_answer(result: TransferResult) -> Answer:
    """What the best arm without an oracle's data is worth at the fewest labels; of a model handed over, its accuracy.

    An arm whose interval lies above zero goes before one with a higher mean that may be chance.
    """
    if result.chosen:
        return _handed_over(result)
    named = {arm.name: arm for arm in result.arms}
    found = [one for one in result.comparisons if one.against == SCRATCH and _compared(named.get(one.arm))]
    if not found:
        return Answer(sentence="No arm could be compared with training from scratch.")
    labels = min(one.labels for one in found)
    best = max((one for one in found if one.labels == labels), key=lambda one: (one.clear and one.mean > 0, one.mean))
    return _worth(result, best, named)


def certainty(found: Comparison) -> str:
    """The interval of a comparison and its draws, without brackets.

    >>> certainty(Comparison(arm="a", against="b", labels=20, mean=0.05, low=0.03, high=0.07, wins=5, draws=5))
    '+3.0 to +7.0, 5 draws'
    """
    if found.low is None or found.high is None:
        return "one draw: its spread is not known"
    return f"{points(found.low)} to {points(found.high)}, {counted(found.draws, 'draw')}"


def share_text(share: float) -> str:
    """The recovered share of an oracle's gain: a whole percentage, which may be negative or above 100.

    >>> share_text(0.683), share_text(1.2), share_text(-0.31)
    ('68 %', '120 %', '−31 %')
    """
    text = f"{share * 100:.0f} %".replace("-", "−")
    return "0 %" if text == "−0 %" else text


def _compared(arm: ArmFacts | None) -> bool:
    return arm is not None and not arm.oracle and arm.name not in (SCRATCH, LONG_SCRATCH)


def _worth(result: TransferResult, best: Comparison, named: Mapping[str, ArmFacts]) -> Answer:
    phrase = PHRASES.get(best.arm) or visible(named[best.arm].title, NAME)
    labels = counted(best.labels, "label")
    figure = f"{points(best.mean)} points"
    doubt = "" if result.quality.trusted else "; but the generator should not be trusted"
    told = f"{figure} ({certainty(best)})"
    if best.mean <= 0:
        sentence = f"With {labels}, nothing that was tried beats training from scratch: {phrase} comes closest, {told}"
    elif best.low is not None and not best.clear:
        sentence = f"With {labels}, nothing is clearly better than training from scratch: {phrase} comes first, {told}"
    else:
        sentence = f"{phrase[:1].upper()}{phrase[1:]} is worth {figure} at {labels} ({certainty(best)})"
        sentence += f"{_recovers(result.recovered, best)}{_against_longer(result.comparisons, best)}"
    return Answer(sentence=f"{sentence}{doubt}.", figure=figure)


def _recovers(recovered: Iterable[Recovered], best: Comparison) -> str:
    """Of the first oracle that gains anything."""
    for one in recovered:
        if (one.arm, one.labels) == (best.arm, best.labels) and one.share is not None:
            gain = ORACLES.get(one.oracle, f"{visible(one.oracle, NAME)} gains")
            return f", and recovers {share_text(one.share)} of what {gain}"
    return ""


def _against_longer(comparisons: Iterable[Comparison], best: Comparison) -> str:
    """A warning where training from scratch for as many steps does about as well."""
    wanted = (best.arm, LONG_SCRATCH, best.labels)
    longer = next((one for one in comparisons if (one.arm, one.against, one.labels) == wanted), None)
    if longer is None or (longer.mean > 0 and (longer.clear or longer.low is None)):
        return ""
    size = f"{points(longer.mean)} points, {certainty(longer)}"
    return f"; over training from scratch for as many steps, that is not clear ({size})"


def _handed_over(result: TransferResult) -> Answer:
    title = next((arm.title for arm in result.arms if arm.name == result.chosen), result.chosen)
    title = visible(title, NAME)
    tested = {int(labels): found for labels, found in result.summary.get(result.chosen, {}).items() if labels.isdigit()}
    if not tested:
        labels = f", learnt from {counted(max(result.label_counts), 'label')}" if result.label_counts else ""
        unknown = "without labelled test images, nobody knows how often it is right"
        return Answer(sentence=f"The model handed over is “{title}”{labels}; {unknown}.")
    labels_learnt = max(tested)
    figure = percent(tested[labels_learnt].mean)
    sentence = (
        f"With {counted(labels_learnt, 'label')}, the model handed over, “{title}”, is right for {figure} of the "
    )
    sentence += f"test images ({_spread(tested[labels_learnt])})"
    return Answer(sentence=sentence + _gain(result, labels_learnt) + ".", figure=figure)


def _gain(result: TransferResult, labels: int) -> str:
    wanted = (result.chosen, SCRATCH, labels)
    found = next((one for one in result.comparisons if (one.arm, one.against, one.labels) == wanted), None)
    if found is None:
        return ""
    known = f" ({certainty(found)})" if found.draws > 1 else ""  # of one draw, the accuracy has said so
    return f": {points(found.mean)} points over training from scratch{known}"


def _spread(interval: Interval) -> str:
    if interval.draws < 2:
        return "one draw of labels: its spread is not known"
    return f"± {points(2 * interval.std, signed=False)} over {counted(interval.draws, 'draw')}"
