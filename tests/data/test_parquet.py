from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from hundredfold.data.read import ReadOptions, read
from hundredfold.errors import DataError

pyarrow = pytest.importorskip("pyarrow")


def png(value: int) -> bytes:
    stream = io.BytesIO()
    Image.new("L", (4, 4), value).save(stream, "PNG")
    return stream.getvalue()


def write(path: Path, columns: dict[str, list[object]], names: list[str] | None = None) -> None:
    from pyarrow import parquet

    table = pyarrow.table(columns)
    if names is not None:
        features = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": names}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table, path, row_group_size=2)


def structs(*values: int | None) -> list[object]:
    return [{"bytes": None if value is None else png(value), "path": None} for value in values]


def values(images) -> list[int]:
    return images.take(torch.arange(len(images)))[:, 0, 0, 0].tolist()


def test_structs_with_class_names_from_the_metadata(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", {"image": structs(5, 6, 7), "label": [1, 0, -1]}, ["zebra", "ant"])
    images = read(tmp_path / "a.parquet").train
    assert values(images) == [5, 6, 7]
    assert images.classes == ("zebra", "ant")  # the order of the file, not of the alphabet
    assert images.labels.tolist() == [1, 0, -1]
    assert images.names[2] == "a.parquet row 2"


@pytest.mark.parametrize("labels", [["b", None, "a"], [1, None, 0]])
def test_bare_bytes_and_labels_without_names(tmp_path: Path, labels: list[object]) -> None:
    write(tmp_path / "a.parquet", {"id": [1, 2, 3], "img": [png(1), png(2), png(3)], "class": labels})
    images = read(tmp_path / "a.parquet").train
    assert images.labels.tolist() == [1, -1, 0] and values(images) == [1, 2, 3]


def test_rows_that_name_files_and_rows_without_images(tmp_path: Path, write_png) -> None:
    write_png("b.png", value=9)
    rows: list[object] = [
        {"bytes": png(1), "path": "x"},
        {"bytes": None, "path": "b.png"},
        {"bytes": None, "path": None},
    ]
    write(tmp_path / "a.parquet", {"image": [*rows, {"bytes": b"junk", "path": None}]})
    images = read(tmp_path / "a.parquet").train
    assert values(images)[0] == 1
    assert [file.path for file in images.bad_files] == ["a.parquet row 2", "a.parquet row 3"]
    assert images.labels.tolist() == [-1, -1]


@pytest.mark.parametrize(
    "layout", ["{}-00000-of-00001.parquet", "data/{}-0.parquet", "plain/{}.parquet", "c/{}/0000.parquet"]
)
def test_data_set_folders(tmp_path: Path, layout: str) -> None:
    write(tmp_path / layout.format("train"), {"image": structs(1, 2), "label": [0, 1]}, ["a", "b"])
    write(tmp_path / layout.format("test"), {"image": structs(3), "label": [0]}, ["b", "a"])
    write(tmp_path / layout.format("other"), {"image": structs(4), "label": [0]}, ["b", "a"])
    (tmp_path / "README.md").write_text("x")
    source = read(tmp_path)
    assert values(source.train) == [1, 2]
    assert source.test is not None and source.test.labels.tolist() == [1]  # by name, not by number
    assert any("splits left out" in note and "other" in note for note in source.train.notes)


def test_shards_and_unlabelled_splits_are_joined_in_order(tmp_path: Path) -> None:
    for shard in (1, 0):
        write(tmp_path / f"train-{shard:05}-of-00002.parquet", {"image": structs(shard), "label": [shard]}, ["a", "b"])
    write(tmp_path / "unlabelled-0.parquet", {"image": structs(9), "label": [-1]}, ["a", "b"])
    source = read(tmp_path)
    assert values(source.train) == [0, 1, 9] and source.train.labels.tolist() == [0, 1, -1]
    assert source.test is None


def test_several_configurations_are_a_question(tmp_path: Path) -> None:
    for name in ("large", "small"):
        write(tmp_path / name / "train-0.parquet", {"image": structs(1)})
    with pytest.raises(DataError, match=r"(?s)several data sets.*large, small.*name one of them"):
        read(tmp_path)


def test_hidden_labels_of_a_test_split_leave_it_out(tmp_path: Path) -> None:
    write(tmp_path / "train-0.parquet", {"image": structs(1, 2), "label": [0, 1]}, ["a", "b"])
    write(tmp_path / "test-0.parquet", {"image": structs(1, 2), "label": [-1, -1]}, ["a", "b"])
    source = read(tmp_path)
    assert source.test is None and any("left out" in note for note in source.train.notes)


def test_images_stay_encoded_where_memory_is_short(tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.new("L", (200, 200), 7).save(stream, "PNG")
    write(tmp_path / "a.parquet", {"image": [stream.getvalue()] * 4})
    size = (tmp_path / "a.parquet").stat().st_size
    assert size < 40_000
    images = read(tmp_path / "a.parquet", ReadOptions(memory_limit=40_000)).train
    assert not images.pixels.in_memory and values(images) == [7, 7, 7, 7]
    with pytest.raises(DataError, match="more than memory should hold"):
        read(tmp_path / "a.parquet", ReadOptions(memory_limit=10))


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1 and nothing more")
    with pytest.raises(DataError, match="cannot read"):
        read(path)
    write(path, {"text": ["x"], "label": [1]})
    with pytest.raises(DataError, match="no column of encoded images\nwhy: its columns: text string, label int64"):
        read(path)


def test_without_pyarrow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match=r"pip install 'hundredfold\[parquet\]'"):
        read(path)
