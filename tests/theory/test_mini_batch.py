"""Theorem 5.5: what a division into batches that never changes leaves open, and what drawing them anew takes away.

Source: Lee, Lim, Lee & Sohn, "On the Similarities of Embeddings in Contrastive Learning", ICML 2025 (arXiv 2506.09781).
Letters: n images in batches of m.
"""

import re
from functools import partial
from itertools import combinations, pairwise
from pathlib import Path

import pytest
import torch
from embeddings import (
    Loss,
    axes_both_ways,
    descend,
    descend_in_batches,
    in_dimensions,
    negatives,
    positives,
    scattered,
    seeded,
    simplex,
    turned,
)
from torch import Tensor
from torch.nn import functional

from hundredfold.losses import dcl, dhel, nt_xent, siglip, variance_reduction

SIMCLR = partial(nt_xent, temperature=0.5)
DCL = partial(dcl, temperature=0.5)
DHEL = partial(dhel, temperature=0.5)
# n, m and the two ends of the interval as found with numpy before
ENDS = [(4, 2, 0.2222, 0.8889), (6, 2, 0.16, 0.96), (6, 3, 0.06, 0.36), (12, 4, 0.022039, 0.264463)]


def interval(n: int, m: int) -> tuple[float, float]:
    """Equation 11: the least and the largest variance of negative similarities."""
    least = (n - m) / ((m - 1) * (n - 1) ** 2)
    return least, n * least


def variance(z: Tensor) -> float:
    """Of the negative similarities of points [n, d] that both views share."""
    return float(negatives(z, z).var(unbiased=False))


def batch_by_batch(loss: Loss, m: int) -> Loss:
    """The sum of the loss over consecutive batches of m."""
    return lambda u, v: sum(loss(u[k : k + m], v[k : k + m]) for k in range(0, len(u), m))


@pytest.mark.parametrize(("n", "m", "least", "largest"), ENDS)
def test_both_ends_are_attained(n: int, m: int, least: float, largest: float) -> None:
    assert interval(n, m) == (pytest.approx(least, abs=5e-5), pytest.approx(largest, abs=5e-5))
    one = simplex(m)  # [m, m - 1]
    apart = torch.block_diag(*[one] * (n // m))  # each batch in dimensions of its own: b (m - 1) of them suffice
    alike = one.repeat(n // m, 1)  # every batch the same simplex
    assert variance(apart) == pytest.approx(interval(n, m)[0], abs=1e-12)
    assert variance(alike) == pytest.approx(interval(n, m)[1], abs=1e-12)
    assert [float(negatives(z, z).mean()) for z in (apart, alike)] == pytest.approx([-1 / (n - 1)] * 2)


@pytest.mark.parametrize(("n", "m"), [(n, m) for n, m, _, _ in ENDS])
@pytest.mark.parametrize("more", [0, 3])
def test_simplices_turned_at_random_are_inside(n: int, m: int, more: int) -> None:
    rng = seeded(n * m)
    least, largest = interval(n, m)
    one = in_dimensions(simplex(m), m - 1 + more)
    found = []
    for _ in range(100):
        z = torch.cat([turned(one, rng) for _ in range(n // m)])
        assert float(negatives(z, z).mean()) == pytest.approx(-1 / (n - 1))
        found.append(variance(z))
    assert min(found) >= least - 1e-12 and max(found) <= largest + 1e-12
    if more:
        assert max(found) - min(found) > 0.05 * (largest - least)  # the loss leaves the variance open


def test_the_least_variance_needs_a_dimension_for_each_batch() -> None:
    """n = 6, m = 2 needs d = b (m - 1) = 3. In the plane, by Welch's bound, 0.36 is the least instead of 0.16."""

    def paired(line: Tensor, _: Tensor) -> Tensor:
        z = functional.normalize(torch.stack([line, -line], 1).flatten(0, 1), dim=1)
        return negatives(z, z).var(unbiased=False)

    for d, expected in ((2, 0.36), (3, 0.16)):
        line, _ = descend(paired, *scattered(3, d, seeded(0)))
        assert float(paired(line, line)) == pytest.approx(expected, abs=1e-9)


def test_both_ends_fall_as_batches_grow_and_meet_at_zero() -> None:
    least, largest = zip(*(interval(48, m) for m in (2, 3, 4, 6, 8, 12, 16, 24, 48)))
    assert list(least) == sorted(least, reverse=True) and list(largest) == sorted(largest, reverse=True)
    assert least[-1] == largest[-1] == 0 and least[-2] > 0


@pytest.mark.parametrize("m", [2, 3, 6])
@pytest.mark.parametrize("loss", [SIMCLR, DHEL, partial(siglip, temperature=5.0, bias=-2.5)], ids=str)
def test_descent_in_batches_that_never_change(loss, m: int) -> None:
    n, d = 6, 8
    least, largest = interval(n, m)
    u, v = descend(batch_by_batch(loss, m), *scattered(n, d, seeded(m)))
    assert float(positives(u, v).min()) > 1 - 1e-6
    assert float(negatives(u, v).mean()) == pytest.approx(-1 / (n - 1), abs=1e-5)
    assert least - 1e-6 <= float(negatives(u, v).var(unbiased=False)) <= largest + 1e-6
    for k in range(0, n, m):
        inside = negatives(u[k : k + m], v[k : k + m])
        torch.testing.assert_close(inside, torch.full_like(inside, -1 / (m - 1)), atol=1e-4, rtol=0)


def over_every_batch(loss: Loss, n: int, m: int) -> Loss:
    """The mean of the loss over all batches of m of n images."""
    batches = torch.tensor(list(combinations(range(n), m)))  # [batches, m]
    return lambda u, v: sum(loss(u[k], v[k]) for k in batches) / len(batches)


@pytest.mark.parametrize(
    ("loss", "m"), [(SIMCLR, 2), (SIMCLR, 3), (partial(nt_xent, negatives="cross"), 2), (DCL, 3), (DHEL, 3)], ids=str
)
def test_if_every_batch_is_equally_likely_the_optimum_is_that_of_all_images(loss, m: int) -> None:
    """Outside the theorem: the variance is due to the fixed division, not to the size of the batches."""
    n = 6
    u, v = descend(over_every_batch(loss, n, m), *scattered(n, n, seeded(0)))
    assert float(positives(u, v).min()) > 1 - 1e-6
    assert float((negatives(u, v) + 1 / (n - 1)).abs().max()) < 1e-4


@pytest.mark.parametrize("loss", [DCL, DHEL, partial(dcl, negatives="cross")], ids=str)
def test_pairs_leave_the_losses_without_a_one_undecided(loss) -> None:
    """log(exp(x)) is a straight line: of batches of 2, DCL and DHEL see the mean of negatives alone."""
    whole, opposite = simplex(6), axes_both_ways(3)
    in_pairs = over_every_batch(loss, 6, 2)
    assert float(in_pairs(whole, whole)) == pytest.approx(float(in_pairs(opposite, opposite)), abs=1e-12)
    in_threes = over_every_batch(loss, 6, 3)
    assert float(in_threes(whole, whole)) < float(in_threes(opposite, opposite)) - 0.1


@pytest.fixture(scope="module")
def toy() -> dict[tuple[str, int], float]:
    """Variance of negative similarities of 16 images in 32 dimensions, by kind of training and batch size."""
    n, found = 16, {}

    def reduced(u: Tensor, v: Tensor) -> Tensor:
        return SIMCLR(u, v) + variance_reduction(u, v, images=n)

    for m in (2, 4, 8, 16):
        start = scattered(n, 32, seeded(0))
        ends = {
            "fixed": descend(batch_by_batch(SIMCLR, m), *start),
            "fixed, reduced": descend(batch_by_batch(reduced, m), *start),
            "drawn": descend_in_batches(SIMCLR, *start, m, seeded(1)),
            "drawn, reduced": descend_in_batches(reduced, *start, m, seeded(1)),
        }
        found |= {(kind, m): float(negatives(u, v).var(unbiased=False)) for kind, (u, v) in ends.items()}
    return found


def test_the_page_shows_these_variances(toy) -> None:
    page = (Path(__file__).parent.parent.parent / "docs" / "theory.md").read_text()
    rows = {
        "fixed": "fixed batches",
        "fixed, reduced": "fixed batches and VRNS",
        "drawn": "drawn anew",
        "drawn, reduced": "drawn anew and VRNS",
    }
    for kind, title in rows.items():
        (row,) = re.findall(rf"^\| {title} \|(.*)\|$", page, re.MULTILINE)
        shown = [float(cell) for cell in row.split("|")]
        assert shown == pytest.approx([toy[kind, m] for m in (2, 4, 8, 16)], rel=0.1, abs=1e-4), title


def test_variance_falls_as_batches_grow(toy) -> None:
    for kind in ("fixed", "drawn"):
        sizes = [toy[kind, m] for m in (2, 4, 8, 16)]
        assert all(larger > 1.3 * smaller for larger, smaller in pairwise(sizes))
        assert sizes[-1] < 1e-4


@pytest.mark.parametrize("m", [2, 4, 8])
def test_batches_drawn_anew_leave_less_variance_than_fixed_ones(toy, m: int) -> None:
    least, largest = interval(16, m)
    assert least < toy["fixed", m] < largest
    assert toy["drawn", m] < toy["fixed", m] / 2
    assert toy["drawn", m] < least  # the theorem does not hold for them


@pytest.mark.parametrize("m", [2, 4, 8])
def test_vrns_takes_half_of_it_or_more_where_batches_are_drawn_anew(toy, m: int) -> None:
    assert toy["drawn, reduced", m] < toy["drawn", m] / 2


def test_vrns_sees_only_pairs_of_one_batch(toy) -> None:
    """In fixed batches it draws their negatives from -1/(m - 1) to -1/(n - 1), and can do nothing between them."""
    assert toy["fixed, reduced", 2] < toy["fixed", 2] / 2
    assert toy["fixed, reduced", 8] == pytest.approx(toy["fixed", 8], rel=0.2)
    assert toy["fixed, reduced", 8] > 10 * toy["drawn, reduced", 8]
