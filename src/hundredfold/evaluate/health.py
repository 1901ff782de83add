"""What ails a representation: the figures of a run read as illnesses, each with a sentence that says what to change.

The sentence carries the figure that it rests on. The thresholds were set on runs made ill on purpose; what was measured
stands beside each.
"""

from __future__ import annotations

from collections.abc import Iterator

from hundredfold.evaluate.diagnosis import (
    COLLAPSED,
    FLAT,
    HEALTHY,
    NOT_LEARNING,
    OVER_SEPARATED,
    OVERFITTED,
    SMALL_BATCH,
    TOO_COLD,
    TOO_HOT,
    Diagnosis,
    Worth,
)
from hundredfold.evaluate.task_health import healthy_task, task_ills
from hundredfold.records import Similarity, TrainingResult
from hundredfold.task_records import TaskFindings

# Measured on digits (8x8, 165 steps) and on 4,167 images of MNIST (128 steps), in batches of 128 with a small convnet.
# In brackets: accuracy of three nearest neighbours with ten labels a class there, 91 and 91 % for SimCLR at its
# defaults, 68 % for an untrained encoder on digits. "Healthy" is every method of the library at its defaults.

# Mean negative similarity: 0.995 untrained and after training without negatives (71 %), 0.90 after 11 steps (80 %);
# healthy 0.46 or less.
ALIKE = 0.8
# Effective rank of the features as a share of what it can be: 0.08 untrained; healthy 0.31 or more.
LEAST_RANK = 0.1
# Effective rank of the projections: 8 with the learning rate 100 times too high (82 %), 7 with 1,000 times (54 %), 8 in
# batches of 2 (64 %); healthy 21 or more.
FEW_DIRECTIONS = 10.0
# How far negatives are beyond the optimum of the full batch: 0.2 to 0.9 with a sigmoid loss and a head for each view
# (87 to 66 %). Healthy about 0 or less: if both views come from one network, the expected similarity of negatives is
# the squared length of the mean projection. Chance moves the figure of 32 images by 0.02.
MOST_EXCESS = 0.05
# Share of the way from chance to the floor: 0.18 with a thousandth of the learning rate (62 %); healthy 0.21 or more.
LEAST_WAY = 0.2
# How much more alike positives are, in standard deviations of negatives: 1.2 untrained, 0 to 0.2 where nothing is left.
LEAST_GAP = 0.5
# Batches of 4 (77 and 64 %) leave the negatives a variance of 0.22 and 0.25, of 8 (84 and 80 %) 0.12 and 0.20, of 16
# (88 and 89 %) 0.09 and 0.17. Of 128 it is 0.09 and 0.14: the size has to be small for the variance to speak of it.
FEW_IMAGES = 16
MOST_VARIANCE = 0.1
# Effective share of negatives: 0.998 at temperature 10 (81 and 76 %), 0.98 to 0.99 at 3 (85 and 78 %), 0.92 at 1
# (90 %). Where their variance is small they weigh the same because they are, as with variance_reduction.
ALL_WEIGH_THE_SAME = 0.98
# The same on digits: 0.06 at temperature 0.1 (86 %), 0.017 at 0.05 (86 %), 0.013 at 0.02 (84 %).
NEAREST_ALONE = 0.03
# At temperature 0.01 the loss is choosy (effective share of negatives 0.02 and 0.16) though all images lie close (mean
# negative similarity 0.70 and 0.92; 86 and 83 %). Where images lie close because little was learnt, the share is 0.9.
CHOOSY = 0.25
NARROW = 0.5
# Share of the progress on the images trained on that held-out images do not show; healthy 0.1 or less.
MOST_LOST = 0.2
SETTLED = 200  # steps after which the running statistics that validation uses have caught up


def diagnose(
    similarity: Similarity | None,
    training: TrainingResult | None,
    task: TaskFindings | None = None,
    worth: Worth | None = None,
) -> tuple[Diagnosis, ...]:
    """What ails a representation and its training; `HEALTHY` alone where nothing does.

    Args:
        similarity: on held-out images, or None.
        training: or None.
        task: how a task that compares no views was solved on held-out images, or None.
        worth: what it was good for, or None where nothing was learnt from labels.

    Returns:
        The findings, the gravest first; none if there is nothing to judge.
    """
    if training and not training.steps:
        return (_untrained(similarity),)
    ills = (
        *_distances(similarity, training),
        *_directions(similarity, training),
        *_learning(similarity, training),
        *_task_directions(task),
        *task_ills(task, worth),
    )
    if ills:
        return ills
    if task:
        return (healthy_task(task),)
    return (_healthy(similarity),) if similarity else ()


def illnesses(
    similarity: Similarity | None,
    training: TrainingResult | None,
    task: TaskFindings | None = None,
    worth: Worth | None = None,
) -> tuple[str, ...]:
    """Names of what `diagnose` finds wrong, none if healthy or if there is nothing to judge."""
    return tuple(found.illness for found in diagnose(similarity, training, task, worth) if found.illness != HEALTHY)


def _distances(found: Similarity | None, training: TrainingResult | None) -> Iterator[Diagnosis]:
    """At most one: too far apart, too close, or by the wrong measure."""
    if found is None:
        return
    share = 0.5 if found.effective_negatives is None else found.effective_negatives  # neither extreme
    close = found.negative_mean > NARROW
    if found.excess is not None and found.excess > MOST_EXCESS:
        yield _over_separated(found)
    elif close and share < CHOOSY:
        yield _narrow(found)
    elif found.negative_mean > ALIKE:
        yield _collapsed(found, training)
    elif share < NEAREST_ALONE:
        yield _nearest_alone(found, share)
    elif share > ALL_WEIGH_THE_SAME and found.negative_variance > MOST_VARIANCE:
        yield _all_weigh_the_same(found, share)


def _directions(found: Similarity | None, training: TrainingResult | None) -> Iterator[Diagnosis]:
    """At most one: flat features, or flat projections of others where it is not the batch that makes them so."""
    if found is None:
        return
    if found.effective_rank < max(2.0, LEAST_RANK * _most(found.dimensions, found.images)):
        yield _flat(found.effective_rank, found.dimensions)
    elif _are_flat(found) and not _is_small_batch(found, training):
        yield _flat_projections(found)


def _task_directions(task: TaskFindings | None) -> Iterator[Diagnosis]:
    if task and task.effective_rank < 2.0:
        yield _flat(task.effective_rank, task.dimensions)


def _learning(found: Similarity | None, training: TrainingResult | None) -> Iterator[Diagnosis]:
    """Whether anything was learnt, from enough images at a time, and for other images too."""
    if training and _is_at_chance(training):
        yield _at_chance(training)
    elif found and found.negative_mean <= ALIKE and _gap(found) < LEAST_GAP:
        yield _no_gap(found)
    if training is None or not training.epochs:
        return
    last = training.epochs[-1]
    if found and _is_small_batch(found, training):
        yield _small_batch(found, training)
    comparable = training.steps >= SETTLED and training.batch_size >= FEW_IMAGES  # statistics of batches and running
    if comparable and last.val_loss is not None and _lost(training, last.val_loss) > MOST_LOST:
        yield _overfitted(last.loss, last.val_loss)


def _gap(found: Similarity) -> float:
    """How much more alike positives are than negatives, in standard deviations of these."""
    return (found.positive_mean - found.negative_mean) / max(found.negative_variance**0.5, 1e-6)


def _is_small_batch(found: Similarity, training: TrainingResult | None) -> bool:
    return training is not None and training.batch_size < FEW_IMAGES and found.negative_variance > MOST_VARIANCE


def _is_at_chance(training: TrainingResult | None) -> bool:
    """Whether the loss has gone less than a fifth of the way from chance to its floor; False where not known."""
    if training is None or training.chance is None or not training.epochs:
        return False
    way = training.chance - (training.floor or 0.0)
    return training.chance - training.epochs[-1].loss < LEAST_WAY * way


def _lost(training: TrainingResult, val_loss: float) -> float:
    """How much of the progress in the loss does not show on held-out images, as a share.

    Where chance is not known, the progress is taken to be the loss that is left, and at least 1.
    """
    loss = training.epochs[-1].loss
    progress = max(1.0, abs(loss)) if training.chance is None else training.chance - loss
    return (val_loss - loss) / progress if progress > 0 else 0.0


def _most(dimensions: int, images: int) -> int:
    """The largest effective rank of so many images; their number was not always kept."""
    return min(dimensions, images) if images else dimensions


def _are_flat(found: Similarity) -> bool:
    """Whether projections have too few directions: a fixed number, as images need so many whatever is offered.

    Of a small projection, or of few images, it is a quarter; one or two dimensions are too few in themselves.
    """
    if found.projection_rank is None or found.projection_dimensions is None:
        return False
    least = min(FEW_DIRECTIONS, _most(found.projection_dimensions, found.images) / 4)
    return found.projection_dimensions < 3 or found.projection_rank < least


def _healthy(found: Similarity) -> Diagnosis:
    return Diagnosis(
        illness=HEALTHY,
        sentence=f"The representation is healthy: two views of an image have a mean similarity of "
        f"{found.positive_mean:.2f}, views of different images {found.negative_mean:z.2f}, and the features use "
        f"{found.effective_rank:.0f} of {found.dimensions} dimensions.",
    )


def _untrained(found: Similarity | None) -> Diagnosis:
    seen = f": views of different images have a mean similarity of {found.negative_mean:z.2f}" if found else ""
    return Diagnosis(
        illness=NOT_LEARNING,
        sentence=f"Nothing was pre-trained, in 0 steps{seen}. Set epochs to 1 or more.",
    )


def _collapsed(found: Similarity, training: TrainingResult | None) -> Diagnosis:
    before = [
        (epoch.similarity.negative_mean, epoch.epoch)
        for epoch in (training.epochs if training else ())
        if epoch.similarity
    ]
    lowest, when = min(before, default=(1.0, 0))
    if lowest < NARROW:
        return Diagnosis(
            illness=COLLAPSED,
            sentence=f"The representation has collapsed: views of different images have a mean cosine similarity of "
            f"{found.negative_mean:.2f}, after {lowest:.2f} in epoch {when}. Lower the learning rate.",
        )
    return Diagnosis(
        illness=COLLAPSED,
        sentence=f"The representation has collapsed, or has not unfolded yet: views of different images have a mean "
        f"cosine similarity of {found.negative_mean:.2f}. Train longer; if it stays so, lower the learning rate or "
        f"take a method that tells images apart, such as simclr.",
    )


def _flat(rank: float, dimensions: int) -> Diagnosis:
    return Diagnosis(
        illness=FLAT,
        sentence=f"The features use few of their dimensions: effective rank {rank:.1f} of {dimensions}. Train longer, "
        "lower the learning rate, or use stronger views.",
    )


def _flat_projections(found: Similarity) -> Diagnosis:
    return Diagnosis(
        illness=FLAT,
        sentence=f"Views are compared in few directions: the projections have an effective rank of "
        f"{found.projection_rank:.1f} in {found.projection_dimensions} dimensions. Lower the learning rate, or use "
        f"larger batches or a wider projection.",
    )


def _over_separated(found: Similarity) -> Diagnosis:
    bound = found.bound if found.sharp_bound is None else found.sharp_bound
    return Diagnosis(
        illness=OVER_SEPARATED,
        sentence=f"Different images are pushed too far apart: their views have a mean similarity of "
        f"{found.negative_mean:.2f}, which keeps that of two views of an image below {bound:.2f} (it is "
        f"{found.positive_mean:.2f}). Tell images apart within a view too (negatives = both), lower the bias of a "
        f"sigmoid loss, use larger batches, or set variance_reduction = 3.",
    )


def _no_gap(found: Similarity) -> Diagnosis:
    return Diagnosis(
        illness=NOT_LEARNING,
        sentence=f"Views of an image are hardly told from views of others: mean similarity {found.positive_mean:.2f} "
        f"against {found.negative_mean:.2f}. Train longer, change the learning rate, or use weaker views.",
    )


def _at_chance(training: TrainingResult) -> Diagnosis:
    return Diagnosis(
        illness=NOT_LEARNING,
        sentence=f"Pre-training hardly learnt: the loss ended at {training.epochs[-1].loss:.2f}, chance is "
        f"{training.chance:.2f}. Train longer, raise the learning rate, or use weaker views.",
    )


def _small_batch(found: Similarity, training: TrainingResult) -> Diagnosis:
    return Diagnosis(
        illness=SMALL_BATCH,
        sentence=f"Batches of {training.batch_size} images are too small: the similarities of different images vary "
        f"by a variance of {found.negative_variance:.2f}. Use batches of 64 or more; where memory does not allow it, "
        f"set variance_reduction = 3.",
    )


def _all_weigh_the_same(found: Similarity, share: float) -> Diagnosis:
    return Diagnosis(
        illness=TOO_HOT,
        sentence=f"The temperature of {found.temperature:g} is too high: all other images weigh the same in the loss "
        f"(effectively {100 * share:.1f} % of them count), so that it learns little from those that are hard to tell "
        f"apart. Lower it; 0.1 to 0.5 is usual.",
    )


def _nearest_alone(found: Similarity, share: float) -> Diagnosis:
    return Diagnosis(
        illness=TOO_COLD,
        sentence=f"The temperature of {found.temperature:g} is too low: the loss listens to the nearest images alone "
        f"(effectively {100 * share:.1f} % of them count), which often are of the same class. Raise it; 0.1 to 0.5 is "
        f"usual.",
    )


def _narrow(found: Similarity) -> Diagnosis:
    return Diagnosis(
        illness=TOO_COLD,
        sentence=f"The temperature of {found.temperature:g} is too low: it makes so much of small differences that "
        f"views of different images stay {found.negative_mean:.2f} alike. Raise it; 0.1 to 0.5 is usual.",
    )


def _overfitted(loss: float, val_loss: float) -> Diagnosis:
    return Diagnosis(
        illness=OVERFITTED,
        sentence=f"Pre-training fits its own images better than new ones: loss {loss:.2f}, on held-out images "
        f"{val_loss:.2f}. Use more images, stronger views, or fewer epochs.",
    )
