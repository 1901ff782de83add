"""Any image backbone of the transformers library: `hf:NAME`.

NAME is one of three:

- a model on the Hugging Face hub, `hf:facebook/convnextv2-atto-1k-224`: its pre-trained weights, from the local cache
  or, where there is a network, from the hub;
- a local folder that `save_pretrained` wrote, `hf:./folder`;
- with `pretrained = false`, a kind of model, `hf:vit` or `hf:convnextv2`: a random start, no network. Channels, image
  size and patch size follow the data; any field of the library's configuration may be set beside (`hidden_size = 64`).

Images of another size: a pre-trained model gets them scaled, inside the network, to the size that it was trained on
(bilinear, antialiased, squashed if they are not square). With `image_size` they are scaled to that size instead, and a
model with position encodings interpolates those. Grey images are repeated for a model of three channels. Pre-trained
models keep the normalisation that they were trained with, if it comes with them. Weights that no image reaches (mask
tokens, unused poolers) are frozen.

Weights are read from safetensors files alone, and code that comes with a model is never run. When to use it: a few
large or varied images, where pre-training on them alone cannot compete. When not: digits; small networks learn those
in minutes. Needs the extra: `pip install 'hundredfold[hf]'`.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Collection, Mapping
from typing import Any, Literal

import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor, nn
from torch.nn.functional import interpolate

from hundredfold.encoders import _transformers as library
from hundredfold.encoders._base import Encoder, EncoderSpec
from hundredfold.errors import CheckpointError, SettingsError, unknown_name
from hundredfold.settings import merge

PREFIX = "hf:"
WHERE = "encoder_settings."
USUAL_SIZE = 224  # pixels, of pre-trained models whose configuration does not say
PATCHES = 7  # at least so many along the shorter side: 4x4 pixels each in images of 28x28


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of an `hf:` encoder; every other name is a field of the library's configuration of the model.

    Attributes:
        pretrained: start from the weights of NAME; if not, from random ones.
        pool: "pooler" (the model's own pooled output), "mean" (over tokens, or over the feature map), or "auto": its
            own if it has one with trained weights.
        image_size: scale images to this many pixels a side inside the network; 0 chooses (see above).
    """

    pretrained: bool = True
    pool: Literal["auto", "pooler", "mean"] = "auto"
    image_size: int = 0

    def problems(self) -> list[str]:
        """What cannot be used, one sentence each."""
        return [f"image_size must be >= 0, got {self.image_size}"] if self.image_size < 0 else []


@dataclasses.dataclass(frozen=True, kw_only=True)
class Resolved:
    """What rebuilds the network without a network or a file: the settings kept in `encoder/config.json`.

    Attributes:
        config: the library's configuration, with its `model_type`.
        pool: "pooler" or "mean".
        scale_to: pixels a side to scale images to, 0 for not at all.
    """

    config: dict[str, Any]
    pool: Literal["pooler", "mean"]
    scale_to: int = 0


class Backbone(nn.Module):
    """A transformers model: normalised images [b, c, h, w] -> features [b, d]."""

    def __init__(self, model: nn.Module, *, pool: str, scale_to: int, channels: int, options: dict[str, bool]) -> None:
        super().__init__()
        self.model = model
        self.pool = pool
        self.scale_to = scale_to
        self.channels = channels
        self.options = options

    def forward(self, images: Tensor) -> Tensor:
        """Features [b, d]."""
        output = self.output(images)
        if self.pool == "pooler":
            pooled: Tensor = output.pooler_output  # [b, d] or [b, d, 1, 1]
            return pooled.flatten(1)
        last: Tensor = output.last_hidden_state  # [b, tokens, d] or [b, d, h, w]
        return last.mean(1) if last.dim() == 3 else last.mean((2, 3))

    def output(self, images: Tensor) -> Any:
        """All that the model answers."""
        if images.shape[1] == 1 and self.channels > 1:
            images = images.expand(-1, self.channels, -1, -1)
        size = (self.scale_to, self.scale_to)
        if self.scale_to and tuple(images.shape[2:]) != size:
            images = interpolate(images, size, mode="bilinear", antialias=True, align_corners=False)
        return self.model(pixel_values=images, return_dict=True, **self.options)


def build_named(spec: EncoderSpec) -> Encoder:
    """The encoder that `spec.name` names; the spec it returns with is complete, so that `rebuild` needs no network.

    Raises:
        SettingsError: the extra is missing; a name, settings, or images that cannot be used.
        CheckpointError: the weights cannot be had, or are not all there.
    """
    if "config" in spec.settings:  # complete already
        return rebuild(spec)
    library.check()
    name = spec.name.removeprefix(PREFIX)
    if not name:
        raise SettingsError(
            [f"{PREFIX} needs the name of a model"], fix=f"for instance {PREFIX}vit with pretrained = false"
        )
    own_names = [field.name for field in dataclasses.fields(Settings)]
    own = merge(Settings(), {key: value for key, value in spec.settings.items() if key in own_names}, where=WHERE)
    overrides = {key: value for key, value in spec.settings.items() if key not in own_names}
    if library.is_kind(name) and own.pretrained:
        fix = "set pretrained = false for a random start, or name a model of the hub or a folder"
        raise SettingsError([f"{spec.name!r} is a kind of model, not a pre-trained one"], fix=fix)
    config = {"model_type": name} if library.is_kind(name) else library.named_config(name)
    fields = library.complete(config)
    possible = [f"{WHERE}{key}" for key in {*own_names, *fields}]
    problems = [unknown_name("setting", f"{WHERE}{key}", possible) for key in overrides if key not in fields]
    if problems:
        raise SettingsError(problems)
    if own.pretrained:
        return _pretrained(spec, name, library.complete(config | overrides), own)
    return _random(spec, config, overrides, own, fields)


def rebuild(spec: EncoderSpec) -> Encoder:
    """The encoder that a complete `spec` describes, with random weights; no network is needed.

    Raises:
        SettingsError: the extra is missing, or the description cannot be used.
    """
    library.check()
    try:
        resolved = TypeAdapter(Resolved).validate_python(spec.settings)
    except ValidationError as error:
        problems = [f"{WHERE}{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
        raise SettingsError(problems) from None
    model = library.random_model(resolved.config)
    return _assemble(spec, model, resolved.config, resolved.pool, resolved.scale_to)


def _pretrained(spec: EncoderSpec, name: str, config: dict[str, Any], own: Settings) -> Encoder:
    model, missing = library.pretrained_model(name, config)
    mean_std = library.normalisation(name, spec.channels)
    if mean_std:
        spec = dataclasses.replace(spec, mean=mean_std[0], std=mean_std[1])
    untrained_pooler = own.pool == "auto" and any("pooler" in key for key in missing)
    scale_to = own.image_size or _side(config) or USUAL_SIZE
    encoder = _assemble(spec, model, config, "mean" if untrained_pooler else own.pool, scale_to)
    used = {key for key, weight in model.named_parameters() if weight.requires_grad}
    lacking = sorted(missing & (used | {key for key, _ in model.named_buffers()}))
    if lacking:
        raise CheckpointError(
            f"the weights of {spec.name!r} are not all there",
            why=f"{len(lacking)} of them would be random, {lacking[0]} for one",
            fix="name a model that was saved whole, or set pretrained = false",
        )
    return encoder


def _random(
    spec: EncoderSpec, config: dict[str, Any], overrides: dict[str, Any], own: Settings, fields: Collection[str]
) -> Encoder:
    height, width = (own.image_size, own.image_size) if own.image_size else (spec.height, spec.width)
    fitted = {"num_channels": spec.channels, "image_size": height if height == width else [height, width]}
    problem: SettingsError | None = None
    for patch in _patches(min(height, width)):
        given = {key: value for key, value in {**fitted, "patch_size": patch}.items() if key in fields}
        try:
            candidate = library.complete(config | given | overrides)
            with torch.device("meta"):  # whether the images fit shows without a single weight
                _assemble(spec, library.random_model(candidate), candidate, own.pool, own.image_size)
        except SettingsError as error:
            problem = problem or error
        else:
            return _assemble(spec, library.random_model(candidate), candidate, own.pool, own.image_size)
    assert problem is not None  # there is at least one patch size
    raise problem


def _patches(side: int) -> list[int]:
    # Coarse ones first; networks that go on to halve the image need finer ones than plain transformers.
    return [patch for patch in (16, 8, 4, 2) if side // patch >= PATCHES] + [1]


def _assemble(spec: EncoderSpec, model: nn.Module, config: dict[str, Any], pool: str, scale_to: int) -> Encoder:
    channels = int(config.get("num_channels", 3))
    if spec.channels not in (1, channels):
        fix = "use images of as many channels, or set pretrained = false"
        raise SettingsError([f"{spec.name!r} takes {channels} channels, the images have {spec.channels}"], fix=fix)
    options = _options(model, config, [scale_to, scale_to] if scale_to else [spec.height, spec.width])
    backbone = Backbone(model, pool=pool, scale_to=scale_to, channels=channels, options=options)
    try:
        features = _try_out(backbone, (2, spec.channels, spec.height, spec.width))
    except (RuntimeError, ValueError, TypeError, IndexError, ZeroDivisionError) as problem:
        why = str(problem).splitlines()[0]
        size = f"{spec.channels} x {spec.height} x {spec.width}"
        fix = "set image_size to scale them up, 224 for instance"
        raise SettingsError([f"{spec.name!r} cannot take images of {size}: {why}"], fix=fix) from problem
    resolved = Resolved(config=config, pool=backbone.pool, scale_to=scale_to)  # type: ignore[arg-type]
    return Encoder(dataclasses.replace(spec, settings=dataclasses.asdict(resolved)), backbone, features)


def _options(model: nn.Module, config: Mapping[str, Any], size: list[int]) -> dict[str, bool]:
    # Asked for only where it changes something: the library's interpolation takes every image for a square.
    own = config.get("image_size") or size
    same = size == (own if isinstance(own, list) else [own, own])
    able = "interpolate_pos_encoding" in inspect.signature(model.forward).parameters
    return {"interpolate_pos_encoding": True} if able and not same else {}


def _try_out(backbone: Backbone, shape: tuple[int, ...]) -> int:
    """Decide the pooling, freeze what no image reaches, and measure the features, with two empty images."""
    weights = list(backbone.parameters())
    images = torch.zeros(shape, device=weights[0].device)
    backbone.eval()
    output = backbone.output(images)
    pooled = output.get("pooler_output") is not None
    if backbone.pool == "pooler" and not pooled:
        raise ValueError("it has no pooled output of its own; set pool = mean")
    if backbone.pool == "auto":
        backbone.pool = "pooler" if pooled else "mean"
    features = backbone(images)
    features.sum().backward()
    for weight in weights:
        weight.requires_grad_(weight.grad is not None)
        weight.grad = None
    backbone.train()
    return int(features.shape[1])


def _side(config: Mapping[str, Any]) -> int:
    size = config.get("image_size", 0)
    return int(max(size)) if isinstance(size, list) else int(size or 0)
