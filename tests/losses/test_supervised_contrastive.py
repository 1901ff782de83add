"""SupCon against loops written from the paper; images without a label stand alone."""

import math

import pytest
import torch

from hundredfold.losses.nt_xent import nt_xent
from hundredfold.losses.supervised_contrastive import SupervisedContrastiveLoss, supervised_contrastive


def by_loops(za, zb, labels, temperature):
    views, n = za + zb, len(za)

    def score(i, k):
        x, y = views[i], views[k]
        return math.exp(sum(a * b for a, b in zip(x, y)) / math.hypot(*x) / math.hypot(*y) / temperature)

    def positives(i):
        for k in range(2 * n):
            of_class = labels[i % n] == labels[k % n] and labels[i % n] != -1
            if k != i and (k % n == i % n or of_class):
                yield k

    total = 0.0
    for i in range(2 * n):
        everything = sum(score(i, a) for a in range(2 * n) if a != i)
        own = [math.log(score(i, p) / everything) for p in positives(i)]
        total -= sum(own) / len(own)
    return total / (2 * n)


def pair(n, d):
    rng = torch.Generator().manual_seed(0)
    return torch.randn(n, d, generator=rng, dtype=torch.float64), torch.randn(n, d, generator=rng, dtype=torch.float64)


@pytest.mark.parametrize("labels", [[0, 0, 1, 1, 2], [-1, -1, 3, 3, -1], [4, 4, 4, 4, 4], [-1, -1, -1, -1, -1]])
@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
def test_equals_the_formula(labels, temperature):
    za, zb = pair(5, 4)
    expected = by_loops(za.tolist(), zb.tolist(), labels, temperature)
    found = supervised_contrastive(za, zb, torch.tensor(labels), temperature=temperature)
    assert float(found) == pytest.approx(expected, rel=1e-12)
    torch.testing.assert_close(SupervisedContrastiveLoss(temperature)(za, zb, torch.tensor(labels)), found)


def test_without_labels_it_is_nt_xent():
    za, zb = pair(6, 3)
    for labels in (torch.full((6,), -1), torch.arange(6)):
        torch.testing.assert_close(
            supervised_contrastive(za, zb, labels, temperature=0.3), nt_xent(za, zb, temperature=0.3)
        )


def test_the_names_and_the_order_of_classes_do_not_matter():
    za, zb = pair(6, 3)
    value = supervised_contrastive(za, zb, torch.tensor([0, 0, 1, 1, 2, -1]))
    torch.testing.assert_close(supervised_contrastive(za, zb, torch.tensor([7, 7, 0, 0, 100, -1])), value)
    torch.testing.assert_close(
        supervised_contrastive(za, zb, torch.tensor([0, 0, 1, 1, 2, -1], dtype=torch.int32)), value
    )
    order = torch.tensor([5, 3, 0, 1, 4, 2])
    labels = torch.tensor([0, 0, 1, 1, 2, -1])[order]
    torch.testing.assert_close(supervised_contrastive(za[order], zb[order], labels), value)


@pytest.mark.parametrize(
    "labels", [torch.zeros(3, dtype=torch.long), torch.zeros(2, 1, dtype=torch.long), torch.zeros(2)]
)
def test_labels_that_cannot_serve_are_said(labels):
    with pytest.raises(ValueError, match="labels must be 2 integers, one for each image: got"):
        supervised_contrastive(*pair(2, 3), labels)


@pytest.mark.parametrize("temperature", [0, -1, math.nan])
def test_a_temperature_that_is_not_positive_is_refused(temperature):
    with pytest.raises(ValueError, match="temperature must be > 0 and finite"):
        supervised_contrastive(*pair(2, 3), torch.tensor([0, 1]), temperature=temperature)
    with pytest.raises(ValueError, match="temperature must be > 0 and finite"):
        SupervisedContrastiveLoss(temperature)
