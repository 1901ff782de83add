"""The test set behind a door: images at any time, labels through `open` alone."""

import torch

from hundredfold.data.images import ImageSet, MemoryPixels
from hundredfold.evaluate.held_out import HeldOut
from hundredfold.types import UNLABELLED


def test_labels_come_through_the_door_alone():
    labels = torch.tensor([0, 1, 2, 0, 1])
    images = ImageSet(source="x", pixels=MemoryPixels(torch.rand(5, 1, 2, 2)), labels=labels, classes=("a", "b", "c"))
    held_out = HeldOut(images, torch.tensor([1, 4, 2]))
    assert len(held_out) == 3 and held_out.index.tolist() == [1, 4, 2]
    assert bool((held_out.images.labels == UNLABELLED).all()), "also of images that are not tested on"
    assert torch.equal(held_out.images.take(held_out.index), images.take(torch.tensor([1, 4, 2])))
    assert held_out.open().tolist() == [1, 1, 2]
    assert images.labels.tolist() == [0, 1, 2, 0, 1]
