"""The generative model that a run keeps beside its encoder: its folder, written after training and read by name.

`config.json` says which method with which settings around which encoder, `model.safetensors` holds the weights of all
of it, `manifest.json` their sizes and SHA-256. Nothing in it is ever executed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

import hundredfold.methods.catalogue as methods
from hundredfold import atomic
from hundredfold.encoders._base import EncoderSpec
from hundredfold.encoders.build import rebuild
from hundredfold.errors import CheckpointError, SettingsError
from hundredfold.methods._base import Method
from hundredfold.methods.generative._generative import GenerativeMethod
from hundredfold.records import from_json, to_json
from hundredfold.types import UNLABELLED
from hundredfold.views.chain import Chain

CONFIG, WEIGHTS = "config.json", "model.safetensors"
SCHEMA = 1
# How a method may make images, and what one lacks that cannot.
LACKS = {"sample": "nothing to draw new images from", "decode": "no codes that images go through"}


@dataclass(frozen=True, kw_only=True)
class GeneratorFile:
    """The content of `config.json`.

    Attributes:
        method: its name.
        settings: of the method.
        encoder: what rebuilds the encoder.
        classes: names in the order of its conditions; empty if it knows none.
        schema: version of this layout.
    """

    method: str
    settings: dict[str, Any]
    encoder: EncoderSpec
    classes: tuple[str, ...] = ()
    schema: int = SCHEMA


@dataclass(frozen=True, kw_only=True, eq=False)
class Generator:
    """A generative model, ready to use.

    Attributes:
        model: a method that can `sample` images or `decode` codes, in evaluation mode, on the CPU.
        name: of its method.
        classes: names in the order of its conditions; empty if it knows none.
        settings: of the method.
    """

    model: Method
    name: str
    classes: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def coder(self) -> GenerativeMethod:
        """The model, where it turns images into codes and back: ask `able_to` for "decode" first."""
        assert isinstance(self.model, GenerativeMethod)
        return self.model


def save_generator(
    method: Method, folder: Path, *, name: str, settings: dict[str, Any], classes: tuple[str, ...]
) -> None:
    """Writes `method` to `folder` if it makes images; does nothing if not.

    Raises:
        ResourceError, OutputError: it cannot be written.
    """
    if not _makes_images(type(method)):
        return
    known = classes if method.learns_from_labels else ()
    atomic.make_folder(folder)
    file = GeneratorFile(method=name, settings=settings, encoder=method.encoder.spec, classes=known)
    atomic.write_text(folder / CONFIG, to_json(file))
    atomic.write_tensors(folder / WEIGHTS, method.state_dict())
    atomic.write_manifest(folder)


def load_generator(run: Path, *, wanted: str = "decode") -> Generator:
    """The generative model of a run folder.

    Args:
        run: the folder.
        wanted: what the caller will ask of it, for advice where there is none.

    Raises:
        CheckpointError: there is none, it is damaged, or of a later version.
    """
    folder = run / "generator"
    if not folder.is_dir():
        raise _missing(run, wanted)
    problems = atomic.check_manifest(folder)
    if problems:
        raise _refused(folder, "; ".join(problems))
    file = _read(folder)
    try:
        with torch.inference_mode(False):
            method = methods.build(file.method, rebuild(file.encoder), Chain(()), file.settings, seed=0)
            method.load_state_dict(load_file(folder / WEIGHTS))
    except (SettingsError, SafetensorError, OSError, RuntimeError, ValueError, TypeError) as problem:
        raise _refused(folder, _short(problem)) from problem
    return Generator(model=method.eval(), name=file.method, classes=file.classes, settings=file.settings)


def able_to(generator: Generator, verb: str, what: str, run: Path) -> Callable[..., Any]:
    """The model's method `what`, for those that have one.

    Raises:
        CheckpointError: this model has none ("sample", "decode"): what the person wanted to do (`verb`) cannot be done.
    """
    found: Callable[..., Any] | None = getattr(generator.model, what, None)
    if found is None:
        able = [info.name for info in methods.names() if hasattr(methods.kind(info.name), what)]
        raise CheckpointError(
            f"the run {run} cannot {verb}",
            why=f"it was pre-trained with {generator.name}, which has {LACKS[what]}",
            fix=f"pre-train with --method {' or '.join(able)}",
        )
    return found


def conditions(kept: Generator, labels: Sequence[str]) -> tuple[Tensor, ...]:
    """What a model that learns from labels is told beside images of these classes; nothing for other models.

    Args:
        kept: the model.
        labels: the class of each of b images; an empty text, or a class that the model does not know, is "unknown".

    Returns:
        One tensor [b, q], or none: further arguments of `encode`, `decode`, `posterior` and `negative_elbo`.
    """
    condition = getattr(kept.model, "condition", None)
    if condition is None:
        return ()
    place = {name: position for position, name in enumerate(kept.classes)}
    return (condition(torch.tensor([place.get(label, UNLABELLED) for label in labels], dtype=torch.int64)),)


def _makes_images(kind: type[Method]) -> bool:
    return any(hasattr(kind, way) for way in LACKS)


def _read(folder: Path) -> GeneratorFile:
    try:
        file = from_json(GeneratorFile, (folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as problem:
        raise _refused(folder, f"{CONFIG} cannot be read: {_short(problem)}") from problem
    if file.schema > SCHEMA:
        raise _refused(
            folder, f"its schema is {file.schema}, this version reads up to {SCHEMA}", fix="upgrade hundredfold"
        )
    if not methods.problems(file.method, {}) and not _makes_images(methods.kind(file.method)):
        raise _refused(folder, f"{file.method} turns nothing back into images")
    return file


def _missing(run: Path, wanted: str) -> CheckpointError:
    able = " or ".join(info.name for info in methods.names() if hasattr(methods.kind(info.name), wanted))
    if not run.is_dir():
        return CheckpointError(f"there is no folder {run}", fix="name the folder of a run that has finished")
    if not (run / "encoder").is_dir() and not (run / "results.json").is_file():
        return CheckpointError(f"{run} is not a finished run", fix="name the folder of a run that has finished")
    return CheckpointError(
        f"the run {run} holds no generative model",
        why="its method learns features of images, and keeps nothing that turns features back into images",
        fix=f"pre-train with --method {able}",
    )


def _short(problem: Exception) -> str:
    return " ".join(str(problem).split())[:300] or type(problem).__name__


def _refused(folder: Path, why: str, *, fix: str = "train it again") -> CheckpointError:
    return CheckpointError(f"the generative model in {folder} cannot be used", why=why, fix=fix)
