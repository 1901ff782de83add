"""The report's convnet: two blocks of two 3x3 convolutions, and one wide linear layer.

Block: Conv3x3 - BatchNorm - ReLU - Conv3x3 - BatchNorm - ReLU - MaxPool2 - Dropout.
Then Linear - BatchNorm - ReLU - Dropout. On 28x28 grey images: 1,672,544 parameters, 1,677,674 with the ten-way
classifier behind it.

Source: "SimCLR on MNIST" (Metin, Tremblay & Bertrand, 2026), the table of layers. It names dropout but not its rates:
here they are 0 unless asked for. When to use it: small images, up to about 64 pixels; the linear layer grows with the
image's area. Larger images: `resnet18`.

With norm "group" each image is normalised by itself, in groups of channels: Wu & He, "Group Normalization", ECCV 2018
(arXiv 1803.08494), section 3. When to use it: batches of few images, or of two kinds that are not alike, whose common
statistics would describe neither. When not: batches of 32 and more of one kind, where BatchNorm was a little better in
that paper.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor, nn

from hundredfold.encoders.decoders import Decoder
from hundredfold.errors import SettingsError

NORMS = ("batch", "group")
GROUPS = 8  # of channels, at most; the paper's 32 would leave one channel each of the first block
# Features have no area: a group of one would be constant, and of two only the sign of their difference would be left.
LEAST_FEATURES = 8  # in a group


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of the convnet.

    Attributes:
        widths: channels of each block, >= 1; each block halves height and width.
        features: length of a feature vector, >= 1.
        block_dropout: rate after each block, 0 <= rate < 1.
        dropout: rate after the linear layer, 0 <= rate < 1.
        norm: "batch" or "group": what each layer is normalised by.
    """

    widths: tuple[int, ...] = (32, 64)
    features: int = 512
    block_dropout: float = 0.0
    dropout: float = 0.0
    norm: str = "batch"

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
        if self.norm not in NORMS:
            found.append(f"norm must be {' or '.join(NORMS)}, got {self.norm!r}")
        if self.norm == "group" and 1 <= self.features < LEAST_FEATURES:
            found.append(f"features must be >= {LEAST_FEATURES} with norm group, got {self.features}")
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
        blocks = [_block(*widths, config) for widths in zip(inputs, config.widths, strict=True)]
        self.blocks = nn.Sequential(*blocks)
        halvings = len(config.widths)
        flat = config.widths[-1] * (size[0] >> halvings) * (size[1] >> halvings)
        grouped = config.norm == "group"
        self.features = nn.Sequential(
            nn.Linear(flat, config.features),
            _group_norm(config.features, LEAST_FEATURES) if grouped else nn.BatchNorm1d(config.features),
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


def _block(channels: int, width: int, config: Config) -> nn.Sequential:
    def norm() -> nn.Module:
        return _group_norm(width, 2) if config.norm == "group" else nn.BatchNorm2d(width)

    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding="same"),
        norm(),
        nn.ReLU(inplace=True),
        nn.Conv2d(width, width, 3, padding="same"),
        norm(),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),  # an odd last row or column is left out
        nn.Dropout(config.block_dropout),
    )


def _group_norm(channels: int, least: int) -> nn.GroupNorm:
    """As many groups as divide the channels, up to `GROUPS`, of `least` channels or more; else one group."""
    most = max(1, min(GROUPS, channels // least))
    return nn.GroupNorm(max(groups for groups in range(1, most + 1) if channels % groups == 0), channels)
