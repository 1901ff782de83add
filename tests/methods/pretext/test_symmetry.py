"""Nearest other images, before and after a transformation, against loops."""

import math

import pytest
import torch

from hundredfold.methods.pretext._symmetry import shrunk, symmetry


def drawn(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def by_hand(images, transformed):
    """Share and median ratio with floats."""
    rows = images.flatten(1).tolist()
    nearer, ratios = 0, []
    for part in transformed:
        for i, moved in enumerate(part.flatten(1).tolist()):
            others = rows[:i] + rows[i + 1 :]
            own = min(math.dist(rows[i], other) for other in others)
            new = min(math.dist(moved, other) for other in others)
            nearer += new <= own
            ratios.append(new / own)
    ratios.sort()
    return nearer / len(ratios), ratios[(len(ratios) - 1) // 2]


def test_share_and_ratio_are_those_of_loops():
    images = drawn(15, 2, 5, 4)
    transformed = [images.flip(3), images.flip(2), images * 0.5]
    found = symmetry(images, transformed)
    share, ratio = by_hand(images, transformed)
    assert found.share == pytest.approx(share)
    assert found.ratio == pytest.approx(ratio, rel=1e-4)


def test_a_set_that_holds_every_image_and_its_mirror_image_is_closed():
    half = drawn(40, 1, 8, 8)
    images = torch.cat([half, half.flip(3)])
    found = symmetry(images, [images.flip(3)])
    # The nearest to a mirrored image is its mirror image in the set: itself.
    assert found.share == 1.0 and found.ratio < 1e-4


def test_noise_is_closed_and_one_sided_images_are_not():
    noise = drawn(400, 1, 12, 12)
    found = symmetry(noise, [noise.flip(3)])
    assert 0.4 < found.share < 0.6 and found.ratio == pytest.approx(1, abs=0.02)
    bright_left = noise * torch.linspace(1, 0, 12)
    found = symmetry(bright_left, [bright_left.flip(3)])
    assert found.share == 0.0 and found.ratio > 1.5


def test_images_that_are_their_own_transforms_count_as_near():
    flat = drawn(30, 3, 1, 1).expand(30, 3, 6, 6)
    assert symmetry(flat, [flat.flip(3)]).share == 1.0
    assert symmetry(torch.zeros(5, 1, 6, 6), [torch.zeros(5, 1, 6, 6)]).share == 1.0


def test_large_images_are_averaged_and_small_ones_kept():
    assert shrunk(drawn(2, 3, 64, 40)).shape == (2, 3, 16, 16)
    small = drawn(2, 3, 8, 12)
    torch.testing.assert_close(shrunk(small), small)
    torch.testing.assert_close(shrunk(drawn(2, 1, 32, 32))[1, 0, 0, 1], drawn(2, 1, 32, 32)[1, 0, :2, 2:4].mean())


def test_few_images_are_no_ground_to_call_a_set_closed():
    noise = drawn(100, 1, 8, 8)
    assert symmetry(noise, [noise]).closed
    assert not symmetry(noise[:99], [noise[:99]]).closed
    assert not symmetry(noise, [1 - noise * 0.1]).closed
