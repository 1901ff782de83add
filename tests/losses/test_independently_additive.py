"""The family that adds up against loops written from definition 3.2, and what negatives within the views change."""

import math

import pytest
import torch

from hundredfold.losses.independently_additive import IndependentlyAdditiveLoss, independently_additive

softplus = torch.nn.functional.softplus


def unit(rows):
    return [[value / math.hypot(*row) for value in row] for row in rows]


def dot(x, y):
    return sum(a * b for a, b in zip(x, y))


def by_loops(u, v, phi, psi, c1, c2):
    n = len(u)
    total = -sum(phi(dot(u[i], v[i])) for i in range(n)) / n
    for i in range(n):
        for j in range(n):
            if i != j:
                total += c1 / (n * (n - 1)) * psi(dot(u[i], v[j]))
                total += c2 / (2 * n * (n - 1)) * (psi(dot(u[i], u[j])) + psi(dot(v[i], v[j])))
    return total


def pair(n, d):
    rng = torch.Generator().manual_seed(0)
    return torch.randn(n, d, generator=rng, dtype=torch.float64), torch.randn(n, d, generator=rng, dtype=torch.float64)


@pytest.mark.parametrize(("cross", "within"), [(True, False), (False, True), (True, True)])
@pytest.mark.parametrize(("n", "d"), [(2, 3), (5, 4)])
def test_equals_the_formula(n, d, cross, within):
    za, zb = pair(n, d)
    expected = by_loops(
        unit(za.tolist()), unit(zb.tolist()), lambda x: 1 - (2 - x) ** 2, lambda x: math.exp(3 * x), cross, within
    )
    found = independently_additive(
        za, zb, phi=lambda x: 1 - (2 - x).square(), psi=lambda x: (3 * x).exp(), cross=cross, within=within
    )
    assert float(found) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("within", "positive", "negative"), [(False, 0.0471, -0.5812), (True, 1.0, -0.2)])
def test_negatives_within_the_views_bring_the_simplex_back(within, positive, negative):
    """Theorems 5.1 and 5.3 at work: SigLIP's functions at temperature 2 and bias 0, six images."""
    za, zb = (z.requires_grad_() for z in pair(6, 6))
    optimizer = torch.optim.LBFGS([za, zb], max_iter=200, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = independently_additive(
            za, zb, phi=lambda x: -softplus(-2 * x), psi=lambda x: 5 * softplus(2 * x), within=within
        )
        loss.backward()
        return loss

    optimizer.step(closure)
    u, v = (torch.nn.functional.normalize(z.detach(), dim=1) for z in (za, zb))
    cosine = u @ v.T
    assert cosine.diagonal().tolist() == pytest.approx([positive] * 6, abs=2e-3)
    assert cosine[~torch.eye(6, dtype=torch.bool)].tolist() == pytest.approx([negative] * 30, abs=2e-3)


def test_without_negatives_there_is_nothing_to_learn():
    with pytest.raises(ValueError, match="cross and within are both False"):
        independently_additive(*pair(2, 2), phi=torch.exp, psi=torch.exp, cross=False, within=False)
    with pytest.raises(ValueError, match="cross and within are both False"):
        IndependentlyAdditiveLoss(torch.exp, torch.exp, cross=False)
