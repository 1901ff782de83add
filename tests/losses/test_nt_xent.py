"""NT-Xent against loops written from the paper, its invariants, its bounds and its edge cases."""

import math

import pytest
import torch

from hundredfold.losses._negatives import NEGATIVES
from hundredfold.losses.nt_xent import NTXentLoss, nt_xent, nt_xent_chance, nt_xent_floor


def by_loops(za: list[list[float]], zb: list[list[float]], temperature: float) -> float:
    """Equation 1 of the SimCLR paper with floats: the mean of l(i, j) over all 2n views."""
    views = za + zb
    n = len(za)

    def cosine(x: list[float], y: list[float]) -> float:
        dot = sum(a * b for a, b in zip(x, y))
        return dot / math.sqrt(sum(a * a for a in x)) / math.sqrt(sum(b * b for b in y))

    total = 0.0
    for i in range(2 * n):
        j = i + n if i < n else i - n
        others = sum(math.exp(cosine(views[i], views[k]) / temperature) for k in range(2 * n) if k != i)
        total -= math.log(math.exp(cosine(views[i], views[j]) / temperature) / others)
    return total / (2 * n)


def pair(n: int, d: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=rng, dtype=dtype), torch.randn(n, d, generator=rng, dtype=dtype)


@pytest.mark.parametrize(("n", "d"), [(2, 3), (5, 4), (9, 2)])
@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
def test_equals_the_formula(n: int, d: int, temperature: float) -> None:
    za, zb = pair(n, d)
    expected = by_loops(za.tolist(), zb.tolist(), temperature)
    assert float(nt_xent(za, zb, temperature=temperature)) == pytest.approx(expected, rel=1e-12)


def test_the_order_of_views_and_images_and_the_length_of_vectors_do_not_matter() -> None:
    za, zb = pair(6, 5)
    value = nt_xent(za, zb, temperature=0.3)
    order = torch.randperm(6, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(nt_xent(zb, za, temperature=0.3), value)
    torch.testing.assert_close(nt_xent(za[order], zb[order], temperature=0.3), value)
    torch.testing.assert_close(nt_xent(7 * za, 0.1 * zb, temperature=0.3), value)


def test_gradient() -> None:
    za, zb = (z.requires_grad_() for z in pair(4, 3))
    assert torch.autograd.gradcheck(lambda a, b: nt_xent(a, b, temperature=0.4), (za, zb))


def test_chance_is_the_loss_of_equal_similarities() -> None:
    same = torch.ones(8, 4, dtype=torch.float64)
    assert float(nt_xent(same, same, temperature=0.2)) == pytest.approx(nt_xent_chance(8), rel=1e-12)
    assert nt_xent_chance(256) == pytest.approx(math.log(511))


def test_floor_is_the_loss_of_the_simplex_and_nothing_is_lower() -> None:
    n = 6
    simplex = torch.eye(n, dtype=torch.float64) - 1 / n
    assert float(nt_xent(simplex, simplex, temperature=0.5)) == pytest.approx(nt_xent_floor(n, 0.5), rel=1e-12)
    z = simplex + 0.05 * pair(n, n)[0]
    assert float(nt_xent(z, z, temperature=0.5)) > nt_xent_floor(n, 0.5)


def test_half_precision_is_computed_in_float32() -> None:
    za, zb = pair(16, 8, dtype=torch.float32)
    exact = nt_xent(za.bfloat16().float(), zb.bfloat16().float(), temperature=0.1)
    half = nt_xent(za.bfloat16(), zb.bfloat16(), temperature=0.1)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, exact)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(nt_xent(za, zb, temperature=0.1), nt_xent(za, zb, temperature=0.1).float())
        assert nt_xent(za, zb, temperature=0.1).dtype == torch.float32


def test_module_keeps_its_temperature() -> None:
    za, zb = pair(3, 3)
    torch.testing.assert_close(NTXentLoss(temperature=0.7)(za, zb), nt_xent(za, zb, temperature=0.7))


@pytest.mark.parametrize(
    ("shape_a", "shape_b", "says"),
    [
        ((3, 4), (3, 5), r"\(3, 4\) and \(3, 5\)"),
        ((4,), (4,), r"\[n, d\]"),
        ((1, 4), (1, 4), "at least 2, got 1"),
    ],
)
def test_shapes_that_cannot_serve_are_said(shape_a: tuple[int, ...], shape_b: tuple[int, ...], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        nt_xent(torch.zeros(shape_a), torch.zeros(shape_b))


def test_a_temperature_that_is_not_positive_is_refused() -> None:
    with pytest.raises(ValueError, match="temperature must be > 0 and finite, got 0"):
        nt_xent(*pair(2, 2), temperature=0)


def with_negatives(
    za: list[list[float]], zb: list[list[float]], temperature: float, cross: bool, within: bool
) -> float:
    """Definition 3.1 of Lee et al. 2025 with floats: log(1 + sum over negatives of exp(difference / t)), both ways."""

    def similarity(x: list[float], y: list[float]) -> float:
        return sum(a * b for a, b in zip(x, y)) / math.hypot(*x) / math.hypot(*y) / temperature

    total = 0.0
    for u, v in ((za, zb), (zb, za)):
        for i in range(len(u)):
            inner = 0.0
            for j in range(len(u)):
                if j != i:
                    positive = similarity(u[i], v[i])
                    inner += cross * math.exp(similarity(u[i], v[j]) - positive)
                    inner += within * math.exp(similarity(u[i], u[j]) - positive)
            total += math.log(1 + inner)
    return total / (2 * len(za))


@pytest.mark.parametrize(
    ("negatives", "cross", "within"), [("both", True, True), ("cross", True, False), ("within", False, True)]
)
@pytest.mark.parametrize(("n", "d", "temperature"), [(2, 3, 0.1), (5, 4, 0.5), (9, 2, 2.0)])
def test_a_choice_of_negatives_equals_the_formula(
    n: int, d: int, temperature: float, negatives: str, cross: bool, within: bool
) -> None:
    za, zb = pair(n, d)
    expected = with_negatives(za.tolist(), zb.tolist(), temperature, cross, within)
    assert float(nt_xent(za, zb, temperature=temperature, negatives=negatives)) == pytest.approx(expected, rel=1e-12)
    assert float(NTXentLoss(temperature, negatives)(za, zb)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("negatives", NEGATIVES)
def test_levels_of_a_choice_of_negatives(negatives: str) -> None:
    same = torch.ones(8, 4, dtype=torch.float64)
    chance = nt_xent_chance(8, negatives)
    assert chance == pytest.approx(math.log(15 if negatives == "both" else 8))
    assert float(nt_xent(same, same, temperature=0.2, negatives=negatives)) == pytest.approx(chance, rel=1e-12)
    simplex = torch.eye(6, dtype=torch.float64) - 1 / 6
    floor = nt_xent_floor(6, 0.5, negatives)
    assert float(nt_xent(simplex, simplex, temperature=0.5, negatives=negatives)) == pytest.approx(floor, rel=1e-12)


@pytest.mark.parametrize("negatives", NEGATIVES)
def test_gradient_of_a_choice_of_negatives(negatives: str) -> None:
    za, zb = (z.requires_grad_() for z in pair(3, 3))
    assert torch.autograd.gradcheck(lambda a, b: nt_xent(a, b, negatives=negatives), (za, zb))


def test_unknown_negatives_are_refused() -> None:
    with pytest.raises(ValueError, match="negatives must be one of both, cross, within, got 'all'"):
        nt_xent(*pair(2, 2), negatives="all")
    with pytest.raises(ValueError, match="negatives must be one of both, cross, within, got 'all'"):
        NTXentLoss(negatives="all")
