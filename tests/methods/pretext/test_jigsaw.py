"""What is peculiar to the jigsaw: permutations far apart, patches that go where they should, edges that do not meet."""

import itertools
import math

import pytest
import torch

from hundredfold.data.digits import read_digits
from hundredfold.data.loader import Loader
from hundredfold.encoders.build import encoder
from hundredfold.errors import SettingsError
from hundredfold.methods.pretext._permutations import distant_permutations
from hundredfold.methods.pretext.jigsaw import Config, Jigsaw, assemble, cut, doubts
from hundredfold.random import generator
from hundredfold.train.engine import Engine
from hundredfold.train.loop import fit
from hundredfold.train.plan import Plan
from hundredfold.types import ImageBatch
from hundredfold.views.chain import Chain

PLAIN = {"gap": 0.0, "brightness": 0.0}


def make(size=(12, 12), channels=1, **settings):
    small = encoder(
        "convnet",
        channels=channels,
        size=size,
        mean=[0.5] * channels,
        std=[0.25] * channels,
        settings={"widths": [8], "features": 32},
        seed=0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Jigsaw(small, Chain(()), Config(**settings))


def batch(count=10, channels=1, size=(12, 12)):
    rng = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (count, channels, *size), generator=rng, dtype=torch.uint8)
    return ImageBatch(images, torch.full((count,), -1), torch.arange(count))


def hamming(one, other):
    return sum(a != b for a, b in zip(one, other, strict=True))


def chosen_by_hand(places, count):
    """Algorithm 1 with lists, from the identity; ties by the distance to the nearest, then the first."""
    left = list(itertools.permutations(range(places)))
    chosen = [left.pop(0)]
    while len(chosen) < count:
        merit = [
            (sum(hamming(one, other) for other in chosen), min(hamming(one, other) for other in chosen)) for one in left
        ]
        chosen.append(left.pop(merit.index(max(merit))))
    return [list(one) for one in chosen]


@pytest.mark.parametrize(("places", "count"), [(4, 1), (4, 7), (4, 24), (5, 12)])
def test_permutations_are_those_of_algorithm_1(places, count):
    assert distant_permutations(places, count).tolist() == chosen_by_hand(places, count)


@pytest.mark.parametrize("places", [9, 16])
def test_many_places_have_permutations_far_apart(places):
    rows = distant_permutations(places, 20).tolist()
    assert rows[0] == list(range(places))
    assert all(sorted(row) == rows[0] for row in rows)
    pairs = [hamming(one, other) for one, other in itertools.combinations(rows, 2)]
    assert min(pairs) >= places - 3 and sum(pairs) / len(pairs) > places - 1  # at random: p - 1 on average
    with pytest.raises(ValueError, match=r"count must be in 1..6 for 3 places, got 7"):
        distant_permutations(3, 7)


@pytest.mark.parametrize(("grid", "size"), [(2, (12, 12)), (3, (12, 18)), (4, (12, 12))])
def test_without_gaps_each_place_holds_the_patch_that_the_answer_says(grid, size):
    method = make(size=size, channels=2, grid=grid, permutations=9, **PLAIN)
    stored = batch(channels=2, size=size)
    views = method.views(stored, generator(0, "v"))
    y, x = size[0] // grid, size[1] // grid
    for image, out, answer in zip(stored.images.float() / 255, views.images, views.answers.tolist(), strict=True):
        order = distant_permutations(grid**2, 9)[answer].tolist()
        for place, source in enumerate(order):
            (to_row, to_column), (row, column) = divmod(place, grid), divmod(source, grid)
            wanted = image[:, row * y : (row + 1) * y, column * x : (column + 1) * x]
            assert torch.equal(out[:, to_row * y : (to_row + 1) * y, to_column * x : (to_column + 1) * x], wanted)


def test_the_first_answer_leaves_the_image_as_it_is():
    views = make(permutations=2, **PLAIN).views(batch(), generator(0, "v"))
    same = views.answers == 0
    assert 0 < int(same.sum()) < 10
    assert torch.equal(views.images[same], batch().images[same].float() / 255)
    changed = (views.images != batch().images.float() / 255).flatten(1).any(1)
    assert torch.equal(changed, ~same)


def test_what_a_grid_does_not_divide_keeps_its_size():
    images = torch.rand(3, 2, 11, 14, generator=torch.Generator().manual_seed(0))
    patches = cut(images, 3, (3, 4), torch.zeros(3, 9, 2, dtype=torch.int64))
    assert torch.equal(patches[:, 5], images[:, :, 1 + 3 : 1 + 6, 1 + 8 : 1 + 12])  # a row and a column are left out
    whole = assemble(patches, 3, (3, 4), (11, 14))
    assert whole.shape == images.shape
    assert torch.equal(whole[:, :, 1:10, 1:13], images[:, :, 1:10, 1:13])
    assert torch.equal(whole[:, :, 0, 1:13], images[:, :, 1, 1:13])  # the margin repeats what is beside it
    assert make(size=(11, 14), grid=3, gap=0.0).views(batch(size=(11, 14)), generator(0, "v")).images.shape == (
        10,
        1,
        11,
        14,
    )


def test_a_patch_is_cut_within_its_cell():
    columns = torch.arange(12.0).expand(200, 1, 12, 12)
    offsets = torch.randint(0, 3, (200, 4, 2), generator=torch.Generator().manual_seed(0))
    patches = cut(columns, 2, (4, 4), offsets)
    for image, (row, place) in enumerate(itertools.product(range(50), range(4))):
        first = 6 * (place % 2) + int(offsets[image, place, 1])
        assert patches[image, place, 0, row % 4].tolist() == [first, first + 1, first + 2, first + 3]


def test_with_a_gap_edges_do_not_go_on():
    ramp = torch.linspace(0, 1, 12).expand(1, 1, 12, 12)
    step = 1 / 11

    def across(**settings):
        """The step of the ramp from the first patch to the second where both are in place."""
        method = make(permutations=2, brightness=0.0, **settings)
        views = method.transform(ramp.expand(300, 1, 12, 12), generator(0, "v"))
        whole = views.images[views.answers == 0][:, 0, 0]  # [k, 12]
        return whole[:, 6] - whole[:, 5]

    torch.testing.assert_close(across(gap=0.0), torch.full_like(across(gap=0.0), step))
    assert across(gap=0.4, jitter=False).min() > 1.5 * step
    jittered = across(gap=0.4)
    assert jittered.std() > 0.5 * step  # neither the place nor its edge can be relied on
    assert len(across(gap=0.4, jitter=False).unique()) == 1


def test_brightness_changes_each_patch_and_channel_by_one_factor():
    grey = torch.full((50, 3, 12, 12), 0.5)
    views = make(channels=3, gap=0.0, brightness=0.3).transform(grey, generator(0, "v"))
    patches = cut(views.images, 2, (6, 6), torch.zeros(50, 4, 2, dtype=torch.int64)).flatten(3)  # [50, 4, 3, 36]
    assert torch.equal(patches, patches[..., :1].expand_as(patches))
    factors = patches[..., 0] / 0.5
    assert 0.7 <= factors.min() < 0.72 and 1.28 < factors.max() <= 1.3
    assert len(factors.unique()) > 500
    white = make(gap=0.0, brightness=1.0).transform(torch.ones(50, 1, 12, 12), generator(0, "v"))
    assert white.images.min() >= 0 and white.images.max() == 1


def test_digits_are_put_in_order_and_held_out_ones_too():
    digits = read_digits().train.without_labels()
    loader = Loader(images=digits, index=torch.arange(400), batch_size=50, seed=0)
    method = make(size=(8, 8), permutations=6)
    assert method.levels(50) == (math.log(6), 0.0)
    fit(
        method, loader, Plan(epochs=10, batch_size=50, lr=3e-3), Engine(device=torch.device("cpu"), precision="float32")
    )
    held_out = ImageBatch(digits.take(torch.arange(400, 800)), torch.full((400,), -1), torch.arange(400))
    predicted, right = method.answer(method.views(held_out, generator(0, "held out")))
    assert (predicted == right).float().mean() > 0.6  # 0.17 is chance


def test_settings_that_no_image_allows():
    assert Config().problems() == []
    assert Config(grid=3, permutations=1000).problems() == []
    assert [problem.split()[0] for problem in Config(hidden=0, grid=1, gap=1.0, brightness=2.0).problems()] == [
        "hidden",
        "grid",
        "gap",
        "brightness",
    ]
    assert Config(permutations=25).problems() == ["permutations must be in 2..24 for grid 2, got 25"]
    assert Config(permutations=1).problems() == ["permutations must be in 2..24 for grid 2, got 1"]
    assert Config(grid=4, permutations=1_001).problems() == ["permutations must be in 2..1000 for grid 4, got 1001"]


def test_a_grid_larger_than_the_image_is_refused_with_what_is_possible():
    with pytest.raises(SettingsError, match=r"8x8 with grid 8 .* patches of 1 pixels: .* Possible: grid up to 2"):
        make(size=(8, 8), grid=8)
    with pytest.raises(SettingsError, match="images of more pixels"):
        make(size=(4, 4))


def test_digits_have_parts_with_places_and_noise_has_none():
    assert doubts(read_digits().train.take(torch.arange(300)).float() / 255) == []
    noise = torch.rand(300, 1, 14, 14, generator=torch.Generator().manual_seed(0))
    (sentence,) = doubts(noise)
    assert "% of the images lie, with their patches in another order" in sentence and "--method simclr" in sentence
    assert doubts(noise[..., :5, :5]) == []  # the method refuses them
