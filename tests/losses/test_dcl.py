"""DCL against loops written from the paper, and what it keeps that NT-Xent loses."""

import math

import pytest
import torch

from hundredfold.losses.dcl import dcl
from hundredfold.losses.nt_xent import nt_xent


def by_loops(za, zb, temperature, negatives):
    """-positive / t + log of the sum over the negatives, with floats; the mean over all 2n views."""
    views, n = za + zb, len(za)

    def similarity(x, y):
        return sum(a * b for a, b in zip(x, y)) / math.hypot(*x) / math.hypot(*y) / temperature

    total = 0.0
    for i in range(2 * n):
        others = 0.0
        for k in range(2 * n):
            same_view = (i < n) == (k < n)
            taken = negatives == "both" or same_view == (negatives == "within")
            if k % n != i % n and taken:
                others += math.exp(similarity(views[i], views[k]))
        total += math.log(others) - similarity(views[i], views[(i + n) % (2 * n)])
    return total / (2 * n)


def pair(n, d):
    rng = torch.Generator().manual_seed(0)
    return torch.randn(n, d, generator=rng, dtype=torch.float64), torch.randn(n, d, generator=rng, dtype=torch.float64)


@pytest.mark.parametrize("negatives", ["both", "cross", "within"])
@pytest.mark.parametrize(("n", "d", "temperature"), [(2, 3, 0.1), (5, 4, 0.5), (9, 2, 2.0)])
def test_equals_the_formula(n, d, temperature, negatives):
    za, zb = pair(n, d)
    expected = by_loops(za.tolist(), zb.tolist(), temperature, negatives)
    assert float(dcl(za, zb, temperature=temperature, negatives=negatives)) == pytest.approx(expected, rel=1e-12)


def test_small_temperatures_do_not_overflow():
    za, zb = pair(6, 4)
    tiny = 1e-3  # exp(1 / t) is beyond float64
    unit_a, unit_b = (torch.nn.functional.normalize(z, dim=1) for z in (za, zb))
    z = torch.cat([unit_a, unit_b])
    other_image = ~torch.eye(6, dtype=torch.bool).repeat(2, 2)
    nearest = (z @ z.T).masked_fill(~other_image, -1).amax(1).mean()
    expected = (nearest - (unit_a * unit_b).sum(1).mean()) / tiny  # the limit: the nearest negative alone counts
    torch.testing.assert_close(dcl(za, zb, temperature=tiny), expected, rtol=1e-3, atol=0)


def test_images_that_are_told_apart_still_pull():
    """With one image against few that are far away NT-Xent's gradient is nearly gone; the decoupled one is not."""
    apart = torch.eye(4, dtype=torch.float64)
    pulls = []
    for loss in (nt_xent, dcl):
        za = (apart + 0.1 * pair(4, 4)[0]).requires_grad_()
        loss(za, apart, temperature=0.1).backward()
        pulls.append(za.grad.norm())
    assert pulls[1] > 100 * pulls[0]


def test_unknown_negatives_are_refused():
    with pytest.raises(ValueError, match="negatives must be one of both, cross, within, got 'all'"):
        dcl(*pair(2, 2), negatives="all")
