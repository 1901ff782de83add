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
models keep the normalisation that they were trained with, if it comes with them.

Weights are read from safetensors files alone, and code that comes with a model is never run. When to use it: a few
large or varied images, where pre-training on them alone cannot compete. When not: digits; small networks learn those
in minutes. Needs the extra: `pip install 'hundredfold[hf]'`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import json
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor, nn
from torch.nn.functional import interpolate

from hundredfold.encoders._base import Encoder, EncoderSpec
from hundredfold.errors import CheckpointError, SettingsError, unknown_name

PREFIX = "hf:"
OLDEST = (5, 3)  # below: code of a model could run although it was not trusted (CVE-2026-4372)
USUAL_SIZE = 224  # pixels, of pre-trained models whose configuration does not say
PATCHES = 7  # at least so many along the shorter side, as in a ViT for 28x28 images of 4x4 patches


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of an `hf:` encoder; every other name is a field of the library's own configuration.

    Attributes:
        pretrained: start from the weights of NAME; if not, from random ones.
        pool: "pooler" (the model's own pooled output), "mean" (over tokens, or over the feature map), or "auto": its
            own if it has one with trained weights.
        image_size: scale images to this many pixels a side inside the network; 0 chooses (see above).
    """

    pretrained: bool = True
    pool: Literal["auto", "pooler", "mean"] = "auto"
    image_size: int = 0


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
    """A transformers model from normalised images [b, c, h, w] to features [b, d]."""

    def __init__(self, model: nn.Module, resolved: Resolved) -> None:
        super().__init__()
        self.model = model
        self.pool = resolved.pool
        self.scale_to = resolved.scale_to
        self.channels = int(resolved.config.get("num_channels", 3))
        takes = inspect.signature(model.forward).parameters
        self.options = {"interpolate_pos_encoding": True} if "interpolate_pos_encoding" in takes else {}

    def forward(self, images: Tensor) -> Tensor:
        """Features [b, d]."""
        if images.shape[1] == 1 and self.channels > 1:
            images = images.expand(-1, self.channels, -1, -1)
        if self.scale_to and tuple(images.shape[2:]) != (self.scale_to, self.scale_to):
            size = (self.scale_to, self.scale_to)
            images = interpolate(images, size, mode="bilinear", antialias=True, align_corners=False)
        output = self.model(pixel_values=images, return_dict=True, **self.options)
        if self.pool == "pooler":
            pooled: Tensor = output.pooler_output
            return pooled.flatten(1)
        last: Tensor = output.last_hidden_state  # [b, tokens, d] or [b, d, h, w]
        return last.mean(1) if last.dim() == 3 else last.mean((2, 3))


def build_named(spec: EncoderSpec) -> Encoder:
    """The encoder that `spec.name` names; the result's spec is complete, so that `rebuild` needs no network.

    Raises:
        SettingsError: the extra is missing; a name, a setting, or images that cannot be used.
        CheckpointError: the weights of the model cannot be had, or are not all there.
    """
    if "config" in spec.settings:  # resolved before
        return rebuild(spec)
    _check_library()
    name = spec.name.removeprefix(PREFIX)
    fields = [field.name for field in dataclasses.fields(Config)]
    own: Config = _read(Config, {key: value for key, value in spec.settings.items() if key in fields})
    overrides = {key: value for key, value in spec.settings.items() if key not in fields}
    source = _source(name, own)
    raw = _kind_config(name) if source is None else _source_config(source)
    unknown = [unknown_name(f"{raw['model_type']} setting", key, [*raw, *fields]) for key in overrides if key not in raw]
    if unknown:
        raise SettingsError(unknown)
    fitted = {} if own.pretrained else _fitted(raw, spec, own)
    config = raw | fitted | overrides
    if own.pretrained:
        scale_to = own.image_size or _side(config) or USUAL_SIZE
        model, untrained = _pretrained_model(name, config)
        spec = dataclasses.replace(spec, **_own_normalisation(source, spec))
    else:
        scale_to = own.image_size
        model, untrained = _random_model(config), False
    return _assemble(spec, model, Resolved(config=config, pool="pooler", scale_to=scale_to), own.pool, untrained)


def rebuild(spec: EncoderSpec) -> Encoder:
    """The encoder that a complete `spec` describes, with random weights; no network is needed.

    Raises:
        SettingsError: the extra is missing, or the description cannot be used.
    """
    _check_library()
    resolved: Resolved = _read(Resolved, spec.settings)
    config = _clean(resolved.config)
    return _assemble(spec, _random_model(config), dataclasses.replace(resolved, config=config), resolved.pool, False)
