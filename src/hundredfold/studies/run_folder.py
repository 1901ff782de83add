"""The folder of a run: who may write into it, and what is in it.

One process at a time (a lock that the system releases when the process dies). A folder that already holds something
is touched only when asked: `resume` goes on with the run in it, `overwrite` removes what a run writes, nothing else.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import torch

from hundredfold import atomic
from hundredfold.data.split import Split
from hundredfold.errors import OutputError, ResourceError, SettingsError
from hundredfold.settings import differences, merge, read_toml, to_toml
from hundredfold.studies.run_settings import RunSettings

LOCK = ".lock"
LOG = "log.txt"
FILES = ("settings.toml", "environment.json", "splits.json", "metrics.jsonl", "results.json", "report.html")
FILES_TOO = ("pictures.safetensors", LOG)
FOLDERS = ("checkpoints", "encoder", "classifier", "cells", "tensorboard")


class RunFolder:
    """The paths of a run folder.

    Args:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.settings = path / "settings.toml"
        self.environment = path / "environment.json"
        self.splits = path / "splits.json"
        self.metrics = path / "metrics.jsonl"
        self.results = path / "results.json"
        self.pictures = path / "pictures.safetensors"
        self.checkpoints = path / "checkpoints"
        self.cells = path / "cells"
        self.encoder = path / "encoder"
        self.classifier = path / "classifier"
        self.tensorboard = path / "tensorboard"
        self.log = path / "log.txt"

    def write_settings(self, settings: RunSettings) -> None:
        """`settings.toml`, every setting resolved.

        Raises:
            SettingsError: the folder holds a run with other settings (when resuming).
        """
        if self.settings.exists():
            changed = differences(self.read_settings(), settings)
            if changed:
                raise SettingsError(
                    [f"{self.path} holds a run with other settings: {'; '.join(changed)}"],
                    fix="resume with the settings of that run, or choose another --out "
                    "(--init-from takes its weights only)",
                )
            return
        atomic.write_text(self.settings, to_toml(settings))

    def read_settings(self) -> RunSettings:
        """The settings of the run in this folder."""
        return merge(RunSettings(), read_toml(self.settings))

    def write_environment(self, *, precision: str, device: str, seed: int, command: list[str]) -> None:
        """`environment.json`: versions, machine, precision, seed and command line. No host or user name."""
        atomic.write_text(
            self.environment,
            json.dumps(
                {
                    "command": command,
                    "versions": versions(),
                    "machine": {
                        "system": platform.system(),
                        "processor": processor(),
                        "cores": os.cpu_count(),
                        "threads": torch.get_num_threads(),
                        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
                    },
                    "precision": precision,
                    "device": device,
                    "seed": seed,
                },
                indent=1,
            ),
        )

    def write_splits(self, split: Split) -> None:
        """`splits.json`: positions in the images to learn from (and in the test set, if the source brings one)."""
        content = {
            "unlabelled": split.pool.tolist(),
            "validation": split.validation.tolist(),
            "test": split.test.tolist(),
            "labelled": [draw.tolist() for draw in split.draws],
        }
        atomic.write_text(self.splits, json.dumps(content))


@contextmanager
def claimed(path: Path, *, resume: bool = False, overwrite: bool = False) -> Iterator[RunFolder]:
    """The folder, made if needed, proved writable, and locked for as long as the context lasts.

    Raises:
        OutputError: it cannot be written, is not empty, or another process is using it.
    """
    lock = _lock(path)
    try:
        _prepare(path, resume=resume, overwrite=overwrite)
        yield RunFolder(path)
    finally:
        lock.close()


def free_name(source: str, method: str) -> Path:
    """A folder under `runs/` that does not exist yet, named after what runs."""
    stem = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in Path(source).name)[:40]
    base = Path("runs") / f"{stem or 'run'}-{method}"
    candidate, number = base, 1
    while candidate.exists():
        number += 1
        candidate = base.with_name(f"{base.name}-{number}")
    return candidate


def require_room(path: Path, needed: int) -> None:
    """Raises ResourceError unless `needed` bytes are free where `path` is."""
    free = shutil.disk_usage(path).free
    if free < needed:
        raise ResourceError(
            f"not enough room in {path}",
            why=f"the run needs about {needed / 1e6:,.0f} MB for checkpoints and results, {free / 1e6:,.0f} MB are free",
            fix="free some space, or choose another --out",
        )


def versions() -> dict[str, str]:
    """Versions of Python, of this package and of what numbers depend on."""
    from importlib.metadata import version

    packages = ("hundredfold", "torch", "numpy", "scikit-learn", "safetensors", "pillow")
    return {"python": sys.version.split()[0], **{name: version(name) for name in packages}}


def processor() -> str:
    """The processor's model as the system names it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _lock(path: Path) -> IO[Any]:
    try:
        path.mkdir(parents=True, exist_ok=True)
        file = (path / LOCK).open("a+")
    except OSError as problem:
        raise OutputError(
            f"cannot write into {path}",
            why=problem.strerror or str(problem),
            fix="choose a folder that can be written with --out",
        ) from problem
    try:
        import fcntl
    except ImportError:  # not POSIX: no lock, as before
        return file
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as problem:
        file.seek(0)
        holder = file.read().strip() or "another process"
        file.close()
        raise OutputError(
            f"{path} is in use by {holder}",
            fix="wait for that run to end, or choose another --out",
        ) from problem
    file.truncate(0)
    file.write(f"process {os.getpid()}")
    file.flush()
    return file


def _prepare(path: Path, *, resume: bool, overwrite: bool) -> None:
    there = sorted(item.name for item in path.iterdir() if item.name not in (LOCK, LOG))
    if resume and overwrite:
        raise SettingsError(["--resume and --overwrite exclude each other"])
    if there and not resume and not overwrite:
        raise OutputError(
            f"{path} is not empty",
            why=f"it holds {', '.join(there[:5])}{', ...' if len(there) > 5 else ''}",
            fix="--resume goes on with the run in it, --overwrite replaces it, --out chooses another folder",
        )
    if overwrite:
        for name in (*FILES, *FILES_TOO):
            (path / name).unlink(missing_ok=True)
        for name in FOLDERS:
            shutil.rmtree(path / name, ignore_errors=True)
    atomic.sweep(path)
