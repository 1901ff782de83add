import math

import pytest
import torch

from hundredfold.views.elastic import Elastic, smoothing

CPU = torch.device("cpu")


def test_every_pixel_moves_by_the_strength_on_average():
    view = Elastic(strength=0.05, smoothness=0.14)
    drawn = view.draw(4_000, (12, 16), torch.Generator().manual_seed(0))
    shift = view.displacement(drawn, (12, 16), CPU)
    assert shift.shape == (4_000, 2, 12, 16)
    spread = shift.std(dim=0) / 2  # as a share of the side, which is 2
    assert spread.min() > 0.047
    assert spread.max() < 0.053
    assert shift.mean(dim=0).abs().max() < 0.01


def test_neighbours_move_together_as_smoothed_noise_does():
    """Noise smoothed by a Gaussian of width s is correlated at distance d by exp(-d^2 / (4 s^2))."""
    side, smoothness = 28, 0.14
    weights = smoothing(side, smoothness)
    correlation = weights @ weights.T
    for i in (0, 9, 27):
        for j in (0, 5, 14, 26):
            expected = math.exp(-(((i - j) / side) ** 2) / (4 * smoothness**2))
            # At the border the noise ends, one spacing outside, and the field is a little stiffer.
            inside = min(i, j) > 4 and max(i, j) < 23
            assert correlation[i, j].item() == pytest.approx(expected, abs=0.001 if inside else 0.15)


def test_displacement_by_hand():
    view = Elastic(strength=0.1, smoothness=0.5)
    drawn = view.draw(2, (3, 4), torch.Generator().manual_seed(0))
    noise = drawn["noise"]
    got = view.displacement(drawn, (3, 4), CPU)
    rows, columns = smoothing(3, 0.5).tolist(), smoothing(4, 0.5).tolist()
    points = noise.shape[-1]
    for image, axis, i, j in [(0, 0, 0, 0), (1, 1, 2, 3), (1, 0, 1, 2)]:
        expected = sum(
            rows[i][p] * noise[image, axis, p, q].item() * columns[j][q] for p in range(points) for q in range(points)
        )
        assert got[image, axis, i, j].item() == pytest.approx(0.2 * expected, abs=1e-5)
