"""Theorem 5.1: with the whole data set in one batch, positives end at 1 and every negative at -1/(n - 1).

Source: Lee, Lim, Lee & Sohn, "On the Similarities of Embeddings in Contrastive Learning", ICML 2025 (arXiv 2506.09781).
"""

import math
from functools import partial

import pytest
import torch
from embeddings import Loss, axes_both_ways, descend, negatives, positives, scattered, seeded, simplex, torn
from torch import Tensor

from hundredfold.evaluate.similarity import similarity
from hundredfold.losses import (
    dcl,
    dhel,
    independently_additive,
    info_nce,
    info_nce_based,
    nt_xent,
    siglip,
    spectral,
)

N = 6
EXPONENT = -(N / (N - 1)) / 0.5  # (negative - positive) / temperature, at the optimum and temperature 1/2
LOGARITHMIC = {  # the loss, and its value on the simplex from the formula in one line
    "info_nce": (partial(info_nce, temperature=0.5), math.log(1 + 5 * math.exp(EXPONENT)), 0.37404),
    "nt_xent": (partial(nt_xent, temperature=0.5), math.log(1 + 10 * math.exp(EXPONENT)), 0.64563),
    "nt_xent_cross": (
        partial(nt_xent, temperature=0.5, negatives="cross"),
        math.log(1 + 5 * math.exp(EXPONENT)),
        0.37404,
    ),
    "nt_xent_within": (
        partial(nt_xent, temperature=0.5, negatives="within"),
        math.log(1 + 5 * math.exp(EXPONENT)),
        0.37404,
    ),
    "dcl": (partial(dcl, temperature=0.5), math.log(10) + EXPONENT, -0.09741),
    "dhel": (partial(dhel, temperature=0.5), math.log(5) + EXPONENT, -0.79056),
}


def is_simplex(u: Tensor, v: Tensor) -> bool:
    """Whether positives are at 1 and every negative, across and within views, is at -1/(n - 1)."""
    apart = torch.cat([negatives(u, v), negatives(u, u), negatives(v, v)])
    return bool((positives(u, v) > 1 - 1e-6).all() and (apart + 1 / (len(u) - 1)).abs().max() < 1e-4)


def power_of(degree: int, x: Tensor) -> Tensor:
    return (3 + x) ** degree


@pytest.mark.parametrize("d", [N - 1, N + 2])
@pytest.mark.parametrize("name", LOGARITHMIC)
def test_descent_ends_on_the_simplex_with_the_value_of_the_formula(name: str, d: int) -> None:
    loss, value, printed = LOGARITHMIC[name]
    u, v = descend(loss, *scattered(N, d, seeded(d)))
    assert is_simplex(u, v)
    assert float(loss(u, v)) == pytest.approx(value, abs=1e-9)
    assert value == pytest.approx(printed, abs=5e-6)


@pytest.mark.parametrize("name", LOGARITHMIC)
def test_with_too_few_dimensions_the_value_is_out_of_reach(name: str) -> None:
    loss, value, _ = LOGARITHMIC[name]
    u, v = descend(loss, *scattered(N, N - 2, seeded(0)))
    assert not is_simplex(u, v)
    assert float(loss(u, v)) > value + 1e-3


@pytest.mark.parametrize(("cross", "within"), [(True, False), (False, True), (True, True)])
def test_it_is_the_family_and_not_the_logarithm(cross: bool, within: bool) -> None:
    loss = partial(info_nce_based, phi=partial(power_of, 4), psi=torch.sqrt, cross=cross, within=within)
    assert is_simplex(*descend(loss, *scattered(N, N, seeded(1))))


@pytest.mark.parametrize(("cross", "within"), [(False, True), (True, True)])
def test_sums_of_single_pairs_reach_it_with_within_view_negatives(cross: bool, within: bool) -> None:
    loss = partial(independently_additive, phi=torch.sin, psi=partial(power_of, 3), cross=cross, within=within)
    assert is_simplex(*descend(loss, *scattered(N, N, seeded(2))))


def test_sums_of_cross_view_pairs_reach_it_where_the_positive_pulls_hard_enough() -> None:
    """Part iii: phi'(1) against (n - 2)/(2 (n - 1)) psi'(-1/(n - 1)), here 0.4 * 3 * 2.8^2 = 9.408."""

    def loss(pull: float) -> Loss:
        return partial(
            independently_additive, phi=lambda x: pull * x, psi=partial(power_of, 3), cross=True, within=False
        )

    assert is_simplex(*descend(loss(9.5), *scattered(N, N, seeded(3))))
    u, v = descend(loss(9.3), *scattered(N, N, seeded(3)))
    assert float(positives(u, v).max()) < 0.99 and float(negatives(u, v).max()) < -1 / (N - 1) - 1e-3


def test_siglip_reaches_it_at_the_settings_without_excess() -> None:
    for temperature, bias in ((2.0, -2.0), (5.0, -2.5)):
        assert is_simplex(*descend(partial(siglip, temperature=temperature, bias=bias), *scattered(N, N, seeded(4))))


STRAIGHT = {
    "info_nce_based": partial(info_nce_based, phi=lambda x: x, psi=lambda x: x, cross=True, within=False),
    "info_nce_based, psi strict": partial(info_nce_based, phi=lambda x: x, psi=torch.exp, cross=True, within=True),
    "independently_additive": partial(
        independently_additive, phi=torch.sin, psi=lambda x: x / 2, cross=False, within=True
    ),
}


@pytest.mark.parametrize("name", STRAIGHT)
def test_convex_is_not_enough_for_every_negative(name: str) -> None:
    """The paper asks for convex functions; where it takes strictness, straight lines decide the mean alone."""
    loss = STRAIGHT[name]
    opposite, whole = axes_both_ways(), simplex(N)
    least = float(loss(whole, whole))
    assert float(loss(opposite, opposite)) == pytest.approx(least, abs=1e-12)
    assert float(negatives(opposite, opposite).mean()) == pytest.approx(-1 / (N - 1))
    assert float(negatives(opposite, opposite).var(unbiased=False)) == pytest.approx(0.16)
    u, v = descend(loss, *scattered(N, N, seeded(5)))
    assert float(loss(u, v)) == pytest.approx(least, abs=1e-9) and not is_simplex(u, v)


@pytest.mark.parametrize("d", [N, N + 2])
def test_spectral_is_an_exception_where_there_is_room_for_right_angles(d: int) -> None:
    """x^2 does not increase below 0, which definition 3.2 asks for: from d = n on all negatives end at 0."""
    u, v = descend(spectral, *scattered(N, d, seeded(d)))
    assert float(positives(u, v).min()) == pytest.approx(1, abs=1e-6)
    assert float(negatives(u, v).abs().max()) < 1e-4
    assert float(spectral(u, v)) == pytest.approx(-1, abs=1e-9)
    assert float(spectral(simplex(N), simplex(N))) == pytest.approx(-1 + 1 / (N - 1) ** 2)


def test_spectral_does_not_see_signs_where_right_angles_do_not_fit() -> None:
    """At d = n - 1 it ends on a simplex of which some points are on the wrong side: 1/(n - 1) instead of -1/(n - 1)."""
    on_the_wrong_side = 0
    for seed in range(5):
        u, v = descend(spectral, *scattered(N, N - 1, seeded(seed)))
        s = negatives(u, v)
        assert float(positives(u, v).min()) > 1 - 1e-6
        torch.testing.assert_close(s.abs(), torch.full_like(s, 1 / (N - 1)), atol=1e-4, rtol=0)
        assert float(spectral(u, v)) == pytest.approx(-1 + 1 / (N - 1) ** 2, abs=1e-9)
        on_the_wrong_side += int((s > 0).any())
    assert on_the_wrong_side > 0


def test_the_library_prints_the_optimum_as_it_is() -> None:
    z = simplex(N)
    found = similarity(z, z, z)
    assert found.positive_mean == pytest.approx(1, abs=1e-6)
    assert found.negative_mean == pytest.approx(-1 / 5, abs=1e-6) and found.negative_variance < 1e-12
    assert found.excess == pytest.approx(0, abs=1e-6)
    assert found.bound == pytest.approx(1, abs=1e-6) and found.sharp_bound == pytest.approx(1, abs=1e-6)
    part = similarity(*torn(z, 0.5), z)  # views apart along one axis: negatives too far, positives not at 1
    assert part.excess == pytest.approx(0.25 + 0.75 / 5 - 0.2, abs=1e-6)
    assert part.positive_mean == pytest.approx(0.5, abs=1e-6) and part.sharp_bound == pytest.approx(0.5, abs=1e-6)
