"""Verdicts: each illness gets its sentence with the figure, and a healthy run gets none of them."""

from dataclasses import replace

import torch

from hundredfold.evaluate.score import interval
from hundredfold.evaluate.similarity import similarity
from hundredfold.evaluate.verdict import verdict
from hundredfold.records import EpochRecord, TrainingResult

RNG = torch.Generator().manual_seed(0)
SPREAD = torch.randn(64, 16, generator=RNG)
HEALTHY = similarity(SPREAD + 0.2 * torch.randn(64, 16, generator=RNG), SPREAD, SPREAD)
EPOCH = EpochRecord(epoch=1, step=500, loss=2.0, val_loss=2.1, lr=1e-3, images_per_second=1, data_wait=0, seconds=1)
TRAINED = TrainingResult(
    steps=500, parameters=1, batch_size=64, epochs=(EPOCH,), seconds=1, precision="float32", device="cpu", chance=4.8
)


def summary(probe: float, baseline: float) -> dict[str, dict[str, object]]:
    return {"linear_probe": {"100": interval([probe])}, "baseline": {"100": interval([baseline])}}


def test_a_healthy_run_is_called_healthy_and_its_gain_is_named() -> None:
    sentences = verdict(HEALTHY, TRAINED, summary(0.95, 0.85), 100)
    assert sentences[0].startswith("The representation is healthy")
    assert "adds 10.0 points over the same network from scratch (85.0 %)" in sentences[1]
    assert len(sentences) == 2


def test_a_collapsed_representation() -> None:
    same = torch.ones(64, 16) + 1e-3 * SPREAD
    sentences = verdict(similarity(same, same, same), TRAINED, {}, 100)
    assert "has collapsed" in sentences[0] and "1.00" in sentences[0]
    assert not any("healthy" in sentence for sentence in sentences)


def test_features_of_few_dimensions() -> None:
    flat = SPREAD[:, :1] @ torch.ones(1, 200)
    sentences = verdict(similarity(SPREAD, SPREAD, flat), TRAINED, {}, 100)
    assert "few of their dimensions" in sentences[0] and "of 200" in sentences[0]


def test_a_loss_at_chance() -> None:
    lost = replace(TRAINED, epochs=(replace(EPOCH, loss=4.7),))
    assert any("hardly learnt" in sentence and "4.80" in sentence for sentence in verdict(HEALTHY, lost, {}, 100))


def test_the_way_from_chance_to_the_floor_counts_and_not_the_number() -> None:
    high = replace(TRAINED, floor=4.0, epochs=(replace(EPOCH, loss=4.4, val_loss=4.4),))  # a high temperature
    assert not any("hardly learnt" in sentence for sentence in verdict(HEALTHY, high, {}, 100))
    stuck = replace(high, epochs=(replace(EPOCH, loss=4.7, val_loss=4.7),))
    assert any("hardly learnt" in sentence for sentence in verdict(HEALTHY, stuck, {}, 100))


def test_no_difference_is_said_as_such() -> None:
    assert "makes no difference" in verdict(None, None, summary(0.9, 0.9), 100)[0]


def test_a_gap_between_training_and_validation_once_the_statistics_have_settled() -> None:
    apart = replace(TRAINED, epochs=(replace(EPOCH, val_loss=3.0),))
    assert any("fits its own images" in sentence for sentence in verdict(HEALTHY, apart, {}, 100))
    early = replace(apart, steps=20)
    assert not any("fits its own images" in sentence for sentence in verdict(HEALTHY, early, {}, 100))


def test_pre_training_that_adds_nothing_says_so() -> None:
    sentences = verdict(HEALTHY, TRAINED, summary(0.80, 0.85), 100)
    assert any("adds nothing over the same network from scratch" in sentence for sentence in sentences)


def test_a_small_test_set_is_spoken_of_and_a_large_one_is_not() -> None:
    sentences = verdict(HEALTHY, TRAINED, summary(1.0, 0.9), 100, tested=60)
    assert any("has 60 images" in one and "between 94.0 and 100.0 %" in one for one in sentences)
    assert not any("test set has" in one for one in verdict(HEALTHY, TRAINED, summary(1.0, 0.9), 100, tested=10_000))


def test_nothing_to_judge_gives_no_sentence() -> None:
    assert verdict(None, None, {}, 100) == ()
