"""`--dry-run`: everything is resolved and checked, a few steps are timed, and nothing is written."""

import pytest

from hundredfold.errors import CheckpointError, DataError, OutputError, SettingsError
from hundredfold.studies.estimate import estimate


def test_says_what_a_run_would_take_and_writes_nothing(toy, quick, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = estimate(toy, out=tmp_path / "run", **quick)
    assert list(tmp_path.iterdir()) == []
    assert found.settings["label_counts"] == (3,) and found.settings["encoder"] == "convnet"
    assert found.data.images == 120 and found.steps == 2 * 2
    assert found.pretrain_seconds == pytest.approx(found.steps * found.seconds_per_step) and found.seconds_per_step > 0
    weights = found.parameters * 4
    assert found.memory_bytes == 120 * 64 + 4 * weights and found.disk_bytes == 4 * 3 * weights
    assert any(note.startswith("precision: ") for note in found.notes)


def test_counts_the_parameters_of_encoder_and_head(toy):
    found = estimate(toy, labels=3, encoder_settings={"widths": (4,), "features": 16})
    convolutions = (1 * 4 * 9 + 4) + (4 * 4 * 9 + 4) + 2 * 2 * 4
    linear = 4 * 4 * 4 * 16 + 16 + 2 * 16
    assert found.parameters > convolutions + linear
    small = estimate(toy, labels=3, encoder_settings={"widths": (4,), "features": 16}, method_settings={"hidden": 8})
    assert small.parameters < found.parameters


def test_no_training_takes_no_time(toy, quick):
    settings = {**quick, "plan": {"epochs": 0, "batch_size": 32}}
    found = estimate(toy, **settings)
    assert (found.steps, found.seconds_per_step, found.pretrain_seconds) == (0, 0.0, 0.0)


def test_refuses_what_the_run_would_refuse(toy, quick, unbroken, tmp_path):
    (tmp_path / "photo.png").write_text("")
    with pytest.raises(OutputError, match="is not empty"):
        estimate(toy, out=tmp_path, **quick)
    with pytest.raises(SettingsError):
        estimate(toy, lr=-1)
    with pytest.raises(DataError):
        estimate("nowhere")
    with pytest.raises(CheckpointError):
        estimate(toy, run=tmp_path)
    with pytest.raises(SettingsError, match="too small for a convnet"):
        estimate(toy, labels=3, encoder_settings={"widths": (4, 4, 4, 4)})


def test_an_evaluation_pretrains_nothing(toy, unbroken):
    found = estimate(toy, run=unbroken, labels=3)
    assert found.steps == 0 and found.settings["encoder_settings"]["features"] == 16
    assert found.settings["init_from"] == str(unbroken)
