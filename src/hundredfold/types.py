"""Batches, steps and the few names that every layer shares.

Shape letters, the same everywhere: n images in a set, b in a batch, c channels, h height, w width, d features.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor

UNLABELLED = -1  # the label of an image without one, as in sklearn.semi_supervised


class ImageBatch(NamedTuple):
    """Some images of a set.

    Attributes:
        images: [b, c, h, w], uint8 in 0..255 or float32 in 0..1, as stored.
        labels: [b] int64, `UNLABELLED` where there is none.
        positions: [b] int64, the place of each image in its set.
    """

    images: Tensor
    labels: Tensor
    positions: Tensor


class Step(NamedTuple):
    """What one forward pass of a method returns: the loss to minimise, and numbers to log.

    Attributes:
        loss: scalar.
        logs: detached scalars by name.
        pair: the projections [b, d] of two views of this process's images, for terms that are added to any method;
            None where a method has none.
    """

    loss: Tensor
    logs: Mapping[str, Tensor]
    pair: tuple[Tensor, Tensor] | None = None


class Progress(NamedTuple):
    """Where training stands, given to `Method.after_step`.

    Attributes:
        step: steps done, from 1.
        steps: steps in the whole plan.
    """

    step: int
    steps: int
