"""The probe against a gradient descent of its own objective, and what it promises about few labels."""

import math

import pytest
import torch
from torch.nn import functional

from hundredfold.evaluate.knn import nearest_neighbours, vote
from hundredfold.evaluate.probe import linear_probe, logistic_regression


def blobs(per_class: int, classes: int = 3, d: int = 6, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    centres = 3 * torch.randn(classes, d, generator=torch.Generator().manual_seed(99))
    labels = torch.arange(classes).repeat(per_class)
    return centres[labels] + torch.randn(len(labels), d, generator=rng), labels


def objective(x: torch.Tensor, y: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, c: float) -> float:
    """scikit-learn's: C * sum of cross entropies + half the squared weights, on features of root mean square one."""
    centre, scale = x.mean(0), (x - x.mean(0)).square().mean().sqrt()
    logits = x @ weight.T + bias
    scaled = weight * scale
    del centre
    return float(c * functional.cross_entropy(logits, y, reduction="sum") + 0.5 * scaled.square().sum())


@pytest.mark.parametrize("d", [3, 40])  # fewer and more dimensions than images
def test_no_small_step_improves_the_objective(d: int) -> None:
    x, y = (t.double() if t.is_floating_point() else t for t in blobs(5, d=d))
    weight, bias = (t.double() for t in logistic_regression(x, y, 3, inverse_penalty=0.5))
    best = objective(x, y, weight, bias, 0.5)
    rng = torch.Generator().manual_seed(1)
    for _ in range(20):
        dw = torch.randn(weight.shape, generator=rng, dtype=torch.float64)
        db = torch.randn(bias.shape, generator=rng, dtype=torch.float64)
        for step in (1e-2, -1e-2):
            assert objective(x, y, weight + step * dw, bias + step * db, 0.5) > best - 1e-6


def test_it_does_not_depend_on_where_the_features_lie_or_in_which_unit() -> None:
    x, y = blobs(6)
    weight, bias = logistic_regression(x, y, 3, inverse_penalty=1.0)
    moved_weight, moved_bias = logistic_regression(100 * x + 7, y, 3, inverse_penalty=1.0)
    torch.testing.assert_close(x @ weight.T + bias, (100 * x + 7) @ moved_weight.T + moved_bias, atol=2e-3, rtol=1e-3)


def test_two_classes_and_a_missing_one() -> None:
    x, y = blobs(8, classes=2)
    probe = linear_probe(x, 2 * y, 3, seed=0)  # class 1 has no label
    shares = probe.probabilities(x)
    assert shares.shape == (16, 3)
    assert torch.all(shares[:, 1] == 0)
    torch.testing.assert_close(shares.sum(1), torch.ones(16))
    assert (shares.argmax(1) == 2 * y).float().mean() > 0.9


def test_one_label_a_class_takes_the_default_penalty() -> None:
    x, y = blobs(1)
    probe = linear_probe(x, y, 3, seed=0)
    assert probe.cross_validation is None
    assert (probe.probabilities(x).argmax(1) == y).all()


def test_the_penalty_is_chosen_on_the_labels_alone_and_by_the_seed() -> None:
    x, y = blobs(10)
    first, second = linear_probe(x, y, 3, seed=5), linear_probe(x, y, 3, seed=5)
    assert torch.equal(first.weight, second.weight)
    assert first.cross_validation is not None and first.cross_validation > 0.8
    noise = linear_probe(torch.randn(x.shape, generator=torch.Generator().manual_seed(0)), y, 3, seed=5)
    assert noise.cross_validation is not None and noise.cross_validation < 0.7


def test_votes_equal_a_loop() -> None:
    known, labels = blobs(4)
    query, _ = blobs(2, seed=3)
    shares = vote(known, functional.one_hot(labels, 3).float(), query, k=5, temperature=0.2)
    for row, point in enumerate(query):
        cosines = [float(functional.cosine_similarity(point, other, dim=0)) for other in known]
        nearest = sorted(range(len(known)), key=lambda i: -cosines[i])[:5]
        weights = {i: math.exp(cosines[i] / 0.2) for i in nearest}
        for c in range(3):
            expected = sum(w for i, w in weights.items() if labels[i] == c) / sum(weights.values())
            assert float(shares[row, c]) == pytest.approx(expected, abs=1e-5)


def test_neighbours_with_more_asked_than_known() -> None:
    x, y = blobs(1)
    found = nearest_neighbours(x, y, 3, seed=0)
    assert found.k == 1
    torch.testing.assert_close(vote(x, functional.one_hot(y, 3).float(), x, k=50).sum(1), torch.ones(3))
