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
from hundredfold.exhibit_records import Exhibit
from hundredfold.records import SCHEMA, RunResult, from_json
from hundredfold.study_records import StudyResult
from hundredfold.transfer_records import TransferResult

Result = TypeVar("Result", RunResult, StudyResult, TransferResult)

NAMES: Mapping[type, str] = {RunResult: "run", StudyResult: "study", TransferResult: "transfer"}
TRANSFER = TransferResult.study  # what a transfer's `results.json` says it is

EXHIBIT_SCHEMA = Exhibit(name="", title="").schema  # that this version writes, and the newest that it reads


@dataclass(frozen=True, kw_only=True, eq=False)
class StoredExhibit:
    """An exhibit as it was written down.

    Attributes:
        file: the name of its file, without the ending.
        record: `exhibits/NAME.json`.
        pictures: arrays of `exhibits/NAME.safetensors` by key, each [n, c, h, w] uint8; or empty.
    """

    file: str
    record: Exhibit
    pictures: Mapping[str, np.ndarray] = field(default_factory=dict)


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
        exhibits: what lies in `exhibits/`, by the names of the files.
        gaps: sentences on what could not be read.
    """

    name: str
    result: RunResult
    settings: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    unlabelled: int | None = None
    pictures: Mapping[str, np.ndarray] = field(default_factory=dict)
    exhibits: tuple[StoredExhibit, ...] = ()
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
        pictures=_pictures(folder / "pictures.safetensors", "views and mistakes are shown without pictures", gaps),
        exhibits=read_exhibits(folder / "exhibits", gaps),
        gaps=tuple(gaps),
    )


def read_result(folder: Path, kind: type[Result]) -> Result:
    """The `results.json` of a run, of a study, or of a transfer.

    Raises:
        DataError: it is missing, damaged, or of a newer version.
    """
    path, name = folder / "results.json", NAMES[kind]
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


def read_exhibits(folder: Path, gaps: list[str]) -> tuple[StoredExhibit, ...]:
    """The exhibits in a folder, by name; for each that cannot be read, or only in part, a sentence goes to `gaps`."""
    found = []
    for path in sorted(folder.glob("*.json")):
        record = _exhibit(path, gaps)
        if record is None:
            continue
        kept = _exhibit_pictures(path.with_suffix(".safetensors"), gaps) if record.rows else {}
        found.append(StoredExhibit(file=path.stem, record=record, pictures=kept))
    return tuple(found)


def holds_study(folder: Path) -> bool:
    """Whether the `results.json` in a folder is that of a study; False if it is not there or cannot be read."""
    return "study" in _json(folder / "results.json", "", [])


def holds_transfer(folder: Path) -> bool:
    """Whether the `results.json` in a folder is that of a transfer; False if it is not there or cannot be read."""
    return _json(folder / "results.json", "", []).get("study") == TRANSFER


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


def _exhibit(path: Path, gaps: list[str]) -> Exhibit | None:
    name = f"exhibits/{path.name}"
    try:
        record = from_json(Exhibit, path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as problem:
        why = str(problem).splitlines()[0]  # pydantic goes on with a line for each field
        gaps.append(f"{name} cannot be read ({why}): it is not shown.")
        return None
    if record.schema > EXHIBIT_SCHEMA:
        gaps.append(f"{name} was written by a newer version: it is not shown.")
        return None
    return record


def _exhibit_pictures(path: Path, gaps: list[str]) -> Mapping[str, np.ndarray]:
    if path.is_file():
        return _pictures(path, "it is shown without pictures", gaps, name=f"exhibits/{path.name}")
    gaps.append(f"There is no exhibits/{path.name}: it is shown without pictures.")
    return {}


def _pictures(path: Path, consequence: str, gaps: list[str], *, name: str = "") -> Mapping[str, np.ndarray]:
    try:
        arrays = load_file(path)
    except FileNotFoundError:
        return {}
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as problem:
        gaps.append(f"{name or path.name} cannot be read ({problem}): {consequence}.")
        return {}
    return {name: array for name, array in arrays.items() if array.ndim == 4 and array.dtype == np.uint8}
