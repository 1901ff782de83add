"""Theorem 5.3 and example 5.4: losses that push negatives below -1/(n - 1), at the positives' cost, and the cure.

Source: Lee, Lim, Lee & Sohn, "On the Similarities of Embeddings in Contrastive Learning", ICML 2025 (arXiv 2506.09781).
The paper's b is minus the bias of SigLIP: its logit is t s - b.
"""

import math
from functools import partial
from itertools import combinations

import pytest
import torch
from embeddings import descend, negatives, positives, scattered, seeded, simplex, torn
from torch.nn.functional import softplus

from hundredfold.losses import independently_additive, siglip
from hundredfold.losses.siglip import siglip_floor

N = 6
# temperature, the paper's b, positive and negative similarity at the optimum as found with numpy before
FOUND = [
    (2.0, 0.0, 0.0471, -0.5812),
    (5.0, 0.0, 0.3155, -0.4738),
    (5.0, -3.0, -0.5812, -0.8325),
    (2.0, -2.0, -1.0, -1.0),
    (2.0, 2.0, 1.0, -0.2),
    (5.0, 2.5, 1.0, -0.2),
]


def negative_at(x: float, n: int) -> float:
    """The least mean negative similarity that positives at x allow (lemma C.6)."""
    return ((n - 2) * x - n) / (2 * (n - 1))


def predicted(t: float, b: float, n: int) -> float:
    """x* of the proof of theorem 5.3: where -phi(x) + psi(negative_at(x)) is least in -1..1, by bisection."""

    def slope(x: float) -> float:
        pull = t / (1 + math.exp(t * x - b))  # phi'
        push = (n - 1) * t / (1 + math.exp(b - t * negative_at(x, n)))  # psi'
        return push * (n - 2) / (2 * (n - 1)) - pull

    low, high = -1.0, 1.0
    if slope(low) >= 0:
        return low
    if slope(high) <= 0:
        return high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return low


def has_excess(t: float, b: float, n: int) -> bool:
    """Equation 10."""
    return (1 + math.exp(t / (n - 1) + b)) / (1 + math.exp(t - b)) < (n - 2) / 2


@pytest.mark.parametrize(("t", "b", "positive", "negative"), FOUND)
def test_descent_on_siglip_ends_where_the_theorem_says(t: float, b: float, positive: float, negative: float) -> None:
    x = predicted(t, b, N)
    assert x == pytest.approx(positive, abs=6e-5) and negative_at(x, N) == pytest.approx(negative, abs=6e-5)
    assert has_excess(t, b, N) == (positive < 1)
    u, v = descend(partial(siglip, temperature=t, bias=-b), *scattered(N, N, seeded(0)))
    torch.testing.assert_close(positives(u, v), torch.full((N,), x, dtype=torch.float64), atol=1e-4, rtol=0)
    expected = torch.full((N * (N - 1),), negative_at(x, N), dtype=torch.float64)
    torch.testing.assert_close(negatives(u, v), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("t", "b"), [(t, b) for t, b, positive, _ in FOUND if positive < 1])
def test_the_optimum_can_be_written_down(t: float, b: float) -> None:
    """The views of all images part along one axis: u = (a w, height), v = (a w, -height), 1 - 2 height^2 = x*."""
    loss = partial(siglip, temperature=t, bias=-b)
    x = predicted(t, b, N)
    written = torn(simplex(N), math.sqrt((1 - x) / 2))
    least = float(loss(*written))
    assert least == pytest.approx(siglip_floor(N, t, -b), abs=1e-9)
    assert least == pytest.approx(float(loss(*descend(loss, *scattered(N, N, seeded(1))))), abs=1e-7)
    for near in (x - 0.05, x + 0.05):
        if near >= -1:
            assert float(loss(*torn(simplex(N), math.sqrt((1 - near) / 2)))) > least + 1e-5


@pytest.mark.parametrize(("t", "b"), [(t, b) for t, b, positive, _ in FOUND if positive < 1])
@pytest.mark.parametrize("cross", [True, False])
def test_within_view_negatives_cure_it(t: float, b: float, cross: bool) -> None:
    loss = partial(
        independently_additive,
        phi=lambda x: -softplus(b - t * x),
        psi=lambda x: (N - 1) * softplus(t * x - b),
        cross=cross,
        within=True,
    )
    u, v = descend(loss, *scattered(N, N, seeded(2)))
    assert float(positives(u, v).min()) > 1 - 1e-6
    assert float((negatives(u, v) + 0.2).abs().max()) < 1e-3  # at b = -3 the valley is flat


@pytest.mark.parametrize("n", [3, 6, 20])
def test_equation_10_says_whether_parting_the_views_pays(n: int) -> None:
    whole = simplex(n)
    seen = set()
    for t in (1.0, 2.0, 5.0, 10.0):
        for b in (-3.0, -1.0, 0.0, 0.7, 1.3, 2.2, 4.1, 8.0):
            loss = partial(siglip, temperature=t, bias=-b)
            pays = bool(loss(*torn(whole, 1e-3)) < loss(*torn(whole, 0.0)))
            assert pays == has_excess(t, b, n), (t, b)
            seen.add(pays)
    assert seen == {True, False}


def test_where_siglip_begins_to_separate_too_far_at_temperature_10() -> None:
    """With the published bias of -10 from batches of 22 040 pairs on; with batches of 256 from a bias of -7.4 on."""
    assert not has_excess(10, 10, 22_039) and has_excess(10, 10, 22_040)
    assert not has_excess(10, 7.5, 256) and has_excess(10, 7.4, 256)


def test_it_needs_a_dimension_for_each_image() -> None:
    """With d = n - 1 the simplex leaves no axis along which all views could part: similarities vary."""
    loss = partial(siglip, temperature=5.0, bias=0.0)
    floor = siglip_floor(N, 5.0, 0.0)
    u, v = descend(loss, *scattered(N, N, seeded(0)))
    assert float(loss(u, v)) == pytest.approx(floor, abs=1e-9)
    u, v = descend(loss, *scattered(N, N - 1, seeded(0)))
    assert float(loss(u, v)) > floor + 0.05
    assert float(negatives(u, v).var()) > 0.01


def test_two_images_cannot_be_separated_too_far() -> None:
    assert not any(has_excess(t, b, 2) for t in (0.1, 1.0, 10.0) for b in (-10.0, 0.0, 10.0))
    u, v = descend(partial(siglip, temperature=5.0, bias=3.0), *scattered(2, 3, seeded(0)))
    assert float(positives(u, v).min()) > 1 - 1e-6 and float(negatives(u, v).max()) < -1 + 1e-6


@pytest.mark.parametrize("m", [2, 3, 5])
def test_drawing_batches_changes_the_weight_of_negatives_and_nothing_else(m: int) -> None:
    t, b = 5.0, 1.0
    u, v = scattered(N, N, seeded(m))
    batches = [list(batch) for batch in combinations(range(N), m)]
    drawn = sum(siglip(u[k], v[k], temperature=t, bias=-b) for k in batches) / len(batches)
    at_once = independently_additive(
        u, v, phi=lambda x: -softplus(b - t * x), psi=lambda x: (m - 1) * softplus(t * x - b), cross=True, within=False
    )
    assert float(drawn) == pytest.approx(float(at_once), abs=1e-12)
