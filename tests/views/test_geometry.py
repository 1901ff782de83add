"""Each matrix against a formula written with floats, in pixels, on an image that is not square."""

import math

import pytest
import torch

from hundredfold.views.crop import Crop
from hundredfold.views.flip import Flip
from hundredfold.views.rotation import Rotation
from hundredfold.views.scale import Scale
from hundredfold.views.shear import Shear
from hundredfold.views.translation import Translation

HEIGHT, WIDTH = 20, 40
PLACES = [(0.0, 0.0), (7.0, -3.0), (-19.5, 9.5), (19.5, 9.5)]  # (x, y) in pixels from the centre, y downwards


def moved(view, drawn, place):
    """Where (x, y), in pixels from the centre of the output, comes from in the input, in the same units."""
    numbers = {name: torch.tensor([value]) for name, value in drawn.items()}
    matrix = view.matrix(numbers, (HEIGHT, WIDTH))[0].tolist()
    x, y = place[0] / (WIDTH / 2), place[1] / (HEIGHT / 2)
    assert matrix[2] == [0, 0, 1]
    return tuple(
        (row[0] * x + row[1] * y + row[2]) * half for row, half in zip(matrix[:2], (WIDTH / 2, HEIGHT / 2), strict=True)
    )


@pytest.mark.parametrize("place", PLACES)
def test_rotation(place):
    angle = math.radians(30)
    x, y = place
    # Seen with y downwards, a counter-clockwise turn takes (x, y) to (x cos + y sin, -x sin + y cos); this undoes it.
    expected = (x * math.cos(angle) - y * math.sin(angle), x * math.sin(angle) + y * math.cos(angle))
    assert moved(Rotation(), {"degrees": 30.0}, place) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("place", PLACES)
def test_scale(place):
    assert moved(Scale(), {"factor": 1.25}, place) == pytest.approx((place[0] / 1.25, place[1] / 1.25), abs=1e-5)


@pytest.mark.parametrize("place", PLACES)
def test_shear(place):
    x, y = place
    expected = (x + y * math.tan(math.radians(10)), y + x * math.tan(math.radians(-20)))
    assert moved(Shear(), {"x": 10.0, "y": -20.0}, place) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("place", PLACES)
def test_translation(place):
    expected = (place[0] - 0.1 * WIDTH, place[1] + 0.25 * HEIGHT)
    assert moved(Translation(), {"x": 0.1, "y": -0.25}, place) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("place", PLACES)
def test_flip(place):
    assert moved(Flip(), {"horizontal": True, "vertical": False}, place) == pytest.approx((-place[0], place[1]))
    assert moved(Flip(), {"horizontal": False, "vertical": True}, place) == pytest.approx((place[0], -place[1]))
    assert moved(Flip(), {"horizontal": True, "vertical": True}, place) == pytest.approx((-place[0], -place[1]))


def test_crop_takes_the_corners_of_the_output_to_those_of_the_box():
    drawn = {"width": 0.5, "height": 0.25, "x": 0.5, "y": -0.75}  # the upper eighth, its right half
    assert moved(Crop(), drawn, (-WIDTH / 2, -HEIGHT / 2)) == pytest.approx((0, -HEIGHT / 2))
    assert moved(Crop(), drawn, (WIDTH / 2, HEIGHT / 2)) == pytest.approx((WIDTH / 2, -HEIGHT / 4))


@pytest.mark.parametrize(
    ("view", "limits"),
    [
        (Rotation(degrees=30), {"degrees": (-30, 30)}),
        (Scale(factor=(0.5, 2)), {"factor": (0.5, 2)}),
        (Shear(degrees=12), {"x": (-12, 12), "y": (-12, 12)}),
        (Translation(fraction=0.2), {"x": (-0.2, 0.2), "y": (-0.2, 0.2)}),
    ],
)
def test_numbers_fill_their_limits(view, limits):
    drawn = view.draw(5_000, (HEIGHT, WIDTH), torch.Generator().manual_seed(1))
    assert set(drawn) == set(limits)
    for name, (low, high) in limits.items():
        slack = (high - low) / 500
        assert low - 1e-6 <= drawn[name].min() < low + slack
        assert high - slack < drawn[name].max() <= high + 1e-6


def test_the_mean_zoom_is_none():
    drawn = Scale(factor=(0.5, 2)).draw(20_000, (HEIGHT, WIDTH), torch.Generator().manual_seed(1))
    assert drawn["factor"].log().mean().item() == pytest.approx(0, abs=0.01)


def test_flips_are_as_frequent_as_asked():
    drawn = Flip(horizontal=0.3, vertical=0.0).draw(5_000, (HEIGHT, WIDTH), torch.Generator().manual_seed(1))
    assert drawn["horizontal"].float().mean().item() == pytest.approx(0.3, abs=0.03)
    assert not drawn["vertical"].any()
