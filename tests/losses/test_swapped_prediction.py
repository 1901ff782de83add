"""Swapped prediction against loops written from the paper, its invariances and its edge cases."""

import math

import pytest
import torch

from hundredfold.losses.sinkhorn import sinkhorn
from hundredfold.losses.swapped_prediction import swapped_prediction, swapped_prediction_chance


def by_loops(scores_a: torch.Tensor, scores_b: torch.Tensor, temperature: float, epsilon: float) -> float:
    """Equations 1 and 2 of the paper with floats, averaged over images and over both directions."""

    def cross_entropy(code: list[float], scores: list[float]) -> float:
        exponentials = [math.exp(score / temperature) for score in scores]
        return -sum(q * math.log(e / sum(exponentials)) for q, e in zip(code, exponentials, strict=True))

    codes_a, codes_b = (sinkhorn(scores, epsilon=epsilon).tolist() for scores in (scores_a, scores_b))
    n = len(scores_a)
    total = sum(cross_entropy(codes_b[i], scores_a[i].tolist()) for i in range(n))
    total += sum(cross_entropy(codes_a[i], scores_b[i].tolist()) for i in range(n))
    return total / n / 2


def pair(n: int, k: int, dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    return tuple(2 * torch.rand(n, k, generator=rng, dtype=dtype) - 1 for _ in range(2))


@pytest.mark.parametrize(("n", "k"), [(2, 3), (6, 4), (5, 1)])
@pytest.mark.parametrize(("temperature", "epsilon"), [(0.1, 0.05), (0.7, 0.3)])
def test_equals_the_formula(n, k, temperature, epsilon):
    a, b = pair(n, k)
    expected = by_loops(a, b, temperature, epsilon)
    value = swapped_prediction(a, b, temperature=temperature, epsilon=epsilon)
    assert float(value) == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_the_order_of_views_images_and_prototypes_does_not_matter():
    a, b = pair(6, 4)
    value = swapped_prediction(a, b)
    torch.testing.assert_close(swapped_prediction(b, a), value)
    rng = torch.Generator().manual_seed(1)
    rows, columns = torch.randperm(6, generator=rng), torch.randperm(4, generator=rng)
    torch.testing.assert_close(swapped_prediction(a[rows][:, columns], b[rows][:, columns]), value)


def test_the_gradient_is_prediction_minus_the_code_of_the_other_view():
    a, b = (scores.requires_grad_() for scores in pair(5, 3))
    swapped_prediction(a, b, temperature=0.2, epsilon=0.1).backward()
    for scores, other in ((a, b), (b, a)):
        prediction = (scores.detach() / 0.2).softmax(1)
        expected = (prediction - sinkhorn(other.detach(), epsilon=0.1)) / 0.2 / 5 / 2
        torch.testing.assert_close(scores.grad, expected)


def test_chance_is_the_loss_of_equal_scores():
    same = torch.full((6, 4), 0.3, dtype=torch.float64)
    assert (
        float(swapped_prediction(same, same))
        == pytest.approx(swapped_prediction_chance(4))
        == pytest.approx(math.log(4))
    )


def test_views_that_agree_cost_less_than_views_that_do_not():
    a = torch.eye(4).repeat(2, 1)  # two images for each of four prototypes
    assert swapped_prediction(a, a) < 0.001
    assert swapped_prediction(a, a.roll(1, 0)) > 5


def test_half_precision_is_computed_in_float32():
    a, b = pair(16, 8, dtype=torch.float32)
    half = swapped_prediction(a.bfloat16(), b.bfloat16())
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, swapped_prediction(a.bfloat16().float(), b.bfloat16().float()))


@pytest.mark.parametrize(
    ("shape_a", "shape_b", "says"),
    [((3, 4), (3, 5), r"\(3, 4\) and \(3, 5\)"), ((4,), (4,), r"\[n, d\]"), ((1, 4), (1, 4), "at least 2, got 1")],
)
def test_shapes_that_cannot_serve_are_said(shape_a, shape_b, says):
    with pytest.raises(ValueError, match=says):
        swapped_prediction(torch.zeros(shape_a), torch.zeros(shape_b))


def test_settings_out_of_range_are_refused():
    with pytest.raises(ValueError, match="temperature must be > 0"):
        swapped_prediction(*pair(2, 2), temperature=0)
    with pytest.raises(ValueError, match="epsilon must be > 0"):
        swapped_prediction(*pair(2, 2), epsilon=0)
