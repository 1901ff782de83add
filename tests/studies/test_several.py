"""Two processes train together, and the caller takes up what they learnt; what fails in them is said here."""

import json
from pathlib import Path

import numpy as np
import pytest

import hundredfold
from hundredfold.errors import DivergedError, SettingsError


@pytest.fixture
def source(tmp_path: Path) -> str:
    images = np.random.default_rng(0).integers(0, 256, (80, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "images.npz", images=images)
    return str(tmp_path / "images.npz")


def test_two_processes_share_each_batch_and_one_writes(source: str, tmp_path: Path) -> None:
    out = tmp_path / "run"
    result = hundredfold.pretrain(source, out=out, epochs=2, batch_size=16, devices=2, precision="float32")
    assert result.training is not None
    assert result.training.steps == 2 * (67 // 16) and len(result.training.epochs) == 2
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    steps = [line["step"] for line in lines if "step_loss" in line]
    assert steps == sorted(set(steps))  # each step once: the second process is silent
    encoder = hundredfold.load_encoder(out)
    assert all(parameter.isfinite().all() for parameter in encoder.parameters())


def test_what_fails_in_a_process_is_raised_here(source: str, tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match="loss|gradient norm"):
        hundredfold.pretrain(
            source, out=tmp_path / "run", epochs=1, batch_size=16, devices=2, precision="float32", lr=1e30
        )


def test_arrays_cannot_be_shared_and_a_batch_must_divide(source: str, tmp_path: Path) -> None:
    images = np.zeros((40, 8, 8), dtype=np.uint8)
    with pytest.raises(SettingsError, match="a source that other processes can read"):
        hundredfold.pretrain(images, out=tmp_path / "a", devices=2)
    with pytest.raises(SettingsError, match="plan.batch_size 15 does not divide by devices 2"):
        hundredfold.pretrain(source, out=tmp_path / "b", devices=2, batch_size=15)
