"""The report's convnet: two blocks of two 3x3 convolutions, and one wide linear layer.

Block: Conv3x3 - BatchNorm - ReLU - Conv3x3 - BatchNorm - ReLU - MaxPool2 - Dropout.
Then Linear - BatchNorm - ReLU - Dropout. On 28x28 grey images: 1,672,544 parameters, 1,677,674 with the ten-way
classifier behind it.

Source: "SimCLR on MNIST" (Metin, Tremblay & Bertrand, 2026), the table of layers. It names dropout but not its rates:
here they are 0 unless asked for. When to use it: small images, up to about 64 pixels; the linear layer grows with the
image's area. Larger images: `resnet18`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor, nn

from hundredfold.encoders.decoders import Decoder
from hundredfold.errors import SettingsError


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of the convnet.

    Attributes:
        widths: channels of each block, >= 1; each block halves height and width.
        features: length of a feature vector, >= 1.
        block_dropout: rate after each block, 0 <= rate < 1.
        dropout: rate after the linear layer, 0 <= rate < 1.
    """

    widths: tuple[int, ...] = (32, 64)
    features: int = 512
    block_dropout: float = 0.0
    dropout: float = 0.0

    def problems(self) -> list[str]:
        """What cannot be used, one sentence each."""
        found = []
        if not self.widths or min(self.widths) < 1:
            found.append(f"widths must be one or more numbers >= 1, got {list(self.widths)}")
        if self.features < 1:
            found.append(f"features must be >= 1, got {self.features}")
        for name in ("block_dropout", "dropout"):
            if not 0 <= getattr(self, name) < 1:
                found.append(f"{name} must be at least 0 and below 1, got {getattr(self, name)}")
        return found


class ConvNet(nn.Module):
    """Normalised images [b, c, h, w] -> features [b, d].

    Args:
        channels: c.
        size: (h, w); the linear layer is made for exactly this size.
        config: the settings.
    """

    def __init__(self, channels: int, size: tuple[int, int], config: Config) -> None:
        super().__init__()
        self.size = size
        inputs = (channels, *config.widths[:-1])
        blocks = [_block(*widths, config.block_dropout) for widths in zip(inputs, config.widths, strict=True)]
        self.blocks = nn.Sequential(*blocks)
        halvings = len(config.widths)
        flat = config.widths[-1] * (size[0] >> halvings) * (size[1] >> halvings)
        self.features = nn.Sequential(
            nn.Linear(flat, config.features),
            nn.BatchNorm1d(config.features),
            nn.ReLU(inplace=True),
            nn.Dropout(config.dropout),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Features [b, d].

        Raises:
            ValueError: the images are of another size than the network was built for.
        """
        features: Tensor = self.features(self.maps(images).flatten(1))
        return features

    def maps(self, images: Tensor) -> Tensor:
        """What the blocks make of images, [b, width, h', w']; raises as `forward`."""
        if tuple(images.shape[2:]) != self.size:
            raise ValueError(f"this convnet takes images of {self.size}, got {tuple(images.shape[2:])}")
        maps: Tensor = self.blocks(images)
        return maps


def build(channels: int, size: tuple[int, int], config: Config) -> tuple[nn.Module, int]:
    """The network and the length of its features, for images of `channels` and `size` (height, width).

    Raises:
        SettingsError: the images are too small to be halved once for each block.
    """
    smallest = 2 ** len(config.widths)
    if min(size) < smallest:
        blocks = math.floor(math.log2(max(min(size), 1)))
        raise SettingsError(
            [f"images of {size[0]}x{size[1]} are too small for a convnet of {len(config.widths)} blocks"],
            fix=f"use at most {blocks} widths" if blocks else "use images of at least 2x2",
        )
    return ConvNet(channels, size, config), config.features


def mirror(inputs: int, channels: int, size: tuple[int, int], config: Config) -> nn.Module:
    """The way back: codes [b, inputs] -> [b, channels, height, width], through the widths in reverse order."""
    sizes = [(size[0] >> halvings, size[1] >> halvings) for halvings in range(len(config.widths) + 1)]
    return Decoder(inputs, config.features, config.widths[::-1], sizes[::-1], channels)


def _block(channels: int, width: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding="same"),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        nn.Conv2d(width, width, 3, padding="same"),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),  # an odd last row or column is left out
        nn.Dropout(dropout),
    )
