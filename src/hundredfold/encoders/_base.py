"""What every encoder is: a network behind its own normalisation, with the description that rebuilds it.

An encoder file defines `Config`, a frozen dataclass of its settings with `problems() -> list of sentences`, and
`build(channels, size, config) -> (network, features)`; `encoders.build.encoder` finds it by the file's name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn


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

    Shapes: [b, c, h, w] float in 0..1 -> [b, d].
    """

    mean: Tensor  # [1, c, 1, 1]
    std: Tensor  # [1, c, 1, 1]

    def __init__(self, spec: EncoderSpec, network: nn.Module, features: int) -> None:
        super().__init__()
        self.spec = spec
        self.network = network
        self.features = features
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
        features: Tensor = self.network((images - self.mean) / self.std)
        return features
