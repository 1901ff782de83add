"""Confident learning against loops from the paper, and wrong labels that were put there on purpose."""

import math

import pytest
import torch

from hundredfold.evaluate import confident_learning
from hundredfold.evaluate.confident_learning import (
    RATES,
    SHARPENINGS,
    class_thresholds,
    confident_class,
    normalised_margin,
    off_diagonal,
    probability_wrong,
    suspects,
)


def judged(seed: int, count: int = 60, classes: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    """Probabilities that mostly agree with the labels."""
    rng = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (count,), generator=rng)
    logits = torch.randn(count, classes, generator=rng, dtype=torch.float64)
    return (logits + torch.nn.functional.one_hot(labels, classes)).softmax(1), labels


def taught(seed: int, wrong: int, count: int = 80, classes: int = 8) -> tuple[torch.Tensor, torch.Tensor, set[int]]:
    """Features of classes that lie apart, labels, and the positions at which they were changed."""
    rng = torch.Generator().manual_seed(seed)
    truth = torch.arange(count) % classes
    features = 6 * torch.eye(16)[truth] + torch.randn(count, 16, generator=rng)
    changed = torch.randperm(count, generator=rng)[:wrong]
    labels = truth.clone()
    labels[changed] = (truth[changed] + torch.randint(1, classes, (wrong,), generator=rng)) % classes
    return features, labels, set(changed.tolist())


@pytest.mark.parametrize("seed", range(3))
def test_thresholds_and_list_equal_to_loops(seed: int) -> None:
    shares, labels = judged(seed)
    rows, given = shares.tolist(), labels.tolist()
    thresholds = []
    for label in range(4):
        own = [row[label] for row, mine in zip(rows, given, strict=True) if mine == label]
        thresholds.append(sum(own) / len(own))
    assert class_thresholds(shares, labels).tolist() == pytest.approx(thresholds)
    listed = []
    for row, mine in zip(rows, given, strict=True):
        reached = [(value, label) for label, value in enumerate(row) if value >= thresholds[label]]
        listed.append(bool(reached) and max(reached)[1] != mine)
    assert off_diagonal(shares, labels).tolist() == listed
    assert 0 < sum(listed) < len(listed)


def test_a_class_without_a_label_is_never_counted() -> None:
    shares = torch.tensor([[0.1, 0.0, 0.9], [0.9, 0.0, 0.1], [0.8, 0.0, 0.2]])
    labels = torch.tensor([0, 0, 0])
    assert class_thresholds(shares, labels).tolist() == [pytest.approx(0.6), math.inf, math.inf]
    assert confident_class(shares, labels).tolist() == [-1, 0, 0]


def test_margins_by_hand() -> None:
    shares = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]])
    assert normalised_margin(shares, torch.tensor([0, 1])).tolist() == pytest.approx([0.5, -0.3])


def test_the_probability_of_a_wrong_label_equal_to_loops() -> None:
    shares, labels = judged(5, count=12, classes=3)
    cells = []
    for sharpening in SHARPENINGS:
        for rate in RATES:
            likelihood, posteriors = 1.0, []
            for row, label in zip(shares.tolist(), labels.tolist(), strict=True):
                powers = [value**sharpening for value in row]
                own = powers[label] / sum(powers)
                wrong, kept = (1 - own) * rate / 2, own * (1 - rate)
                likelihood *= wrong + kept
                posteriors.append(wrong / (wrong + kept))
            cells.append((likelihood, posteriors))
    total = sum(likelihood for likelihood, _ in cells)
    wanted = [sum(weight * each[row] for weight, each in cells) / total for row in range(12)]
    assert probability_wrong(shares, labels).tolist() == pytest.approx(wanted, rel=1e-6)


def test_a_class_that_nobody_knows_takes_no_part() -> None:
    shares, labels = judged(6, classes=3)
    wider = torch.cat([shares, torch.zeros(len(shares), 1, dtype=torch.float64)], 1)
    assert probability_wrong(wider, labels).tolist() == pytest.approx(probability_wrong(shares, labels).tolist())


@pytest.mark.parametrize("seed", range(3))
def test_changed_labels_are_found_and_hardly_anything_else(seed: int) -> None:
    features, labels, changed = taught(seed, wrong=8)
    found = suspects(features, labels, 8, seed=seed)
    listed = {suspect.position for suspect in found}
    assert len(listed & changed) >= 7 and len(listed - changed) <= 1
    right = [suspect.suggested == suspect.position % 8 for suspect in found if suspect.position in changed]
    assert sum(right) >= len(right) - 1  # and what they are is known
    assert all(suspect.given == labels[suspect.position] != suspect.suggested for suspect in found)
    scores = [suspect.score for suspect in found]
    assert scores == sorted(scores, reverse=True) and all(0.2 <= score <= 1 for score in scores)


def test_labels_that_are_right_give_no_list() -> None:
    features, labels, _ = taught(0, wrong=0)
    assert suspects(features, labels, 8, seed=0) == ()


def test_the_seed_repeats_the_list() -> None:
    features, labels, _ = taught(1, wrong=6)
    assert suspects(features, labels, 8, seed=4) == suspects(features, labels, 8, seed=4)


def test_an_image_alone_in_its_class_is_not_suspected() -> None:
    features, labels, _ = taught(2, wrong=0)
    labels[9] = 8  # a class of its own
    assert 9 not in {suspect.position for suspect in suspects(features, labels, 9, seed=0)}


def test_single_labels_and_two_classes_can_be_asked() -> None:
    assert suspects(torch.eye(3), torch.arange(3), 3, seed=0) == ()
    features, labels, changed = taught(3, wrong=2, count=40, classes=2)
    assert {suspect.position for suspect in suspects(features, labels, 2, seed=0)} >= changed


def test_no_more_than_half_of_a_class_is_set_aside() -> None:
    labels = torch.tensor([0, 0, 0, 1, 1])
    shares = torch.tensor([[0.1, 0.9], [0.3, 0.7], [0.2, 0.8], [0.4, 0.6], [0.8, 0.2]])
    aside = confident_learning._at_most_half(
        torch.tensor([True, True, True, False, True]), shares, torch.arange(5), labels
    )
    assert aside.tolist() == [True, False, False, False, True]
