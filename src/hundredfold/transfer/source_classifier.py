"""The contract of a source classifier: what it takes an image of another task for."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from hundredfold.train.engine import Engine


class SourceClassifier(ABC):
    """Knows the source's classes, and is frozen.

    Attributes:
        classes: k names.
        channels: of the images it takes.
        size: (height, width) of the images it takes.
    """

    classes: tuple[str, ...]
    channels: int
    size: tuple[int, int]

    @abstractmethod
    def logits(self, images: Tensor) -> Tensor:
        """[b, k] float32 of images [b, c, h, w] in 0..1; no gradient is kept."""

    @abstractmethod
    def features(self, images: Tensor) -> Tensor:
        """[b, d] float32, what the last layer reads, of images [b, c, h, w] in 0..1; no gradient is kept."""

    @abstractmethod
    def place(self, engine: Engine) -> None:
        """Moves the classifier to the engine's device."""

    def probabilities(self, images: Tensor, *, temperature: float = 1.0) -> Tensor:
        """softmax(logits / temperature), [b, k] of images [b, c, h, w] in 0..1: the cascade's soft source labels."""
        return torch.softmax(self.logits(images) / temperature, dim=1)
