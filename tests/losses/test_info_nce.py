"""InfoNCE against loops written from the paper, its two directions, its gradient."""

import math

import pytest
import torch

from hundredfold.losses.info_nce import info_nce
from hundredfold.losses.nt_xent import nt_xent


def cosine(x, y):
    return sum(a * b for a, b in zip(x, y)) / math.hypot(*x) / math.hypot(*y)


def by_loops(anchors, candidates, temperature):
    """The mean over anchors of -log of the share of their own candidate."""
    total = 0.0
    for i, anchor in enumerate(anchors):
        score = [math.exp(cosine(anchor, candidate) / temperature) for candidate in candidates]
        total -= math.log(score[i] / sum(score))
    return total / len(anchors)


def pair(n, d):
    rng = torch.Generator().manual_seed(0)
    return torch.randn(n, d, generator=rng, dtype=torch.float64), torch.randn(n, d, generator=rng, dtype=torch.float64)


@pytest.mark.parametrize(("n", "d"), [(2, 3), (5, 4), (9, 2)])
@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
def test_equals_the_formula(n, d, temperature):
    za, zb = pair(n, d)
    there = by_loops(za.tolist(), zb.tolist(), temperature)
    back = by_loops(zb.tolist(), za.tolist(), temperature)
    one_way = info_nce(za, zb, temperature=temperature, symmetric=False)
    assert float(one_way) == pytest.approx(there, rel=1e-12)
    assert float(info_nce(za, zb, temperature=temperature)) == pytest.approx((there + back) / 2, rel=1e-12)


def test_both_directions_are_nt_xent_with_the_negatives_of_the_other_view():
    za, zb = pair(7, 5)
    torch.testing.assert_close(info_nce(za, zb, temperature=0.3), nt_xent(za, zb, temperature=0.3, negatives="cross"))


def test_a_negative_is_pushed_by_its_share_of_row_and_column():
    """Theorem 5.6 of Lee et al. 2025, with the half its proof drops: (softmax of row + of column) / (2 n t)."""
    similarity = torch.rand(4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(3)) - 0.5
    basis = torch.eye(8, dtype=torch.float64)  # u_i = (row i of s, rest), v_j = e_j: of length 1 and u_i . v_j = s_ij
    rest = (1 - similarity.square().sum(1)).sqrt()
    anchors = torch.cat([similarity, torch.diag(rest)], dim=1).requires_grad_()
    info_nce(anchors, basis[:4], temperature=0.5).backward()
    weights = (similarity / 0.5).exp()
    share = weights / weights.sum(1, keepdim=True) + weights / weights.sum(0)
    slope = (share - 2 * torch.eye(4)) / (2 * 4 * 0.5)  # of s_ij
    moved = slope @ basis[:4]  # [4, 8]: by the rule of the chain, but for the length
    along = anchors.detach()
    torch.testing.assert_close(anchors.grad, moved - (moved * along).sum(1, keepdim=True) * along)
