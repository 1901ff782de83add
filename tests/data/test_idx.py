from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from hundredfold.data.idx import is_idx_folder, read_idx
from hundredfold.data.read import read
from hundredfold.errors import DataError


def idx(values: np.ndarray) -> bytes:
    return b"\0\0\x08" + bytes([values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


def fill(folder: Path, noise, compressed: bool = False, test: bool = True) -> None:
    parts = [("train", 5, [3, 0, 1, 1, 0])] + ([("t10k", 2, [1, 4])] if test else [])
    for number, (part, count, labels) in enumerate(parts):
        for name, values in (
            (f"{part}-images-idx3-ubyte", noise(count, 4, 6, seed=number)),
            (f"{part}-labels-idx1-ubyte", np.array(labels, np.uint8)),
        ):
            content = idx(values)
            path = folder / (name + (".gz" if compressed else ""))
            path.write_bytes(gzip.compress(content) if compressed else content)


@pytest.mark.parametrize("compressed", [False, True])
def test_a_folder_with_a_test_set(tmp_path: Path, noise, compressed: bool) -> None:
    fill(tmp_path, noise, compressed)
    source = read(tmp_path)
    assert np.array_equal(source.train.take(torch.arange(5))[:, 0].numpy(), noise(5, 4, 6))
    assert source.train.labels.tolist() == [3, 0, 1, 1, 0]
    assert source.test is not None and source.test.labels.tolist() == [1, 4]
    assert source.train.classes == source.test.classes == ("0", "1", "2", "3", "4")


def test_labels_may_be_missing(tmp_path: Path, noise) -> None:
    fill(tmp_path, noise, test=False)
    (tmp_path / "train-labels-idx1-ubyte").unlink()
    images = read(tmp_path).train
    assert images.classes == () and images.labels.unique().tolist() == [-1]


def test_four_dimensions_are_channels_last(tmp_path: Path, noise) -> None:
    values = noise(2, 4, 5, 3)
    (tmp_path / "train-images-idx4-ubyte").write_bytes(idx(values))
    assert np.array_equal(read(tmp_path).train.take(torch.arange(2)).numpy(), values.transpose(0, 3, 1, 2))


def test_labels_of_another_number(tmp_path: Path, noise) -> None:
    fill(tmp_path, noise)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(np.zeros(4, np.uint8)))
    with pytest.raises(DataError, match="do not belong together"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not an IDX file"),
        (b"\x89PNG....", "is not an IDX file"),
        (b"\0\0\x0d\x01\0\0\0\x01\0\0\0\0", "is not an IDX file of unsigned bytes"),  # floats
        (b"\0\0\x08\x03\0\0", "ends inside its header"),
        (b"\0\0\x08\x01\0\0\0\x05abc", "5 values; it holds 3"),
        (b"\0\0\x08\x01\0\0\0\x02abc", "2 values; it holds more"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "more than"),
    ],
)
def test_damaged_files(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a-idx3-ubyte"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_idx(path)


def test_damaged_compression(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    whole = gzip.compress(idx(np.arange(200, dtype=np.uint8)))
    for content in (b"not gzip", whole[:40], whole[:-20] + bytes(20)):
        path.write_bytes(content)
        with pytest.raises(DataError, match="cannot read"):
            read_idx(path)


def test_what_unpacks_to_more_than_announced_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(idx(np.zeros(4, np.uint8)) + bytes(50_000_000)))
    with pytest.raises(DataError, match="4 values; it holds more"):
        read_idx(path)


def test_other_folders_are_not_idx(tmp_path: Path) -> None:
    assert not is_idx_folder(tmp_path) and not is_idx_folder(tmp_path / "gone")
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(np.zeros((0, 4, 4), np.uint8)))
    with pytest.raises(DataError, match="does not hold images"):
        read(tmp_path)
