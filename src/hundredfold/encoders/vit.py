"""A small Vision Transformer: an image is cut into patches, and each patch looks at all others.

Source: Dosovitskiy et al., "An Image Is Worth 16x16 Words: Transformers for Image Recognition at Scale", ICLR 2021
(arXiv 2010.11929), section 3.1; fixed two-dimensional sine-cosine positions as in He et al., "Masked Autoencoders Are
Scalable Vision Learners", CVPR 2022 (arXiv 2111.06377), appendix A.1.

Features are a mean over the patches, each behind a LayerNorm and times a fixed wave over the places (`place_waves`).
A plain mean forgets which patch was where until training has woven place into content, which takes longer than small
data allow: on MNIST, a probe with 100 labels reads 42 % from an untrained network's plain mean and 68 % from this one.
A class token would be read by nothing before there are labels: no loss of pre-training would say what belongs into it.

When to use it: with the method `mae`, which no convolutional network can run. When not: few images and little time. It
knows nothing of neighbourhood to begin with, and learns more slowly than the convnet.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from hundredfold.encoders.decoders import Decoder
from hundredfold.errors import SettingsError

GRID = 4  # patches along the shorter side that an automatic patch leaves at least, where the size allows it
LARGEST = 16  # pixels a side of an automatic patch, as in the paper's larger models
INNERMOST = 8  # pixels of the shorter side at which the mirror image begins, at most
LONGEST_WAVE = 10.0  # of the positions, relative to the shortest, which is 2 pi patches long
NARROWEST = 32  # channels of the mirror image at full size


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of the Vision Transformer.

    Attributes:
        patch: side of a patch in pixels; it must divide height and width. 0: the largest up to 16 that leaves 4
            patches along the shorter side, or the smallest there is.
        width: length of a patch's vector and of the features; a multiple of 4 and of `heads`.
        depth: blocks, >= 1.
        heads: of the attention, >= 1.
        hidden: width of the hidden layer in each block, as a multiple of `width`, >= 1.
    """

    patch: int = 0
    width: int = 192
    depth: int = 2
    heads: int = 3
    hidden: int = 4

    def problems(self) -> list[str]:
        """What cannot be used, one sentence each."""
        found = []
        if self.patch < 0 or self.patch == 1:
            found.append(f"patch must be 0 (chosen for the size) or at least 2 pixels, got {self.patch}")
        for name in ("depth", "heads", "hidden"):
            if getattr(self, name) < 1:
                found.append(f"{name} must be >= 1, got {getattr(self, name)}")
        if self.width < 4 or self.width % 4 or self.width % max(self.heads, 1):
            found.append(f"width must be a multiple of 4 and of heads ({self.heads}), got {self.width}")
        return found


class Block(nn.Module):
    """Attention, then a hidden layer, each beside a shortcut and behind a LayerNorm: [b, m, width] -> the same."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.asked = nn.Linear(width, 3 * width)  # queries, keys and values of all heads
        self.heard = nn.Linear(width, width)
        self.hidden_norm = nn.LayerNorm(width)
        self.hidden = nn.Sequential(nn.Linear(width, hidden * width), nn.GELU(), nn.Linear(hidden * width, width))

    def forward(self, tokens: Tensor) -> Tensor:
        """The tokens after both."""
        tokens = tokens + self.heard(self._attend(self.attention_norm(tokens)))
        outer: Tensor = tokens + self.hidden(self.hidden_norm(tokens))
        return outer

    def _attend(self, tokens: Tensor) -> Tensor:
        parts = self.asked(tokens).unflatten(2, (3, self.heads, -1))  # [b, m, 3, heads, k]
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # each [b, heads, m, k]
        return functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)


class ViT(nn.Module):
    """Normalised images [b, c, h, w] -> features [b, width]. Patches run row by row.

    Args:
        channels: c.
        size: (h, w).
        patch: side of a patch, which divides h and w.
        config: the other settings.

    Attributes:
        grid: (rows, columns) of patches; n = rows x columns.
    """

    positions: Tensor  # [n, width]
    waves: Tensor  # [n, width]

    def __init__(self, channels: int, size: tuple[int, int], patch: int, config: Config) -> None:
        super().__init__()
        self.size = size
        self.patch = patch
        self.grid = (size[0] // patch, size[1] // patch)
        self.embed = nn.Conv2d(channels, config.width, patch, stride=patch)
        self.blocks = nn.Sequential(*(Block(config.width, config.heads, config.hidden) for _ in range(config.depth)))
        self.norm = nn.LayerNorm(config.width)
        # Not in the state: both follow from the settings.
        self.register_buffer("positions", sine_cosine_positions(self.grid, config.width), persistent=False)
        self.register_buffer("waves", place_waves(self.grid, config.width), persistent=False)
        initialise(self)

    def tokens(self, images: Tensor) -> Tensor:
        """The vectors [b, n, width] of all patches, with their positions.

        Raises:
            ValueError: the images are of another size than the network was built for.
        """
        if tuple(images.shape[2:]) != self.size:
            raise ValueError(f"this vit takes images of {self.size}, got {tuple(images.shape[2:])}")
        tokens: Tensor = self.embed(images).flatten(2).transpose(1, 2) + self.positions
        return tokens

    def forward_tokens(self, tokens: Tensor) -> Tensor:
        """What becomes of tokens [b, m, width], any m of the patches, when they look at each other."""
        after: Tensor = self.norm(self.blocks(tokens))
        return after

    def maps(self, images: Tensor) -> Tensor:
        """What becomes of all patches of images, [b, width, rows, columns]."""
        return self.forward_tokens(self.tokens(images)).transpose(1, 2).unflatten(2, self.grid)

    def pool(self, tokens: Tensor, waves: Tensor) -> Tensor:
        """Features [b, width] of what became of tokens [b, m, width], with the waves [m, width] or [b, m, width]."""
        return (tokens * waves).mean(1)

    def forward(self, images: Tensor) -> Tensor:
        """Features [b, width], of all patches."""
        return self.pool(self.forward_tokens(self.tokens(images)), self.waves)


def build(channels: int, size: tuple[int, int], config: Config) -> tuple[nn.Module, int]:
    """The network and the length of its features, for images of `channels` and `size` (height, width).

    Raises:
        SettingsError: the patch does not divide the images, or no patch does.
    """
    return ViT(channels, size, patch_for(config.patch, size), config), config.width


def mirror(inputs: int, channels: int, size: tuple[int, int], config: Config) -> nn.Module:
    """The way back: codes [b, inputs] -> [b, channels, height, width], by transposed convolutions.

    A code has no patches: they are no help on the way back.
    """
    sizes = [size]
    while len(sizes) == 1 or min(sizes[-1]) > INNERMOST:
        sizes.append((sizes[-1][0] // 2, sizes[-1][1] // 2))
    widths = [min(NARROWEST * 2**halvings, max(config.width, NARROWEST)) for halvings in range(len(sizes) - 1)]
    return Decoder(inputs, config.width, widths[::-1], sizes[::-1], channels)


def patch_for(patch: int, size: tuple[int, int], *, grid: int = GRID) -> int:
    """The side of a patch that divides images of `size` (height, width).

    It is `patch`, or if that is 0 the largest up to 16 pixels that leaves `grid` patches along the shorter side.

    Raises:
        SettingsError: it does not divide them into two patches or more each way, or nothing does.
    """
    possible = patches_of(size)
    if not possible:
        raise SettingsError(
            [f"no patch divides images of {size[0]}x{size[1]}"],
            fix="resize them to a height and width with a common divisor, such as multiples of 4",
        )
    if patch and patch not in possible:
        sides = ", ".join(map(str, possible))
        raise SettingsError(
            [f"patches of {patch}x{patch} do not divide images of {size[0]}x{size[1]}; these do: {sides}"],
            fix=f"set patch to {' or '.join(map(str, possible))}, or to 0 to have it chosen",
        )
    fitting = (side for side in possible if side <= LARGEST and min(size) // side >= grid)
    return patch or max(fitting, default=possible[0])


def patches_of(size: tuple[int, int]) -> tuple[int, ...]:
    """The sides in pixels, from 2 on, that divide (height, width) into at least two patches each way."""
    return tuple(side for side in range(2, min(size) // 2 + 1) if size[0] % side == size[1] % side == 0)


def sine_cosine_positions(grid: tuple[int, int], width: int) -> Tensor:
    """[rows x columns, width]: half of each vector tells the row, half the column, row by row.

    Args:
        grid: (rows, columns).
        width: a multiple of 4.

    Source: Vaswani et al., "Attention Is All You Need" (2017, arXiv 1706.03762), section 3.5, along both axes. There
    and in MAE the longest wave is 10,000 times the shortest, so that along seven patches most would hardly move.
    """
    frequencies = LONGEST_WAVE ** -(torch.arange(width // 4) / (width // 4))  # [width / 4]

    def along(places: Tensor) -> Tensor:
        angles = places.flatten().unsqueeze(1) * frequencies  # [n, width / 4]
        return torch.cat([angles.sin(), angles.cos()], dim=1)

    rows, columns = torch.meshgrid(torch.arange(grid[0]), torch.arange(grid[1]), indexing="ij")
    return torch.cat([along(rows), along(columns)], dim=1)


def place_waves(grid: tuple[int, int], width: int) -> Tensor:
    """[rows x columns, width]: one wave over the places for each feature, of mean square 1; row by row.

    The waves of the discrete Hartley transform, cos + sin, each frequency in turn: a mean of what is multiplied by them
    is a coefficient of that transform, so that together they keep what is where. The first of them is constant.

    Source: Bracewell, "Discrete Hartley Transform", JOSA 73 (1983), in two dimensions.
    """
    rows, columns = grid
    frequency = torch.arange(width) % (rows * columns)  # [width]
    place = torch.arange(rows * columns).unsqueeze(1)  # [n, 1]
    down = (frequency // columns) * (place // columns) / rows
    across = (frequency % columns) * (place % columns) / columns
    angles = 2 * math.pi * (down + across)  # [n, width]
    return angles.cos() + angles.sin()


def initialise(network: nn.Module) -> None:
    """Draws all linear layers of a transformer afresh: Glorot's range, no offsets (MAE, appendix A.1)."""
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            fan_in = math.prod(module.weight.shape[1:])  # a patch is read by a linear layer, written as a convolution
            limit = math.sqrt(6 / (fan_in + module.weight.shape[0]))
            nn.init.uniform_(module.weight, -limit, limit)
            assert module.bias is not None
            nn.init.zeros_(module.bias)
