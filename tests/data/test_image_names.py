"""Names and paths that people write, and the image that each of them means."""

from __future__ import annotations

from pathlib import Path

import pytest

from hundredfold.data.image_names import ImageNames, is_file, without_apostrophe
from hundredfold.data.read import read


def names_of(folder: Path, base: Path) -> ImageNames:
    return ImageNames(read(folder).train.names, str(folder), base)


def test_names_alone_where_there_are_no_files(tmp_path: Path) -> None:
    names = ImageNames(["image 0", "image 1", "b", "b"], "digits", tmp_path)
    assert names.find("image 1") == names.find(" image 1 ") == (1,)
    assert names.find("b") == (2, 3)
    assert names.find("image 2") == names.find("") == names.find("1") == ()


def test_a_path_from_the_table_from_the_set_or_from_nowhere(tmp_path: Path, write_png) -> None:
    for name in ("photos/cat/a.png", "photos/dog/a.png"):
        write_png(name)
    tables = tmp_path / "tables"
    tables.mkdir()
    names = names_of(tmp_path / "photos", tables)
    for spelling in (
        "dog/a.png",
        "./dog/a.png",
        "cat/../dog/a.png",
        "dog\\a.png",
        "../photos/dog/a.png",
        "..\\photos\\dog\\a.png",
        str(tmp_path / "photos/dog/a.png"),
    ):
        assert names.find(spelling) == (1,), spelling
    for spelling in ("a.png", "photos/dog/a.png", "../photos/dog/b.png", "dog", "..", "dog/a.png\0", "x" * 5000):
        assert names.find(spelling) == (), spelling


def test_a_path_through_a_link(tmp_path: Path, write_png) -> None:
    for name in ("disk/photos/cat/a.png", "disk/photos/dog/a.png"):
        write_png(name)
    (tmp_path / "link").symlink_to(tmp_path / "disk/photos")
    assert names_of(tmp_path / "link", tmp_path).find("disk/photos/dog/a.png") == (1,)
    assert names_of(tmp_path / "disk/photos", tmp_path).find("link/dog/a.png") == (1,)


def test_a_set_with_a_test_part_is_not_confused_with_it(tmp_path: Path, write_png) -> None:
    for part in ("train", "test"):
        for kind in ("cat", "dog"):
            write_png(f"photos/{part}/{kind}/a.png")
    names = names_of(tmp_path / "photos", tmp_path)
    assert names.find("photos/train/dog/a.png") == names.find("train/dog/a.png") == names.find("dog/a.png") == (1,)
    assert names.find("photos/test/dog/a.png") == names.find("test/dog/a.png") == ()


def test_a_set_that_is_a_table_of_its_own(tmp_path: Path, write_png) -> None:
    write_png("photos/a.png")
    (tmp_path / "pool.csv").write_text("file\nphotos/a.png\n")
    names = names_of(tmp_path / "pool.csv", tmp_path / "elsewhere")
    assert names.find("photos/a.png") == names.find("../photos/a.png") == (0,)


def test_a_name_that_a_spreadsheet_would_run(tmp_path: Path, write_png) -> None:
    write_png("=a.png")
    write_png("'b.png")
    names = names_of(tmp_path, tmp_path)
    assert names.find("'=a.png") == names.find("=a.png") == (1,)
    assert names.find("'b.png") == (0,)
    assert without_apostrophe("'=") == "=" and without_apostrophe("'") == "'" and without_apostrophe("") == ""


@pytest.mark.parametrize(
    ("written", "nearest"),
    [("other/cat/a1.png", "cat/a1.png"), ("cat/al.png", "cat/a1.png"), ("C:\\x\\b2.png", "dog/b2.png"), ("zzz", None)],
)
def test_the_nearest_name(written: str, nearest: str | None, tmp_path: Path) -> None:
    assert ImageNames(["dog/b2.png", "cat/a1.png"], "digits", tmp_path).nearest(written) == nearest


def test_what_cannot_be_a_path_is_no_file(tmp_path: Path) -> None:
    assert not any(is_file(Path(text)) for text in ("x" * 5000, "a\0b", str(tmp_path)))
