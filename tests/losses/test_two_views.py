"""What every loss of two views promises: the same answer in any order and precision, and a sentence where it cannot."""

import math
from functools import partial

import pytest
import torch

from hundredfold import losses

PUSH, PULL = torch.exp, torch.nn.functional.logsigmoid

FUNCTIONS = {
    "info_nce": losses.info_nce,
    "dcl": losses.dcl,
    "dhel": losses.dhel,
    "siglip": losses.siglip,
    "spectral": losses.spectral,
    "info_nce_based": partial(losses.info_nce_based, phi=PUSH, psi=torch.log1p),
    "independently_additive": partial(losses.independently_additive, phi=PULL, psi=PUSH, within=True),
    "triplet_margin": partial(losses.triplet_margin, margin=0.7),
    "triplet_margin, hard": partial(losses.triplet_margin, margin=0.7, mining="hard"),
    "triplet_margin, all": partial(losses.triplet_margin, margin=0.7, mining="all"),
    "supervised_contrastive": lambda za, zb: losses.supervised_contrastive(za, zb, torch.arange(len(za)) // 2 - 1),
    "variance_reduction": partial(losses.variance_reduction, images=100),
}
MODULES = {
    "info_nce": losses.InfoNCELoss(temperature=0.3, symmetric=False),
    "dcl": losses.DCLLoss(temperature=0.3, negatives="cross"),
    "dhel": losses.DHELLoss(temperature=0.3),
    "siglip": losses.SigLIPLoss(temperature=3.0, bias=-2.0),
    "spectral": losses.SpectralLoss(),
    "info_nce_based": losses.InfoNCEBasedLoss(PUSH, torch.log1p, within=False, symmetric=False),
    "independently_additive": losses.IndependentlyAdditiveLoss(PULL, PUSH, cross=False, within=True),
    "triplet_margin": losses.TripletMarginLoss(margin=0.9, mining="all"),
}
SETTINGS = {
    "info_nce": {"temperature": 0.3, "symmetric": False},
    "dcl": {"temperature": 0.3, "negatives": "cross"},
    "dhel": {"temperature": 0.3},
    "siglip": {"temperature": 3.0, "bias": -2.0},
    "spectral": {},
    "info_nce_based": {"within": False, "symmetric": False},
    "independently_additive": {"cross": False, "within": True},
    "triplet_margin": {"margin": 0.9, "mining": "all"},
}

every_loss = pytest.mark.parametrize("loss", FUNCTIONS.values(), ids=FUNCTIONS)


def pair(n, d, dtype=torch.float64):
    rng = torch.Generator().manual_seed(0)
    return torch.randn(n, d, generator=rng, dtype=dtype), torch.randn(n, d, generator=rng, dtype=dtype)


@every_loss
def test_the_views_and_the_length_of_vectors_do_not_matter(loss):
    za, zb = pair(6, 4)
    value = loss(za, zb)
    assert value.shape == () and value.dtype == torch.float64
    torch.testing.assert_close(loss(zb, za), value)
    torch.testing.assert_close(loss(7 * za, zb * torch.arange(1, 7)[:, None]), value)


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name != "supervised_contrastive"])
def test_the_order_of_images_does_not_matter(name):
    za, zb = pair(6, 4)
    order = torch.randperm(6, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(FUNCTIONS[name](za[order], zb[order]), FUNCTIONS[name](za, zb))


@every_loss
def test_a_rotation_of_all_vectors_does_not_matter(loss):
    za, zb = pair(6, 4)
    rotation = torch.linalg.qr(pair(4, 4)[0]).Q
    torch.testing.assert_close(loss(za @ rotation, zb @ rotation), loss(za, zb))


@every_loss
def test_gradient(loss):
    za, zb = (z.requires_grad_() for z in pair(4, 3))
    assert torch.autograd.gradcheck(loss, (za, zb))


@every_loss
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32(loss, dtype):
    za, zb = pair(16, 8, dtype=torch.float32)
    exact = loss(za.to(dtype).float(), zb.to(dtype).float())
    half = loss(za.to(dtype), zb.to(dtype))
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, exact)


@every_loss
def test_autocast_changes_nothing(loss):
    za, zb = pair(16, 8, dtype=torch.float32)
    exact = loss(za, zb)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = loss(za, zb)
    assert inside.dtype == torch.float32 and torch.equal(inside, exact)


@every_loss
def test_identical_views_and_zeros_are_finite_with_finite_gradients(loss):
    for z in (torch.ones(4, 3), torch.zeros(4, 3), pair(4, 3, torch.float32)[0]):
        za, zb = z.clone().requires_grad_(), z.clone().requires_grad_()
        value = loss(za, zb)
        value.backward()
        assert bool(value.isfinite()) and bool(za.grad.isfinite().all()) and bool(zb.grad.isfinite().all())


@every_loss
def test_two_images_are_enough_and_one_is_not(loss):
    assert bool(loss(*pair(2, 3)).isfinite())
    with pytest.raises(ValueError, match="at least 2, got 1"):
        loss(*pair(1, 3))


@every_loss
@pytest.mark.parametrize(
    ("shape_a", "shape_b", "says"),
    [((3, 4), (3, 5), r"\(3, 4\) and \(3, 5\)"), ((3, 4), (2, 4), r"\(3, 4\) and \(2, 4\)"), ((4,), (4,), r"\[n, d\]")],
)
def test_shapes_that_cannot_serve_are_said(loss, shape_a, shape_b, says):
    with pytest.raises(ValueError, match=says):
        loss(torch.zeros(shape_a), torch.zeros(shape_b))


@pytest.mark.parametrize("temperature", [0, -0.5, math.nan, math.inf])
@pytest.mark.parametrize("name", ["info_nce", "dcl", "dhel", "siglip"])
def test_a_temperature_that_is_not_positive_is_refused(name, temperature):
    with pytest.raises(ValueError, match=f"temperature must be > 0 and finite, got {temperature}"):
        FUNCTIONS[name](*pair(2, 2), temperature=temperature)
    with pytest.raises(ValueError, match=f"temperature must be > 0 and finite, got {temperature}"):
        type(MODULES[name])(temperature=temperature)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_keeps_its_settings(name):
    za, zb = pair(5, 3)
    by_settings = FUNCTIONS[name](za, zb, **SETTINGS[name])
    torch.testing.assert_close(MODULES[name](za, zb), by_settings, rtol=1e-6, atol=1e-6)
    assert name == "spectral" or abs(by_settings - FUNCTIONS[name](za, zb)) > 1e-3, "these settings make no difference"
