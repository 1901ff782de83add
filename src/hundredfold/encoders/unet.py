"""The contracting path of a U-Net, read as an encoder; its expanding path, which the method `diffusion` trains with it.

Source: Ronneberger, Fischer & Brox, "U-Net: Convolutional Networks for Biomedical Image Segmentation", MICCAI 2015
(arXiv 1505.04597), for the two paths; Ho, Jain & Abbeel, "Denoising Diffusion Probabilistic Models", NeurIPS 2020
(arXiv 2006.11239), appendix B, for residual blocks that are told the time step. Features of it: Xiang, Yang, Huang &
Wang, "Denoising Diffusion Autoencoders are Unified Self-supervised Learners", ICCV 2023 (arXiv 2303.09769), section 3.

Features are the mean over all places of what the middle block has of an image at a small time step. The paper adds the
noise of that step to the image, and also reads blocks of the expanding path; here the image is clean, so that features
follow from the image alone, and the expanding path stays with the method, so that all of the encoder makes features.

When to use it: with the method `diffusion`. When not: otherwise; the convnet is faster and takes any method as well.

The blocks are those of diffusers' `UNet2DModel`, built once as a whole and taken in two halves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from hundredfold.errors import SettingsError

STEPS = 1000  # time steps of the diffusion, as in Ho et al., section 4
INSTALL = "pip install 'hundredfold[diffusion]'"


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of the U-Net.

    Attributes:
        widths: channels at each size, >= 1 and multiples of `groups`; from each to the next, height and width are
            halved. Most of the time goes into the first, which works at full size.
        blocks: residual blocks at each size on the way down, >= 1; the way up has one more.
        groups: of the GroupNorm in each block, >= 1.
        attention: whether the places of the smallest size look at each other; at larger sizes they never do.
        step: time step at which features are read, 0..999. At 20 the noise that the network expects has a standard
            deviation of 0.05, where images go from -1 to 1.
    """

    widths: tuple[int, ...] = (16, 32, 64)
    blocks: int = 1
    groups: int = 8
    attention: bool = True
    step: int = 20

    def problems(self) -> list[str]:
        """What cannot be used, one sentence each."""
        counts = {"blocks": self.blocks, "groups": self.groups}
        found = [f"{name} must be >= 1, got {count}" for name, count in counts.items() if count < 1]
        if not self.widths or min(self.widths) < 1 or any(width % max(self.groups, 1) for width in self.widths):
            found.append(f"widths must be one or more multiples of groups ({self.groups}), got {list(self.widths)}")
        if not 0 <= self.step < STEPS:
            found.append(f"step must be in 0..{STEPS - 1}, got {self.step}")
        return found


class ContractingPath(nn.Module):
    """Normalised images [b, c, h, w] -> features [b, d]: the way down and the middle block.

    Args:
        channels: c.
        config: the settings.

    Attributes:
        embedding: e, the length of what every block is told.
    """

    def __init__(self, channels: int, config: Config) -> None:
        super().__init__()
        whole = _whole(channels, config)
        self.config = config
        self.embedding: int = whole.time_embedding.linear_2.out_features
        self.waves = whole.time_proj
        self.time = whole.time_embedding
        self.first = whole.conv_in
        self.blocks = whole.down_blocks
        self.middle = whole.mid_block

    def tell(self, steps: Tensor) -> Tensor:
        """What time steps [b] are to the blocks, [b, e]."""
        told: Tensor = self.time(self.waves(steps).to(self.first.weight.dtype))
        return told

    def contract(self, images: Tensor, told: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The way down.

        Args:
            images: [b, c, h, w], noisy or not, in -1..1 where they are not; both sides as `padded` makes them.
            told: [b, e].

        Returns:
            What the middle block has, [b, d, h', w'], and what each block leaves for its counterpart on the way up.
        """
        inner = self.first(images)
        left = (inner,)
        for block in self.blocks:
            inner, more = block(hidden_states=inner, temb=told)
            left = (*left, *more)
        return self.middle(inner, told), left

    def maps(self, images: Tensor) -> Tensor:
        """What the middle block has of images, [b, d, h', w'], at the time step of the settings."""
        steps = torch.full((len(images),), self.config.step, device=images.device)
        maps, _ = self.contract(padded(images, self.config), self.tell(steps))
        return maps

    def forward(self, images: Tensor) -> Tensor:
        """Features [b, d]."""
        return self.maps(images).mean((2, 3))


class ExpandingPath(nn.Module):
    """The way up: what a `ContractingPath` of the same settings found -> [b, c, h, w], without a last activation.

    Args:
        channels: c.
        config: the settings of the contracting path.
    """

    def __init__(self, channels: int, config: Config) -> None:
        super().__init__()
        whole = _whole(channels, config)
        self.blocks = whole.up_blocks
        self.last = nn.Sequential(whole.conv_norm_out, whole.conv_act, whole.conv_out)

    def forward(self, middle: Tensor, left: tuple[Tensor, ...], told: Tensor) -> Tensor:
        """Takes what `contract` returned, and told [b, e]."""
        inner = middle
        for block in self.blocks:
            count = len(block.resnets)  # one gift for each residual block
            inner = block(inner, left[-count:], told)
            left = left[:-count]
        out: Tensor = self.last(inner)
        return out


def build(channels: int, size: tuple[int, int], config: Config) -> tuple[nn.Module, int]:
    """The network and the length of its features, for images of `channels` and any size (height, width).

    Raises:
        SettingsError: the extra `diffusion` is not installed.
    """
    return ContractingPath(channels, config), config.widths[-1]


def normalisation(channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation by channel that bring images to -1..1, whatever the data (Ho et al., section 3.3)."""
    return (0.5,) * channels, (0.5,) * channels


def padded(images: Tensor, config: Config) -> Tensor:
    """Images [b, c, h, w] whose edges are repeated, right and below, until both sides can be halved between widths."""
    height, width = images.shape[2:]
    side = 2 ** (len(config.widths) - 1)
    more = (0, -width % side, 0, -height % side)
    return functional.pad(images, more, mode="replicate") if any(more) else images


def _whole(channels: int, config: Config) -> Any:
    try:
        from diffusers import UNet2DModel
    except ImportError as problem:
        raise SettingsError([f"the encoder unet needs the diffusers library: {problem}"], fix=INSTALL) from problem
    return UNet2DModel(
        in_channels=channels,
        out_channels=channels,
        block_out_channels=config.widths,
        down_block_types=("DownBlock2D",) * len(config.widths),
        up_block_types=("UpBlock2D",) * len(config.widths),
        layers_per_block=config.blocks,
        norm_num_groups=config.groups,
        add_attention=config.attention,
        attention_head_dim=None,  # one head
    )
