"""The folder of a run: what lies in it, and what must not have changed when a run is resumed.

`studies.claim` says who may write into it.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from hundredfold import atomic
from hundredfold.data.split import Split
from hundredfold.errors import DataError, OutputError, SettingsError
from hundredfold.records import from_json, to_json
from hundredfold.settings import Table, differences, merge, read_toml, to_toml, toml_text
from hundredfold.studies.run_settings import RunSettings

LOCK, LOG = ".lock", "log.txt"
WRITTEN = (  # all that a run writes, in the order in which it goes: at no moment is what is left another run
    "results.json",
    "report.html",
    "predictions.csv",
    "suspects.csv",
    "checkpoints",
    "encoder",
    "generator",
    "exhibits",
    "classifier",
    "cells",
    "tensorboard",
    "pictures.safetensors",
    "metrics.jsonl",
    "splits.json",
    "data.json",
    "environment.json",
    ".worker-failure.json",
    LOG,
    "settings.toml",
    "asked.toml",
)
DECIDING = (  # what the last digits of a number depend on
    "hundredfold",
    "torch",
    "numpy",
    "scikit-learn",
    "processor",
    "accelerator",
    "device",
    "precision",
    "threads",
)


@dataclass(frozen=True, kw_only=True)
class DataFacts:
    """The content of `data.json`: what the run learns from, so that it is not resumed on anything else.

    Attributes:
        sha256: of what was read (see `prepare.fingerprint`).
        images, test_images: how many there are.
        notes: what was chosen from the data, and why.
    """

    sha256: str
    images: int
    test_images: int
    notes: tuple[str, ...]


class RunFolder:
    """The paths of a run folder.

    Args:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.settings = path / "settings.toml"
        self.asked = path / "asked.toml"
        self.environment = path / "environment.json"
        self.data = path / "data.json"
        self.splits = path / "splits.json"
        self.metrics = path / "metrics.jsonl"
        self.results = path / "results.json"
        self.pictures = path / "pictures.safetensors"
        self.checkpoints = path / "checkpoints"
        self.cells = path / "cells"
        self.encoder = path / "encoder"
        self.generator = path / "generator"
        self.exhibits = path / "exhibits"
        self.classifier = path / "classifier"
        self.predictions = path / "predictions.csv"
        self.suspects = path / "suspects.csv"
        self.tensorboard = path / "tensorboard"
        self.log = path / LOG

    def clear(self) -> None:
        """Removes the run in this folder; whatever else lies there stays.

        Raises:
            OutputError: something cannot be removed.
        """
        try:
            for name in WRITTEN:
                path = self.path / name
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
        except OSError as problem:
            raise OutputError(
                f"cannot remove the run in {self.path}",
                why=f"{problem.filename}: {problem.strerror}",
                fix="remove it by hand, or choose another --out",
            ) from problem

    def read_asked(self) -> Table:
        """The tables of `asked.toml`; none if no run was begun here."""
        return read_toml(self.asked) if self.asked.exists() else {}

    def write_settings(self, settings: RunSettings, asked: Table) -> None:
        """`settings.toml`, every setting resolved, and before it `asked.toml`, those that somebody asked for.

        Raises:
            SettingsError: the folder holds a run with other settings (when resuming).
        """
        text = to_toml(settings)
        if self.settings.exists():
            # What was asked for makes the same way through a file: there, tuples are lists.
            changed = differences(self.read_settings(), merge(RunSettings(), tomllib.loads(text)))
            if changed:
                raise SettingsError(
                    [f"{self.path} holds a run with other settings: {'; '.join(changed)}"],
                    fix="resume with the settings of that run, or choose another --out "
                    "(--init-from takes its weights only)",
                )
            return
        atomic.write_text(self.asked, toml_text(asked))
        atomic.write_text(self.settings, text)

    def read_settings(self) -> RunSettings:
        """The settings of the run in this folder."""
        return merge(RunSettings(), read_toml(self.settings))

    def write_data(self, facts: DataFacts) -> DataFacts:
        """`data.json`, and what it holds: when resuming, the facts that the run began with.

        Raises:
            DataError: the data are not those that the run began with.
        """
        if not self.data.exists():
            atomic.write_text(self.data, to_json(facts))
            return facts
        try:
            known = from_json(DataFacts, self.data.read_text())
        except (OSError, ValueError) as problem:
            raise OutputError(f"cannot read {self.data}", why=str(problem), fix="start in another folder") from problem
        if known.sha256 != facts.sha256:
            raise DataError(
                f"the data are not those that the run in {self.path} began with",
                why=f"then {known.images:,} images and {known.test_images:,} to test on, now {facts.images:,} and "
                f"{facts.test_images:,}; or images, labels or names changed",
                fix="resume with the same data, or start in another folder (--init-from takes the weights only)",
            )
        return known

    def write_environment(self, *, precision: str, device: str, seed: int, command: list[str]) -> list[str]:
        """`environment.json`: versions, machine, precision, seed and command line. No host or user name.

        Returns:
            When resuming, one sentence for each thing that is not as it was and may move the last digits.
        """
        now: dict[str, Any] = {
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
        }
        if self.environment.exists():
            with contextlib.suppress(OSError, ValueError):
                return _moved(json.loads(self.environment.read_text()), now)
        atomic.write_text(self.environment, json.dumps(now, indent=1))
        return []

    def write_splits(self, split: Split) -> None:
        """`splits.json`: positions in the images to learn from (and in the test set, if the source brings one)."""
        if self.splits.exists():  # settings and data are those of before, so is this
            return
        content = {
            "unlabelled": split.pool.tolist(),
            "validation": split.validation.tolist(),
            "test": split.test.tolist(),
            "labelled": [draw.tolist() for draw in split.draws],
        }
        atomic.write_text(self.splits, json.dumps(content))


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


def _moved(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    old, new = ({**facts, **facts.get("versions", {}), **facts.get("machine", {})} for facts in (before, now))
    return [
        f"{name} was {old[name]} when the run began and is {new[name]} now: the last digits may differ"
        for name in DECIDING
        if name in old and old[name] != new[name]
    ]
