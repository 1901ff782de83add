"""The record of trust: every figure is that of the function it comes from, on confidences after scaling."""

import pytest
import torch

from hundredfold.errors import DataError
from hundredfold.evaluate.bootstrap import over_draws_and_images, over_images
from hundredfold.evaluate.calibration import expected_calibration_error, fit_temperature, scaled
from hundredfold.evaluate.out_of_fold import OutOfFold
from hundredfold.evaluate.trust import trust
from hundredfold.records import from_json, to_json
from hundredfold.trust_records import Trust

NAMES = ("ant", "bee", "cat")


def drawn(seed: int, truth: torch.Tensor) -> torch.Tensor:
    """Logits that are not sure enough."""
    noise = torch.randn(len(truth), 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return 0.5 * (2 * torch.nn.functional.one_hot(truth, 3) + noise)


TRUTH = torch.arange(300) % 3
KNOWN = torch.arange(45) % 3
DRAWS = [drawn(seed, TRUTH).softmax(1) for seed in (1, 2)]
HELD_OUT = [OutOfFold(positions=torch.arange(45), logits=drawn(seed, KNOWN), labels=KNOWN) for seed in (3, 4)]


def record(draws=DRAWS, held_out=HELD_OUT, labelled=(15, 15, 15)) -> Trust:
    facts = dict(classes=NAMES, labelled=labelled, model="linear_probe", labels=45, seed=7)
    return trust(draws, TRUTH, held_out, **facts)


def test_each_figure_is_that_of_its_function() -> None:
    found = record()
    temperatures = [fit_temperature(one.logits, one.labels) for one in HELD_OUT]
    after = [scaled(one, degree) for one, degree in zip(DRAWS, temperatures, strict=True)]
    right = torch.stack([one.argmax(1) for one in after]) == TRUTH
    assert found.calibration.temperatures == tuple(temperatures) and found.calibration.labels == 45
    errors = [expected_calibration_error(one.max(1).values, row) for one, row in zip(after, right, strict=True)]
    assert found.calibration.after.expected_calibration_error == pytest.approx(sum(errors) / 2)
    assert found.over_images == over_images(right, seed=7)
    assert found.overall == over_draws_and_images(right, seed=7)
    accuracies = right.double().mean(1)
    assert (found.over_draws.mean, found.over_draws.draws) == (pytest.approx(float(accuracies.mean())), 2)
    assert (found.model, found.labels, found.images) == ("linear_probe", 45, 300)


def test_abstention_is_counted_on_scaled_confidences_of_all_draws() -> None:
    found = record()
    after = torch.cat([scaled(one, t) for one, t in zip(DRAWS, found.calibration.temperatures, strict=True)])
    confidence, right = after.max(1).values, after.argmax(1) == TRUTH.repeat(2)
    for point in found.at_confidence:
        inside = confidence >= point.threshold
        assert point.coverage == pytest.approx(float(inside.double().mean()))
        assert point.accuracy == pytest.approx(float(right[inside].double().mean()))
    assert [point.threshold for point in found.at_confidence] == [0.5, 0.8, 0.9, 0.95, 0.99]
    assert len(found.coverage) <= 60 and found.coverage[-1].coverage == 1
    assert found.coverage[-1].accuracy == pytest.approx(found.over_draws.mean)


def test_scaling_helps_here_and_moves_no_prediction() -> None:
    calibration = record().calibration
    before, after = calibration.before, calibration.after
    assert after.expected_calibration_error < before.expected_calibration_error / 2
    assert all(temperature < 0.8 for temperature in calibration.temperatures)
    shares = [sum(one.count * one.accuracy for one in bins) for bins in (before.bins, after.bins)]
    assert shares[0] == pytest.approx(shares[1])


@pytest.mark.parametrize("few", [None, OutOfFold(positions=KNOWN[:9], logits=drawn(5, KNOWN[:9]), labels=KNOWN[:9])])
def test_without_enough_labels_nothing_is_scaled(few: OutOfFold | None) -> None:
    calibration = record(held_out=[few, few]).calibration
    assert calibration.temperatures == (1.0, 1.0) and calibration.labels == 0
    before, after = calibration.before, calibration.after
    assert after.expected_calibration_error == pytest.approx(before.expected_calibration_error)


def test_classes_without_a_label_are_named() -> None:
    assert record().missing_classes == ()
    assert record(labelled=(20, 0, 0)).missing_classes == ("bee", "cat")


def test_one_draw_and_a_class_that_is_never_predicted() -> None:
    shares = DRAWS[0].clone()
    shares[:, 2] = 0
    found = record(draws=[shares / shares.sum(1, keepdim=True)], held_out=HELD_OUT[:1], labelled=(22, 23, 0))
    assert found.over_draws.std == 0 and found.over_draws.mean < 0.7
    assert found.calibration.after.negative_log_likelihood < 20  # and not without end
    assert from_json(Trust, to_json(found)) == found


@pytest.mark.parametrize(("draws", "held_out"), [([], []), (DRAWS, HELD_OUT[:1])])
def test_what_does_not_fit_is_refused(draws, held_out) -> None:
    with pytest.raises(DataError, match="out-of-fold logits"):
        record(draws=draws, held_out=held_out)
