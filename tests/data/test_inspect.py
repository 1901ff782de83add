from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hundredfold.data.inspect import DataReport, inspect
from hundredfold.data.join import with_test
from hundredfold.data.read import ReadOptions, read
from hundredfold.records import from_json, to_json


def problems(report: DataReport) -> str:
    return "\n".join(report.problems)


def test_all_is_well(noise) -> None:
    labels = np.arange(120) % 4
    source = with_test(read((noise(120, 8, 8), labels)), read((noise(8, 8, 8, seed=1), np.arange(8) % 4)).train)
    report = inspect(source)
    assert report.problems == ()
    assert (report.duplicates, report.conflicting, report.overlap, report.constant) == (0, 0, 0, 0)
    assert report.summary.class_counts == (30, 30, 30, 30)
    assert report.test_labelled == 8 and report.test_class_counts == (2, 2, 2, 2)


@pytest.mark.parametrize("memory_limit", [None, 0])
def test_each_fault_is_found_in_a_folder(tmp_path: Path, noise, memory_limit: int | None) -> None:
    values = noise(10, 48, 48)
    names = ["cat/a", "cat/b", "cat/c", "cat/d", "dog/a", "dog/b", "dog/c"]
    for name, image in zip(names, values):
        path = tmp_path / f"train/{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    Image.fromarray(values[0]).save(tmp_path / "train/cat/again.bmp")  # the same pixels in another format
    Image.fromarray(values[4]).save(tmp_path / "train/cat/wrong.png")  # a dog among the cats
    Image.new("L", (48, 48), 30).save(tmp_path / "train/dog/flat.png")
    (tmp_path / "train/dog/empty.png").touch()
    whole = (tmp_path / "train/dog/c.png").read_bytes()
    (tmp_path / "train/dog/cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "test/dog").mkdir(parents=True)
    Image.fromarray(values[5]).save(tmp_path / "test/dog/seen.png")
    Image.fromarray(values[9]).save(tmp_path / "test/dog/new.png")
    options = ReadOptions() if memory_limit is None else ReadOptions(memory_limit=memory_limit)
    report = inspect(read(tmp_path, options))
    assert report.duplicates == 2
    assert report.conflicting == 1
    assert report.duplicate_groups[0].names == ("cat/wrong.png", "dog/a.png")
    assert report.duplicate_groups[0].labels == ("cat", "dog")
    assert report.duplicate_groups[1].names == ("cat/a.png", "cat/again.bmp")
    assert report.overlap == 1 and report.overlap_names == ("dog/seen.png",)
    assert report.constant == 1 and report.constant_names == ("dog/flat.png",)
    bad = {file.path: file.reason for file in report.summary.bad_files}
    assert set(bad) == {"dog/empty.png", "dog/cut.png"} and "damaged" in bad["dog/cut.png"]
    for words in ("2 files cannot be used", "1 test images are also", "different labels", "single colour", "very few"):
        assert words in problems(report)
    assert "classes without a test image: cat" in problems(report)
    assert from_json(DataReport, to_json(report)) == report


def test_copies_are_counted_as_by_comparing_all_pairs(noise) -> None:
    values = noise(30, 2, 2) // 128  # few different images
    report = inspect(read(values))
    repeats = sum(any((values[i] == values[j]).all() for j in range(i)) for i in range(30))
    assert report.duplicates == repeats > 0
    assert sum(group.count - 1 for group in report.duplicate_groups) == repeats


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (None, "no image carries a label"),
        (["a"] * 20, "of one class (a)"),
        ([str(number) for number in range(20)], "20 classes for 20 labelled images"),
        (["a"] * 19 + ["b"], "fewer than two labelled images: b (1)"),
        (["a"] * 19 + ["b"], "classes are uneven: 19 of a, 1 of b"),
    ],
)
def test_labels_that_will_not_do(noise, labels: list[str] | None, words: str) -> None:
    values = noise(20, 4, 4)
    assert words in problems(inspect(read(values if labels is None else (values, labels))))


def test_values_of_another_range(noise) -> None:
    assert "brightest value of all images is 1 of 255" in problems(inspect(read(noise(5, 4, 4) // 128)))
    assert "brightest" not in problems(inspect(read(noise(5, 4, 4))))


def test_grey_stored_as_colour(noise) -> None:
    grey = np.repeat(noise(5, 4, 4, 1), 3, axis=3)
    assert inspect(read(grey)).grey_as_rgb
    grey[4, 0, 0, 0] ^= 1
    assert not inspect(read(grey)).grey_as_rgb


def test_a_run_of_bad_files_longer_than_a_block_does_not_stop_it(tmp_path: Path) -> None:
    for number in range(300):
        Image.new("L", (2, 2), number % 256).save(tmp_path / f"{number:03}.png")
    source = read(tmp_path, ReadOptions(memory_limit=0))
    for number in range(290):
        (tmp_path / f"{number:03}.png").unlink()
    assert len(inspect(source).summary.bad_files) == 290


def test_the_record_can_be_written(noise) -> None:
    report = inspect(read(noise(3, 4, 4)))
    assert from_json(DataReport, to_json(report)) == report
