"""Chance and floor: what a constant representation gives, and what nothing goes below."""

import math
from functools import partial

import pytest
import torch

from hundredfold import losses
from hundredfold.losses import dcl, dhel, info_nce, nt_xent, siglip, spectral
from hundredfold.losses.dcl import dcl_chance, dcl_floor
from hundredfold.losses.dhel import dhel_chance, dhel_floor
from hundredfold.losses.info_nce import info_nce_chance, info_nce_floor
from hundredfold.losses.nt_xent import nt_xent_chance, nt_xent_floor
from hundredfold.losses.siglip import siglip_chance, siglip_floor
from hundredfold.losses.spectral import CHANCE, FLOOR
from hundredfold.losses.supervised_contrastive import supervised_contrastive_chance

T = 0.5
NEGATIVES = ("both", "cross", "within")
CHANCE_OF = {
    "info_nce": (info_nce, info_nce_chance),
    "info_nce, one way": (partial(info_nce, symmetric=False), info_nce_chance),
    "dhel": (dhel, dhel_chance),
    "spectral": (spectral, lambda n: CHANCE),
    "triplet_margin": (partial(losses.triplet_margin, margin=0.3), lambda n: 0.3),
    "triplet_margin, hard": (partial(losses.triplet_margin, margin=0.3, mining="hard"), lambda n: 0.3),
    "triplet_margin, all": (partial(losses.triplet_margin, margin=0.3, mining="all"), lambda n: 0.3),
    "supervised_contrastive": (
        lambda za, zb: losses.supervised_contrastive(za, zb, torch.arange(len(za)) // 3 - 1),
        supervised_contrastive_chance,
    ),
    **{
        f"nt_xent, {kind}": (partial(nt_xent, negatives=kind), partial(nt_xent_chance, negatives=kind))
        for kind in NEGATIVES
    },
    **{f"dcl, {kind}": (partial(dcl, negatives=kind), partial(dcl_chance, negatives=kind)) for kind in NEGATIVES},
}
# In the optimum of SigLIP the positives part at some temperatures and biases and not at others (Lee et al. 2025,
# example 5.4): the floor knows of both.
FLOOR_OF = {
    "info_nce": (info_nce, partial(info_nce_floor, temperature=T)),
    "info_nce, one way": (partial(info_nce, symmetric=False), partial(info_nce_floor, temperature=T)),
    "dhel": (dhel, partial(dhel_floor, temperature=T)),
    "spectral": (spectral, lambda n: FLOOR),
    **{
        f"nt_xent, {kind}": (partial(nt_xent, negatives=kind), partial(nt_xent_floor, temperature=T, negatives=kind))
        for kind in NEGATIVES
    },
    **{
        f"dcl, {kind}": (partial(dcl, negatives=kind), partial(dcl_floor, temperature=T, negatives=kind))
        for kind in NEGATIVES
    },
    **{
        f"siglip, {t} {b}": (partial(siglip, temperature=t, bias=b), partial(siglip_floor, temperature=t, bias=b))
        for t, b in [(10.0, -10.0), (2.0, 0.0), (5.0, 0.0), (5.0, 3.0), (2.0, 2.0), (5.0, -2.5)]
    },
}


@pytest.mark.parametrize(("loss", "chance"), CHANCE_OF.values(), ids=CHANCE_OF)
def test_chance_is_the_loss_of_a_constant_representation(loss, chance):
    same = torch.ones(8, 4, dtype=torch.float64)
    assert float(loss(same, same)) == pytest.approx(chance(8), abs=1e-9)


@pytest.mark.parametrize("n", [2, 8, 100])
def test_chance_of_siglip_is_that_of_the_best_bias(n):
    same = torch.ones(n, 4, dtype=torch.float64)
    best = min(float(siglip(same, same, temperature=1.0, bias=-1 + logit / 100)) for logit in range(-600, 100))
    assert siglip_chance(n) <= best < siglip_chance(n) + 1e-3


@pytest.mark.parametrize(("loss", "floor"), FLOOR_OF.values(), ids=FLOOR_OF)
def test_descent_comes_down_to_the_floor_and_no_further(loss, floor):
    n = 5
    rng = torch.Generator().manual_seed(0)
    za, zb = (torch.randn(n, 6, generator=rng, dtype=torch.float64).requires_grad_() for _ in range(2))
    optimizer = torch.optim.LBFGS([za, zb], max_iter=150, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        value = loss(za, zb)
        value.backward()
        return value

    optimizer.step(closure)
    assert floor(n) - 1e-9 <= loss(za, zb).item() < floor(n) + 1e-4


@pytest.mark.parametrize("n", [2, 3, 30])
@pytest.mark.parametrize(("loss", "floor"), FLOOR_OF.values(), ids=FLOOR_OF)
def test_no_pair_is_below_the_floor(loss, floor, n):
    rng = torch.Generator().manual_seed(0)
    for noise in (0.0, 0.1, 1.0):
        for d in (1, 2, 40):
            za = torch.randn(n, d, generator=rng, dtype=torch.float64)
            zb = za + noise * torch.randn(n, d, generator=rng, dtype=torch.float64)
            assert min(loss(za, zb).item(), loss(za, -zb).item()) >= floor(n) - 1e-9


@pytest.mark.parametrize(
    ("temperature", "bias", "positive"), [(2, 0, 0.0471), (5, 0, 0.3155), (5, 3, -0.5812), (2, 2, -1), (2, -2, 1)]
)
def test_the_floor_of_siglip_is_at_the_optimum_of_theorem_5_3(temperature, bias, positive):
    """The similarities of positives that gradient descent found elsewhere, with n = d = 6; h is flat there."""
    negative = (4 * positive - 6) / 10
    value = math.log1p(math.exp(-temperature * positive - bias)) + 5 * math.log1p(
        math.exp(temperature * negative + bias)
    )
    assert siglip_floor(6, temperature, bias) - 1e-12 <= value < siglip_floor(6, temperature, bias) + 1e-6


def test_floors_of_six_images():
    """By gradient descent elsewhere, at t = 0.5."""
    found = [info_nce_floor(6, T), nt_xent_floor(6, T), dcl_floor(6, T), dhel_floor(6, T)]
    assert found == pytest.approx([0.37404, 0.64563, -0.09741, -0.79056], abs=1e-5)
