"""Losses in tiles against the formulas as they are written, which have loops of floats for their oracle."""

import math
from functools import partial

import pytest
import torch

from hundredfold.losses import tiled
from hundredfold.losses.dcl import dcl
from hundredfold.losses.info_nce import info_nce
from hundredfold.losses.nt_xent import nt_xent
from hundredfold.losses.siglip import siglip
from hundredfold.train.memory import PeakMemory

N, D = 13, 5
BOTH_WAYS = {
    "NT-Xent": (nt_xent, tiled.nt_xent_tiled),
    "NT-Xent, cross": (partial(nt_xent, negatives="cross"), partial(tiled.nt_xent_tiled, negatives="cross")),
    "NT-Xent, within": (partial(nt_xent, negatives="within"), partial(tiled.nt_xent_tiled, negatives="within")),
    "DCL": (dcl, tiled.dcl_tiled),
    "DCL, cross": (partial(dcl, negatives="cross"), partial(tiled.dcl_tiled, negatives="cross")),
    "DCL, within": (partial(dcl, negatives="within"), partial(tiled.dcl_tiled, negatives="within")),
    "InfoNCE": (info_nce, tiled.info_nce_tiled),
    "InfoNCE, one way": (partial(info_nce, symmetric=False), partial(tiled.info_nce_tiled, symmetric=False)),
    "SigLIP": (partial(siglip, bias=-3.0), partial(tiled.siglip_tiled, bias=-3.0)),
}
PLAIN = {name: pair[0] for name, pair in BOTH_WAYS.items()}
each = pytest.mark.parametrize(("plain", "in_tiles"), BOTH_WAYS.values(), ids=BOTH_WAYS)


def pair(n=N, d=D, dtype=torch.float64, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return [torch.randn(n, d, generator=rng, dtype=dtype).requires_grad_() for _ in range(2)]


def value_and_gradient(loss, views, **settings):
    value = loss(*views, **settings)
    return value, *torch.autograd.grad(value, views)


@each
@pytest.mark.parametrize("tile", [1, 4, 6, 13, 50])
def test_value_and_gradient_are_those_of_the_formula(plain, in_tiles, tile):
    views = pair()
    expected = value_and_gradient(plain, views)
    found = value_and_gradient(in_tiles, views, tile=tile)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


@each
def test_in_float32_too(plain, in_tiles):
    views = pair(700, 32, torch.float32)
    expected = value_and_gradient(plain, views)
    found = value_and_gradient(in_tiles, views, tile=256)
    torch.testing.assert_close(found[0], expected[0], rtol=1e-5, atol=1e-5)
    for gradient, known in zip(found[1:], expected[1:]):
        assert (gradient - known).norm() < 1e-5 * known.norm()


@each
@pytest.mark.parametrize("temperature", [0.004, 50.0])
def test_temperatures_at_the_edge(plain, in_tiles, temperature):
    views = pair(dtype=torch.float32)  # exp(1 / 0.004) and its inverse are no float32
    expected = value_and_gradient(plain, views, temperature=temperature)
    found = value_and_gradient(in_tiles, views, temperature=temperature, tile=4)
    assert all(bool(part.isfinite().all()) for part in found)
    torch.testing.assert_close(found, expected, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("tile", [1, 2, 3, 8])
def test_gradients_of_the_sums(tile):
    x, y = pair(5, 3)[0], pair(4, 3, seed=1)[1]
    assert torch.autograd.gradcheck(lambda x, y: tiled.cross_logsumexp(x, y, tile=tile), (x, y))
    assert torch.autograd.gradcheck(lambda x, y: tiled.cross_logsumexp(x, y, diagonal=False, tile=tile), (x, y))
    assert torch.autograd.gradcheck(lambda x, y: tiled.cross_logsumexp(x, y, columns=False, tile=tile)[0], (x, y))
    assert torch.autograd.gradcheck(lambda x: tiled.within_logsumexp(x, tile=tile), (x,))


def test_the_sums_are_sums():
    x, y = ([[math.sin(3 * i + k) for k in range(D)] for i in range(first, first + 4)] for first in (0, 9))

    def over(left, others):
        return math.log(sum(math.exp(sum(a * b for a, b in zip(left, right))) for right in others))

    of_rows, of_columns = tiled.cross_logsumexp(*(torch.tensor(z).double() for z in (x, y)), tile=3)
    assert of_rows.tolist() == pytest.approx([over(row, y) for row in x])
    assert of_columns.tolist() == pytest.approx([over(column, x) for column in y])
    within = tiled.within_logsumexp(torch.tensor(x).double(), tile=3)
    assert within.tolist() == pytest.approx([over(x[i], x[:i] + x[i + 1 :]) for i in range(4)])


@pytest.mark.parametrize("tile", [2, 4, 16])
def test_temperature_and_bias_may_learn(tile):
    temperature, bias = (torch.tensor(number, dtype=torch.float64, requires_grad=True) for number in (3.0, -1.0))

    def loss(za, zb, temperature, bias):
        return tiled.siglip_tiled(za, zb, temperature=temperature, bias=bias, tile=tile)

    assert torch.autograd.gradcheck(loss, (*pair(5, 3), temperature, bias))
    plain = torch.autograd.grad(siglip(*pair(), temperature=temperature, bias=bias), (temperature, bias))
    found = torch.autograd.grad(loss(*pair(), temperature, bias), (temperature, bias))
    torch.testing.assert_close(found, plain)
    assert torch.autograd.gradcheck(
        lambda za, zb, t: tiled.info_nce_tiled(za, zb, temperature=t, tile=tile), (*pair(5, 3), temperature)
    )


@each
def test_half_precision_is_computed_in_float32(plain, in_tiles):
    views = pair(dtype=torch.float32)
    expected = value_and_gradient(in_tiles, views, tile=4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(value_and_gradient(in_tiles, views, tile=4), expected)
    halves = [view.detach().bfloat16() for view in views]
    value = in_tiles(*halves, tile=4)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, plain(*(half.float() for half in halves)))


@each
def test_without_gradient(plain, in_tiles):
    with torch.no_grad():
        torch.testing.assert_close(in_tiles(*pair(), tile=4), plain(*pair()))
    za, zb = pair()
    torch.testing.assert_close(
        torch.autograd.grad(in_tiles(za, zb.detach(), tile=4), za), torch.autograd.grad(plain(za, zb.detach()), za)
    )


@pytest.mark.parametrize("name", PLAIN)
def test_a_large_matrix_is_never_whole(name):
    loss = PLAIN[name]

    def largest(n):
        """How many numbers the largest tensor has that is kept for the backward pass."""
        kept = [0]
        with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor.numel()), lambda _: None):
            loss(*pair(n, 2, torch.float32))
        return max(kept)

    side = math.isqrt(tiled.LARGE // 4)  # of the smallest matrix of float32 that is not large
    n = side // 2 if name.startswith(("NT-Xent", "DCL")) else side  # these stack both views
    assert largest(n) == side**2
    assert largest(n + 1) == 2 * (n + 1)


@pytest.mark.parametrize("loss", PLAIN.values(), ids=PLAIN)
def test_the_choice_leaves_the_result(loss, monkeypatch):
    views = pair()
    expected = value_and_gradient(loss, views)
    monkeypatch.setattr(tiled, "LARGE", 0)
    torch.testing.assert_close(value_and_gradient(loss, views), expected, rtol=1e-10, atol=1e-10)


def test_what_is_large_depends_on_the_bytes():
    side = math.isqrt(tiled.LARGE // 4)
    for dtype, bytes_each in ((torch.bfloat16, 4), (torch.float32, 4), (torch.float64, 8)):
        z = torch.zeros(1, dtype=dtype)
        assert tiled.is_large(side, side, z) == (bytes_each > 4)
        assert tiled.is_large(side, side + 1, z)


def test_memory_is_that_of_the_vectors():
    views = pair(4096, 32, torch.float32)  # a matrix of 8,192 x 8,192 takes 256 MiB, and plain needs several
    value_and_gradient(nt_xent, pair(1200, 32, torch.float32))  # what is loaded once is not counted
    with PeakMemory(torch.device("cpu")) as peak:
        value_and_gradient(nt_xent, views)
    if peak.bytes is None:
        pytest.skip("this system does not tell")
    assert peak.bytes < 64 * 2**20


@each
def test_what_cannot_serve_is_said(plain, in_tiles):
    with pytest.raises(ValueError, match=r"\(3, 4\) and \(3, 5\)"):
        in_tiles(torch.zeros(3, 4), torch.zeros(3, 5))
    with pytest.raises(ValueError, match="at least 2, got 1"):
        in_tiles(torch.zeros(1, 4), torch.zeros(1, 4))
    with pytest.raises(ValueError, match="temperature must be > 0 and finite, got 0"):
        in_tiles(*pair(), temperature=0)


def test_unknown_negatives_are_said():
    for loss in (tiled.nt_xent_tiled, tiled.dcl_tiled):
        with pytest.raises(ValueError, match="both, cross, within, got 'none'"):
            loss(*pair(), negatives="none")


def test_a_second_derivative_is_refused():
    za, zb = pair()
    (gradient,) = torch.autograd.grad(tiled.nt_xent_tiled(za, zb, tile=4), za, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()
