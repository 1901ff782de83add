"""Checkpoints that survive a kill, a full disk and a flipped bit.

A checkpoint is a folder `step-00000123` of safetensors and JSON with a manifest of sizes and SHA-256 written last.
A folder whose manifest is missing or does not match is not a checkpoint: the one before it is taken, and that is
said. Nothing in it is ever executed.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from hundredfold import atomic
from hundredfold.errors import CheckpointError

NAME = re.compile(r"step-(\d{8,})")
METHOD, OPTIMIZER, STATE = "method.safetensors", "optimizer.safetensors", "state.json"


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A checkpoint whose manifest matches.

    Attributes:
        folder: where it is.
        step: steps done when it was written.
        state: what the loop wrote beside the tensors, as plain JSON values.
    """

    folder: Path
    step: int
    state: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a folder of checkpoints holds.

    Attributes:
        newest: the newest that can be trusted, or None.
        damaged: newer folders that cannot, newest first.
        notes: one sentence for each of those.
    """

    newest: Checkpoint | None
    damaged: tuple[Path, ...]
    notes: tuple[str, ...]


def save(
    root: Path,
    *,
    step: int,
    method: nn.Module,
    optimizer: torch.optim.Optimizer,
    state: Mapping[str, Any],
    keep: int = 2,
) -> Path:
    """Writes the checkpoint of `step` and then removes the oldest ones beyond `keep`.

    Raises:
        ResourceError: the disk is full; the checkpoints before stay.
        OutputError: the folder cannot be written; the checkpoints before stay.
    """
    folder = root / f"step-{step:08d}"
    atomic.make_folder(folder)
    try:
        atomic.write_tensors(folder / METHOD, dict(method.state_dict()))
        atomic.write_tensors(folder / OPTIMIZER, _flat(optimizer))
        atomic.write_text(folder / STATE, json.dumps({"step": step, "optimizer": _kind(optimizer), **state}))
        atomic.write_manifest(folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)  # half a checkpoint helps nobody and fills the disk
        raise
    remove(_folders(root)[keep:])
    return folder


def find(root: Path) -> Found:
    """The newest checkpoint in `root` that can be trusted, and what had to be passed over on the way to it."""
    damaged: list[Path] = []
    notes: list[str] = []
    for folder in _folders(root):
        problems = atomic.check_manifest(folder)
        if not problems:
            return Found(newest=_read(folder), damaged=tuple(damaged), notes=tuple(notes))
        damaged.append(folder)
        notes.append(f"checkpoint {folder.name} is damaged or unfinished ({problems[0]}) and was passed over")
    if damaged:
        notes.append("no checkpoint can be trusted: training began again")
    return Found(newest=None, damaged=tuple(damaged), notes=tuple(notes))


def restore(checkpoint: Checkpoint, *, method: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Puts the tensors of a checkpoint into a method and its optimizer.

    Raises:
        CheckpointError: it belongs to another method, encoder or optimizer.
    """
    written = checkpoint.state.get("optimizer")
    if written != _kind(optimizer):
        raise unfit(checkpoint.folder, f"it was written by {written}, this run uses {_kind(optimizer)}")
    try:
        method.load_state_dict(load_file(checkpoint.folder / METHOD))
        state = _nested(load_file(checkpoint.folder / OPTIMIZER), optimizer)
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    except (RuntimeError, ValueError, LookupError, OSError, SafetensorError) as problem:
        raise unfit(checkpoint.folder, str(problem)) from problem


def remove(folders: Iterable[Path]) -> None:
    """Removes folders that cannot be trusted, so that they do not count among those that are kept."""
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def unfit(folder: Path, why: str) -> CheckpointError:
    """The error for a checkpoint that is whole and yet cannot be gone on from."""
    return CheckpointError(
        f"the checkpoint {folder} does not fit this run",
        why=" ".join(why.split())[:300],
        fix="resume with the settings of the run that wrote it, or start in another folder",
    )


def _read(folder: Path) -> Checkpoint:
    try:
        state = json.loads((folder / STATE).read_text())
        return Checkpoint(folder=folder, step=int(state.pop("step")), state=state)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as problem:
        raise unfit(folder, f"{STATE}: {problem}") from problem


def _kind(optimizer: torch.optim.Optimizer) -> str:
    return type(optimizer).__name__


def _flat(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimizer's tensors by 'parameter.key'; its settings come from the plan."""
    state = optimizer.state_dict()["state"]
    return {f"{position}.{key}": value for position, values in state.items() for key, value in values.items()}


def _nested(flat: Mapping[str, Tensor], optimizer: torch.optim.Optimizer) -> dict[int, dict[str, Tensor]]:
    """The inverse of `_flat`, each tensor laid out in memory as its parameter is.

    A fused optimizer walks through parameter and moments in the order of memory. Files know no order: moments read
    back row by row beside filters that are channels-last would be paired with the wrong weights, silently.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in flat.items():
        position, key = name.split(".", 1)
        parameter = parameters[int(position)].detach()
        if tensor.shape == parameter.shape:
            tensor = torch.empty_like(parameter, dtype=tensor.dtype).copy_(tensor)
        state.setdefault(int(position), {})[key] = tensor
    return state


def _folders(root: Path) -> list[Path]:
    """Checkpoint folders, newest first, trusted or not."""
    if not root.is_dir():
        return []
    named = [(match, path) for path in root.iterdir() if (match := NAME.fullmatch(path.name))]
    return [path for _, path in sorted(named, key=lambda pair: int(pair[0][1]), reverse=True)]
