from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hundredfold.data.images import ImageSet
from hundredfold.data.loader import Loader
from hundredfold.data.read import ReadOptions, read
from hundredfold.data.streaming import read_failures, stream
from hundredfold.errors import DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(20):
        part = tmp_path / ("even" if number % 2 == 0 else "odd")
        part.mkdir(exist_ok=True)
        Image.new("L", (4, 4), number * 10).save(part / f"{number:02}.png")
    return tmp_path


def in_files(folder: Path) -> ImageSet:
    return read(folder, ReadOptions(memory_limit=0)).train


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_streamed_batches_are_those_from_memory(folder: Path, workers: int) -> None:
    memory = read(folder).train
    settings = {"index": torch.arange(20), "batch_size": 6, "seed": 3}
    streamed = Loader(images=in_files(folder), workers=workers, **settings).batches(0, 9)  # type: ignore[arg-type]
    kept = Loader(images=memory, **settings).batches(0, 9)  # type: ignore[arg-type]
    count = 0
    for ours, theirs in zip(streamed, kept, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs))
        count += 1
    assert count == 9


def test_a_file_that_vanished_is_replaced_by_the_next_of_its_batch(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    images = in_files(folder)
    gone = images.names.index("odd/05.png")
    (folder / "odd/05.png").unlink()
    batches = [torch.tensor([0, gone, 3, 4]), torch.tensor([1, gone])]
    with caplog.at_level(logging.WARNING):
        first, second = stream(images, iter(batches), workers=2)
    assert first.positions.tolist() == [0, 3, 3, 4]
    assert second.positions.tolist() == [1, 1]  # round the end of the batch
    for batch in (first, second):
        assert torch.equal(batch.images, images.take(batch.positions))
        assert torch.equal(batch.labels, images.labels[batch.positions])
    assert [(file.path, file.reason) for file in read_failures(images)] == [("odd/05.png", "does not exist")]
    assert len(caplog.records) == 1


def test_take_gives_black_for_what_vanished(folder: Path) -> None:
    images = in_files(folder)
    (folder / "odd/01.png").unlink()
    position = images.names.index("odd/01.png")
    found = images.take(torch.tensor([position, 1]))
    assert found[0].unique().tolist() == [0] and found[1].unique().tolist() == [20]
    assert images.take(torch.tensor([], dtype=torch.int64)).shape == (0, 1, 4, 4)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_whole_batch_that_vanished_is_a_sentence(folder: Path, workers: int) -> None:
    images = in_files(folder)
    for path in folder.glob("*/*.png"):
        path.unlink()
    with pytest.raises(DataError, match=r"none of the 2 images of a batch.*\nwhy: even/00.png: does not exist"):
        next(stream(images, iter([torch.tensor([0, 1])]), workers))


def test_no_more_is_decoded_ahead_than_promised_and_no_thread_stays(folder: Path) -> None:
    asked: list[int] = []

    def positions():
        for number in range(100):
            asked.append(number)
            yield torch.tensor([number % 20])

    before = threading.active_count()
    batches = stream(in_files(folder), positions(), workers=2)
    next(batches)
    time.sleep(0.05)
    assert len(asked) <= 3
    batches.close()  # what leaving a training loop early does
    assert threading.active_count() == before


def test_a_file_that_changed_its_size_and_mode_still_fits(folder: Path) -> None:
    images = in_files(folder)
    Image.fromarray(np.full((50, 30, 3), 77, np.uint8)).save(folder / "even/00.png")
    assert images.take(torch.tensor([0])).unique().tolist() == [77]
