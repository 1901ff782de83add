import math

import pytest

from hundredfold.train.schedule import warmup_cosine


@pytest.mark.parametrize("steps, warmup", [(1, 0.0), (1, 1.0), (7, 0.0), (10, 0.1), (10, 0.5), (9, 1.0), (100, 0.03)])
def test_rises_in_a_line_and_falls_as_a_cosine(steps, warmup):
    rising = round(warmup * steps)
    for step in range(steps):
        if step < rising:
            expected = 0.3 * (step + 1) / rising
        else:
            expected = 0.15 * (1 + math.cos(math.pi * (step - rising) / (steps - rising)))
        assert warmup_cosine(step, steps, peak=0.3, warmup=warmup) == pytest.approx(expected)


@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.37, 1.0])
def test_is_never_zero_nor_above_its_peak_and_reaches_it(warmup):
    rates = [warmup_cosine(step, 50, peak=2.0, warmup=warmup) for step in range(50)]
    assert all(0 < rate <= 2.0 for rate in rates) and max(rates) == pytest.approx(2.0)
    top = rates.index(max(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1]) and rates[top:] == sorted(rates[top:], reverse=True)
