from __future__ import annotations

import socket
from pathlib import Path

import numpy as np
import pytest

from hundredfold.data.read import ReadOptions, read
from hundredfold.errors import DataError, SettingsError


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def error(source: object) -> str:
    with pytest.raises(DataError) as caught:
        read(source)  # type: ignore[arg-type]
    return str(caught.value)


def test_a_wrong_name_is_an_error_with_the_nearest_and_never_a_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    assert "did you mean 'digits'" in error("digts")
    assert f"did you mean {tmp_path / 'photos'}" in error(str(tmp_path / "photo"))
    assert "there is no folder" in error(str(tmp_path / "no/where"))
    assert "write hub:owner/name" in error("owner/name")
    for source in ("", "/nonexistent", "https://example.org/a.zip", "a\0b", "x" * 5000, "~nobody-here/x"):
        error(source)


def test_files_that_are_no_source(tmp_path: Path, write_png) -> None:
    assert "give its folder" in error(write_png("a.png"))
    (tmp_path / "a.zip").touch()
    assert "unpack" in error(tmp_path / "a.zip")
    (tmp_path / "empty").mkdir()
    assert "no images in" in error(tmp_path / "empty")


def test_the_embedded_name_wins_over_a_folder_of_that_name(tmp_path: Path, monkeypatch, write_png) -> None:
    monkeypatch.chdir(tmp_path)
    write_png("digits/a.png")
    assert len(read("digits").train) == 1797
    assert len(read("./digits").train) == 1


def test_train_and_test_folders_of_arrays_and_of_idx_files(tmp_path: Path, noise) -> None:
    import struct

    for part, count in (("train", 3), ("test", 2)):
        (tmp_path / part).mkdir()
        for kind, values in (("images", noise(count, 4, 4)), ("labels", np.arange(count, dtype=np.uint8))):
            header = b"\0\0\x08" + bytes([values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
            (tmp_path / part / f"train-{kind}-idx{values.ndim}-ubyte").write_bytes(header + values.tobytes())
    source = read(tmp_path)
    assert len(source.train) == 3 and source.test is not None and source.test.labels.tolist() == [0, 1]
    assert source.train.source == str(tmp_path)


def test_a_lone_class_folder_goes_with_a_set_that_knows_the_class(tmp_path: Path, write_png) -> None:
    for name in ("train/cat/a.png", "train/dog/a.png", "test/dog/a.png"):
        write_png(name)
    test = read(tmp_path).test
    assert test is not None and test.labels.tolist() == [1]
    pool = read(tmp_path / "train").train
    assert read(tmp_path / "test", like=pool).train.classes == ("dog",)
    assert read(tmp_path / "test").train.classes == ()


def test_what_was_read_is_passed_through() -> None:
    source = read("digits")
    assert read(source) is source
    assert read(source.train).train is source.train


@pytest.mark.parametrize(
    "settings",
    [{"image_size": 0}, {"memory_limit": -1}, {"largest_pixels": 0}, {"bad_image_limit": 1.5}, {"workers": -1}],
)
def test_options_out_of_range(settings: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match="possible"):
        ReadOptions(**settings)  # type: ignore[arg-type]


def test_all_wrong_options_are_told_together() -> None:
    with pytest.raises(SettingsError, match="2 settings"):
        ReadOptions(image_size=-1, workers=-1)


def test_the_default_memory_limit_is_bounded() -> None:
    assert ReadOptions().fits(1000)
    assert not ReadOptions().fits(1 << 50)
    assert ReadOptions(memory_limit=10).fits(10) and not ReadOptions(memory_limit=10).fits(11)
