"""The family of InfoNCE against loops written from definition 3.1, with functions that no named loss has."""

import math

import pytest
import torch

from hundredfold.losses.dcl import dcl
from hundredfold.losses.info_nce import info_nce
from hundredfold.losses.info_nce_based import InfoNCEBasedLoss, info_nce_based


def unit(rows):
    return [[value / math.hypot(*row) for value in row] for row in rows]


def dot(x, y):
    return sum(a * b for a, b in zip(x, y))


def one_way(u, v, phi, psi, c1, c2):
    total = 0.0
    for i in range(len(u)):
        inner = 0.0
        for j in range(len(u)):
            if j != i:
                inner += c1 * phi(dot(v[j], u[i]) - dot(v[i], u[i])) + c2 * phi(dot(u[j], u[i]) - dot(v[i], u[i]))
        total += psi(inner)
    return total / len(u)


def pair(n, d):
    rng = torch.Generator().manual_seed(0)
    return torch.randn(n, d, generator=rng, dtype=torch.float64), torch.randn(n, d, generator=rng, dtype=torch.float64)


@pytest.mark.parametrize(("cross", "within"), [(True, False), (False, True), (True, True)])
@pytest.mark.parametrize(("n", "d"), [(2, 3), (5, 4)])
def test_equals_the_formula(n, d, cross, within):
    za, zb = pair(n, d)
    u, v = unit(za.tolist()), unit(zb.tolist())
    there = one_way(u, v, lambda x: (x + 2) ** 2, lambda x: math.sqrt(x) + 3, cross, within)
    back = one_way(v, u, lambda x: (x + 2) ** 2, lambda x: math.sqrt(x) + 3, cross, within)

    def loss(symmetric):
        return info_nce_based(
            za,
            zb,
            phi=lambda x: (x + 2).square(),
            psi=lambda x: x.sqrt() + 3,
            cross=cross,
            within=within,
            symmetric=symmetric,
        )

    assert float(loss(False)) == pytest.approx(there, rel=1e-12)
    assert float(loss(True)) == pytest.approx((there + back) / 2, rel=1e-12)


@pytest.mark.parametrize("temperature", [0.2, 1.0])
def test_named_losses_are_members(temperature):
    za, zb = pair(7, 3)

    def phi(x):
        return (x / temperature).exp()

    one_direction = info_nce_based(za, zb, phi=phi, psi=torch.log1p, within=False, symmetric=False)
    torch.testing.assert_close(one_direction, info_nce(za, zb, temperature=temperature, symmetric=False))
    decoupled = info_nce_based(za, zb, phi=phi, psi=torch.log, within=False)
    torch.testing.assert_close(decoupled, dcl(za, zb, temperature=temperature, negatives="cross"))


def test_without_negatives_there_is_nothing_to_learn():
    with pytest.raises(ValueError, match="cross and within are both False"):
        info_nce_based(*pair(2, 2), phi=torch.exp, psi=torch.log, cross=False, within=False)
    with pytest.raises(ValueError, match="cross and within are both False"):
        InfoNCEBasedLoss(torch.exp, torch.log, cross=False, within=False)
