"""`embed` and `predict` on a finished run: input order, file types, other image forms, and runs that cannot serve."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

import hundredfold
from hundredfold.data.images import MemoryPixels
from hundredfold.errors import CheckpointError, DataError, SettingsError


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inference") / "run"
    hundredfold.run("digits", out=folder, labels=50, draws=1, epochs=2, models=("linear_probe",), label_counts=(50,))
    return folder


def test_embed_gives_one_row_an_image_in_input_order(run: Path, tmp_path: Path) -> None:
    images = load_digits().images[:30].astype(np.float32) / 16
    whole = hundredfold.embed(run, images, to=tmp_path / "rows.npz")
    assert whole.features.shape == (30, 512) and whole.features.dtype == torch.float32
    backwards = hundredfold.embed(run, images[::-1].copy())
    torch.testing.assert_close(backwards.features.flip(0), whole.features)
    stored = np.load(tmp_path / "rows.npz", allow_pickle=False)
    np.testing.assert_array_equal(stored["features"], whole.features.numpy())
    assert stored["names"].tolist() == list(whole.names)


def test_csv_and_parquet_hold_the_same_numbers(run: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    images = load_digits().images[:5].astype(np.float32) / 16
    found = hundredfold.embed(run, images, to=tmp_path / "rows.csv")
    hundredfold.embed(run, images, to=tmp_path / "rows.parquet")
    rows = list(csv.reader((tmp_path / "rows.csv").read_text().splitlines()))
    assert rows[0][:2] == ["name", "feature_0"] and len(rows) == 6
    np.testing.assert_allclose(np.array(rows[1][1:], dtype=np.float32), found.features[0].numpy())
    table = parquet.read_table(tmp_path / "rows.parquet")
    np.testing.assert_array_equal(np.stack(table["features"].to_numpy()), found.features.numpy())


def test_predict_is_the_probe_that_was_scored(run: Path, tmp_path: Path) -> None:
    source = hundredfold.read("digits").train
    found = hundredfold.predict(run, "digits", to=tmp_path / "labels.csv")
    split = torch.tensor(json.loads((run / "splits.json").read_text())["test"])
    truth = [source.classes[label] for label in source.labels[split].tolist()]
    predicted = [found.labels[position] for position in split.tolist()]
    accuracy = sum(a == b for a, b in zip(truth, predicted)) / len(truth)
    record = hundredfold.run(
        "digits", out=run, resume=True, labels=50, draws=1, epochs=2, models=("linear_probe",), label_counts=(50,)
    ).records[0]
    assert accuracy == pytest.approx(record.accuracy)
    rows = list(csv.DictReader((tmp_path / "labels.csv").read_text().splitlines()))
    assert len(rows) == len(source)
    assert [row["label"] for row in rows] == list(found.labels)
    shares = [float(rows[7][f"probability_{name}"]) for name in found.classes]
    assert sum(shares) == pytest.approx(1, abs=1e-4) and float(rows[7]["probability"]) == pytest.approx(max(shares))


def test_images_of_another_form_are_brought_to_the_encoders(run: Path) -> None:
    grey = load_digits().images[:4].astype(np.float32) / 16
    colour = np.repeat(grey[..., None], 3, axis=3)
    plain, coloured = hundredfold.embed(run, grey), hundredfold.embed(run, colour)
    torch.testing.assert_close(plain.features, coloured.features, atol=1e-3, rtol=1e-3)
    larger = np.kron(grey, np.ones((1, 4, 4), dtype=np.float32))
    assert hundredfold.embed(run, larger).features.shape == (4, 512)
    with pytest.raises(DataError, match="5 channels cannot be brought to 1"):
        hundredfold.embed(run, np.zeros((3, 8, 8, 5), dtype=np.uint8))


def test_file_types_and_folders_that_cannot_be(run: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"unknown file type '.cvs': did you mean '.csv'"):
        hundredfold.predict(run, "digits", to=tmp_path / "labels.cvs")
    with pytest.raises(SettingsError, match="there is no folder"):
        hundredfold.embed(run, "digits", to=tmp_path / "nowhere" / "rows.npz")


def test_a_folder_that_is_no_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError):
        hundredfold.embed(tmp_path, "digits")
    with pytest.raises(CheckpointError, match="holds no classifier"):
        hundredfold.predict(tmp_path, "digits")


def test_a_damaged_classifier_is_not_used(run: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    weights = copy / "classifier" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-3] ^= 1
    weights.write_bytes(bytes(content))
    with pytest.raises(CheckpointError, match="cannot be trusted"):
        hundredfold.predict(copy, "digits")


def test_names_that_a_spreadsheet_would_run_are_disarmed(run: Path, tmp_path: Path) -> None:
    from PIL import Image

    folder = tmp_path / "images"
    folder.mkdir()
    Image.new("L", (8, 8), 100).save(folder / "=cmd.png")
    Image.new("L", (8, 8), 10).save(folder / "plain.png")
    hundredfold.predict(run, str(folder), to=tmp_path / "labels.csv")
    names = [row["name"] for row in csv.DictReader((tmp_path / "labels.csv").read_text().splitlines())]
    assert names == ["'=cmd.png", "plain.png"]
    assert isinstance(hundredfold.read(str(folder)).train.pixels, MemoryPixels)
