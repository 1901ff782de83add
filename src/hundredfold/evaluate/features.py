"""Features of images, in input order."""

from __future__ import annotations

import torch
from torch import Tensor

from hundredfold.data.images import ImageSet, as_float
from hundredfold.encoders._base import Encoder
from hundredfold.train.engine import Engine


@torch.no_grad()
def features(encoder: Encoder, images: ImageSet, index: Tensor, engine: Engine, *, batch_size: int = 500) -> Tensor:
    """What the encoder makes of the images at `index`, in evaluation mode and float32.

    Args:
        encoder: left in the mode in which it was.
        images: the set.
        index: [n] positions in it.
        engine: where to compute; always in float32, so that features do not depend on its precision.
        batch_size: images at a time.

    Returns:
        [n, d] float32 on the CPU.
    """
    training = encoder.training
    engine.place(encoder).eval()
    parts = [encoder(as_float(engine.images(images.take(part)))).float().cpu() for part in index.split(batch_size)]
    encoder.train(training)
    return torch.cat(parts) if parts else torch.empty(0, encoder.features)


def pixels(images: ImageSet, index: Tensor) -> Tensor:
    """The raw images as vectors [n, c * h * w] in 0..1: the representation that nothing was learnt for."""
    return as_float(images.take(index)).flatten(1).cpu()
