"""Commands called as a shell would, in this process: status, stdout and stderr."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from hundredfold.cli import main


class Said(NamedTuple):
    """What a command returned and printed."""

    status: int
    out: str
    err: str


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """call("run", path, "--quiet"): the command's exit status and what it said."""

    def called(*arguments: Any) -> Said:
        capsys.readouterr()
        with pytest.raises(SystemExit) as leaving:
            main([*map(str, arguments)])
        captured = capsys.readouterr()
        assert isinstance(leaving.value.code, int)
        return Said(leaving.value.code, captured.out, captured.err)

    return called


@pytest.fixture(scope="session")
def toy_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """90 images of three classes, 8x8."""
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 3
    noisy = rng.integers(0, 256, (3, 8, 8))[labels] + rng.integers(-60, 61, (90, 8, 8))
    path = tmp_path_factory.mktemp("toy") / "toy.npz"
    np.savez(path, images=noisy.clip(0, 255).astype(np.uint8), labels=labels)
    return path


@pytest.fixture(scope="session")
def quick() -> list[str]:
    """Options that make a run short."""
    return [
        "--labels=3",
        "--draws=1",
        "--epochs=1",
        "--batch-size=16",
        "--set=models=['pixels', 'linear_probe']",
        "--set=encoder_settings={widths=[4], features=16}",
    ]


@pytest.fixture(scope="session")
def finished(toy_file: Path, quick: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run. Not to be changed."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    with pytest.raises(SystemExit) as leaving:
        main(["run", str(toy_file), *quick, "--out", str(folder), "--quiet"])
    assert leaving.value.code == 0
    return folder
