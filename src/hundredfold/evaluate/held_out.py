"""The test set behind a door: its images can be taken at any time, its labels only once, when all models are done."""

from __future__ import annotations

from torch import Tensor

from hundredfold.data.images import ImageSet


class HeldOut:
    """Test images whose labels are sealed until `open` is called.

    Args:
        images: the set that holds them.
        index: [n] their positions in it.

    Attributes:
        images: the same set with every label hidden.
        index: the positions.
    """

    def __init__(self, images: ImageSet, index: Tensor) -> None:
        self.images = images.without_labels()
        self.index = index
        self._labels = images.labels[index]

    def __len__(self) -> int:
        return len(self.index)

    def open(self) -> Tensor:
        """The labels [n]. After this nothing may be learnt or chosen any more."""
        return self._labels
