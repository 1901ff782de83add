"""Scales, ticks, words and pictures of the report, against values worked out by hand."""

import base64
import io
import itertools
import math
import re

import numpy as np
import pytest
from PIL import Image

from hundredfold.report import pictures
from hundredfold.report.figures.scale import Scale, ticks, widened
from hundredfold.report.wording import counted, duration, percent, points, visible


def test_a_scale_maps_its_ends_and_its_middle() -> None:
    scale = Scale(low=0.4, high=1.0, start=300, end=0)
    assert [scale(value) for value in (0.4, 0.7, 1.0)] == pytest.approx([300, 150, 0])
    assert scale(0.1) == 300 and scale(2.0) == 0  # outside is held at the ends
    logarithmic = Scale(low=1, high=100, start=0, end=10, logarithmic=True)
    assert logarithmic(10) == pytest.approx(5)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.431, 0.972), (5.16, 5.79), (-1.0, 1.0), (3.0, 40_000.0)])
def test_ticks_are_round_evenly_spaced_and_inside(low: float, high: float) -> None:
    found = ticks(low, high)
    steps = {round(b - a, 9) for a, b in itertools.pairwise(found)}
    assert 3 <= len(found) <= 11 and len(steps) == 1
    assert low - 1e-9 <= found[0] and found[-1] <= high + 1e-9
    mantissa = steps.pop()
    mantissa /= 10 ** math.floor(math.log10(mantissa) + 1e-9)
    assert round(mantissa, 6) in (1, 2, 5)


def test_widened_holds_what_it_was_given() -> None:
    for low, high in ((0.43, 0.97), (5.161, 5.787), (0.5, 0.5)):
        start, end = widened(low, high)
        assert start <= low and high <= end and end > start


def test_numbers_as_a_person_reads_them() -> None:
    assert [percent(share) for share in (0.961, 0.9999, 1.0, 0.00001, 0.0)] == [
        "96.1 %",
        "> 99.9 %",
        "100.0 %",
        "< 0.1 %",
        "0.0 %",
    ]
    assert (points(0.132), points(-0.004), points(0.132, signed=False)) == ("+13.2", "\u22120.4", "13.2")
    assert [duration(seconds) for seconds in (0.4, 9.81, 402.0)] == ["< 1 s", "9.8 s", "6 min 42 s"]
    assert counted(1, "label") == "1 label" and counted(50_000, "image") == "50,000 images"


def test_what_hides_or_turns_text_is_made_visible_and_paths_are_cut() -> None:
    assert "\u202e" not in visible("\u202egnp") and "\x00" not in visible("a\x00b")
    assert visible("/home/ada/photos/cat.png") == "…/cat.png"
    assert len(visible("x" * 1000, 50)) == 50


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_pictures_survive_the_way_into_the_page(channels: int) -> None:
    rng = np.random.default_rng(0)
    stored = rng.integers(0, 256, (3, channels, 12, 10), dtype=np.uint8)
    address = pictures.mistake_addresses({"mistakes": stored})[1]
    found = re.fullmatch(r"data:image/png;base64,(.+)", address)
    assert found
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(found[1]))))
    expected = stored[1, 0] if channels < 3 else np.moveaxis(stored[1, :3], 0, -1)
    np.testing.assert_array_equal(image[: expected.shape[0], : expected.shape[1]], expected)


def test_pictures_that_are_not_pictures_are_left_out() -> None:
    assert list(pictures.mistake_addresses({})) == []
    assert list(pictures.mistake_addresses({"mistakes": np.zeros((0, 1, 4, 4), np.uint8)})) == []
