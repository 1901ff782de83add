"""What the tasks that hide a part of each image share."""

import pytest
import torch

from hundredfold.methods.pretext import _masked as masked

SIDES = [(2, (4, 6)), (3, (9, 3)), (4, (8, 8))]


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def test_explained_by_hand():
    """1 - error / variance around the mean image, over missing pixels only, with loops."""
    answers, truth = torch.rand(2, 5, 2, 3, 4, generator=rng()).unbind(0)
    missing = torch.rand(5, 1, 3, 4, generator=rng(1)) < 0.5
    error = variance = 0.0
    for b in range(5):
        for c in range(2):
            for y in range(3):
                for x in range(4):
                    mean = sum(truth[i, c, y, x].item() for i in range(5)) / 5
                    if missing[b, 0, y, x]:
                        error += (answers[b, c, y, x].item() - truth[b, c, y, x].item()) ** 2
                        variance += (truth[b, c, y, x].item() - mean) ** 2
    assert masked.explained(answers, truth, missing).item() == pytest.approx(1 - error / variance, rel=1e-4)


def test_explained_at_its_marks():
    truth, missing = torch.rand(6, 1, 4, 4, generator=rng()), torch.ones(6, 1, 4, 4, dtype=torch.bool)
    assert masked.explained(truth, truth, missing) == 1
    assert masked.explained(truth.mean(0).expand_as(truth), truth, missing).item() == pytest.approx(0, abs=1e-6)
    assert masked.explained(torch.zeros_like(truth), truth, missing) < 0
    assert masked.explained(truth, torch.zeros_like(truth), missing) == 0  # nothing varies: nothing to explain


@pytest.mark.parametrize("side, size", SIDES)
def test_patches_go_there_and_back(side, size):
    images = torch.rand(2, 3, *size, generator=rng())
    patches = masked.to_patches(images, side)
    columns = size[1] // side
    for place in range(patches.shape[1]):
        top, left = place // columns * side, place % columns * side
        assert torch.equal(patches[:, place], images[:, :, top : top + side, left : left + side].flatten(1))
    assert torch.equal(masked.from_patches(patches, side, size), images)


@pytest.mark.parametrize("side, size", SIDES)
def test_a_value_of_a_patch_is_that_of_its_pixels(side, size):
    grid = size[0] // side * (size[1] // side)
    values = torch.rand(2, grid, generator=rng())
    spread = masked.patches_to_pixels(values, side, size)
    assert torch.equal(masked.to_patches(spread, side), values.unsqueeze(2).expand(-1, -1, side**2))


@pytest.mark.parametrize("patches, share, hidden", [(16, 0.75, 12), (49, 0.6, 29), (4, 0.01, 1), (4, 0.99, 3)])
def test_something_is_hidden_and_something_is_left(patches, share, hidden):
    assert masked.hidden_of(patches, share) == hidden


def test_the_lowest_of_each_row():
    scores = torch.tensor([[0.3, 0.1, 0.2], [0.5, 0.5, 0.5]])
    assert masked.lowest(scores, 2).tolist() == [[False, True, True], [True, True, False]]


def test_what_is_missing_takes_the_colour():
    images = torch.rand(2, 3, 2, 2, generator=rng())
    missing = torch.tensor([[[[True, False], [False, False]]]]).expand(2, 1, 2, 2)
    painted = masked.painted(images, missing, torch.tensor([0.1, 0.2, 0.3]).view(1, 3, 1, 1))
    assert painted[:, :, 0, 0].tolist() == [pytest.approx([0.1, 0.2, 0.3])] * 2
    assert torch.equal(painted[:, :, 1], images[:, :, 1])


def gradients(count=200):
    """Images that change evenly in one direction: each part tells the others."""
    slopes = torch.randn(count, 2, 1, 1, 1, generator=rng())
    along = torch.linspace(-0.2, 0.2, 24)
    return (0.5 + slopes[:, 0] * along + slopes[:, 1] * along.unsqueeze(1)).clamp(0, 1)


def noise(count=200):
    return torch.rand(count, 3, 24, 24, generator=rng())


def test_the_middle_follows_from_the_rest_or_does_not():
    assert masked.predictable(gradients()) > 0.9
    assert masked.predictable(noise()) < 0.02
    assert masked.doubt_context(gradients()) == []
    (doubt,) = masked.doubt_context(noise())
    assert "predicts 0% of its variance" in doubt and "simclr" in doubt


@pytest.mark.parametrize("images", [torch.full((20, 1, 8, 8), 0.3), torch.rand(1, 1, 8, 8), torch.rand(0, 1, 8, 8)])
def test_nothing_is_said_of_images_that_cannot_tell(images):
    assert masked.doubt_context(images) == []


def test_empty_patches_are_counted():
    images = torch.zeros(4, 1, 24, 24)
    images[:, :, :4, :8] = torch.rand(4, 1, 4, 8, generator=rng())  # 2 of 36 patches
    assert masked.empty(images, 4) == pytest.approx(34 / 36)
    (doubt,) = masked.doubt_empty(images, 6)
    assert doubt.startswith("94% of the patches of 4x4 pixels show one flat colour")
    assert masked.doubt_empty(noise(), 6) == []
    assert masked.doubt_empty(torch.zeros(4, 1, 29, 31), 6) == []  # no patch divides these: settings say so


def test_one_colour_is_flat_whatever_it_is():
    images = torch.tensor([0.9, 0.1, 0.4]).view(1, 3, 1, 1).expand(2, 3, 8, 8)
    assert masked.empty(images, 2) == 1
