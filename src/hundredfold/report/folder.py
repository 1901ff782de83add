"""What a report is made of: the records of a run folder, read and nothing more.

`results.json` is needed; what else is missing or damaged leaves a gap on the page and a note that says so.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file

from hundredfold.errors import DataError
from hundredfold.records import SCHEMA, RunResult, from_json
from hundredfold.study_records import StudyResult

Result = TypeVar("Result", RunResult, StudyResult)


@dataclass(frozen=True, kw_only=True, eq=False)
class RunFolder:
    """A run as it was written down.

    Attributes:
        name: of the folder, without what is above it.
        result: `results.json`.
        settings: `settings.toml`, or empty.
        environment: `environment.json`, or empty.
        unlabelled: images that pre-training learnt from, as `splits.json` lists them, or None.
        pictures: arrays of `pictures.safetensors` by name, each [k, c, h, w] uint8; or empty.
        gaps: sentences on what could not be read.
    """

    name: str
    result: RunResult
    settings: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    unlabelled: int | None = None
    pictures: Mapping[str, np.ndarray] = field(default_factory=dict)
    gaps: tuple[str, ...] = ()


def read_run(folder: Path) -> RunFolder:
    """The records of a run folder.

    Raises:
        DataError: `results.json` is missing, damaged, or of a newer version.
    """
    gaps: list[str] = []
    indices = _json(folder / "splits.json", "how many images were learnt from is not exact", gaps).get("unlabelled")
    return RunFolder(
        name=folder.resolve().name,
        result=read_result(folder, RunResult),
        settings=_toml(folder / "settings.toml", gaps),
        environment=_json(folder / "environment.json", "versions and machine are not shown", gaps),
        unlabelled=len(indices) if isinstance(indices, list) else None,
        pictures=_pictures(folder / "pictures.safetensors", gaps),
        gaps=tuple(gaps),
    )


def read_result(folder: Path, kind: type[Result]) -> Result:
    """The `results.json` of a run or of a study.

    Raises:
        DataError: it is missing, damaged, or of a newer version.
    """
    path, name = folder / "results.json", "study" if kind is StudyResult else "run"
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError) as missing:
        raise DataError(
            f"no results in {folder}",
            why=f"{path} does not exist",
            fix=f"name the folder of a {name} that has finished, or finish it with `--resume`",
        ) from missing
    except (OSError, UnicodeDecodeError) as problem:
        raise DataError(f"cannot read {path}", why=str(problem), fix="run again, or restore the file") from problem
    try:
        result = from_json(kind, text)
    except ValidationError as problem:
        first = problem.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise DataError(
            f"{path} is damaged, or not that of a {name}",
            why=f"{place}: {first['msg']} ({problem.error_count()} in all)",
            fix="run again with `--resume`, or restore the file",
        ) from problem
    if result.schema > SCHEMA:
        why = f"it has schema {result.schema}; this version reads up to {SCHEMA}"
        raise DataError(f"{path} was written by a newer version", why=why, fix="upgrade hundredfold")
    return result


def holds_study(folder: Path) -> bool:
    """Whether the `results.json` in a folder is that of a study; False if it is not there or cannot be read."""
    return "study" in _json(folder / "results.json", "", [])


def _toml(path: Path, gaps: list[str]) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        gaps.append(f"There is no {path.name}: the settings are not shown.")
    except (OSError, ValueError, RecursionError) as problem:
        gaps.append(f"{path.name} cannot be read ({problem}): the settings are not shown.")
    return {}


def _json(path: Path, consequence: str, gaps: list[str]) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as problem:
        gaps.append(f"{path.name} cannot be read ({problem}): {consequence}.")
        return {}
    return content if isinstance(content, dict) else {}


def _pictures(path: Path, gaps: list[str]) -> Mapping[str, np.ndarray]:
    try:
        arrays = load_file(path)
    except FileNotFoundError:
        return {}
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as problem:
        gaps.append(f"{path.name} cannot be read ({problem}): views and mistakes are shown without pictures.")
        return {}
    return {name: array for name, array in arrays.items() if array.ndim == 4 and array.dtype == np.uint8}
