from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from hundredfold.data.arrays import MappedPixels
from hundredfold.data.read import ReadOptions, read
from hundredfold.errors import DataError


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((5, 6, 7), (5, 1, 6, 7)),
        ((5, 6, 7, 3), (5, 3, 6, 7)),
        ((5, 3, 6, 7), (5, 3, 6, 7)),
        ((5, 8, 8, 1), (5, 1, 8, 8)),
        ((5, 1, 8, 8), (5, 1, 8, 8)),
        ((5, 13, 64, 64), (5, 13, 64, 64)),
        ((5, 64, 64, 13), (5, 13, 64, 64)),
        ((5, 4, 4, 3), (5, 3, 4, 4)),
    ],
)
def test_each_layout(noise, shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    values = noise(*shape)
    images = read(values).train
    assert images.pixels.shape == expected
    last = len(shape) == 4 and shape[3] == expected[1]
    for n, c, h, w in ((0, 0, 0, 0), (4, expected[1] - 1, 2, 3)):
        stored = values[n, h, w] if len(shape) == 3 else values[n, h, w, c] if last else values[n, c, h, w]
        assert images.take(torch.tensor([n]))[0, c, h, w].item() == stored


def test_a_layout_that_cannot_be_told_is_said(noise) -> None:
    assert any("taken as [n, c, h, w]" in note for note in read(noise(2, 8, 8, 8)).train.notes)


@pytest.mark.parametrize("shape", [(4, 4), (2, 3, 4, 5, 6), (0, 8, 8), (3, 0, 8)])
def test_shapes_that_are_no_images(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="does not hold images"):
        read(np.zeros(shape, np.uint8))


@pytest.mark.parametrize(
    ("values", "expected", "dtype"),
    [
        (np.array([0, 128, 255], np.uint8), [0, 128, 255], torch.uint8),
        (np.array([0, 128, 255], np.int64), [0, 128, 255], torch.uint8),
        (np.array([False, True, True]), [0, 255, 255], torch.uint8),
        (np.array([0, 0.25, 1], np.float64), [0, 0.25, 1], torch.float32),
        (np.array([0, 0.25, 1], np.float16), [0, 0.25, 1], torch.float32),
        (np.array([0, 51, 255], np.float32), [0, 51, 255], torch.uint8),
        (np.array([0, 25.5, 255], np.float32), [0, 0.1, 1], torch.float32),
        (np.array([0, 13107, 65535], np.uint16), [0, 0.2, 1], torch.float32),
        (np.array([0, 3, 255], np.uint16), [0, 3, 255], torch.uint8),
        (np.array([0, 0.5, 1], ">f4"), [0, 0.5, 1], torch.float32),
    ],
)
def test_each_range_of_values(values: np.ndarray, expected: list[float], dtype: torch.dtype) -> None:
    found = read(values.reshape(1, 1, 3)).train.take(torch.tensor([0]))
    assert found.dtype == dtype
    assert found.flatten().tolist() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([-1.0, 0, 1], "from -1 to 1"),
        ([0, 0.5, 1.5], "from 0 to 1.5"),
        ([0, 1, 300.0], "from 0 to 300"),
        ([0, -5, 3], "from -5 to 3"),
        ([0, float("nan"), 1], "NaN"),
        ([0, float("inf"), 1], "infinity"),
        ([1j, 0, 0], "complex"),
        (["a", "b", "c"], "<U1"),
    ],
)
def test_values_that_are_no_pixels(values: list[object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(np.array(values).reshape(1, 1, 3))


def test_nan_is_found_in_its_image(noise) -> None:
    values = noise(2000, 2, 2) / 255
    values[1500, 1, 0] = np.nan
    with pytest.raises(DataError, match="image 1500"):
        read(values)


def test_torch_tensors_and_tuples(noise) -> None:
    values = noise(4, 8, 8)
    images = read((torch.from_numpy(values), torch.tensor([0, 2, -1, 2]))).train
    assert images.classes == ("0", "2") and images.labels.tolist() == [0, 1, -1, 1]
    assert read(torch.full((1, 1, 2, 2), 0.5, dtype=torch.bfloat16, requires_grad=True)).train.take(
        torch.tensor([0])
    ).unique().tolist() == [0.5]


def test_what_was_given_can_change_afterwards(noise) -> None:
    values = noise(1, 2, 2)
    images = read(values).train
    before = images.take(torch.tensor([0])).clone()
    values += 1
    assert torch.equal(images.take(torch.tensor([0])), before)


@pytest.mark.parametrize("labels", [np.array(["b", "", "a"]), np.array([1.0, np.nan, 0.0]), np.array([[1], [-1], [0]])])
def test_labels_of_each_type(noise, labels: np.ndarray) -> None:
    images = read((noise(3, 4, 4), labels)).train
    assert images.labels.tolist() == [1, -1, 0]


def test_labels_that_do_not_fit(noise) -> None:
    with pytest.raises(DataError, match="3 images but 2 labels"):
        read((noise(3, 4, 4), [0, 1]))
    with pytest.raises(DataError, match="a tuple of 3"):
        read((noise(3, 4, 4), [0, 1], 5))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "keys",
    [("images", "labels"), ("X", "y"), ("data", "target"), ("x_train", "y_train"), ("foo", "bar"), ("arr_0", "arr_1")],
)
def test_npz_keys(tmp_path: Path, noise, keys: tuple[str, str]) -> None:
    values = noise(3, 4, 4)
    np.savez(tmp_path / "a.npz", **{keys[0]: values, keys[1]: np.array([1, 0, -1])})
    images = read(tmp_path / "a.npz").train
    assert images.labels.tolist() == [1, 0, -1]
    assert np.array_equal(images.take(torch.arange(3))[:, 0].numpy(), values)


def test_npz_with_a_test_set_and_class_names(tmp_path: Path, noise) -> None:
    np.savez_compressed(
        tmp_path / "a.npz",
        train_images=noise(3, 4, 4, 3),
        train_labels=np.array([[0], [2], [0]]),
        test_images=noise(2, 4, 4, 3, seed=1),
        test_labels=np.array([[1], [2]]),
        val_images=noise(2, 4, 4, 3, seed=2),
        classes=np.array(["cat", "dog", "eel"]),
    )
    source = read(str(tmp_path / "a.npz"))
    assert source.train.classes == ("cat", "dog", "eel")
    assert source.test is not None and source.test.labels.tolist() == [1, 2]


def test_npz_without_images_says_what_it_holds(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", weights=np.zeros((3, 3)))
    with pytest.raises(DataError, match=r"weights \(3, 3\)"):
        read(tmp_path / "a.npz")


class Planted:
    """Unpickling it leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("ending", [".npy", ".npz"])
def test_python_objects_are_never_loaded(tmp_path: Path, ending: str) -> None:
    planted = np.array([Planted(tmp_path / "mark")], dtype=object)
    path = tmp_path / f"a{ending}"
    if ending == ".npy":
        np.save(path, planted, allow_pickle=True)
    else:
        np.savez(path, images=planted)
    with pytest.raises(DataError, match="pickled Python objects, which are never loaded"):
        read(path)
    assert not (tmp_path / "mark").exists()


def test_npz_that_claims_terabytes_is_refused_from_its_header(tmp_path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (1 << 20, 1 << 10, 1 << 10)}
    )
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("images.npy", header.getvalue())
    with pytest.raises(DataError, match=r"1024.0 GiB"):
        read(tmp_path / "a.npz")


@pytest.mark.parametrize("ending", [".npy", ".npz"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_damaged_files_are_a_sentence(tmp_path: Path, noise, ending: str, share: float) -> None:
    path = tmp_path / f"a{ending}"
    if ending == ".npy":
        np.save(path, noise(4, 16, 16))
    else:
        np.savez_compressed(path, images=noise(4, 16, 16))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DataError, match="cannot read"):
        read(path)


def test_npy_stays_in_its_file_where_memory_is_short(tmp_path: Path, noise) -> None:
    values = noise(6, 5, 7, 3)
    np.save(tmp_path / "a.npy", values)
    np.save(tmp_path / "f.npy", values.astype(np.uint16) * 257)
    every = torch.tensor([5, 0, 3])
    in_memory = read(tmp_path / "a.npy").train
    mapped = read(tmp_path / "a.npy", ReadOptions(memory_limit=0)).train
    assert isinstance(mapped.pixels, MappedPixels) and in_memory.pixels.in_memory
    assert torch.equal(in_memory.take(every), mapped.take(every))
    deep = read(tmp_path / "f.npy", ReadOptions(memory_limit=0)).train.take(every)
    assert torch.allclose(deep, in_memory.take(every) / 255)


def test_image_size_is_applied_to_arrays(noise) -> None:
    images = read(noise(3, 8, 10), ReadOptions(image_size=4)).train
    assert images.size == (4, 4)
    assert any("brought to 4 x 4" in note for note in images.notes)
