"""What a folder of another tool's model says of itself: descriptions as JSON, weights as safetensors.

A pickle (.bin, .pt, .pkl, ...) runs whatever code lies in it when it is opened, so none is ever opened here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hundredfold.errors import CheckpointError

CLASSES = "classes.json"
PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt")


def description(folder: Path, name: str) -> dict[str, Any]:
    """The JSON object in the file `name` of a folder.

    Raises:
        CheckpointError: there is none, or it is something else.
    """
    try:
        found = json.loads((folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise CheckpointError(f"{folder / name} cannot be read", why=short(problem)) from problem
    if not isinstance(found, dict):
        raise CheckpointError(f"{folder / name} does not hold a JSON object", why=f"it holds a {type(found).__name__}")
    return found


def class_names(folder: Path, *, most: int) -> tuple[str, ...]:
    """The names in the folder's `classes.json`, a list in the order of conditions; "0", "1", ... without that file.

    Args:
        folder: of the model.
        most: how many classes the model can be asked for. Fewer may be named, the first ones: where the last row of an
            embedding stands for "no class", its name is left out.

    Raises:
        CheckpointError: the file is no list of 1 to `most` different names.
    """
    path = folder / CLASSES
    if not path.is_file():
        return tuple(map(str, range(most)))
    try:
        names = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise CheckpointError(f"{path} cannot be read", why=short(problem)) from problem
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise CheckpointError(f"{path} must be a list of names", fix='for instance ["cat", "dog"]')
    if not 1 <= len(names) <= most or len(set(names)) < len(names):
        raise CheckpointError(
            f"{path} must hold 1 to {most} different names",
            why=f"it holds {len(names)}, of which {len(set(names))} are different",
        )
    return tuple(names)


def needs_safetensors(folder: Path) -> None:
    """Nothing, if there are safetensors weights.

    Raises:
        CheckpointError: there are none.
    """
    if any(folder.glob("*.safetensors")):
        return
    if found := pickles(folder):
        raise refused_pickles(folder, found)
    raise CheckpointError(f"{folder} holds no weights", fix="name a folder with a .safetensors file")


def pickles(folder: Path) -> tuple[str, ...]:
    """Names of files in the folder that look like pickles."""
    return tuple(sorted(path.name for path in folder.glob("*") if path.suffix.lower() in PICKLES))


def refused_pickles(folder: Path, names: tuple[str, ...]) -> CheckpointError:
    """What to say of a folder whose weights lie in pickles alone."""
    return CheckpointError(
        f"{folder} holds its weights as pickles alone ({', '.join(names)}), and those are not opened",
        why="opening a pickle runs the code that lies in it",
        fix="save them once as safetensors where you trust their source (safetensors.torch.save_model)",
    )


def short(problem: Exception) -> str:
    """The first 300 characters of what went wrong, on one line."""
    return " ".join(str(problem).split())[:300] or type(problem).__name__
