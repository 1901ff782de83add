"""A small set of easy images, quick settings, and real processes to interrupt."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hundredfold
from hundredfold.encoders.build import encoder
from hundredfold.settings import toml_text
from hundredfold.studies.evaluation import Evaluation
from hundredfold.studies.prepare import prepare

Arrays = tuple[np.ndarray, np.ndarray]
SMALL = {"widths": (8, 16), "features": 32}


@pytest.fixture(scope="session")
def toy() -> Arrays:
    """120 images of three classes, 8x8 uint8, and their labels."""
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 3
    prototypes = rng.integers(0, 256, (3, 8, 8))
    noisy = prototypes[labels] + rng.integers(-60, 61, (120, 8, 8))
    return noisy.clip(0, 255).astype(np.uint8), labels


@pytest.fixture(scope="session")
def toy_file(toy: Arrays, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("toy") / "toy.npz"
    np.savez(path, images=toy[0], labels=toy[1])
    return path


@pytest.fixture(scope="session")
def quick() -> dict[str, Any]:
    """Settings for a run of a second: 2 epochs of 2 steps; 2 draws of a label a class, so nothing to cross-validate."""
    return {
        "labels": 3,
        "draws": 2,
        "models": ("pixels", "linear_probe", "finetune"),
        "plan": {"epochs": 2, "batch_size": 32},
        "encoder_settings": {"widths": (4,), "features": 16, "dropout": 0.1},
        "method_settings": {"hidden": 16, "projection": 8},
        "finetune": {"steps": 3},
    }


@pytest.fixture(scope="session")
def quick_toml(quick: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same settings as a file."""
    path = tmp_path_factory.mktemp("settings") / "quick.toml"
    path.write_text(toml_text(quick))
    return path


@pytest.fixture(scope="session")
def evaluated(toy: Arrays) -> Callable[..., Evaluation]:
    """evaluated(folder, source=..., **settings): the evaluation of a run whose encoder is a small random one."""

    def of(folder: Path, source: Any = None, stop: Any = None, **settings: Any) -> Evaluation:
        given: dict[str, Any] = {
            "labels": 12,
            "draws": 1,
            "label_counts": (12,),
            "models": ("knn", "linear_probe", "label_propagation", "finetune"),
            "plan": {"batch_size": 32},
            "finetune": {"steps": 5},
            "pseudo_label": {"steps": 5, "batch_size": 32},
            "fixmatch": {"steps": 5, "batch_size": 32},
        }
        prepared = prepare(toy if source is None else source, {**given, **settings}, needs_labels=True)
        small = {"widths": (4,), "features": 16}
        start = encoder("convnet", channels=1, size=(8, 8), mean=[0.5], std=[0.3], settings=small, seed=0)
        return Evaluation(prepared, start, folder, stop=stop)

    return of


@pytest.fixture(scope="session")
def unbroken(toy_file: Path, quick: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run that nothing came in the way of. Not to be changed: copy it."""
    folder = tmp_path_factory.mktemp("unbroken") / "run"
    hundredfold.run(str(toy_file), out=folder, **quick)
    return folder


@pytest.fixture(scope="session")
def mosaics() -> Arrays:
    """240 images of three classes, 8x8 uint8, and their labels: a mosaic of 16 tiles for each class, and noise."""
    rng = np.random.default_rng(0)
    labels = np.arange(240) % 3
    tiles = rng.integers(0, 256, (3, 4, 4)).repeat(2, axis=1).repeat(2, axis=2)
    noisy = tiles[labels] + rng.integers(-30, 31, (240, 8, 8))
    return noisy.clip(0, 255).astype(np.uint8), labels


@pytest.fixture(scope="session")
def mosaics_file(mosaics: Arrays, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mosaics") / "mosaics.npz"
    np.savez(path, images=mosaics[0], labels=mosaics[1])
    return path


EPOCHS = {"vae": 12, "conditional_vae": 12, "autoencoder": 8, "denoising_autoencoder": 8, "diffusion": 20}
ENCODERS = {
    "mae": {},
    "diffusion": {"encoder_settings": {"widths": (8, 16), "groups": 4}},
}  # of those that take their own


@pytest.fixture(scope="session")
def pretrained(mosaics_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """pretrained("vae"): a finished pre-training on the mosaics, made once. Not to be changed: copy it."""
    folder = tmp_path_factory.mktemp("pretrained")

    def of(method: str) -> Path:
        out = folder / method
        if not out.exists():
            hundredfold.pretrain(
                str(mosaics_file),
                out=out,
                method=method,
                epochs=EPOCHS.get(method, 3),
                batch_size=32,
                lr=0.01,
                **ENCODERS.get(method, {"encoder": "convnet", "encoder_settings": SMALL}),
            )
        return out

    return of


@pytest.fixture
def copied(pretrained: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    """copied("vae"): a copy of that run, which may be changed."""
    return lambda method: shutil.copytree(pretrained(method), tmp_path / f"copy of {method}")


@pytest.fixture(scope="session")
def hashes() -> Callable[[Path], dict[str, str]]:
    """SHA-256 of what a run hands over."""

    def of(run: Path) -> dict[str, str]:
        names = ("encoder/model.safetensors", "classifier/model.safetensors", "classifier/encoder/model.safetensors")
        return {name: hashlib.sha256((run / name).read_bytes()).hexdigest() for name in names}

    return of


@pytest.fixture(scope="session")
def findings() -> Callable[[Path], dict[str, Any]]:
    """`results.json` without what clocks and gauges say and without the notes on resuming."""

    def of(run: Path) -> dict[str, Any]:
        found = json.loads((run / "results.json").read_text())
        clocks = ("seconds", "images_per_second", "data_wait", "peak_bytes")

        def timeless(value: Any) -> Any:
            if isinstance(value, dict):
                return {name: timeless(inner) for name, inner in value.items() if name not in clocks}
            return [timeless(inner) for inner in value] if isinstance(value, list) else value

        result: dict[str, Any] = timeless(found)
        result["training"].pop("notes")
        result["notes"] = [note for note in result["notes"] if "training" not in note and "checkpoint" not in note]
        return result

    return of


class Processes:
    """Runs `hundredfold` commands as processes of their own (see `zygote.py`)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.zygote = subprocess.Popen(
            [sys.executable, str(Path(__file__).parent / "zygote.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    def __call__(
        self, *arguments: Any, at: str = "", count: int = 1, when: str = "before", signal: int = 9
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command; with `at` it is struck by `signal` there."""
        strike = {"signal": signal, "at": at, "count": count, "when": when} if at else None
        request = {"arguments": [*map(str, arguments)], "folder": str(self.folder), "strike": strike}
        assert self.zygote.stdin and self.zygote.stdout
        self.zygote.stdin.write(json.dumps(request) + "\n")
        self.zygote.stdin.flush()
        status = int(self.zygote.stdout.readline())
        out, err = ((self.folder / name).read_text() for name in ("stdout", "stderr"))
        return subprocess.CompletedProcess([*map(str, arguments)], status, out, err)


@pytest.fixture(scope="session")
def hundredfold_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    processes = Processes(tmp_path_factory.mktemp("processes"))
    yield processes
    assert processes.zygote.stdin and processes.zygote.stdout
    processes.zygote.stdin.close()
    processes.zygote.wait(timeout=30)
    processes.zygote.stdout.close()
