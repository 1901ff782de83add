"""Between two points of a latent space, and whether what a decoder makes of the way still looks real.

Sources: Shoemake, "Animating Rotation with Quaternion Curves", SIGGRAPH 1985, and White, "Sampling Generative
Networks", 2016 (arXiv 1609.04468), section 2.1, on the spherical way: points drawn from a normal prior of many
dimensions all lie about sqrt(k) from the origin, and a straight line passes where the decoder never learnt.
When to use which: spherical for latents with a normal prior (a variational autoencoder); linear for any other.

Shape letters: k latent dimensions, f frames, n real images.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hundredfold.errors import DataError, SettingsError, unknown_name
from hundredfold.evaluate.anomaly import neighbour_distance
from hundredfold.evaluate.euclidean_neighbours import BLOCK, nearest_euclidean

LINEAR, SPHERICAL = "linear", "spherical"
PARALLEL = 1e-4  # sine of the angle below which the arc is a line
MOST_OWN = 2_000  # real images whose distances make a percentile


def between(a: Tensor, b: Tensor, steps: int, how: str = LINEAR) -> Tensor:
    """Points on the way from a to b at equal steps; the first is a and the last is b, exactly.

    Spherically, directions turn evenly along the great circle and lengths pass over from one to the other. Where a and
    b have the same or opposite directions, or one is 0, there is no one such circle: the way is linear.

    Args:
        a: [k] floats.
        b: [k] floats.
        steps: points, the two ends among them, >= 2.
        how: "linear" or "spherical".

    Returns:
        [steps, k].

    Raises:
        SettingsError: fewer than two steps, or an unknown way.
    """
    if how not in (LINEAR, SPHERICAL):
        raise SettingsError([unknown_name("interpolation", how, (LINEAR, SPHERICAL))])
    if steps < 2:
        raise SettingsError([f"an interpolation has two ends: steps must be 2 or more, got {steps}"])
    if a.dim() != 1 or a.shape != b.shape:
        raise ValueError(f"latents must be two rows [k] of one length, got {tuple(a.shape)} and {tuple(b.shape)}")
    share = torch.linspace(0, 1, steps, dtype=torch.float64)[:, None]  # [steps, 1]
    way = (_spherical if how == SPHERICAL else _linear)(a.double(), b.double(), share).to(a.dtype)  # [steps, k]
    way[0], way[-1] = a, b
    return way


def nearest_distances(frames: Tensor, real: Tensor, *, block: int = BLOCK) -> Tensor:
    """Euclidean distance in pixels of each frame to the real image nearest to it.

    Args:
        frames: [f, ...] floats, f >= 1.
        real: [n, ...] floats of the same size, n >= 1.
        block: frames compared at a time.

    Returns:
        [f] >= 0.
    """
    if not len(real):
        raise DataError("frames are compared with real images", why="there are none")
    return nearest_euclidean(frames.flatten(1), 1, among=real.flatten(1), block=block)[0].squeeze(1)


def own_percentile(real: Tensor, *, q: float = 99.0, at_most: int = MOST_OWN) -> float:
    """How far real images are from the nearest other one, at most, but for the strangest 100 - q percent.

    Args:
        real: [n, ...] floats, n >= 2.
        q: percentile, 0..100.
        at_most: how many images are asked, evenly over all; each is compared with all n.

    Raises:
        DataError: fewer than two images.
    """
    count = min(len(real), at_most)
    asked = torch.arange(count) * len(real) // max(count, 1)
    rows = real.flatten(1)
    distances = neighbour_distance(rows, rows[asked], k=1, normalise=False, own=asked)  # [count]
    return float(distances.double().quantile(q / 100))


def _linear(a: Tensor, b: Tensor, share: Tensor) -> Tensor:
    return (1 - share) * a + share * b


def _spherical(a: Tensor, b: Tensor, share: Tensor) -> Tensor:
    if not (a.norm() > 0 and b.norm() > 0):
        return _linear(a, b, share)
    angle = ((a / a.norm()) @ (b / b.norm())).clamp(-1, 1).arccos()
    if angle.sin() < PARALLEL:
        return _linear(a, b, share)
    return (((1 - share) * angle).sin() * a + (share * angle).sin() * b) / angle.sin()
