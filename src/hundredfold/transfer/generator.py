"""The contract of a conditional generator: images for rows of class probabilities.

A soft condition must act: images of half a three and half a five are neither threes nor fives. Some published
generators take the likeliest class of what they are given without a word, and a cascade through them then does nothing.
`responds` tells.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torch.nn import functional

from hundredfold.random import generator as random_generator
from hundredfold.train.engine import Engine

SIMPLEX = 1e-3  # how far from 1 the sum of a condition may be


class Generator(ABC):
    """Draws images of classes, or of mixtures of classes.

    Attributes:
        name: what it is, for people ("conditional_vae", "diffusion", ...).
        classes: k names in the order of conditions.
        channels: of its images.
        size: (height, width) of its images.
    """

    name: str
    classes: tuple[str, ...]
    channels: int
    size: tuple[int, int]

    @torch.no_grad()
    def sample(self, condition: Tensor, rng: torch.Generator) -> Tensor:
        """A new image for each row of class probabilities.

        Args:
            condition: [b, k] >= 0, rows sum to 1.
            rng: of the noise, on the CPU; the same state gives the same noise, whatever the condition.

        Returns:
            [b, c, h, w] float32 in 0..1 on the generator's device.

        Raises:
            ValueError: a condition that is no row of probabilities over the generator's classes.
        """
        k = len(self.classes)
        if condition.dim() != 2 or condition.shape[1] != k:
            raise ValueError(f"conditions must be [b, {k}], a share for each class, got {list(condition.shape)}")
        if bool((condition < 0).any()) or not bool(((condition.sum(1) - 1).abs() < SIMPLEX).all()):
            raise ValueError("each condition must be a row of shares >= 0 that sum to 1")
        return self.draw(condition.float(), rng).float().clamp(0, 1)

    @abstractmethod
    def draw(self, condition: Tensor, rng: torch.Generator) -> Tensor:
        """What `sample` returns, for conditions that were checked; no gradient is kept."""

    @abstractmethod
    def place(self, engine: Engine) -> None:
        """Moves the generator to the engine's device."""


def one_hot(labels: Tensor, classes: int) -> Tensor:
    """Conditions [b, classes] that ask for one class each, of labels [b]."""
    return functional.one_hot(labels, classes).float()


def responds(generator: Generator, *, count: int = 64, seed: int = 0) -> tuple[float, float]:
    """How far images move with the class asked for, and with a mixture of two, at the same noise.

    Args:
        generator: what to ask.
        count: images of each kind, >= 1.
        seed: of noise and classes.

    Returns:
        (hard, soft): the mean absolute change of a pixel, 0..1, from one class to the next; and from a mixture
        (0.6, 0.4) of those two to its likelier one. A generator that ignores its condition has hard 0; one that takes
        the likeliest class has soft 0.
    """
    k = len(generator.classes)
    labels = torch.arange(count) % k
    first, second = one_hot(labels, k), one_hot((labels + 1) % k, k)
    conditions = (first, second, 0.6 * first + 0.4 * second)
    one, other, mixed = (generator.sample(row, random_generator(seed, "responds")) for row in conditions)
    return float((one - other).abs().mean()), float((one - mixed).abs().mean())
