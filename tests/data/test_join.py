from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hundredfold.data.images import Source
from hundredfold.data.join import JoinedPixels, join, subset, with_test
from hundredfold.data.match import convert, matched
from hundredfold.data.read import ReadOptions, read
from hundredfold.errors import DataError


def test_a_pool_followed_by_its_labelled_set(noise) -> None:
    pool = read((noise(4, 8, 8), [0, 1, 0, 1]))
    labelled = read((noise(2, 8, 8, seed=1), ["dog", "cat"])).train
    train = join(pool, labelled).train
    assert train.labels.tolist() == [-1, -1, -1, -1, 1, 0]
    assert train.classes == ("cat", "dog")
    assert torch.equal(train.take(torch.tensor([1])), pool.train.take(torch.tensor([1])))
    assert torch.equal(train.take(torch.tensor([5])), labelled.take(torch.tensor([1])))
    assert len(train.names) == 6
    assert any("are not used" in note for note in train.notes)


def test_an_image_in_both_is_taken_once_with_its_label(noise) -> None:
    values = noise(5, 8, 8)
    train = join(read(values), read((values[2:4], ["a", "b"])).train).train
    assert train.labels.tolist() == [-1, -1, -1, 0, 1]
    assert train.take(torch.arange(5))[:, 0].numpy().tolist() == values[[0, 1, 4, 2, 3]].tolist()
    assert any("2 images are in both" in note for note in train.notes)


def test_a_labelled_set_of_another_form_is_brought_to_the_pool(noise) -> None:
    pool = read(noise(3, 8, 8, 3))
    labelled = read((noise(2, 16, 20) / 255, [0, 1])).train
    train = join(pool, labelled).train
    assert train.pixels.shape == (5, 3, 8, 8)
    assert train.take(torch.tensor([4])).dtype == torch.uint8
    assert any("20 x 16, 1 channel" in note and "8 x 8, 3 channels" in note for note in train.notes)


def test_channels_that_cannot_be_turned_into_each_other(noise) -> None:
    with pytest.raises(DataError, match="5 channels cannot be brought to 3"):
        join(read(noise(3, 8, 8, 3)), read((noise(2, 5, 8, 8), [0, 1])).train)


def test_a_labelled_set_without_labels(noise) -> None:
    with pytest.raises(DataError, match="carries no labels"):
        join(read(noise(3, 8, 8)), read(noise(2, 8, 8)).train)


def test_the_pools_own_test_set_stays(noise) -> None:
    pool = with_test(read(noise(3, 8, 8)), read((noise(2, 8, 8, seed=2), ["b", "a"])).train)
    joined = join(pool, read((noise(2, 8, 8, seed=1), ["b", "c"])).train)
    assert joined.test is not None
    assert joined.train.classes == ("b", "c", "a")
    assert [joined.test.classes[label] for label in joined.test.labels] == ["b", "a"]


def test_a_pool_in_files_with_labels_in_memory(tmp_path: Path, write_png, noise) -> None:
    for number in range(4):
        write_png(f"{number}.png", value=number)
    pool = read(tmp_path, ReadOptions(memory_limit=0))
    labelled = read((np.stack([np.full((8, 8), 50), np.full((8, 8), 60)]).astype(np.uint8), [0, 1])).train
    train = join(pool, labelled).train
    assert isinstance(train.pixels, JoinedPixels)
    assert train.take(torch.tensor([5, 0, 3, 4]))[:, 0, 0, 0].tolist() == [60, 0, 3, 50]
    (tmp_path / "2.png").unlink()
    assert train.pixels.try_one(2) is None and train.pixels.failures == {2: "does not exist"}


def test_a_test_set_is_matched_by_name(noise) -> None:
    source = with_test(read((noise(3, 8, 8), ["a", "b", "c"])), read((noise(4, 8, 8), ["c", "z", "", "a"])).train)
    assert source.test is not None
    assert source.train.classes == source.test.classes == ("a", "b", "c", "z")
    assert source.test.labels.tolist() == [2, 3, 0]  # the unlabelled one is left out
    assert source.test.names == ("image 0", "image 1", "image 3")
    assert any("never be predicted: z" in note for note in source.test.notes)
    assert any("1 test images without a label" in note for note in source.test.notes)


def test_classes_are_those_that_images_carry(noise) -> None:
    pool = with_test(read((noise(4, 8, 8), list("abca"))), read((noise(3, 8, 8, seed=1), list("abd"))).train)
    joined = join(pool, read((noise(2, 8, 8, seed=2), ["a", "e"])).train)
    assert joined.train.classes == ("a", "e", "b", "d")  # nobody carries c any more
    assert joined.test is not None and [joined.test.classes[label] for label in joined.test.labels] == list("abd")
    told = [note for note in joined.test.notes if "never be predicted" in note]
    assert told == ["classes only in the test set, which can never be predicted: b, d"], "not the one about d alone"
    again = with_test(pool, read((noise(2, 8, 8, seed=3), ["d", "a"])).train)  # d is known from the first test set
    assert again.test is not None and any(note.endswith("never be predicted: d") for note in again.test.notes)


def test_images_that_are_known_to_be_in_both(tmp_path: Path, write_png) -> None:
    for number in range(3):
        write_png(f"{number}.png", value=number)
    pool = read(tmp_path, ReadOptions(memory_limit=0))
    labelled = read((np.full((2, 8, 8), 9, np.uint8), ["a", "b"])).train
    train = join(pool, labelled, repeated=[1]).train
    assert train.names == ("0.png", "2.png", "image 0", "image 1")
    assert train.take(torch.arange(3))[:, 0, 0, 0].tolist() == [0, 2, 9]


def test_a_test_set_that_cannot_serve(noise) -> None:
    train = read((noise(3, 8, 8), ["a", "b", "c"]))
    with pytest.raises(DataError, match="carries no labels"):
        with_test(train, read(noise(3, 8, 8)).train)
    with pytest.raises(DataError, match=r"no class in common.*\nwhy: a, b, c in .*; x, y in"):
        with_test(train, read((noise(2, 8, 8), ["x", "y"])).train)


def test_a_test_set_in_files(tmp_path: Path, write_png) -> None:
    for name, value in (("a/0.png", 5), ("b/0.png", 6), ("0.png", 7)):
        write_png(name, value=value)
    files = read(tmp_path, ReadOptions(memory_limit=0)).train
    train = read((np.zeros((2, 4, 4, 3), np.uint8), ["b", "a"]))
    test = with_test(train, files).test
    assert test is not None and not test.pixels.in_memory
    assert test.take(torch.arange(2))[:, :, 0, 0].tolist() == [[5] * 3, [6] * 3]
    as_floats = matched(test, channels=3, size=(4, 4), dtype=torch.float32)
    assert as_floats.take(torch.tensor([1])).unique().item() == pytest.approx(6 / 255)


def test_reading_like_another_set(tmp_path: Path, write_png, noise) -> None:
    write_png("a.png", size=(40, 60), value=(10, 20, 30), mode="RGB")
    like = read(noise(2, 12, 12)).train
    images = read(tmp_path, like=like).train
    assert images.pixels.shape == (1, 1, 12, 12)
    assert images.take(torch.tensor([0])).unique().item() == round(0.299 * 10 + 0.587 * 20 + 0.114 * 30)


def test_subset_of_any_pixels(tmp_path: Path, noise) -> None:
    np.save(tmp_path / "a.npy", noise(5, 4, 4))
    mapped = read(tmp_path / "a.npy", ReadOptions(memory_limit=0)).train
    memory = read(tmp_path / "a.npy").train
    some = torch.tensor([4, 1])
    every = torch.arange(2)
    assert torch.equal(subset(mapped, some).take(every), subset(memory, some).take(every))
    assert subset(memory, some).names == ("image 4", "image 1")


def test_convert_by_hand() -> None:
    red = torch.tensor([255, 0, 0], dtype=torch.uint8).view(1, 3, 1, 1)
    assert convert(red, 1, (1, 1), torch.uint8).item() == round(0.299 * 255)
    grey = torch.tensor([51], dtype=torch.uint8).view(1, 1, 1, 1)
    assert convert(grey, 3, (1, 1), torch.float32).flatten().tolist() == pytest.approx([0.2] * 3)


def test_convert_crops_the_centre_as_decoding_does(noise) -> None:
    from hundredfold.data.decode import Form, Kind, decode

    values = noise(16, 24)
    path_like = Image.fromarray(values)
    import io

    stream = io.BytesIO()
    path_like.save(stream, "PNG")
    from_file = decode(stream.getvalue(), Form(Kind.GREY, 8, 8), 10_000)
    from_memory = convert(torch.from_numpy(values).view(1, 1, 16, 24), 1, (8, 8), torch.uint8)[0]
    assert (from_file.int() - from_memory.int()).abs().max() <= 2


def test_a_set_that_fits_is_not_touched(noise) -> None:
    images = read(noise(2, 8, 8)).train
    assert matched(images, channels=1, size=(8, 8), dtype=torch.uint8) is images
    assert isinstance(read(Source(train=images)), Source)
