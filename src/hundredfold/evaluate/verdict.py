"""A verdict in sentences: how healthy a representation is, and what it was good for.

Every sentence carries the figure that it rests on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hundredfold.evaluate.diagnosis import Worth
from hundredfold.evaluate.health import diagnose
from hundredfold.evaluate.score import wilson
from hundredfold.records import Interval, Similarity, TrainingResult
from hundredfold.task_records import TaskFindings

LEAST_GAIN = 0.05  # points: less than what is printed
FEW_TESTED = 1000  # test images below which their number is spoken of
REFERENCES = (  # each with the model that differs from it by pre-training alone
    ("baseline", "the same network from scratch", "finetune"),
    ("random_encoder", "a random encoder", "linear_probe"),
    ("pixels", "the raw pixels", "linear_probe"),
)


def verdict(
    similarity: Similarity | None,
    training: TrainingResult | None,
    summary: Mapping[str, Mapping[str, Interval]],
    labels: int,
    *,
    task: TaskFindings | None = None,
    tested: int = 0,
) -> tuple[str, ...]:
    """Sentences on the representation, on the training, and on what it was good for.

    Args:
        similarity, training: as `diagnose`.
        summary: model -> label count -> accuracy over the draws.
        labels: the count to speak of.
        task: as `diagnose`.
        tested: number of test images, 0 if unknown.
    """
    at = {model: by[str(labels)] for model, by in summary.items() if str(labels) in by}
    found = (diagnosis.sentence for diagnosis in diagnose(similarity, training, task, worth(summary, labels)))
    return (*found, *_gain(at), *_small_test(at, tested))


def worth(summary: Mapping[str, Mapping[str, Interval]], labels: int) -> Worth | None:
    """What the features were good for with so many labels, or None where that was not measured."""
    probe, random = (summary.get(model, {}).get(str(labels)) for model in ("linear_probe", "random_encoder"))
    return Worth(probe=probe.mean, random=random.mean) if probe and random else None


def _gain(at: Mapping[str, Interval]) -> Iterator[str]:
    if "linear_probe" not in at:
        return
    for other, what, ours in REFERENCES:
        if other in at:
            learnt = at.get(ours, at["linear_probe"]).mean
            gain = 100 * (learnt - at[other].mean)
            if abs(gain) < LEAST_GAIN:
                yield f"Pre-training makes no difference to {what} ({100 * at[other].mean:.1f} %)."
            elif gain > 0:
                yield f"Pre-training adds {gain:.1f} points over {what} ({100 * at[other].mean:.1f} %)."
            else:
                yield (
                    f"Pre-training adds nothing over {what} ({100 * at[other].mean:.1f} % against "
                    f"{100 * learnt:.1f} %): train longer, or ask whether the views keep what the classes depend on."
                )


def _small_test(at: Mapping[str, Interval], tested: int) -> Iterator[str]:
    if "linear_probe" not in at or not 0 < tested < FEW_TESTED:
        return
    low, high = wilson(at["linear_probe"].mean, tested)
    yield (
        f"The test set has {tested} images: that alone leaves the probe's accuracy open between {100 * low:.1f} and "
        f"{100 * high:.1f} % (95 % interval). Give more with --test."
    )
