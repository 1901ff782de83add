"""A set of images with what is known about each: pixels, label, class names, where it came from.

Pixels are either in memory, as one tensor, or in files that are decoded when taken. What uses them never knows which.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from hundredfold.records import BadFile, DataSummary
from hundredfold.types import UNLABELLED


class Pixels(ABC):
    """Where the pixels are.

    Attributes:
        shape: (n, c, h, w).
        in_memory: whether taking costs an index-select only.
    """

    shape: tuple[int, int, int, int]
    in_memory: bool

    @abstractmethod
    def take(self, index: Tensor) -> Tensor:
        """The images at `index` [b] int64, as [b, c, h, w] uint8 in 0..255 or float32 in 0..1."""


class MemoryPixels(Pixels):
    """All pixels as one tensor [n, c, h, w], uint8 (0..255) or float32 (0..1), on any device."""

    in_memory = True

    def __init__(self, images: Tensor) -> None:
        if images.dim() != 4 or images.dtype not in (torch.uint8, torch.float32):
            raise ValueError(
                f"images must be [n, c, h, w] of uint8 or float32, got {tuple(images.shape)} of {images.dtype}"
            )
        self.images = images
        n, c, h, w = images.shape
        self.shape = (n, c, h, w)

    def take(self, index: Tensor) -> Tensor:
        """The images at `index` [b], on the device where all of them are."""
        return self.images.index_select(0, index.to(self.images.device))


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageSet:
    """Images and what is known about them.

    Attributes:
        source: as the user named it.
        pixels: where the pixels are.
        labels: [n] int64 into `classes`, `UNLABELLED` where there is none.
        classes: class names; empty if nothing is labelled.
        names: one text per image that a person recognises (a relative path, "row 17").
        bad_files: what was left out while reading.
        notes: what reading chose and why.
    """

    source: str
    pixels: Pixels
    labels: Tensor
    classes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    bad_files: tuple[BadFile, ...] = ()
    notes: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return self.pixels.shape[0]

    @property
    def channels(self) -> int:
        """Channels of every image."""
        return self.pixels.shape[1]

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of every image, in pixels."""
        return self.pixels.shape[2], self.pixels.shape[3]

    def take(self, index: Tensor) -> Tensor:
        """The images at `index` [b], as stored: [b, c, h, w] uint8 or float32."""
        return self.pixels.take(index)

    def labelled(self) -> Tensor:
        """Positions of the images that carry a label, int64."""
        return (self.labels != UNLABELLED).nonzero().squeeze(1)

    def name(self, position: int) -> str:
        """What to call one image in front of a person."""
        return self.names[position] if self.names else f"image {position}"

    def without_labels(self) -> ImageSet:
        """The same images with every label hidden: what pre-training is given."""
        return replace(self, labels=torch.full_like(self.labels, UNLABELLED))

    def to(self, device: torch.device) -> ImageSet:
        """The same set with in-memory pixels on `device`; files stay where they are."""
        if not isinstance(self.pixels, MemoryPixels):
            return self
        return replace(self, pixels=MemoryPixels(self.pixels.images.to(device)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """What one SOURCE holds: images to learn from and, if it has one, a test set of its own."""

    train: ImageSet
    test: ImageSet | None = None

    def summary(self) -> DataSummary:
        """What was read, as a record."""
        labelled = self.train.labelled()
        counts = torch.bincount(self.train.labels[labelled], minlength=len(self.train.classes))
        height, width = self.train.size
        return DataSummary(
            source=self.train.source,
            images=len(self.train),
            test_images=len(self.test) if self.test else 0,
            channels=self.train.channels,
            height=height,
            width=width,
            classes=self.train.classes,
            labelled=len(labelled),
            class_counts=tuple(counts.tolist()) if self.train.classes else (),
            in_memory=self.train.pixels.in_memory,
            bad_files=self.train.bad_files + (self.test.bad_files if self.test else ()),
            notes=tuple(dict.fromkeys(self.train.notes + (self.test.notes if self.test else ()))),
        )


def as_float(images: Tensor) -> Tensor:
    """Stored images as float32 in 0..1: uint8 is divided by 255, float is returned as it is."""
    return images.float().div_(255) if images.dtype == torch.uint8 else images
