from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hundredfold.data.read import read
from hundredfold.errors import DataError


def test_files_and_labels_in_the_order_of_the_table(tmp_path: Path, write_png) -> None:
    for number in range(4):
        write_png(f"photos/{number}.png", value=number)
    (tmp_path / "a.csv").write_text(
        "file,label\nphotos/2.png,dog\nphotos/0.png,cat\nphotos/1.png,\n\nphotos/3.png,-1\n"
    )
    images = read(tmp_path / "a.csv").train
    assert images.names == ("photos/2.png", "photos/0.png", "photos/1.png", "photos/3.png")
    assert images.classes == ("cat", "dog") and images.labels.tolist() == [1, 0, -1, -1]
    assert images.take(torch.arange(4))[:, 0, 0, 0].tolist() == [2, 0, 1, 3]


@pytest.mark.parametrize("column", ["path", "Image", "filename", "name", "file_name"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_columns_and_separators(tmp_path: Path, write_png, column: str, separator: str) -> None:
    write_png("a b.png")
    table = tmp_path / "a.csv"
    table.write_text(f"id{separator}{column}{separator}Class\r\n1{separator}a b.png{separator}x\r\n", encoding="utf-8")
    assert read(table).train.classes == ("x",)


def test_a_byte_order_mark_is_not_part_of_a_name(tmp_path: Path, write_png) -> None:
    write_png("a.png")
    (tmp_path / "a.csv").write_text("file\na.png\n", encoding="utf-8-sig")
    assert len(read(tmp_path / "a.csv").train) == 1


def test_files_outside_the_folder_and_absolute_ones_are_read(tmp_path: Path, write_png) -> None:
    outside = write_png("outside/a.png")
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables/a.csv").write_text(f"file\n../outside/a.png\n{outside}\n")
    assert len(read(tmp_path / "tables/a.csv").train) == 2


def test_missing_files_are_left_out_or_a_sentence_if_all_are(tmp_path: Path, write_png) -> None:
    write_png("a.png")
    table = tmp_path / "a.csv"
    table.write_text("file\na.png\nb.png\n../../../etc/passwd\n/dev/zero\n")
    images = read(table).train
    assert len(images) == 1
    assert {file.path: file.reason for file in images.bad_files}["b.png"] == "does not exist"
    assert {file.path: file.reason for file in images.bad_files}["/dev/zero"] == "not a regular file"
    table.write_text("file\nb.png\n")
    with pytest.raises(DataError, match=r"b\.png: does not exist"):
        read(table)


def test_a_split_column(tmp_path: Path, write_png) -> None:
    for name in "abc":
        write_png(f"{name}.png")
    table = tmp_path / "a.csv"
    table.write_text("file,label,split\na.png,x,train\nb.png,y,Test\nc.png,y,train\n")
    source = read(table)
    assert source.train.names == ("a.png", "c.png")
    assert source.test is not None and source.test.names == ("b.png",) and source.test.labels.tolist() == [1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "names no images"),
        ("file,label\n", "names no images"),
        ("id,label\n1,cat\n", "no column of image files"),
        ("file,label\na.png\n", "line 2 of .* has 1 cells"),
        ("file,label\na.png,cat\n\n,\n\nb.png\n", "line 6 of .* has 1 cells"),
        ("file\n" + "x" * 200_000 + "\n", "cannot read the table"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(DataError, match=message):
        read(tmp_path / "a.csv")


def test_binary_content_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00file")
    with pytest.raises(DataError, match="UTF-8"):
        read(tmp_path / "a.csv")
