"""BigGAN-deep: a generator of ImageNet's classes, with the weights that others trained.

Source: Brock, Donahue & Simonyan, "Large Scale GAN Training for High Fidelity Natural Image Synthesis", ICLR 2019
(arXiv 1809.11096), section 3 (truncation) and appendix B, figure 16 and tables 7-9 (BigGAN-deep). Attention: Zhang et
al., "Self-Attention Generative Adversarial Networks", ICML 2019 (arXiv 1805.08318), equations 1-3. Layout of the
folder: that of huggingface/pytorch-pretrained-BigGAN, whose weights are those of the paper's authors at 128, 256 and
512 pixels; their pickle has to be saved as `model.safetensors` once.

A class is said through a linear layer without bias, so that a mixture of classes is the mixture of their embeddings.

When to use it: a target of natural photographs, whose classes need not be among ImageNet's 1,000. When not: drawings,
scans, other wavelengths. A classifier that learns from its samples alone loses 28 points of accuracy on ImageNet's own
images (Ravuri & Vinyals 2019, arXiv 1905.10887): they lack variety.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from hundredfold.errors import CheckpointError, SettingsError
from hundredfold.train.engine import Engine
from hundredfold.transfer.foreign_folder import class_names, description, needs_safetensors, short
from hundredfold.transfer.generator import Generator

WEIGHTS = "model.safetensors"
BASE = 4  # pixels a side of the first feature map
START = 16  # its channels, in channel widths
REDUCTION = 4  # of the channels inside a block
CUT = 2.0  # noise further out is drawn again; the published statistics were taken so


@dataclass(frozen=True, kw_only=True)
class BigGANConfig:
    """The content of a folder's `config.json`.

    Attributes:
        output_dim: pixels a side.
        z_dim: length of the noise.
        class_embed_dim: length of a class's embedding.
        channel_width: the paper's ch.
        num_classes: k.
        layers: blocks as (doubles the size, channels in, channels out), channels in channel widths.
        attention_layer_position: the block before which attention stands.
        eps: of batch normalisation.
        n_stats: truncations, evenly from 0 to 1, at which activations were measured.
    """

    output_dim: int
    z_dim: int = 128
    class_embed_dim: int = 128
    channel_width: int = 128
    num_classes: int = 1000
    layers: tuple[tuple[bool, int, int], ...]
    attention_layer_position: int = 8
    eps: float = 1e-4
    n_stats: int = 51

    def problems(self) -> list[str]:
        """What cannot be used, one sentence each."""
        numbers = ("output_dim", "z_dim", "class_embed_dim", "channel_width", "num_classes")
        found = [f"{name} must be >= 1, got {getattr(self, name)}" for name in numbers if getattr(self, name) < 1]
        if self.n_stats < 2:
            found.append(f"n_stats must be >= 2, got {self.n_stats}")
        widths = [START, *(out for _, _, out in self.layers)]
        if [before for _, before, _ in self.layers] != widths[:-1] or widths[-1] != 1:
            found.append(f"layers must lead from {START} channel widths to 1, each from where the last ended")
        side = BASE * 2 ** sum(up for up, _, _ in self.layers)
        if side != self.output_dim:
            found.append(f"layers lead to {side} pixels a side, output_dim says {self.output_dim}")
        return found


class ConditionalNorm(nn.Module):
    """Batch normalisation by fixed statistics, whose scale and shift follow from the class and the noise."""

    running_means: Tensor  # [d]
    running_vars: Tensor  # [d]

    def __init__(self, channels: int, told: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.register_buffer("running_means", torch.zeros(channels))
        self.register_buffer("running_vars", torch.ones(channels))
        self.scale = nn.Linear(told, channels, bias=False)
        self.offset = nn.Linear(told, channels, bias=False)

    def forward(self, maps: Tensor, told: Tensor) -> Tensor:
        """[b, d, h, w] of maps [b, d, h, w] and what the generator is told, [b, t]."""
        normal = functional.batch_norm(maps, self.running_means, self.running_vars, eps=self.eps)
        return normal * (1 + self.scale(told))[:, :, None, None] + self.offset(told)[:, :, None, None]


class FixedNorm(nn.Module):
    """Batch normalisation by fixed statistics, with a scale and shift of its own."""

    running_means: Tensor  # [d]
    running_vars: Tensor  # [d]

    def __init__(self, channels: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.register_buffer("running_means", torch.zeros(channels))
        self.register_buffer("running_vars", torch.ones(channels))
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, maps: Tensor) -> Tensor:
        """[b, d, h, w] of maps [b, d, h, w]."""
        return functional.batch_norm(maps, self.running_means, self.running_vars, self.weight, self.bias, eps=self.eps)


class Block(nn.Module):
    """Figure 16 (b): a bottleneck of four convolutions beside a skip that drops channels."""

    def __init__(self, up: bool, channels: int, out: int, told: int, eps: float) -> None:
        super().__init__()
        self.up, self.out = up, out
        inner = channels // REDUCTION
        self.bn_0, self.conv_0 = ConditionalNorm(channels, told, eps), nn.Conv2d(channels, inner, 1)
        self.bn_1, self.conv_1 = ConditionalNorm(inner, told, eps), nn.Conv2d(inner, inner, 3, padding=1)
        self.bn_2, self.conv_2 = ConditionalNorm(inner, told, eps), nn.Conv2d(inner, inner, 3, padding=1)
        self.bn_3, self.conv_3 = ConditionalNorm(inner, told, eps), nn.Conv2d(inner, out, 1)

    def forward(self, maps: Tensor, told: Tensor) -> Tensor:
        """[b, out, h or 2h, w or 2w] of maps [b, channels, h, w]."""
        inside = self.conv_0(torch.relu(self.bn_0(maps, told)))
        inside = self.conv_1(self._doubled(torch.relu(self.bn_1(inside, told))))
        inside = self.conv_2(torch.relu(self.bn_2(inside, told)))
        inside = self.conv_3(torch.relu(self.bn_3(inside, told)))
        return inside + self._doubled(maps[:, : self.out])

    def _doubled(self, maps: Tensor) -> Tensor:
        return functional.interpolate(maps, scale_factor=2.0, mode="nearest") if self.up else maps


class Attention(nn.Module):
    """Each place looks at all places of the map, at half its resolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.snconv1x1_theta = nn.Conv2d(channels, channels // 8, 1, bias=False)
        self.snconv1x1_phi = nn.Conv2d(channels, channels // 8, 1, bias=False)
        self.snconv1x1_g = nn.Conv2d(channels, channels // 2, 1, bias=False)
        self.snconv1x1_o_conv = nn.Conv2d(channels // 2, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, maps: Tensor, told: Tensor) -> Tensor:
        """[b, d, h, w] of maps [b, d, h, w]; what the generator is told plays no part."""
        asks = _places(self.snconv1x1_theta(maps))  # [b, hw, d / 8]
        keys = _places(functional.max_pool2d(self.snconv1x1_phi(maps), 2))  # [b, hw / 4, d / 8]
        values = _places(functional.max_pool2d(self.snconv1x1_g(maps), 2))  # [b, hw / 4, d / 2]
        seen = functional.scaled_dot_product_attention(asks, keys, values, scale=1.0)  # [b, hw, d / 2]
        out: Tensor = self.snconv1x1_o_conv(seen.transpose(1, 2).unflatten(2, tuple(maps.shape[2:])))
        return maps + self.gamma * out


class Trunk(nn.Module):
    """Noise and class in, an image in -1..1 out: figure 16 (a)."""

    def __init__(self, config: BigGANConfig) -> None:
        super().__init__()
        width, told = config.channel_width, config.z_dim + config.class_embed_dim
        self.gen_z = nn.Linear(told, BASE * BASE * START * width)
        blocks: list[nn.Module] = [
            Block(up, before * width, out * width, told, config.eps) for up, before, out in config.layers
        ]
        at = config.attention_layer_position
        if 0 <= at < len(blocks):
            blocks.insert(at, Attention(config.layers[at][1] * width))
        self.layers = nn.ModuleList(blocks)
        self.bn = FixedNorm(width, config.eps)
        self.conv_to_rgb = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, told: Tensor) -> Tensor:
        """[b, 3, h, w] in -1..1 of noise and class side by side, [b, t]."""
        # The published weights count the first map's places before its channels.
        maps = self.gen_z(told).unflatten(1, (BASE, BASE, -1)).permute(0, 3, 1, 2)  # [b, 16 ch, 4, 4]
        for layer in self.layers:
            maps = layer(maps, told)
        # They also end in as many channels as go in, of which three are the colours.
        return torch.tanh(self.conv_to_rgb(torch.relu(self.bn(maps)))[:, :3])


class BigGAN(nn.Module):
    """Noise [b, z] and conditions [b, k] in, images [b, 3, h, w] in -1..1 out.

    Args:
        config: see `BigGANConfig`.
    """

    def __init__(self, config: BigGANConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = nn.Linear(config.num_classes, config.class_embed_dim, bias=False)
        self.generator = Trunk(config)

    def forward(self, noise: Tensor, condition: Tensor) -> Tensor:
        """Images [b, 3, h, w] in -1..1."""
        images: Tensor = self.generator(torch.cat([noise, self.embeddings(condition)], dim=1))
        return images


class BigGANGenerator(Generator):
    """Draws from a BigGAN.

    Args:
        model: with the statistics of this truncation.
        classes: k names.
        truncation: the noise is multiplied by it, in (0, 1]; less of it is less variety and fewer failures.
    """

    name = "biggan"
    channels = 3

    def __init__(self, model: BigGAN, classes: tuple[str, ...], *, truncation: float = 1.0) -> None:
        self.model = model.eval()
        self.classes = classes
        self.truncation = truncation
        self.size = (model.config.output_dim, model.config.output_dim)

    @torch.no_grad()
    def draw(self, condition: Tensor, rng: torch.Generator) -> Tensor:
        """See `Generator.sample`."""
        device = self.model.embeddings.weight.device
        noise = torch.empty(len(condition), self.model.config.z_dim)
        nn.init.trunc_normal_(noise, a=-CUT, b=CUT, generator=rng).mul_(self.truncation)
        # A model may know classes that its folder does not name; those are never asked for.
        told = functional.pad(condition, (0, self.model.config.num_classes - len(self.classes)))  # [b, k]
        return (self.model(noise.to(device), told.to(device)) + 1) / 2

    def place(self, engine: Engine) -> None:
        """See `Generator.place`."""
        engine.place(self.model)


def read_biggan(folder: Path, *, truncation: float = 1.0) -> BigGANGenerator:
    """The generator in a folder of `config.json`, `model.safetensors` and perhaps `classes.json`.

    Args:
        folder: see above; with a list of names in `classes.json`, the classes are those, else "0", "1", ...
        truncation: of the noise, in (0, 1]; 1 is the published models' full variety, noise cut at 2.

    Raises:
        CheckpointError: it cannot be read, or the weights do not fit.
        SettingsError: a truncation out of range.
    """
    if not 0 < truncation <= 1:
        raise SettingsError([f"truncation must be above 0 and at most 1, got {truncation}"])
    needs_safetensors(folder)
    config = _config(folder)
    model = BigGAN(config)
    try:
        model.load_state_dict(plain_weights(load_file(folder / WEIGHTS), truncation=truncation))
    except (OSError, SafetensorError, RuntimeError, KeyError, AttributeError) as problem:
        raise CheckpointError(f"the weights in {folder} do not fit its config.json", why=short(problem)) from problem
    classes = class_names(folder, most=config.num_classes)
    return BigGANGenerator(model, classes, truncation=truncation)


def plain_weights(state: dict[str, Tensor], *, truncation: float) -> dict[str, Tensor]:
    """What a generator computes with, of what was published.

    A matrix kept with the vectors of its spectral norm is divided by that norm (Miyato et al., "Spectral Normalization
    for Generative Adversarial Networks", ICLR 2018, arXiv 1802.05957, algorithm 1). Of statistics measured at several
    truncations [n, d] those at this one are taken, between two by a straight line.

    Args:
        state: weights by name.
        truncation: of the noise, in (0, 1].
    """
    plain = {}
    for name, value in state.items():
        stem, _, kind = name.rpartition(".")
        if kind in ("weight_u", "weight_v", "num_batches_tracked"):
            continue
        if kind == "weight_orig":
            plain[f"{stem}.weight"] = value / _spectral_norm(value.flatten(1), state, stem)
        elif kind in ("running_means", "running_vars"):
            plain[name] = _at(value, truncation) if value.dim() == 2 else value
        else:
            plain[name] = value
    return plain


def _spectral_norm(matrix: Tensor, state: dict[str, Tensor], stem: str) -> Tensor:
    return state[f"{stem}.weight_u"] @ matrix @ state[f"{stem}.weight_v"]


def _at(rows: Tensor, truncation: float) -> Tensor:
    position = truncation * (len(rows) - 1)
    below = min(int(position), len(rows) - 2)
    return torch.lerp(rows[below], rows[below + 1], position - below)


def _places(maps: Tensor) -> Tensor:
    return maps.flatten(2).transpose(1, 2)  # [b, hw, d]


def _config(folder: Path) -> BigGANConfig:
    found: dict[str, Any] = description(folder, "config.json")
    try:
        config = TypeAdapter(BigGANConfig).validate_python(found)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
    else:
        problems = config.problems()
        if not problems:
            return config
    raise CheckpointError(f"{folder / 'config.json'} describes no BigGAN that can be built", why="; ".join(problems))
