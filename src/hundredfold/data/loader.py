"""Batches of a set, addressed by step: batch k of a seed is the same today and after a restart.

Each epoch is a permutation drawn from (seed, epoch); a step takes the next slice of it. Nothing is remembered
between batches, so a resumed run goes on in the middle of an epoch without saving any state.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from hundredfold.data.images import ImageSet
from hundredfold.data.streaming import stream
from hundredfold.errors import SettingsError
from hundredfold.random import generator
from hundredfold.types import ImageBatch


@dataclass(frozen=True, kw_only=True, eq=False)
class Loader:
    """Shuffled batches of some images of a set, without end.

    Attributes:
        images: the set.
        index: [m] int64, which of its images to use.
        batch_size: images in a step, over all processes; more than `m` draws images again within a step.
        seed: of the order.
        rank, world: which part of each batch is this process's (an equal share, in order).
        workers: threads that decode images kept in files; unused for images in memory.

    Raises:
        SettingsError: no images, or a batch that cannot be shared out equally.
    """

    images: ImageSet
    index: Tensor
    batch_size: int
    seed: int
    rank: int = 0
    world: int = 1
    workers: int = 2

    def __post_init__(self) -> None:
        problems = []
        if not len(self.index):
            problems.append("there are no images to make batches of")
        if self.batch_size < 1 or self.batch_size % self.world:
            problems.append(f"a batch of {self.batch_size} cannot be shared equally by {self.world} processes")
        if problems:
            raise SettingsError(problems)

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches in the set, at least one; the images left over come in another epoch's order."""
        return max(1, len(self.index) // self.batch_size)

    def positions(self, step: int) -> Tensor:
        """Positions in the set [batch_size / world] of step `step`, counted from 0."""
        epoch, within = divmod(step, self.steps_per_epoch)
        order = _order(self.seed, epoch, len(self.index), self.batch_size)
        share = self.batch_size // self.world
        start = within * self.batch_size + self.rank * share
        return self.index[order[start : start + share]]

    def batches(self, first: int, last: int) -> Iterator[ImageBatch]:
        """The batches of steps `first` to `last` - 1."""
        positions = (self.positions(step) for step in range(first, last))
        return stream(self.images, positions, 0 if self.images.pixels.in_memory else self.workers)


@lru_cache(maxsize=4)  # every step of an epoch asks for the same order
def _order(seed: int, epoch: int, count: int, batch_size: int) -> Tensor:
    rng = generator(seed, "shuffle", epoch)
    rounds = -(-batch_size // count)  # more than one only when a batch is larger than the set
    return torch.cat([torch.randperm(count, generator=rng) for _ in range(rounds)])
