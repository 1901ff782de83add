"""The ways between two latents, and distances to real images, against loops."""

import math

import pytest
import torch

from hundredfold.errors import DataError, SettingsError
from hundredfold.evaluate.interpolation import between, nearest_distances, own_percentile


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_linear_is_the_weighted_mean() -> None:
    a, b = drawn(7), drawn(7, seed=1)
    for number, row in enumerate(between(a, b, 5, "linear")):
        wanted = [(1 - number / 4) * x + number / 4 * y for x, y in zip(a.tolist(), b.tolist(), strict=True)]
        assert row.tolist() == pytest.approx(wanted, abs=1e-6)


def test_spherical_by_its_formula() -> None:
    a, b = drawn(7).tolist(), (2 * drawn(7, seed=1)).tolist()
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    angle = math.acos(dot / math.hypot(*a) / math.hypot(*b))
    for number, row in enumerate(between(torch.tensor(a), torch.tensor(b), 6, "spherical").tolist()):
        t = number / 5
        first, second = math.sin((1 - t) * angle) / math.sin(angle), math.sin(t * angle) / math.sin(angle)
        assert row == pytest.approx([first * x + second * y for x, y in zip(a, b, strict=True)], abs=1e-5)


def test_spherically_a_sphere_is_not_left_and_the_angle_grows_evenly() -> None:
    a, b = drawn(20), drawn(20, seed=1)
    way = between(a / a.norm(), b / b.norm(), 9, "spherical")
    torch.testing.assert_close(way.norm(dim=1), torch.ones(9))
    turns = (way[:-1] * way[1:]).sum(1).clamp(-1, 1).arccos()
    torch.testing.assert_close(turns, turns[:1].expand(8), atol=1e-4, rtol=0)
    assert float(between(a / a.norm(), b / b.norm(), 9)[4].norm()) < 0.9  # the straight line passes inside


@pytest.mark.parametrize("how", ["linear", "spherical"])
@pytest.mark.parametrize("steps", [2, 3, 10])
def test_the_ends_are_exact(how: str, steps: int) -> None:
    a, b = 1e3 * drawn(5), drawn(5, seed=1)
    way = between(a, b, steps, how)
    assert way.shape == (steps, 5) and way.dtype == a.dtype
    assert torch.equal(way[0], a) and torch.equal(way[-1], b)


@pytest.mark.parametrize("factor", [1.0, 3.0, -1.0, 0.0])
def test_where_there_is_no_one_circle_the_way_is_a_line(factor: float) -> None:
    a = drawn(5)
    torch.testing.assert_close(between(a, factor * a, 4, "spherical"), between(a, factor * a, 4, "linear"))


def test_ways_that_do_not_exist() -> None:
    with pytest.raises(SettingsError, match="did you mean 'spherical'"):
        between(drawn(3), drawn(3), 4, "sperical")
    with pytest.raises(SettingsError, match="2 or more, got 1"):
        between(drawn(3), drawn(3), 1)
    with pytest.raises(ValueError, match=r"\(3,\) and \(4,\)"):
        between(drawn(3), drawn(4), 4)


@pytest.mark.parametrize("block", [1, 3, 500])
def test_frames_are_compared_with_every_real_image(block: int) -> None:
    frames, real = drawn(5, 1, 3, 4), drawn(11, 1, 3, 4, seed=1)
    wanted = [min(math.dist(f, r) for r in real.flatten(1).tolist()) for f in frames.flatten(1).tolist()]
    assert nearest_distances(frames, real, block=block).tolist() == pytest.approx(wanted, abs=1e-5)
    assert nearest_distances(real, real, block=block).tolist() == [0.0] * 11
    with pytest.raises(DataError, match="none"):
        nearest_distances(frames, real[:0])


@pytest.mark.parametrize("q", [0.0, 50.0, 99.0, 100.0])
def test_the_percentile_of_real_images_leaves_each_one_out(q: float) -> None:
    real = drawn(13, 1, 3, 4)
    rows = real.flatten(1).tolist()
    own = sorted(min(math.dist(a, b) for j, b in enumerate(rows) if j != i) for i, a in enumerate(rows))
    place = q / 100 * 12
    low, high = own[math.floor(place)], own[math.ceil(place)]
    assert own_percentile(real, q=q) == pytest.approx(low + (place - math.floor(place)) * (high - low), abs=1e-5)


def test_only_some_images_are_asked_and_all_are_compared() -> None:
    real = torch.tensor([[0.0], [1.0], [10.0], [12.0], [40.0], [43.0]])
    assert own_percentile(real, q=100, at_most=3) == 3  # of 0, 10 and 40, to 1, 12 and 43
    assert own_percentile(real.repeat(2, 1), q=100) == 0
    for n in (0, 1):
        with pytest.raises(DataError, match="nothing to compare"):
            own_percentile(real[:n])
