"""ResNet-18: four stages of two residual blocks, for images larger or more varied than digits.

Source: He, Zhang, Ren & Sun, "Deep Residual Learning for Image Recognition", CVPR 2016 (arXiv 1512.03385), table 1;
the stem for small images is that of SimCLR (arXiv 2002.05709, appendix B.9): 3x3 of stride 1 and no max-pool.
About 11.2 million parameters: seven times the convnet, and some twenty times its work on 28x28 images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from hundredfold.encoders.decoders import Decoder

SMALL = 64  # pixels of the shorter side up to which "auto" takes the small stem
WIDTHS = (64, 128, 256, 512)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of ResNet-18.

    Attributes:
        stem: "small" (3x3, stride 1, no max-pool), "large" (7x7, stride 2, max-pool), or "auto": small for images
            whose shorter side has at most 64 pixels.
        zero_last: start the last normalisation of each block at 0, so that each block begins as the identity
            (Goyal et al. 2017, arXiv 1706.02677, section 5.1).
    """

    stem: Literal["auto", "small", "large"] = "auto"
    zero_last: bool = True

    def problems(self) -> list[str]:
        """What cannot be used: nothing, beyond the types."""
        return []


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut: [b, c, h, w] -> [b, width, h / stride, w / stride]."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, width, 3, stride, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(width)
        self.last = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.last_norm = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = nn.Sequential()
        if stride != 1 or channels != width:
            convolution = nn.Conv2d(channels, width, 1, stride, bias=False)
            self.shortcut = nn.Sequential(convolution, nn.BatchNorm2d(width))

    def forward(self, images: Tensor) -> Tensor:
        """relu(F(x) + shortcut(x))."""
        inner = self.relu(self.first_norm(self.first(images)))
        inner = self.last_norm(self.last(inner))
        outer: Tensor = self.relu(inner + self.shortcut(images))
        return outer


class ResNet18(nn.Sequential):
    """Stem, four stages, the mean over all places: [b, c, h, w] -> [b, 512]."""

    def maps(self, images: Tensor) -> Tensor:
        """What the last stage makes of images, [b, 512, h', w']."""
        maps: Tensor = self[:-2](images)
        return maps


def build(channels: int, size: tuple[int, int], config: Config) -> tuple[nn.Module, int]:
    """The network and the length of its features (512), for images of `channels` and any size (height, width)."""
    small = _is_small(size, config)
    stages: list[nn.Module] = []
    before = WIDTHS[0]
    for width in WIDTHS:
        stride = 1 if width == before else 2
        stages.append(nn.Sequential(Block(before, width, stride), Block(width, width, 1)))
        before = width
    stem = _small_stem(channels) if small else _large_stem(channels)
    network = ResNet18(stem, *stages, nn.AdaptiveAvgPool2d(1), nn.Flatten(1))
    _initialise(network, zero_last=config.zero_last)
    return network, WIDTHS[-1]


def mirror(inputs: int, channels: int, size: tuple[int, int], config: Config) -> nn.Module:
    """The way back: codes [b, inputs] -> [b, channels, height, width], a doubling for each halving; no residuals."""
    before = WIDTHS[:1] if _is_small(size, config) else (WIDTHS[0], WIDTHS[0], WIDTHS[0])  # the large stem halves twice
    sizes = [size]
    for _ in (*before[1:], *WIDTHS[1:]):
        sizes.append((-(-sizes[-1][0] // 2), -(-sizes[-1][1] // 2)))  # a stride of 2 rounds up
    widths = (*before[1:], *WIDTHS[1:])[::-1]
    return Decoder(inputs, WIDTHS[-1], widths, sizes[::-1], channels)


def _is_small(size: tuple[int, int], config: Config) -> bool:
    return min(size) <= SMALL if config.stem == "auto" else config.stem == "small"


def _small_stem(channels: int) -> nn.Sequential:
    convolution = nn.Conv2d(channels, WIDTHS[0], 3, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(WIDTHS[0]), nn.ReLU(inplace=True))


def _large_stem(channels: int) -> nn.Sequential:
    convolution = nn.Conv2d(channels, WIDTHS[0], 7, stride=2, padding=3, bias=False)
    pool = nn.MaxPool2d(3, stride=2, padding=1)
    return nn.Sequential(convolution, nn.BatchNorm2d(WIDTHS[0]), nn.ReLU(inplace=True), pool)


def _initialise(network: nn.Module, *, zero_last: bool) -> None:
    # He et al. 2015 (arXiv 1502.01852), equation 14: keeps the variance of the gradients.
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, Block) and zero_last:
            nn.init.zeros_(module.last_norm.weight)
