import pytest
import torch

from hundredfold.views.erasing import Erasing


def erased(view, size, batch=400):
    """Images of -1, which no box is painted in, after erasing."""
    images = torch.full((batch, 2, *size), -1.0)
    return view.apply(images, view.draw(batch, size, torch.Generator().manual_seed(0)))


def test_boxes_are_rectangles_of_one_level_in_all_channels():
    for image in erased(Erasing(probability=1.0), (14, 10), batch=60):
        painted = image[0] >= 0
        rows, columns = painted.any(dim=1), painted.any(dim=0)
        assert torch.equal(painted, rows[:, None] & columns)
        for line in (rows, columns):
            (places,) = line.nonzero(as_tuple=True)
            assert places.tolist() == list(range(places[0], places[0] + len(places)))
        assert len(image[0][painted].unique()) == 1
        assert torch.equal(image[0], image[1])


@pytest.mark.parametrize("size", [(50, 50), (40, 60)])
def test_area_is_within_its_limits(size):
    view = Erasing(probability=1.0, area=(0.1, 0.3), ratio=(0.5, 2.0))
    share = (erased(view, size)[:, 0] >= 0).float().mean(dim=(1, 2))
    rounding = 0.02  # half a pixel on each side of a box of some twenty
    assert 0.1 - rounding < share.min() < 0.12
    assert 0.28 < share.max() < 0.3 + rounding
    assert share.mean().item() == pytest.approx(0.2, abs=0.01)


def test_boxes_reach_every_pixel_about_equally_in_the_middle_and_the_corners_too():
    hit = (erased(Erasing(probability=1.0, area=(0.2, 0.2)), (8, 8), batch=4_000)[:, 0] >= 0).float().mean(dim=0)
    for i in (0, 7):
        for j in (0, 7):
            assert hit[i, j] > 0.02
    assert torch.allclose(hit, hit.flip(0).flip(1), atol=0.04)


def test_only_the_chosen_lose_a_box():
    view = Erasing(probability=0.3)
    touched = (erased(view, (9, 9), batch=3_000)[:, 0] >= 0).flatten(1).any(dim=1)
    assert touched.float().mean().item() == pytest.approx(0.3, abs=0.03)


def test_a_box_by_hand():
    images = torch.zeros(1, 1, 4, 8)
    drawn = {"width": 0.25, "height": 0.5, "x": 0.999, "y": 0.0, "level": 0.7}
    numbers = {name: torch.tensor([value]) for name, value in drawn.items()}
    got = Erasing().apply(images, {**numbers, "chosen": torch.tensor([True])})
    expected = torch.zeros(4, 8)
    expected[:2, 6:] = 0.7
    assert torch.equal(got[0, 0], expected)
