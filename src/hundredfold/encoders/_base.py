"""What every encoder is: a network behind its own normalisation, with the description that rebuilds it.

An encoder file defines `Config`, a frozen dataclass of its settings with `problems() -> list of sentences`, and
`build(channels, size, config) -> (network, features)`; `encoders.build.encoder` finds it by the file's name.

A batch may pass the network in chunks, whose activations are computed again in the backward pass and never lie in
memory together. The features, and so any loss of the whole batch, are the same, and so is the gradient, but for
BatchNorm, which normalises by the statistics of each chunk. This is the gradient cache of Gao, Zhang, Han & Callan,
"Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup", RepL4NLP 2021 (arXiv 2101.06983), section 3,
with the bookkeeping left to `torch.utils.checkpoint`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


@dataclass(frozen=True, kw_only=True)
class EncoderSpec:
    """What rebuilds an encoder: the content of `encoder/config.json`.

    Attributes:
        name: the encoder's file name ("convnet"), or "hf:NAME".
        channels, height, width: of the images it was built for.
        mean, std: of each channel over the images it was trained on, in 0..1.
        settings: of the encoder's `Config`.
    """

    name: str
    channels: int
    height: int
    width: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    settings: dict[str, Any] = field(default_factory=dict)


class Encoder(nn.Module):
    """Images in 0..1 in, features out.

    Args:
        spec: the description that rebuilds it.
        network: [b, c, h, w] normalised -> [b, features].
        features: d, the length of a feature vector.

    Attributes:
        chunk: images that pass the network at once, 0 for the whole batch; how it is computed, not what it is, so it
            belongs neither to the state nor to the description (see `pass_in_chunks`).

    Shapes: [b, c, h, w] float in 0..1 -> [b, d].
    """

    mean: Tensor  # [1, c, 1, 1]
    std: Tensor  # [1, c, 1, 1]

    def __init__(self, spec: EncoderSpec, network: nn.Module, features: int) -> None:
        super().__init__()
        self.spec = spec
        self.network = network
        self.features = features
        self.chunk = 0
        # Not in the state: the description carries them, so the two cannot disagree.
        self.register_buffer("mean", torch.tensor(spec.mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(spec.std).view(1, -1, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Features [b, d] of images [b, c, h, w] in 0..1.

        Raises:
            ValueError: the images have other channels than the encoder was built for.
        """
        if images.dim() != 4 or images.shape[1] != self.spec.channels:
            expected = f"[b, {self.spec.channels}, {self.spec.height}, {self.spec.width}]"
            raise ValueError(f"the encoder takes images {expected}, got {tuple(images.shape)}")
        if not 0 < self.chunk < len(images):
            return self._pass(images)
        parts = images.tensor_split(-(-len(images) // self.chunk))  # of like size, so that none is of one image
        if torch.is_grad_enabled():
            return torch.cat([self._pass_again_later(part) for part in parts])
        return torch.cat([self._pass(part) for part in parts])

    def maps(self, images: Tensor) -> Tensor | None:
        """What the network has of images [b, c, h, w] in 0..1 before it gathers all places in one vector: [b, ...].

        None for a network that does not say. A network says it by a method `maps` of normalised images.
        """
        ask = getattr(self.network, "maps", None)
        return None if ask is None else ask(self.normalise(images))

    def normalise(self, images: Tensor) -> Tensor:
        """What the network takes of images [b, c, h, w] in 0..1: each channel less its mean, over its deviation."""
        return (images - self.mean) / self.std

    def _pass(self, images: Tensor) -> Tensor:
        features: Tensor = self.network(self.normalise(images))
        return features

    def _pass_again_later(self, images: Tensor) -> Tensor:
        """The features, with nothing kept but the images: the backward pass computes the rest again."""
        features: Tensor = checkpoint(self._pass, images, use_reentrant=False, context_fn=self._first_and_again)
        return features

    def _first_and_again(self) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _put_back(self.network)


def pass_in_chunks(module: nn.Module, chunk: int) -> None:
    """Sets how many images pass at once, 0 for the whole batch, in all encoders of a module, copies included."""
    for part in module.modules():
        if isinstance(part, Encoder):
            part.chunk = chunk


@contextmanager
def _put_back(network: nn.Module) -> Iterator[None]:
    # BatchNorm counted these images when they first passed; computing them again must not move its averages.
    before = [(buffer, buffer.clone()) for buffer in network.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in before:
                buffer.copy_(value)
