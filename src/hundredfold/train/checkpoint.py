"""Checkpoints that survive a kill, a full disk and a flipped bit.

A checkpoint is a folder `step-00000123` of safetensors and JSON with a manifest of sizes and SHA-256 written last.
A folder whose manifest is missing or does not match is not a checkpoint: the one before it is taken, and that is
said. Nothing in it is ever executed.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from hundredfold import atomic
from hundredfold.errors import CheckpointError

NAME = re.compile(r"step-(\d{8,})")


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A checkpoint whose manifest matches.

    Attributes:
        folder: where it is.
        step: steps done when it was written.
        state: what the loop wrote beside the tensors, as plain JSON values.
        passed_over: newer folders that could not be trusted, one sentence each.
    """

    folder: Path
    step: int
    state: dict[str, object]
    passed_over: tuple[str, ...] = ()


def save(
    root: Path,
    *,
    step: int,
    method: nn.Module,
    optimizer: torch.optim.Optimizer,
    state: dict[str, object],
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
        atomic.write_tensors(folder / "method.safetensors", dict(method.state_dict()))
        atomic.write_tensors(folder / "optimizer.safetensors", _flat(optimizer))
        atomic.write_text(folder / "state.json", json.dumps({"step": step, **state}))
        atomic.write_manifest(folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)  # half a checkpoint helps nobody and fills the disk
        raise
    for old in _folders(root)[keep:]:
        shutil.rmtree(old, ignore_errors=True)
    return folder


def newest(root: Path) -> Checkpoint | None:
    """The newest checkpoint that can be trusted, or None if there is none."""
    passed_over: list[str] = []
    for folder in _folders(root):
        problems = atomic.check_manifest(folder)
        if not problems:
            state = json.loads((folder / "state.json").read_text())
            return Checkpoint(folder=folder, step=state.pop("step"), state=state, passed_over=tuple(passed_over))
        passed_over.append(f"{folder.name} is damaged ({problems[0]}) and was passed over")
    return None


def restore(checkpoint: Checkpoint, *, method: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Puts the tensors of a checkpoint into a method and its optimizer.

    Raises:
        CheckpointError: it belongs to another method or encoder.
    """
    try:
        method.load_state_dict(load_file(checkpoint.folder / "method.safetensors"))
        flat = load_file(checkpoint.folder / "optimizer.safetensors")
    except (RuntimeError, ValueError, OSError) as problem:
        raise CheckpointError(
            f"{checkpoint.folder} does not fit this run",
            why=str(problem).splitlines()[0],
            fix="resume with the settings of the run, or start in another folder",
        ) from problem
    parameters: dict[int, dict[str, Tensor]] = {}
    for name, tensor in flat.items():
        position, key = name.split(".", 1)
        parameters.setdefault(int(position), {})[key] = tensor
    optimizer.load_state_dict({"state": parameters, "param_groups": optimizer.state_dict()["param_groups"]})


def _flat(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimizer's tensors by 'parameter.key'; its settings come from the plan."""
    state = optimizer.state_dict()["state"]
    return {
        f"{position}.{key}": value for position, values in state.items() for key, value in values.items()
    }


def _folders(root: Path) -> list[Path]:
    """Checkpoint folders, newest first, trusted or not."""
    if not root.is_dir():
        return []
    return sorted((path for path in root.iterdir() if NAME.fullmatch(path.name)), reverse=True)
