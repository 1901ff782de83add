import math

import pytest
import torch
import torch.nn.functional as F

from hundredfold.views.chain import Chain
from hundredfold.views.crop import Crop, box_sides


def test_area_is_uniform_and_the_ratio_within_its_limits():
    width, height = box_sides(20_000, (0.3, 0.6), (3 / 4, 4 / 3), torch.Generator().manual_seed(0))
    area, ratio = width * height, width / height
    assert 0.3 - 1e-5 <= area.min() < 0.301
    assert 0.599 < area.max() <= 0.6 + 1e-5
    assert area.mean().item() == pytest.approx(0.45, abs=0.005)
    assert 0.75 - 1e-5 <= ratio.min() < 0.751
    assert 1.332 < ratio.max() <= 4 / 3 + 1e-5
    assert ratio.log().mean().item() == pytest.approx(0, abs=0.01)


def test_boxes_fit_into_the_image_and_keep_their_area_when_they_fill_it_nearly():
    areas = (0.9, 1.0)
    width, height = box_sides(20_000, areas, (1 / 3, 3), torch.Generator().manual_seed(0))
    assert width.max() <= 1
    assert height.max() <= 1
    assert (width * height).min() >= 0.9 - 1e-5
    assert (width * height).mean().item() == pytest.approx(0.95, abs=0.002)


def test_the_area_counts_where_it_leaves_no_room_for_the_ratio():
    width, height = box_sides(1_000, (0.3, 1.0), (2, 2), torch.Generator().manual_seed(0))
    area = width * height
    fits = area < 0.5
    assert torch.allclose((width / height)[fits], torch.tensor(2.0))
    assert torch.allclose(width[~fits], torch.tensor(1.0))
    assert torch.allclose(area.mean(), torch.tensor(0.65), atol=0.02)


def test_boxes_lie_within_the_image_and_reach_its_corners():
    crop = Crop(area=(0.1, 1.0))
    drawn = crop.draw(20_000, (28, 28), torch.Generator().manual_seed(0))
    for side, centre in (("width", "x"), ("height", "y")):
        reach = drawn[centre].abs() + drawn[side]
        assert reach.max() <= 1 + 1e-6
        assert (drawn[centre] - drawn[side]).min() < -0.99
        assert (drawn[centre] + drawn[side]).max() > 0.99


def test_crop_of_the_whole_area_changes_nothing():
    images = torch.rand(3, 2, 12, 17)
    chain = Chain((Crop(area=(1.0, 1.0)),))
    assert torch.allclose(chain(images, torch.Generator().manual_seed(0)), images, atol=1e-5)


def test_crop_of_a_quarter_is_slicing_and_resizing():
    images = torch.rand(1, 3, 16, 24)
    drawn = {"width": 0.5, "height": 0.5, "x": 0.5, "y": -0.5}  # upper right
    got = Chain((Crop(),)).apply(images, [{name: torch.tensor([value]) for name, value in drawn.items()}])
    quarter = images[:, :, :8, 12:]
    resized = F.interpolate(quarter, size=(16, 24), mode="bilinear", align_corners=False)
    # At its cut edges a crop sees the pixels beyond, a slice does not: compare where both have neighbours.
    assert torch.allclose(got[..., 1:-1, 1:-1], resized[..., 1:-1, 1:-1], atol=1e-5)


def test_crop_by_hand():
    """Each output pixel of a 4 x 4 crop out of 8 x 8, interpolated by hand."""
    images = torch.rand(1, 1, 8, 8)
    pixel = images[0, 0].tolist()
    chain = Chain((Crop(),), output_size=(4, 4))
    drawn = {"width": 0.75, "height": 0.5, "x": 0.1, "y": -0.2}
    got = chain.apply(images, [{name: torch.tensor([value]) for name, value in drawn.items()}])[0, 0].tolist()
    for i in range(4):
        for j in range(4):
            x = ((0.1 + 0.75 * ((j + 0.5) / 2 - 1)) + 1) * 4 - 0.5
            y = ((-0.2 + 0.5 * ((i + 0.5) / 2 - 1)) + 1) * 4 - 0.5
            left, top = math.floor(x), math.floor(y)
            right, down = x - left, y - top
            expected = (
                pixel[top][left] * (1 - down) * (1 - right)
                + pixel[top][left + 1] * (1 - down) * right
                + pixel[top + 1][left] * down * (1 - right)
                + pixel[top + 1][left + 1] * down * right
            )
            assert got[i][j] == pytest.approx(expected, abs=1e-5)
