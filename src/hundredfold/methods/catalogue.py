"""From a name to a method. Names are read off the folders: a file there that defines `Config` and a `Method`."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from hundredfold.encoders._base import Encoder
from hundredfold.errors import SettingsError, unknown_name
from hundredfold.methods._base import Method
from hundredfold.random import derive
from hundredfold.settings import merge
from hundredfold.views.chain import Chain

FAMILIES = ("contrastive", "generative", "pretext")  # `labelled` has its own way in, the models of `evaluate`


@dataclasses.dataclass(frozen=True, kw_only=True)
class MethodInfo:
    """What `hundredfold methods` prints of one method.

    Attributes:
        name: the file's name.
        family: the folder's name.
        summary: first sentence of the file.
        paper: where it comes from.
        encoder: the only encoder that it can train, or empty.
        learns_from_labels: whether it takes labels where there are some.
    """

    name: str
    family: str
    summary: str
    paper: str
    encoder: str = ""
    learns_from_labels: bool = False


def names() -> tuple[MethodInfo, ...]:
    """Every method of pre-training, sorted by family and name."""
    return tuple(_info(module) for module in sorted(_modules().values(), key=lambda module: module.__name__))


def config(name: str, settings: Mapping[str, Any]) -> Any:
    """The method's `Config` with these settings.

    Raises:
        SettingsError: no such method, or settings it cannot use.
    """
    if name not in _modules():
        raise SettingsError([unknown_name("method", name, _modules())])
    return merge(_modules()[name].Config(), settings, where="method_settings.")


def problems(name: str, settings: Mapping[str, Any]) -> list[str]:
    """What `config` would complain of, one sentence each."""
    try:
        config(name, settings)
    except SettingsError as found:
        return list(found.problems)
    return []


def resolved(name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """All settings of the method, those not given at their defaults; as given if they cannot be used."""
    return dict(settings) if problems(name, settings) else dataclasses.asdict(config(name, settings))


def build(name: str, encoder: Encoder, chain: Chain, settings: Mapping[str, Any], *, seed: int) -> Method:
    """The method around an encoder; the weights that it adds are drawn from `seed` alone.

    Raises:
        SettingsError: as `config`.
    """
    chosen = config(name, settings)
    kind = _method_class(_modules()[name])
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derive(seed, "method"))
        return kind(encoder, chain, chosen)


def info(name: str) -> MethodInfo:
    """What there is to tell of one method.

    Raises:
        SettingsError: no such method.
    """
    if name not in _modules():
        raise SettingsError([unknown_name("method", name, _modules())])
    return _info(_modules()[name])


def kind(name: str) -> type[Method]:
    """The class of a method."""
    found: type[Method] = _method_class(_modules()[name])
    return found


def doubts(name: str, images: Tensor) -> tuple[str, ...]:
    """Sentences on what speaks against a method's hypothesis in these images; none if it has none, or nothing does.

    A method that has one brings a function `doubts(images) -> list of sentences` in its file.

    Args:
        name: the method.
        images: [n, c, h, w] float32 in 0..1, a few hundred, in random order.
    """
    ask = getattr(_modules()[name], "doubts", None)
    return tuple(ask(images)) if ask else ()


@cache
def _modules() -> dict[str, ModuleType]:
    here = Path(__file__).parent
    return {
        path.stem: importlib.import_module(f"hundredfold.methods.{family}.{path.stem}")
        for family in FAMILIES
        for path in sorted((here / family).glob("*.py"))
        if not path.stem.startswith("_")
    }


def _method_class(module: ModuleType) -> Any:
    own = [
        kind
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, Method) and kind.__module__ == module.__name__
    ]
    return own[0]


def _info(module: ModuleType) -> MethodInfo:
    text = inspect.getdoc(module) or ""
    paragraphs = [" ".join(part.split()) for part in text.split("\n\n")]
    paper = next((part.removeprefix("Source: ") for part in paragraphs if part.startswith("Source: ")), "")
    family, name = module.__name__.split(".")[-2:]
    kind = _method_class(module)
    return MethodInfo(
        name=name,
        family=family,
        summary=paragraphs[0],
        paper=paper,
        encoder=kind.needs_encoder,
        learns_from_labels=kind.learns_from_labels,
    )
