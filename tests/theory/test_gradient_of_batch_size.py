"""Theorem 5.6: the smaller the batch, the harder InfoNCE pushes each pair of different images apart.

Source: Lee, Lim, Lee & Sohn, "On the Similarities of Embeddings in Contrastive Learning", ICML 2025 (arXiv 2506.09781),
equation 12. The proof drops a factor 1/2 and mistypes an index; what holds is `push` below.
"""

from itertools import pairwise

import pytest
import torch
from embeddings import positives, scattered, seeded
from torch import Tensor
from torch.nn.functional import cross_entropy

from hundredfold.losses import info_nce, nt_xent

T = 0.5


def of_similarities(s: Tensor) -> Tensor:
    """Symmetric InfoNCE of similarities [m, m] that may be anything."""
    right = torch.arange(len(s))
    return (cross_entropy(s / T, right) + cross_entropy(s.T / T, right)) / 2


def push(s: Tensor) -> Tensor:
    """dL/ds_ij of negatives, [m, m]: (softmax over the row + softmax over the column) / (2 m t)."""
    return ((s / T).softmax(1) + (s / T).softmax(0)) / (2 * len(s) * T)


def similarities(m: int) -> Tensor:
    u, v = scattered(m, 4, seeded(0))
    return u @ v.T


def slope(s: Tensor) -> Tensor:
    s = s.clone().requires_grad_()
    return torch.autograd.grad(of_similarities(s), s)[0]


@pytest.mark.parametrize("m", [2, 5, 10])
def test_the_gradient_is_the_formula(m: int) -> None:
    s = similarities(m)
    torch.testing.assert_close(slope(s), push(s) - torch.eye(m) / (m * T), check_dtype=False)


@pytest.mark.parametrize(
    "loss", [info_nce, lambda u, v, temperature: nt_xent(u, v, temperature=temperature, negatives="cross")]
)
def test_it_is_the_gradient_of_the_librarys_loss(loss) -> None:
    u, v = scattered(7, 4, seeded(3))
    assert float(loss(u, v, temperature=T)) == pytest.approx(float(of_similarities(u @ v.T)))
    u.requires_grad_()
    (found,) = torch.autograd.grad(loss(u, v, temperature=T), u)
    with torch.no_grad():
        expected = (push(u @ v.T) - torch.eye(7) / (7 * T)) @ v  # [7, 4]
        expected -= positives(expected, u)[:, None] * u  # along the sphere
    torch.testing.assert_close(found, expected)


def test_it_is_positive_and_falls_as_the_batch_grows() -> None:
    s = similarities(12)
    pair = ~torch.eye(3, dtype=torch.bool)
    pushes = [slope(s[:m, :m])[:3, :3][pair] for m in range(3, 13)]
    assert all(bool((here > 0).all()) for here in pushes)
    assert all(bool((larger < smaller).all()) for smaller, larger in pairwise(pushes))


def test_it_falls_faster_than_the_share_of_an_image_in_the_mean() -> None:
    """1/m alone would not change the balance of the loss; the push on a pair falls beyond it."""
    s = similarities(12)
    pair = ~torch.eye(3, dtype=torch.bool)
    per_image = [m * slope(s[:m, :m])[:3, :3][pair] for m in range(3, 13)]
    assert all(bool((larger < smaller).all()) for smaller, larger in pairwise(per_image))
