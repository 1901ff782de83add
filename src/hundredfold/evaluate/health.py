"""A verdict in sentences: what the figures of a run mean and what to do about them.

Every sentence carries the figure that it rests on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hundredfold.evaluate.score import wilson
from hundredfold.records import Interval, Similarity, TrainingResult

COLLAPSED = 0.9  # mean negative similarity above which views of different images look alike
FEW_DIMENSIONS = 0.02  # effective rank as a share of the dimensions below which features hardly vary
NOT_LEARNING = 0.8  # share of the way from floor to chance above which the loss says that views are not told apart
LEAST_GAIN = 0.05  # points: less than what is printed
REFERENCES = (
    ("baseline", "the same network from scratch"),
    ("random_encoder", "a random encoder"),
    ("pixels", "the raw pixels"),
)
FEW_TESTED = 1000  # test images below which their number is spoken of
OVERFITTED = 0.3  # nats between validation and training loss
SETTLED = 200  # steps after which the running statistics that validation uses have caught up


def verdict(
    similarity: Similarity | None,
    training: TrainingResult | None,
    summary: Mapping[str, Mapping[str, Interval]],
    labels: int,
    *,
    tested: int = 0,
) -> tuple[str, ...]:
    """Sentences on the representation, on the training, and on what it was good for.

    Args:
        similarity: on held-out images, or None.
        training: or None.
        summary: model -> label count -> accuracy over the draws.
        labels: the count to speak of.
        tested: number of test images, 0 if unknown.
    """
    ills = [*_representation(similarity), *_training(training)]
    healthy = [] if ills or similarity is None else [_healthy(similarity)]
    at = {model: by[str(labels)] for model, by in summary.items() if str(labels) in by}
    return (*ills, *healthy, *_gain(at), *_small_test(at, tested))


def _representation(found: Similarity | None) -> Iterator[str]:
    if found is None:
        return
    if found.negative_mean > COLLAPSED:
        yield (
            f"The representation has collapsed, or has not unfolded yet: views of different images have a mean cosine "
            f"similarity of {found.negative_mean:.2f}. Train longer; if it stays so, lower the learning rate."
        )
    elif found.effective_rank < max(2.0, FEW_DIMENSIONS * found.dimensions):
        yield (
            f"The features use few of their dimensions: effective rank {found.effective_rank:.1f} of "
            f"{found.dimensions}. Train longer, or use stronger views."
        )


def _training(training: TrainingResult | None) -> Iterator[str]:
    if training is None or not training.epochs:
        return
    last = training.epochs[-1]
    floor = training.floor or 0.0
    if training.chance and last.loss - floor > NOT_LEARNING * (training.chance - floor):
        yield (
            f"Pre-training hardly learnt: the loss ended at {last.loss:.2f}, chance is {training.chance:.2f}. "
            "Train longer, raise the learning rate, or use weaker views."
        )
    if last.val_loss is not None and training.steps >= SETTLED and last.val_loss - last.loss > OVERFITTED:
        yield (
            f"Pre-training fits its own images better than new ones: loss {last.loss:.2f}, on held-out images "
            f"{last.val_loss:.2f}. Use more images, stronger views, or fewer epochs."
        )


def _healthy(found: Similarity) -> str:
    return (
        f"The representation is healthy: two views of an image have a mean similarity of {found.positive_mean:.2f}, "
        f"views of different images {found.negative_mean:.2f}, and the features use {found.effective_rank:.0f} of "
        f"{found.dimensions} dimensions."
    )


def _small_test(at: Mapping[str, Interval], tested: int) -> Iterator[str]:
    if "linear_probe" not in at or not 0 < tested < FEW_TESTED:
        return
    low, high = wilson(at["linear_probe"].mean, tested)
    yield (
        f"The test set has {tested} images: that alone leaves the probe's accuracy open between {100 * low:.1f} and "
        f"{100 * high:.1f} % (95 % interval). Give more with --test."
    )


def _gain(at: Mapping[str, Interval]) -> Iterator[str]:
    if "linear_probe" not in at:
        return
    probe = at["linear_probe"].mean
    for other, what in REFERENCES:
        if other in at:
            gain = 100 * (probe - at[other].mean)
            if abs(gain) < LEAST_GAIN:
                yield f"Pre-training makes no difference to {what} ({100 * at[other].mean:.1f} %)."
            elif gain > 0:
                yield f"Pre-training adds {gain:.1f} points over {what} ({100 * at[other].mean:.1f} %)."
            else:
                yield (
                    f"Pre-training adds nothing over {what} ({100 * at[other].mean:.1f} % against "
                    f"{100 * probe:.1f} %): train longer, or ask whether the views keep what the classes depend on."
                )
