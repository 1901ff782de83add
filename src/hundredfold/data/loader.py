"""Batches of a set, addressed by step: batch k of a seed is the same today and after a restart.

Each epoch is a permutation drawn from (seed, epoch); a step takes the next slice of it. Nothing is remembered
between batches, so a resumed run goes on in the middle of an epoch without saving any state.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from hundredfold.data.images import ImageSet
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
        workers: processes that decode images kept in files; unused for images in memory.
    """

    images: ImageSet
    index: Tensor
    batch_size: int
    seed: int
    rank: int = 0
    world: int = 1
    workers: int = 2

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches in the set, at least one; the images left over come in another epoch's order."""
        return max(1, len(self.index) // self.batch_size)

    def positions(self, step: int) -> Tensor:
        """Positions in the set [batch_size / world] of step `step`, counted from 0."""
        epoch, within = divmod(step, self.steps_per_epoch)
        order = self._order(epoch)
        start = within * self.batch_size
        whole = self.index[order[start : start + self.batch_size]]
        return whole.chunk(self.world)[self.rank] if self.world > 1 else whole

    def batches(self, first: int, last: int) -> Iterator[ImageBatch]:
        """The batches of steps `first` to `last` - 1."""
        if self.images.pixels.in_memory:
            for step in range(first, last):
                yield self._batch(self.positions(step))
            return
        from hundredfold.data.streaming import stream

        yield from stream(self.images, (self.positions(step) for step in range(first, last)), self.workers)

    def _batch(self, positions: Tensor) -> ImageBatch:
        return ImageBatch(self.images.take(positions), self.images.labels[positions], positions)

    def _order(self, epoch: int) -> Tensor:
        rng = generator(self.seed, "shuffle", epoch)
        count = len(self.index)
        rounds = -(-self.batch_size // count)  # more than one only when a batch is larger than the set
        return torch.cat([torch.randperm(count, generator=rng) for _ in range(rounds)])
