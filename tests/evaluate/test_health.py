"""Illnesses read from figures: each has its sentence with the figure, and a healthy run has none of them.

The trainings that make them on purpose are in `tests/studies/test_illnesses.py`.
"""

from dataclasses import replace

import pytest
import torch

from hundredfold.evaluate import health
from hundredfold.evaluate.diagnosis import ILLNESSES
from hundredfold.evaluate.health import diagnose, illnesses
from hundredfold.evaluate.similarity import similarity
from hundredfold.records import EpochRecord, TrainingResult

RNG = torch.Generator().manual_seed(0)
SPREAD = torch.randn(64, 16, generator=RNG)
HEALTHY = similarity(SPREAD + 0.2 * torch.randn(64, 16, generator=RNG), SPREAD, SPREAD, temperature=0.5)
EPOCH = EpochRecord(epoch=1, step=500, loss=2.0, val_loss=2.1, lr=1e-3, images_per_second=1, data_wait=0, seconds=1)
TRAINED = TrainingResult(
    steps=500, parameters=1, batch_size=64, epochs=(EPOCH,), seconds=1, precision="float32", device="cpu", chance=4.8
)


def sentence(illness, found, training):
    """What is said of that illness; it has to be the only one."""
    (only,) = diagnose(found, training)
    assert only.illness == illness, only
    return only.sentence


def named(found, training):
    return [diagnosis.illness for diagnosis in diagnose(found, training)]


def test_a_healthy_run_is_called_so_with_its_figures():
    said = sentence(health.HEALTHY, HEALTHY, TRAINED)
    assert said.startswith("The representation is healthy") and f"{HEALTHY.positive_mean:.2f}" in said
    assert health.HEALTHY not in ILLNESSES and illnesses(HEALTHY, TRAINED) == ()


def test_nothing_to_judge_gives_no_finding():
    assert diagnose(None, None) == () and diagnose(None, TRAINED) == ()
    assert illnesses(None, None) == ()


def test_records_of_before_the_new_figures_can_be_judged():
    old = replace(HEALTHY, images=0, excess=None, projection_rank=None, projection_dimensions=None, temperature=None)
    assert named(replace(old, effective_negatives=None), TRAINED) == [health.HEALTHY]


def test_a_collapsed_representation():
    same = torch.ones(64, 16) + 1e-3 * SPREAD
    first, *_ = diagnose(similarity(same, same, same), TRAINED)
    assert first.illness == health.COLLAPSED and "1.00" in first.sentence and "has not unfolded yet" in first.sentence


def test_a_collapse_on_the_way_says_when():
    alike = replace(HEALTHY, negative_mean=0.97, excess=-1.0)
    epochs = [
        replace(EPOCH, epoch=k + 1, similarity=replace(HEALTHY, negative_mean=m)) for k, m in enumerate((0.4, 0.1))
    ]
    training = replace(TRAINED, epochs=(*epochs, replace(EPOCH, epoch=3, similarity=alike)))
    said = sentence(health.COLLAPSED, alike, training)
    assert "0.97, after 0.10 in epoch 2" in said and "unfolded" not in said


def test_features_of_few_dimensions():
    flat = SPREAD[:, :1] @ torch.ones(1, 200)
    said = sentence(health.FLAT, similarity(SPREAD, SPREAD, flat), TRAINED)
    assert "few of their dimensions" in said and "effective rank 1.0 of 200" in said


def test_the_rank_that_can_be_had_is_no_more_than_the_images():
    wide = replace(HEALTHY, dimensions=2048, effective_rank=20.0)  # of 64 images
    assert named(wide, TRAINED) == [health.HEALTHY]
    assert named(replace(wide, images=1000), TRAINED) == [health.FLAT]


def test_projections_in_few_directions():
    few = replace(HEALTHY, projection_rank=6.4, projection_dimensions=128, images=1000)
    assert "rank of 6.4 in 128 dimensions" in sentence(health.FLAT, few, TRAINED)
    assert named(replace(few, projection_dimensions=16), TRAINED) == [health.HEALTHY]
    assert named(replace(few, projection_rank=2.0, projection_dimensions=2), TRAINED) == [health.FLAT]


def test_over_separated_names_the_bound():
    apart = replace(HEALTHY, negative_mean=-0.3, excess=0.28, bound=0.72, sharp_bound=0.44, positive_mean=0.4)
    said = sentence(health.OVER_SEPARATED, apart, TRAINED)
    assert "-0.30" in said and "below 0.44 (it is 0.40)" in said
    assert "below 0.72" in sentence(health.OVER_SEPARATED, replace(apart, sharp_bound=None), TRAINED)
    assert named(replace(HEALTHY, excess=0.04), TRAINED) == [health.HEALTHY]


@pytest.mark.parametrize(
    ("share", "negative_mean", "illness"),
    [
        (0.9, 0.0, health.HEALTHY),
        (0.05, 0.0, health.HEALTHY),
        (0.01, 0.0, health.TOO_COLD),
        (0.1, 0.92, health.TOO_COLD),  # a narrow cone, but the loss tells images apart
        (0.999, 0.92, health.COLLAPSED),  # a narrow cone, and all the same to the loss
        (0.999, 0.6, health.HEALTHY),  # not unfolded: the temperature cannot be judged
    ],
)
def test_the_temperature_is_judged_by_who_is_listened_to(share, negative_mean, illness):
    found = replace(HEALTHY, effective_negatives=share, negative_mean=negative_mean)
    assert named(found, TRAINED) == [illness]
    said = diagnose(found, TRAINED)[0].sentence
    assert ("temperature of 0.5 " in said) == illness.startswith("temperature")


def test_negatives_that_weigh_the_same_are_ill_where_they_differ_and_not_where_they_are_the_same():
    same = replace(HEALTHY, effective_negatives=0.995, negative_variance=0.01)  # as with variance_reduction
    assert named(same, TRAINED) == [health.HEALTHY]
    said = sentence(health.TOO_HOT, replace(same, negative_variance=0.3, temperature=5.0), TRAINED)
    assert "temperature of 5 " in said and "99.5 % of them count" in said


def test_small_batches_are_ill_when_the_variance_says_so():
    small = replace(TRAINED, batch_size=4)
    varied = replace(HEALTHY, negative_variance=0.22)
    assert "Batches of 4 images" in sentence(health.SMALL_BATCH, varied, small)
    assert "variance of 0.22" in sentence(health.SMALL_BATCH, varied, small)
    assert named(varied, TRAINED) == [health.HEALTHY]
    assert named(replace(varied, negative_variance=0.05), small) == [health.HEALTHY]
    flat = replace(varied, projection_rank=2.5)  # which the batch explains
    assert named(flat, small) == [health.SMALL_BATCH] and named(flat, TRAINED) == [health.FLAT]


def test_a_run_of_no_steps_has_learnt_nothing():
    idle = replace(TRAINED, steps=0, epochs=())
    assert "0 steps" in sentence(health.NOT_LEARNING, HEALTHY, idle)
    assert "0 steps" in sentence(health.NOT_LEARNING, None, idle)


def test_a_loss_at_chance():
    lost = replace(TRAINED, epochs=(replace(EPOCH, loss=4.7),))
    said = sentence(health.NOT_LEARNING, HEALTHY, lost)
    assert "hardly learnt" in said and "4.70" in said and "4.80" in said


def test_the_way_from_chance_to_the_floor_counts_and_not_the_number():
    high = replace(TRAINED, floor=4.0, epochs=(replace(EPOCH, loss=4.4, val_loss=4.4),))  # a high temperature
    assert named(HEALTHY, high) == [health.HEALTHY]
    stuck = replace(high, epochs=(replace(EPOCH, loss=4.7, val_loss=4.7),))
    assert named(HEALTHY, stuck) == [health.NOT_LEARNING]


def test_a_chance_of_zero_is_a_chance():
    spectral = replace(TRAINED, chance=0.0, floor=-1.0, epochs=(replace(EPOCH, loss=-0.05, val_loss=-0.05),))
    assert named(HEALTHY, spectral) == [health.NOT_LEARNING]
    assert named(HEALTHY, replace(spectral, epochs=(replace(EPOCH, loss=-0.8, val_loss=-0.8),))) == [health.HEALTHY]


def test_positives_no_more_alike_than_negatives():
    other = torch.randn(64, 16, generator=RNG)
    found = similarity(other, SPREAD, SPREAD)
    said = sentence(health.NOT_LEARNING, found, replace(TRAINED, chance=None))
    assert "hardly told" in said and f"{found.positive_mean:.2f} against {found.negative_mean:.2f}" in said


def test_a_gap_between_training_and_validation_once_the_statistics_have_settled():
    apart = replace(TRAINED, epochs=(replace(EPOCH, val_loss=3.0),))
    said = sentence(health.OVERFITTED, HEALTHY, apart)
    assert "loss 2.00" in said and "3.00" in said
    assert named(HEALTHY, replace(apart, steps=20)) == [health.HEALTHY]
    assert named(HEALTHY, replace(apart, batch_size=4)) == [health.HEALTHY]


def test_the_gap_counts_against_what_was_learnt_and_not_in_the_units_of_the_loss():
    large = replace(TRAINED, chance=50.0, epochs=(replace(EPOCH, loss=24.0, val_loss=25.0),))  # VICReg
    assert named(HEALTHY, large) == [health.HEALTHY]
    assert named(HEALTHY, replace(large, epochs=(replace(EPOCH, loss=24.0, val_loss=35.0),))) == [health.OVERFITTED]
    unknown = replace(large, chance=None)
    assert named(HEALTHY, unknown) == [health.HEALTHY]
    assert named(HEALTHY, replace(unknown, epochs=(replace(EPOCH, loss=0.1, val_loss=0.5),))) == [health.OVERFITTED]
