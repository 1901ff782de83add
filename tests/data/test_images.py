from __future__ import annotations

import pytest
import torch

from hundredfold.data.images import ImageSet, MemoryPixels, Source, as_float
from hundredfold.records import BadFile


def small_set(**changed: object) -> ImageSet:
    settings: dict[str, object] = {
        "source": "here",
        "pixels": MemoryPixels(torch.arange(4 * 6, dtype=torch.uint8).view(4, 1, 2, 3)),
        "labels": torch.tensor([1, -1, 0, 1]),
        "classes": ("cat", "dog"),
    }
    return ImageSet(**{**settings, **changed})  # type: ignore[arg-type]


def test_a_set_knows_its_size_and_labels() -> None:
    images = small_set()
    assert len(images) == 4 and images.channels == 1 and images.size == (2, 3)
    assert images.labelled().tolist() == [0, 2, 3]
    assert images.take(torch.tensor([2, 0]))[:, 0, 0, 0].tolist() == [12, 0]
    assert images.name(3) == "image 3" and small_set(names=("a", "b", "c", "d")).name(3) == "d"


def test_hidden_labels_leave_the_set_as_it_was() -> None:
    images = small_set()
    assert images.without_labels().labels.tolist() == [-1] * 4
    assert images.labels.tolist() == [1, -1, 0, 1]


def test_pixels_of_another_shape_or_type_are_refused() -> None:
    for wrong in (torch.zeros(2, 3, 4), torch.zeros(1, 1, 2, 2, dtype=torch.float64)):
        with pytest.raises(ValueError, match=r"must be \[n, c, h, w\]"):
            MemoryPixels(wrong)


def test_as_float() -> None:
    assert as_float(torch.tensor([0, 51, 255], dtype=torch.uint8)).tolist() == pytest.approx([0, 0.2, 1])
    same = torch.tensor([0.3])
    assert as_float(same) is same


def test_the_summary() -> None:
    test = small_set(notes=("b",), bad_files=(BadFile(path="y", reason="z"),))
    summary = Source(train=small_set(notes=("a", "b"), bad_files=(BadFile(path="x", reason="z"),)), test=test).summary()
    assert (summary.images, summary.test_images, summary.labelled, summary.class_counts) == (4, 4, 3, (1, 2))
    assert (summary.channels, summary.height, summary.width) == (1, 2, 3)
    assert [file.path for file in summary.bad_files] == ["x", "y"] and summary.notes == ("a", "b")


def test_the_summary_of_an_unlabelled_set() -> None:
    images = small_set(labels=torch.full((4,), -1), classes=())
    assert Source(train=images).summary().class_counts == ()
