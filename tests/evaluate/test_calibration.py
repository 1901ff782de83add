"""Temperature, calibration error, Brier score and likelihood, against loops straight from the papers."""

import math

import pytest
import torch

from hundredfold.errors import DataError
from hundredfold.evaluate.calibration import (
    HIGHEST,
    LOWEST,
    brier_score,
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
    reliability,
    reliability_bins,
    scaled,
)


def drawn(seed: int, count: int, classes: int, sharpness: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits that are right as often as softmax(logits / sharpness) says, and labels."""
    rng = torch.Generator().manual_seed(seed)
    honest = 2 * torch.randn(count, classes, generator=rng, dtype=torch.float64)
    labels = torch.multinomial(honest.softmax(1), 1, generator=rng).squeeze(1)
    return honest * sharpness, labels


def loss(logits: torch.Tensor, labels: torch.Tensor, temperature: float) -> float:
    """Mean negative log-likelihood of softmax(logits / temperature), with loops."""
    total = 0.0
    for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
        finite = [math.exp(value / temperature) for value in row if math.isfinite(value)]
        total -= math.log(math.exp(row[label] / temperature) / sum(finite))
    return total / len(labels)


@pytest.mark.parametrize("sharpness", [0.3, 1.0, 4.0])
def test_the_temperature_is_where_the_loss_is_lowest(sharpness: float) -> None:
    logits, labels = drawn(0, 400, 5, sharpness)
    found = fit_temperature(logits, labels)
    grid = [LOWEST * (HIGHEST / LOWEST) ** (step / 400) for step in range(401)]
    assert loss(logits, labels, found) <= min(loss(logits, labels, one) for one in grid) + 1e-12
    assert found == pytest.approx(sharpness, rel=0.25)  # four hundred labels tell it so far


def test_a_class_that_the_model_does_not_know_changes_nothing() -> None:
    logits, labels = drawn(1, 50, 3, 2.0)
    with_another = torch.cat([logits, torch.full((50, 1), -torch.inf, dtype=torch.float64)], 1)
    assert fit_temperature(with_another, labels) == pytest.approx(fit_temperature(logits, labels), abs=1e-12)


def test_labels_that_are_all_right_ask_for_no_more_than_they_can_say() -> None:
    labels = torch.arange(60) % 3
    logits = torch.nn.functional.one_hot(labels, 3).double()
    found = fit_temperature(logits, labels)
    confidence = float((logits / found).softmax(1).max(1).values.mean())
    assert confidence == pytest.approx(61 / 62, abs=1e-6)  # Platt: (n + 1) / (n + 2)
    assert fit_temperature(logits.repeat(10, 1), labels.repeat(10)) < found  # more labels, more certainty


def test_labels_that_are_all_wrong_end_at_the_bound() -> None:
    labels = torch.arange(20) % 2
    assert fit_temperature(10.0 * torch.nn.functional.one_hot(1 - labels, 2), labels) == pytest.approx(HIGHEST)


@pytest.mark.parametrize("logits", [torch.empty(0, 3), torch.tensor([[0.0, -torch.inf]])])
def test_what_no_temperature_follows_from_is_refused(logits: torch.Tensor) -> None:
    with pytest.raises(DataError, match="temperature"):
        fit_temperature(logits, torch.ones(len(logits), dtype=torch.int64))


def test_scaling_probabilities_is_scaling_logits() -> None:
    logits, _ = drawn(2, 30, 4, 1.0)
    assert torch.allclose(scaled(logits.softmax(1), 0.4), (logits / 0.4).softmax(1))
    assert scaled(torch.tensor([[0.25, 0.75, 0.0]]), 2.0)[0, 2] == 0
    assert torch.equal(scaled(logits.softmax(1), 3.0).argmax(1), logits.argmax(1))


def bins_with_loops(confidence: list[float], right: list[bool], bins: int) -> list[tuple[int, float, float]]:
    found = []
    for number in range(bins):
        low, high = number / bins, (number + 1) / bins
        inside = [(c, r) for c, r in zip(confidence, right, strict=True) if low < c <= high]
        if inside:
            sure, hits = sum(c for c, _ in inside), sum(r for _, r in inside)
            found.append((len(inside), sure / len(inside), hits / len(inside)))
    return found


@pytest.mark.parametrize("bins", [1, 7, 15])
def test_bins_and_their_error_equal_to_loops(bins: int) -> None:
    rng = torch.Generator().manual_seed(3)
    confidence = torch.rand(300, generator=rng, dtype=torch.float64)
    right = torch.rand(300, generator=rng) < 0.6
    wanted = bins_with_loops(confidence.tolist(), right.tolist(), bins)
    found = reliability_bins(confidence, right, bins)
    assert [one.count for one in found] == [count for count, _, _ in wanted]
    assert [one.confidence for one in found] == pytest.approx([mean for _, mean, _ in wanted])
    assert [one.accuracy for one in found] == pytest.approx([share for _, _, share in wanted])
    error = sum(count / 300 * abs(share - mean) for count, mean, share in wanted)
    assert expected_calibration_error(confidence, right, bins) == pytest.approx(error)


def test_the_ends_of_the_bins_belong_to_the_lower_one() -> None:
    found = reliability_bins(torch.tensor([0.0, 0.5, 0.50001, 1.0]), torch.tensor([True, True, False, True]), 2)
    assert [(one.low, one.high, one.count) for one in found] == [(0.0, 0.5, 2), (0.5, 1.0, 2)]


def test_no_prediction_has_no_error() -> None:
    assert expected_calibration_error(torch.empty(0), torch.empty(0, dtype=torch.bool)) == 0
    assert reliability_bins(torch.empty(0), torch.empty(0, dtype=torch.bool)) == ()


def test_brier_and_likelihood_equal_to_loops() -> None:
    logits, labels = drawn(4, 40, 3, 1.0)
    shares = logits.softmax(1)
    brier = likelihood = 0.0
    for row, label in zip(shares.tolist(), labels.tolist(), strict=True):
        brier += sum((value - (place == label)) ** 2 for place, value in enumerate(row))
        likelihood -= math.log(row[label])
    assert brier_score(shares, labels) == pytest.approx(brier / 40)
    assert negative_log_likelihood(shares, labels) == pytest.approx(likelihood / 40)
    certain_and_wrong = torch.tensor([[1.0, 0.0]])
    assert brier_score(certain_and_wrong, torch.tensor([1])) == 2
    assert negative_log_likelihood(certain_and_wrong, torch.tensor([1])) == pytest.approx(-math.log(1e-6))


def test_figures_of_several_models_are_means_and_their_bins_hold_all() -> None:
    (first, labels), (second, _) = drawn(5, 60, 3, 1.0), drawn(6, 60, 3, 1.0)
    both = reliability([first.softmax(1), second.softmax(1)], labels)
    each = [reliability([one.softmax(1)], labels) for one in (first, second)]
    for name in ("expected_calibration_error", "brier", "negative_log_likelihood", "confidence"):
        assert getattr(both, name) == pytest.approx(sum(getattr(one, name) for one in each) / 2)
    assert sum(one.count for one in both.bins) == 120


def test_the_fitted_temperature_calibrates_images_that_it_did_not_see() -> None:
    logits, labels = drawn(7, 100, 10, 0.4)
    others, truth = drawn(8, 3_000, 10, 0.4)
    before = reliability([others.softmax(1)], truth)
    after = reliability([scaled(others.softmax(1), fit_temperature(logits, labels))], truth)
    assert before.expected_calibration_error > 0.1 > 0.05 > after.expected_calibration_error
    assert after.negative_log_likelihood < before.negative_log_likelihood
