from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hundredfold.data.read import ReadOptions, read
from hundredfold.data.streaming import FilePixels
from hundredfold.errors import DataError


def test_sub_folders_are_classes_in_sorted_order(tmp_path: Path, write_png) -> None:
    for name, value in (("dog/b.png", 3), ("cat/z.png", 2), ("cat/a.png", 1), ("dog/deep/er/a.png", 4)):
        write_png(name, value=value)
    images = read(tmp_path).train
    assert images.names == ("cat/a.png", "cat/z.png", "dog/b.png", "dog/deep/er/a.png")
    assert images.classes == ("cat", "dog")
    assert images.labels.tolist() == [0, 0, 1, 1]
    assert images.take(torch.arange(4))[:, 0, 0, 0].tolist() == [1, 2, 3, 4]
    assert images.size == (8, 8) and images.channels == 1


def test_a_flat_folder_is_unlabelled(tmp_path: Path, write_png) -> None:
    write_png("a.png")
    write_png("b.png")
    images = read(str(tmp_path)).train
    assert images.labels.tolist() == [-1, -1] and images.classes == ()


def test_images_beside_class_folders_are_unlabelled_and_said(tmp_path: Path, write_png) -> None:
    for name in ("a.png", "cat/a.png", "dog/a.png", "unlabelled/a.png", "unlabelled/b.png"):
        write_png(name)
    images = read(tmp_path).train
    assert dict(zip(images.names, images.labels.tolist())) == {
        "a.png": -1,
        "cat/a.png": 0,
        "dog/a.png": 1,
        "unlabelled/a.png": -1,
        "unlabelled/b.png": -1,
    }
    assert any("3 images lie in no class folder" in note for note in images.notes)


def test_one_folder_within_another_is_looked_through(tmp_path: Path, write_png) -> None:
    for name in ("archive/data/cat/a.png", "archive/data/dog/a.png"):
        write_png(name)
    images = read(tmp_path).train
    assert images.classes == ("cat", "dog")
    assert any("archive/data/" in note for note in images.notes)


def test_one_sub_folder_makes_no_classes(tmp_path: Path, write_png) -> None:
    write_png("a.png")
    write_png("holiday/a.png")
    images = read(tmp_path).train
    assert images.classes == () and images.labels.tolist() == [-1, -1]
    assert any("holiday" in note for note in images.notes)


def test_hidden_and_other_files_are_passed_over(tmp_path: Path, write_png) -> None:
    write_png("a.png")
    write_png(".hidden/a.png")
    write_png("__MACOSX/a.png")
    write_png(".b.png")
    (tmp_path / "labels.csv").write_text("x")
    (tmp_path / "notes.TXT").write_text("x")
    images = read(tmp_path).train
    assert images.names == ("a.png",)
    assert images.bad_files == ()
    assert any("2 files that are no images" in note and ".csv 1" in note and ".txt 1" in note for note in images.notes)


def test_bad_files_are_left_out_with_their_reasons(tmp_path: Path, write_png) -> None:
    write_png("cat/good.png")
    write_png("dog/good.png")
    (tmp_path / "cat/empty.png").touch()
    (tmp_path / "cat/text.jpg").write_text("this is text")
    cut = write_png("dog/cut.png", size=(64, 64))
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)).save(cut)
    cut.write_bytes(cut.read_bytes()[:2000])
    Image.new("1", (12000, 12000)).save(tmp_path / "dog/bomb.png")
    images = read(tmp_path, ReadOptions(image_size=8)).train
    assert images.names == ("cat/good.png", "dog/good.png")
    assert [file.path for file in images.bad_files] == ["cat/empty.png", "cat/text.jpg", "dog/bomb.png", "dog/cut.png"]
    reasons = {file.path: file.reason for file in images.bad_files}
    assert reasons["cat/empty.png"] == "empty file"
    assert "not an image" in reasons["cat/text.jpg"]
    assert "too large" in reasons["dog/bomb.png"]
    assert "damaged" in reasons["dog/cut.png"]


def test_a_class_without_a_usable_image_is_said(tmp_path: Path, write_png) -> None:
    for name in ("cat/a.png", "dog/a.png"):
        write_png(name)
    (tmp_path / "eel").mkdir()
    (tmp_path / "eel/a.png").touch()
    images = read(tmp_path).train
    assert images.classes == ("cat", "dog")
    assert "class eel has no usable image" in images.notes


def test_more_bad_files_than_allowed_stop_reading(tmp_path: Path, write_png) -> None:
    write_png("a.png")
    (tmp_path / "b.png").touch()
    assert len(read(tmp_path).train) == 1
    with pytest.raises(DataError, match=r"1 of 2 images.*cannot be read"):
        read(tmp_path, ReadOptions(bad_image_limit=0.4))


def test_nothing_usable_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    with pytest.raises(DataError, match=r"no usable image in .*\nwhy: 1 left out: a.png: empty file"):
        read(tmp_path)
    (tmp_path / "a.png").rename(tmp_path / "a.dcm")
    with pytest.raises(DataError, match=r"no images in .*\nwhy: it holds .dcm 1"):
        read(tmp_path)


def test_mixed_modes_become_rgb(tmp_path: Path, write_png) -> None:
    write_png("a.png", value=9)
    write_png("b.png", value=(1, 2, 3), mode="RGB")
    write_png("c.png", value=(5, 5, 5, 255), mode="RGBA")
    Image.fromarray(np.full((8, 8), 65535, np.uint16)).save(tmp_path / "d.png")
    images = read(tmp_path).train
    found = images.take(torch.arange(4))
    assert found.dtype == torch.uint8
    assert found[:, :, 0, 0].tolist() == [[9, 9, 9], [1, 2, 3], [5, 5, 5], [255, 255, 255]]
    assert any("2 of 4 images were brought to RGB" in note for note in images.notes)
    assert any("1 images have transparent" in note for note in images.notes)


def test_sixteen_bit_grey_stays_deep(tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 8), 13107, np.uint16)).save(tmp_path / "a.png")
    Image.new("L", (8, 8), 255).save(tmp_path / "b.png")
    images = read(tmp_path).train
    found = images.take(torch.arange(2))
    assert found.dtype == torch.float32
    assert found[:, 0, 0, 0].tolist() == pytest.approx([0.2, 1.0])


def test_sizes_that_differ_are_brought_to_one(tmp_path: Path, write_png) -> None:
    for name, size in (("a.png", (70, 50)), ("b.png", (40, 90)), ("c.png", (66, 66))):
        write_png(name, size=size)
    images = read(tmp_path).train
    assert images.size == (48, 48)  # the largest of the usual sizes that the median shorter side, 50, can fill
    assert any("brought to 48 x 48" in note and "from 40 to 66" in note for note in images.notes)
    assert read(tmp_path, ReadOptions(image_size=20)).train.size == (20, 20)


def test_a_common_size_is_kept_unless_it_is_huge(tmp_path: Path, write_png) -> None:
    write_png("wide/a.png", size=(20, 30))
    assert read(tmp_path / "wide").train.size == (20, 30)
    write_png("huge/a.png", size=(300, 400))
    huge = read(tmp_path / "huge").train
    assert huge.size == (96, 96) and "400 x 300" in huge.notes[-1]


def test_links_are_followed_once_and_loops_end(tmp_path: Path, write_png) -> None:
    write_png("set/cat/a.png")
    write_png("set/dog/a.png")
    write_png("elsewhere/eel.png")
    folder = tmp_path / "set"
    (folder / "cat/up").symlink_to(folder)
    (folder / "again").symlink_to(folder / "dog")
    (folder / "eel").symlink_to(tmp_path / "elsewhere")
    (folder / "dog/loop.png").symlink_to(folder / "dog/loop.png")
    (folder / "dog/gone.png").symlink_to(folder / "nowhere.png")
    images = read(folder).train
    assert images.names == ("cat/a.png", "dog/a.png", "eel/eel.png")
    assert {file.path for file in images.bad_files} == {"dog/loop.png", "dog/gone.png"}
    assert any("2 links to folders already read" in note for note in images.notes)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list every folder")
def test_a_folder_that_cannot_be_listed_is_a_bad_file(tmp_path: Path, write_png) -> None:
    write_png("cat/a.png")
    write_png("dog/a.png").parent.chmod(0)
    try:
        images = read(tmp_path).train
    finally:
        (tmp_path / "dog").chmod(0o755)
    assert images.names == ("cat/a.png",)
    assert images.bad_files[0].path == "dog" and "cannot be listed" in images.bad_files[0].reason


@pytest.mark.parametrize("name", ["<b>", "new\nline", "x" * 200, "\x1b[2J", b"\xff\xfe", "a'b\"c", "-rf", "=1+1"])
def test_hostile_class_names_survive_in_a_form_that_can_be_written(tmp_path: Path, name: str | bytes) -> None:
    folder = os.fsdecode(name)
    for each in (folder, "other"):
        (tmp_path / each).mkdir()
        Image.new("L", (4, 4)).save(tmp_path / each / "a.png")
    images = read(tmp_path).train
    assert len(images.classes) == 2 and len(images.labelled()) == 2
    for text in (*images.classes, *images.names):
        assert text.isprintable()
        text.encode()


def test_train_and_test_folders_with_classes_matched_by_name(tmp_path: Path, write_png) -> None:
    for name, value in (("train/cat/a.png", 1), ("train/dog/a.png", 2), ("train/eel/a.png", 3)):
        write_png(name, value=value)
    for name, value in (("Test/eel/a.png", 4), ("Test/dog/a.png", 5)):
        write_png(name, value=value, size=(16, 16))
    write_png("val/cat/a.png")
    source = read(tmp_path)
    assert source.train.classes == ("cat", "dog", "eel")
    assert source.test is not None
    assert source.test.classes == source.train.classes
    assert [source.test.classes[label] for label in source.test.labels] == ["dog", "eel"]
    assert source.test.size == (8, 8)
    assert any("val/ was left out" in note for note in source.train.notes)


def test_a_validation_folder_serves_as_test_set(tmp_path: Path, write_png) -> None:
    for name in ("train/cat/a.png", "train/dog/a.png", "val/cat/a.png", "val/dog/a.png"):
        write_png(name)
    test = read(tmp_path).test
    assert test is not None and len(test) == 2


def test_a_class_called_train_is_a_class_where_there_is_no_test(tmp_path: Path, write_png) -> None:
    for name in ("train/a.png", "bus/a.png"):
        write_png(name)
    assert read(tmp_path).train.classes == ("bus", "train")


def test_a_test_folder_without_labels_is_left_out_and_said(tmp_path: Path, write_png) -> None:
    for name in ("train/cat/a.png", "train/dog/a.png", "test/a.png"):
        write_png(name)
    source = read(tmp_path)
    assert source.test is None
    assert any("test set was left out" in note for note in source.train.notes)


def test_threads_and_memory_change_nothing(tmp_path: Path, noise) -> None:
    for number, values in enumerate(noise(12, 200, 180, 3)):
        (tmp_path / f"class{number % 3}").mkdir(exist_ok=True)
        Image.fromarray(values).save(tmp_path / f"class{number % 3}/{number}.png")
    plain = read(tmp_path, ReadOptions(workers=0)).train
    threaded = read(tmp_path, ReadOptions(workers=3)).train
    files = read(tmp_path, ReadOptions(memory_limit=0)).train
    every = torch.arange(12)
    assert plain.pixels.in_memory and not files.pixels.in_memory
    assert isinstance(files.pixels, FilePixels)
    assert torch.equal(plain.take(every), threaded.take(every))
    assert torch.equal(plain.take(every), files.take(every))
    assert plain.labels.equal(files.labels) and plain.names == files.names
    assert any("decoded when needed" in note for note in files.notes)


def test_one_odd_size_is_found_wherever_it_stands(tmp_path: Path, noise) -> None:
    for number, values in enumerate(noise(6, 32, 32)):
        Image.fromarray(values).save(tmp_path / f"{number}.png")
    Image.new("L", (40, 40)).save(tmp_path / "5b.png")
    images = read(tmp_path).train
    assert images.size == (32, 32) and len(images) == 7
    assert any("from 32 to 40" in note for note in images.notes)
