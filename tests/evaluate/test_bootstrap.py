"""Bootstrap intervals against resampling image by image, and against the binomial that a single draw must give."""

import random
import statistics

import pytest
import torch
from scipy.stats import binom

from hundredfold.errors import DataError
from hundredfold.evaluate.bootstrap import over_draws_and_images, over_images


def outcomes(seed: int, draws: int, images: int) -> torch.Tensor:
    """Draws that find the same images hard, and are not equally good."""
    rng = torch.Generator().manual_seed(seed)
    easy = torch.rand(images, generator=rng)
    skill = torch.linspace(0.6, 0.9, draws)[:, None]
    return torch.rand(draws, images, generator=rng) < (easy + skill).clamp(0, 1)


def by_hand(right: list[list[bool]], *, draws_too: bool, resamples: int = 3_000) -> tuple[float, float]:
    rng = random.Random(0)
    images, means = range(len(right[0])), []
    for _ in range(resamples):
        rows = rng.choices(right, k=len(right)) if draws_too else right
        columns = rng.choices(images, k=len(images))
        means.append(statistics.fmean(row[column] for row in rows for column in columns))
    cuts = statistics.quantiles(means, n=40)
    return cuts[0], cuts[-1]


def test_one_draw_has_the_percentiles_of_a_binomial() -> None:
    right = torch.arange(500) < 460
    found = over_images(right, seed=0, resamples=40_000)
    assert found.low == pytest.approx(binom.ppf(0.025, 500, 0.92) / 500, abs=0.0021)
    assert found.high == pytest.approx(binom.ppf(0.975, 500, 0.92) / 500, abs=0.0021)


@pytest.mark.parametrize(("method", "draws_too"), [(over_images, False), (over_draws_and_images, True)])
def test_resampling_patterns_is_resampling_images(method, draws_too: bool) -> None:
    right = outcomes(1, 4, 60)
    low, high = by_hand(right.tolist(), draws_too=draws_too)
    found = method(right, seed=0)
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.012)


def test_draws_that_differ_widen_the_interval() -> None:
    right = outcomes(2, 5, 2_000)
    images, both = over_images(right, seed=0), over_draws_and_images(right, seed=0)
    assert both.low < images.low < float(right.double().mean()) < images.high < both.high


def test_draws_that_are_alike_do_not() -> None:
    right = outcomes(3, 1, 300).repeat(4, 1)
    assert over_draws_and_images(right, seed=0).low == pytest.approx(over_images(right, seed=0).low, abs=0.01)


def test_a_seed_repeats_and_a_level_widens() -> None:
    right = outcomes(4, 3, 100)
    assert over_images(right, seed=1) == over_images(right, seed=1)
    assert over_images(right, seed=1, resamples=500) != over_images(right, seed=2, resamples=500)
    narrow, wide = over_images(right, seed=1, level=0.5), over_images(right, seed=1, level=0.99)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_nothing_wrong_leaves_no_width() -> None:
    found = over_draws_and_images(torch.ones(3, 50, dtype=torch.bool), seed=0)
    assert (found.low, found.high) == (1.0, 1.0)


def test_no_image_is_refused() -> None:
    with pytest.raises(DataError, match="test images"):
        over_images(torch.empty(2, 0, dtype=torch.bool), seed=0)
