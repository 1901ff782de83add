"""Paired differences against tables of Student's t, loops and a simulation."""

import math
import random

import pytest
from scipy import stats

from hundredfold.evaluate.paired import paired_difference

# Two-sided 95 % points of Student's t by degrees of freedom, from printed tables.
PRINTED = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 9: 2.262}


@pytest.mark.parametrize("degrees", PRINTED)
def test_the_interval_by_hand(degrees: int) -> None:
    count = degrees + 1
    rng = random.Random(degrees)
    before = [rng.uniform(0.7, 0.8) for _ in range(count)]
    after = [rng.uniform(0.75, 0.85) for _ in range(count)]
    mean = sum(b - a for a, b in zip(before, after)) / count
    variance = sum((b - a - mean) ** 2 for a, b in zip(before, after)) / (count - 1)
    half = PRINTED[degrees] * math.sqrt(variance / count)
    found = paired_difference(before, after)
    assert found.mean == pytest.approx(mean) and found.count == count
    assert (found.low, found.high) == (
        pytest.approx(mean - half, abs=1e-3 * half),
        pytest.approx(mean + half, abs=1e-3 * half),
    )


def test_equal_to_scipy() -> None:
    before, after = [0.1, 0.4, 0.2, 0.9], [0.3, 0.35, 0.5, 1.3]
    expected = stats.ttest_rel(after, before).confidence_interval(0.95)
    found = paired_difference(before, after)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_it_is_the_pairing_that_counts_and_the_order_that_signs() -> None:
    before = [0.5, 0.7, 0.9]  # seeds differ by far more than what the change does
    after = [0.51, 0.71, 0.912]
    found, turned = paired_difference(before, after), paired_difference(after, before)
    assert found.clear and found.mean == pytest.approx(0.032 / 3)
    assert (turned.mean, turned.low, turned.high) == pytest.approx((-found.mean, -found.high, -found.low))
    assert not paired_difference(before, [after[2], after[0], after[1]]).clear


def test_one_pair_has_no_interval_and_equal_ones_a_point() -> None:
    found = paired_difference([0.5], [0.75])
    assert (found.mean, found.low, found.high, found.count, found.clear) == (0.25, None, None, 1, False)
    same = paired_difference([0.25, 0.5], [0.25, 0.5])
    assert (same.mean, same.low, same.high, same.clear) == (0.0, 0.0, 0.0, False)


def test_the_interval_holds_the_truth_95_times_of_100() -> None:
    rng = random.Random(0)
    held = 0
    for _ in range(4000):
        before = [rng.gauss(0, 1) for _ in range(3)]
        found = paired_difference(before, [value + rng.gauss(0.2, 0.5) for value in before])
        held += found.low <= 0.2 <= found.high
    assert held / 4000 == pytest.approx(0.95, abs=0.012)  # 3.5 standard errors


@pytest.mark.parametrize(("before", "after"), [((), ()), ((0.1,), (0.1, 0.2))])
def test_what_is_not_pairs_is_said(before: tuple[float, ...], after: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="as many values before as after"):
        paired_difference(before, after)
