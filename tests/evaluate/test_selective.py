"""Accuracy against coverage, counted one image after the other."""

import pytest
import torch

from hundredfold.errors import DataError
from hundredfold.evaluate.selective import (
    area_under_risk_coverage,
    at_accuracy,
    at_threshold,
    points_at,
    risk_coverage,
    thinned,
)


def predictions(seed: int, count: int = 200, levels: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    """Confidences, some of them equal, and predictions that are right about as often."""
    rng = torch.Generator().manual_seed(seed)
    confidence = torch.randint(1, levels + 1, (count,), generator=rng).double() / levels
    return confidence, torch.rand(count, generator=rng, dtype=torch.float64) < confidence


def answered_above(confidence: torch.Tensor, right: torch.Tensor, threshold: float) -> tuple[float, float]:
    inside = [bool(r) for c, r in zip(confidence.tolist(), right.tolist(), strict=True) if c >= threshold]
    return len(inside) / len(confidence), sum(inside) / len(inside)


@pytest.mark.parametrize("seed", range(3))
def test_every_point_is_what_is_counted_at_its_threshold(seed: int) -> None:
    confidence, right = predictions(seed)
    curve = risk_coverage(confidence, right)
    assert curve.threshold.tolist() == sorted(set(confidence.tolist()), reverse=True)
    for place, threshold in enumerate(curve.threshold.tolist()):
        point = curve.point(place)
        assert (point.coverage, point.accuracy) == pytest.approx(answered_above(confidence, right, threshold))


def test_the_area_is_the_mean_risk_over_all_coverages() -> None:
    confidence = torch.rand(50, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    right = torch.rand(50, generator=torch.Generator().manual_seed(5)) < 0.7
    ranked = [bool(r) for _, r in sorted(zip(confidence.tolist(), right.tolist(), strict=True), reverse=True)]
    risks = [1 - sum(ranked[:count]) / count for count in range(1, 51)]
    assert area_under_risk_coverage(risk_coverage(confidence, right)) == pytest.approx(sum(risks) / 50)


def test_equal_confidences_count_as_their_mean_over_all_orders() -> None:
    constant = torch.full((4,), 0.7)
    right = torch.tensor([True, False, True, True])
    assert area_under_risk_coverage(risk_coverage(constant, right)) == pytest.approx(1 / 4)


def test_a_perfect_order_has_the_least_area_and_a_reversed_one_the_most() -> None:
    right = torch.tensor([True] * 15 + [False] * 5)
    best = area_under_risk_coverage(risk_coverage(torch.linspace(1, 0, 20), right))
    worst = area_under_risk_coverage(risk_coverage(torch.linspace(0, 1, 20), right))
    assert best == pytest.approx(sum(max(0, k - 15) / k for k in range(1, 21)) / 20)
    assert worst == pytest.approx(sum(min(5, k) / k for k in range(1, 21)) / 20)


def test_a_threshold_between_two_confidences_answers_what_lies_above() -> None:
    curve = risk_coverage(torch.tensor([0.9, 0.8, 0.6]), torch.tensor([True, False, True]))
    found = at_threshold(curve, 0.7)
    assert found is not None and (found.threshold, found.coverage, found.accuracy) == (0.7, pytest.approx(2 / 3), 0.5)
    assert at_threshold(curve, 0.95) is None
    assert [point.threshold for point in points_at(curve, (0.5, 0.85, 0.99))] == [0.5, 0.85]


def test_the_largest_coverage_at_a_wanted_accuracy_wins() -> None:
    curve = risk_coverage(torch.tensor([0.9, 0.8, 0.7, 0.6]), torch.tensor([True, False, True, True]))
    assert at_accuracy(curve, 0.75).reached == curve.point(3)
    assert at_accuracy(curve, 0.9).reached == curve.point(0)
    assert at_accuracy(risk_coverage(torch.tensor([0.9]), torch.tensor([False])), 0.5).reached is None


@pytest.mark.parametrize("count", [1, 5, 60, 61, 5_000])
def test_a_thinned_curve_keeps_its_end_and_its_shape(count: int) -> None:
    confidence = torch.rand(count, generator=torch.Generator().manual_seed(6), dtype=torch.float64)
    curve = risk_coverage(confidence, confidence > 0.2)
    kept = thinned(curve)
    assert len(kept) <= 60 and kept[-1] == curve.point(count - 1) and kept[-1].coverage == 1
    coverages = [point.coverage for point in kept]
    assert coverages == sorted(set(coverages))
    assert max(b - a for a, b in zip([0.0, *coverages], coverages)) <= max(1 / count, 1 / 60) + 1 / count


def test_one_confidence_for_all_is_one_point() -> None:
    curve = risk_coverage(torch.full((9,), 0.5), torch.ones(9, dtype=torch.bool))
    assert [point.coverage for point in thinned(curve)] == [1.0]


def test_no_prediction_has_no_curve() -> None:
    with pytest.raises(DataError, match="predictions"):
        risk_coverage(torch.empty(0), torch.empty(0, dtype=torch.bool))
