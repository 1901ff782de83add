"""From a name to an encoder, and from a description back to the same one.

An encoder is a file of this folder with `Config` and `build`; its name is the file's. There is no list to edit. One
that needs images in a range of its own, and not by the mean and deviation of the data, says so by a function
`normalisation(channels) -> (mean, std)`.
"""

from __future__ import annotations

import dataclasses
import importlib
import math
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

import torch
from pydantic import TypeAdapter
from torch import nn

import hundredfold.encoders
from hundredfold.encoders import huggingface
from hundredfold.encoders._base import Encoder, EncoderSpec
from hundredfold.errors import SettingsError, unknown_name
from hundredfold.random import derive
from hundredfold.settings import merge

CONSTANT = 1e-6  # a channel whose standard deviation is below this does not vary


def names() -> tuple[str, ...]:
    """The encoders of this package, sorted; `hf:NAME` comes beside them (see `encoders.huggingface`)."""
    modules = sorted(module.name for module in pkgutil.iter_modules(hundredfold.encoders.__path__))
    return tuple(name for name in modules if not name.startswith("_") and _is_encoder(_module(name)))


def encoder(
    name: str,
    *,
    channels: int,
    size: tuple[int, int],
    mean: Sequence[float],
    std: Sequence[float],
    settings: Mapping[str, Any] | None = None,
    seed: int,
) -> Encoder:
    """A new encoder in training mode on the CPU; what is drawn of its weights is drawn from `seed` alone.

    Args:
        name: one of `names()`, or `hf:NAME`.
        channels: of the images.
        size: (height, width) of the images.
        mean, std: [channels] each, of the images' values in 0..1. A channel that does not vary is not scaled.
        settings: of the encoder's `Config`; what is left out keeps its default.
        seed: of the weights. The global random state is neither read nor changed.

    Raises:
        SettingsError: an unknown name, unknown or unusable settings (all of them), images that do not fit.
        CheckpointError: the pre-trained weights of `hf:NAME` cannot be had.
    """
    spec = EncoderSpec(
        name=name,
        channels=channels,
        height=size[0],
        width=size[1],
        mean=tuple(float(value) for value in mean),
        std=tuple(1.0 if 0 <= value < CONSTANT else float(value) for value in std),
        settings=dict(settings or {}),
    )
    _check_images(spec)
    if name.startswith(huggingface.PREFIX):
        return _seeded(seed, lambda: huggingface.build_named(spec))
    return _seeded(seed, lambda: _build(spec))


def decoder(encoder: Encoder, *, inputs: int) -> nn.Module:
    """The encoder's mirror image, newly drawn from torch's global generator, as layers are.

    Args:
        encoder: what to mirror.
        inputs: length of the codes that it turns into images.

    Returns:
        A network [b, inputs] -> [b, channels, height, width] of the encoder's images, without a last activation.

    Raises:
        SettingsError: the encoder is of a kind that has no mirror image.
    """
    spec = encoder.spec
    if spec.name not in mirrored():
        raise SettingsError(
            [f"the encoder {spec.name} cannot be mirrored: there is no decoder for it"],
            fix=f"use --encoder {' or '.join(mirrored())}, or a method that needs no decoder, such as simclr",
        )
    module = _module(spec.name)
    config = merge(module.Config(), spec.settings, where="encoder_settings.")
    network: nn.Module = module.mirror(inputs, spec.channels, (spec.height, spec.width), config)
    return network


def mirrored() -> tuple[str, ...]:
    """The encoders that have a mirror image, sorted."""
    return tuple(name for name in names() if hasattr(_module(name), "mirror"))


def rebuild(spec: EncoderSpec, *, seed: int = 0) -> Encoder:
    """The encoder that `spec` describes with newly drawn weights: to load others over them, or to start afresh.

    Unlike `encoder`, this needs no network and no file: an `hf:NAME` starts from random weights too.

    Raises:
        SettingsError: this version knows no such encoder, or cannot use its settings.
    """
    _check_images(spec)
    if spec.name.startswith(huggingface.PREFIX):
        return _seeded(seed, lambda: huggingface.rebuild(spec))
    return _seeded(seed, lambda: _build(spec))


def _build(spec: EncoderSpec) -> Encoder:
    if spec.name not in names():
        raise SettingsError([unknown_name("encoder", spec.name, [*names(), f"{huggingface.PREFIX}NAME"])])
    module = _module(spec.name)
    config = merge(module.Config(), spec.settings, where="encoder_settings.")
    network, features = module.build(spec.channels, (spec.height, spec.width), config)
    settings = TypeAdapter(module.Config).dump_python(config, mode="json")  # plain, so that it equals what JSON returns
    own = getattr(module, "normalisation", None)
    mean, std = own(spec.channels) if own else (spec.mean, spec.std)
    return Encoder(dataclasses.replace(spec, settings=settings, mean=mean, std=std), network, features)


def _seeded(seed: int, make: Callable[[], Encoder]) -> Encoder:
    # Layers draw their start from torch's global generator: it is borrowed, and given back as it was.
    # Weights are made to be trained, also when the caller is not training.
    with torch.inference_mode(False), torch.enable_grad(), torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derive(seed, "encoder"))
        return make()


def _check_images(spec: EncoderSpec) -> None:
    problems = []
    if min(spec.channels, spec.height, spec.width) < 1:
        shape = f"{spec.channels} x {spec.height} x {spec.width}"
        problems.append(f"images must have at least one channel and pixel, got {shape}")
    for name, values in (("mean", spec.mean), ("std", spec.std)):
        if len(values) != spec.channels:
            problems.append(f"{name} must have {spec.channels} values, one a channel, got {len(values)}")
        if not all(math.isfinite(value) for value in values):
            problems.append(f"{name} must be finite, got {list(values)}")
    if any(value <= 0 for value in spec.std):
        problems.append(f"std must not be negative, got {list(spec.std)}")
    if problems:
        raise SettingsError(problems)


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"hundredfold.encoders.{name}")


def _is_encoder(module: ModuleType) -> bool:
    return callable(getattr(module, "build", None)) and hasattr(module, "Config")
