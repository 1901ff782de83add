"""Labels of a table on the images of a set: where each goes, and every way in which it cannot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from hundredfold.data.images import Source
from hundredfold.data.labelled_by import LabelTableError
from hundredfold.data.read import ReadOptions, read, with_labels, with_test
from hundredfold.data.streaming import FilePixels
from hundredfold.errors import DataError


@pytest.fixture
def written(tmp_path: Path):
    """written(text): the path of a table with this text."""

    def write(text: str, name: str = "labels.csv") -> Path:
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


def labels(source: Source) -> list[str | None]:
    """Class names by position."""
    return [None if label < 0 else source.train.classes[label] for label in source.train.labels.tolist()]


def refused(pool: Source, table: Path) -> LabelTableError:
    with pytest.raises(LabelTableError) as caught:
        with_labels(pool, table)
    assert caught.value.exit_status == 2
    return caught.value


def test_labels_by_index_by_name_and_by_both(noise, written) -> None:
    pool = read((noise(6, 4, 4), [0, 1, 0, 1, 0, 1]))
    table = written("index,name,label\n3,,dog\n,image 5,cat\n0,image 0,dog\n1,image 1,\n")
    found = with_labels(pool, table)
    assert labels(found) == ["dog", None, None, "dog", None, "cat"]
    assert found.train.classes == ("cat", "dog") and found.train.pixels is pool.train.pixels
    assert found.train.notes == (
        f"3 images of arrays labelled by {table}",
        f"labels of arrays are not used: those of {table} are",
        f"1 row of {table} without a label: those images are not labelled",
    )
    assert labels(pool) == ["0", "1"] * 3


def test_numbers_sort_as_numbers(noise, written) -> None:
    found = with_labels(read(noise(3, 4, 4)), written("index,label\n0,10\n1,9\n2,2\n"))
    assert found.train.classes == ("2", "9", "10") and labels(found) == ["10", "9", "2"]


def test_the_pools_test_set_is_matched_by_name(noise, written) -> None:
    pool = with_test(read((noise(6, 4, 4), [0, 1, 2] * 2)), read((noise(3, 4, 4, seed=1), [0, 1, 3])).train)
    found = with_labels(pool, written("index,label\n0,3\n1,1\n2,7\n"))
    assert found.test is not None and found.train.classes == found.test.classes == ("1", "3", "7", "0")
    assert [found.test.classes[label] for label in found.test.labels] == ["0", "1", "3"]
    said = [note for note in found.summary().notes if "never be predicted" in note]
    assert said == ["classes only in the test set, which can never be predicted: 0"], "the pool's own note is gone"
    with pytest.raises(DataError, match=r"no class in common.*\nwhy: cat, dog in arrays \+ "):
        with_labels(pool, written("index,label\n0,cat\n1,dog\n"))


def test_the_same_label_twice_is_taken_once(noise, written) -> None:
    found = with_labels(read(noise(3, 4, 4)), written("index,name,label\n1,,a\n,image 1,a\n2,,b\n"))
    assert labels(found) == [None, "a", "b"]
    assert any(note.startswith("1 row of ") and "repeat a label" in note for note in found.train.notes)


def test_classes_in_capitals_and_not_are_told(noise, written) -> None:
    notes = with_labels(read(noise(3, 4, 4)), written("index,label\n0,Cat\n1,cat\n2,dog\n")).train.notes
    assert any(note.startswith("classes that differ in capitals alone: Cat, cat;") for note in notes)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("index,label\n6,a\n-1,b\n", "1 label for an index that is not there: array has 6 images, 0 to 5: 6 (line 2)"),
        ("index,label\nx,a\n1.5,b\n", "2 labels with an index that is no whole number from 0: 'x' (line 2), '1.5'"),
        ("name,label\nimage5,a\n", "1 label for a name that is not in array: 'image5' (line 2); the nearest to the"),
        ("index,name,label\n5,image 4,a\n", "different images: 5 is 'image 5', not 'image 4' (line 2)"),
        ("index,name,label\n5,cat.png,a\n", "different images: 5 is 'image 5', not 'cat.png' (line 2)"),
        ("index,name,label\n,,a\n", "1 label for no image, with neither index nor name: 'a' (line 2)"),
        (
            "index,label\n5,a\n5,b\n4,a\n",
            "1 image with two different labels: 'image 5' is 'a' (line 2) and 'b' (line 3)",
        ),
        ("index,label\n" + "5,a\n" * 7, "more labels than images: 7 labels for the 6 images of array"),
        ("index,label\n5,\n4,-1\n", "no label is filled in: 2 rows, all with an empty one"),
        ("index,lable\n5,a\n", "there is no column `label`"),
    ],
)
def test_one_thing_that_is_wrong(noise, written, text: str, says: str) -> None:
    table = written(text)
    problem = refused(read(noise(6, 4, 4)), table)
    assert any(says in one for one in problem.problems), problem.problems
    assert problem.fix and all(line for line in problem.lines())


def test_everything_that_is_wrong_is_told_at_once(noise, written) -> None:
    text = "index,name,label\n9,,a\nx,,b\n,nothing,a\n1,image 2,b\n,,a\n0,,a\n0,,b\n"
    problem = refused(read(noise(3, 4, 4)), written(text))
    assert len(problem.problems) == 7 and problem.fix.startswith("mend these lines") and "disagree" in problem.fix
    assert problem.what.startswith("7 things are wrong with the labels of ")
    assert problem.problems[-1].startswith("more labels than images: 7 labels for the 3")


def test_two_images_of_one_name_need_an_index(tmp_path: Path, write_png, written) -> None:
    write_png("a.png")
    write_png("b.png")
    pool = read(written("file\na.png\na.png\nb.png\n", "pool.csv"))
    assert "name that several images" in refused(pool, written("name,label\na.png,x\nb.png,y\n")).problems[0]
    assert labels(with_labels(pool, written("index,name,label\n1,a.png,x\n2,b.png,y\n"))) == [None, "x", "y"]


@pytest.mark.parametrize("limit", [None, 0], ids=["in memory", "in files"])
def test_files_of_the_pool_are_labelled_and_not_read_twice(tmp_path: Path, write_png, written, limit) -> None:
    for number in range(4):
        write_png(f"photos/{number}.png", value=number)
    options = ReadOptions(memory_limit=limit)
    pool = read(tmp_path / "photos", options)
    assert isinstance(pool.train.pixels, FilePixels) == (limit == 0)
    for name in ("{}.png", "photos/{}.png", str(tmp_path / "photos") + "/{}.png"):
        table = written("file,label\n" + "".join(f"{name.format(at)},{label}\n" for at, label in ((2, "b"), (0, "a"))))
        assert labels(with_labels(pool, table, options)) == ["a", None, "b", None]


@pytest.mark.parametrize("limit", [None, 0], ids=["in memory", "in files"])
def test_a_table_that_names_other_files_too_is_a_source_of_its_own(tmp_path: Path, write_png, written, limit) -> None:
    for number in range(4):
        write_png(f"photos/{number}.png", value=number)
    write_png("other/4.png", value=4)
    options = ReadOptions(memory_limit=limit)
    pool = read(tmp_path / "photos", options)
    found = with_labels(pool, written("file,label\nphotos/1.png,a\nother/4.png,b\n"), options)
    assert labels(found) == [None, None, None, "a", "b"]
    assert found.train.take(torch.arange(5))[:, 0, 0, 0].tolist() == [0, 2, 3, 1, 4]
    assert any("1 images are in both" in note for note in found.train.notes)


def test_files_that_reading_left_out_and_test_images_are_told(tmp_path: Path, write_png, written) -> None:
    for name in ("train/a.png", "train/b.png", "test/x/t.png", "test/y/t.png"):
        write_png(f"photos/{name}")
    (tmp_path / "photos/train/bad.png").write_bytes(b"nothing")
    pool = read(tmp_path / "photos")
    table = written("file,label\na.png,x\nb.png,y\nbad.png,x\nphotos/test/x/t.png,y\n")
    found = with_labels(pool, table)
    assert labels(found) == ["x", "y"] and found.test is not None and len(found.test) == 2
    assert [note for note in found.train.notes if "not used: for" in note] == [
        f"1 label of {table} not used: for an image of its test set (photos/test/x/t.png)",
        f"1 label of {table} not used: for a file of the set that reading left out (bad.png)",
    ]
    with pytest.raises(DataError, match="none of the labels of .* is for an image that can be read"):
        with_labels(pool, written("file,label\nbad.png,x\n"))


def test_other_labelled_sources_are_joined_as_before(noise, tmp_path: Path, write_png, written) -> None:
    pool = read(noise(3, 8, 8))
    assert labels(with_labels(pool, (noise(2, 8, 8, seed=1), ["a", "b"]))) == [None, None, None, "a", "b"]
    write_png("a.png")
    write_png("b.png", value=3)
    assert labels(with_labels(pool, written("file,label\na.png,x\nb.png,y\n"))) == [None, None, None, "x", "y"]
    np.savez(tmp_path / "l.npz", images=noise(2, 8, 8, seed=2), labels=["q", "r"])
    assert labels(with_labels(pool, tmp_path / "l.npz")) == [None, None, None, "q", "r"]
    with pytest.raises(DataError, match="there is no source"):
        with_labels(pool, tmp_path / "missing.csv")
