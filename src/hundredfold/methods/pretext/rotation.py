"""Rotation: by which quarter turn was the image rotated? Whoever knows what is upright has seen what is there.

Source: Gidaris, Singh & Komodakis, "Unsupervised Representation Learning by Predicting Image Rotations" (RotNet),
ICLR 2018 (arXiv 1803.07728), section 2 and equations 1-3.

Hypothesis: there is an upright. Things stand on something, light comes from above, characters are read one way round.

Trivial solutions: traces of interpolation (the turns are exact, pixels only change places); borders, time stamps and
watermarks that have a place of their own; a lamp or a shadow of the apparatus on one side. An accuracy near 1 with a
poor probe says that one of them was found, or that the question is too easy: on 10,000 images of MNIST without random
views it is answered rightly in 99 %, and the probe on 100 labels falls to 70.2 % from the 79.4 % of random weights;
behind the library's views 71 % are right, and the probe gets 84.0 % (5 epochs).

When to use it: photographs, scenes, characters, products: whatever has an upright of its own. When not: what is seen
from above or has no upright (micrographs, galaxies, satellite images, textures), and classes that differ by a turn.

Departure from the paper: a random view is drawn before the turn. It leaves out what would make the answer random:
top-bottom mirroring, which with a left-right one is a half turn.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from hundredfold.encoders._base import Encoder
from hundredfold.errors import SettingsError
from hundredfold.methods.pretext._symmetry import symmetry
from hundredfold.methods.pretext._transformation import (
    ClassifierConfig,
    TransformationMethod,
    Transformed,
    all_of_each,
    one_each,
)
from hundredfold.views.chain import Chain
from hundredfold.views.flip import Flip
from hundredfold.views.rotation import Rotation as RandomRotation

TURNS = 4
LARGEST = 45.0  # degrees of a view from which on one turn looks like the next


@dataclass(frozen=True, kw_only=True)
class Config(ClassifierConfig):
    """Settings of rotation.

    Attributes:
        all_four: ask for all four turns of each image, as in the paper, at four times the cost of a step; or for one
            at random, in more steps: in the time of one epoch of all (79.3 %), five of one turn give 84.0 % on MNIST.
    """

    all_four: bool = False


class Rotation(TransformationMethod):
    """An encoder and a classifier of quarter turns.

    Raises:
        SettingsError: the images are not square, or a view turns them by 45 degrees or more.
    """

    config: Config

    def __init__(self, encoder: Encoder, chain: Chain, config: Config) -> None:
        _check(encoder, chain)
        super().__init__(encoder, _without_upside_down(chain), config, TURNS)

    def transform(self, images: Tensor, rng: torch.Generator) -> Transformed:
        """The images turned counter-clockwise by 90 degrees times the answer."""
        versions = turned(images)
        return all_of_each(versions) if self.config.all_four else one_each(versions, rng)


def turned(images: Tensor) -> Tensor:
    """All quarter turns [4, b, c, s, s] of square images [b, c, s, s], none first; pixels only change places."""
    return torch.stack([images.rot90(turn, (2, 3)) for turn in range(TURNS)])


def doubts(images: Tensor) -> list[str]:
    """A sentence if turned images lie among these [n, c, h, w] as they do themselves."""
    if images.shape[2] != images.shape[3]:
        return []  # which the method refuses
    found = symmetry(images, list(turned(images)[1:]))
    if not found.closed:
        return []
    return [
        f"{found.share:.0%} of the images lie, turned by a quarter or half, as near to another image as unturned (50% "
        "where there is no upright): rotation has little to learn from. Use --method simclr with views.rotation=180"
    ]


def _check(encoder: Encoder, chain: Chain) -> None:
    problems = []
    height, width = encoder.spec.height, encoder.spec.width
    if height != width:
        problems.append(
            f"rotation needs square images, these are {height}x{width} (height x width): a quarter turn would not fit. "
            "Possible: --set image_size=N, which makes them square, or --method flip, jigsaw"
        )
    widest = max((view.degrees for view in chain.views if isinstance(view, RandomRotation)), default=0.0)
    if widest >= LARGEST:
        problems.append(
            f"rotation cannot tell quarter turns apart behind views.rotation {widest:g}: it must be below {LARGEST:g}"
        )
    if problems:
        raise SettingsError(problems)


def _without_upside_down(chain: Chain) -> Chain:
    views = tuple(replace(view, vertical=0.0) if isinstance(view, Flip) else view for view in chain.views)
    return replace(chain, views=views)
