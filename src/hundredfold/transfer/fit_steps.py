"""Training for a number of steps, the same whatever the size of the set: what makes arms comparable."""

from __future__ import annotations

import torch
from torch import Tensor

from hundredfold.data.images import ImageSet
from hundredfold.data.loader import Loader
from hundredfold.methods._base import Method
from hundredfold.random import generator
from hundredfold.records import TrainingResult
from hundredfold.train.engine import Engine
from hundredfold.train.loop import fit
from hundredfold.train.plan import Plan
from hundredfold.train.stop import StopRequest


def fit_steps(
    method: Method,
    images: ImageSet,
    index: Tensor,
    *,
    steps: int,
    batch: int,
    lr: float,
    weight_decay: float,
    engine: Engine,
    seed: int,
    stop: StopRequest | None = None,
) -> TrainingResult:
    """Trains `method` in place for exactly `steps` steps of `batch` images.

    Args:
        method: what to train.
        images: the set.
        index: [m] which of its images to use, each about equally often.
        steps, batch: >= 1.
        lr, weight_decay, engine, stop: as for `fit`.
        seed: of batches and views.

    Raises:
        Interrupted, DivergedError: as `fit`.
    """
    once = batch <= len(index) < 2 * batch  # an epoch is a step, which sees each image once at most
    loader = Loader(
        images=images, index=index if once else tiled(index, steps * batch, seed), batch_size=batch, seed=seed
    )
    plan = Plan(epochs=steps if once else 1, batch_size=batch, lr=lr, weight_decay=weight_decay, validate=False)
    return fit(method, loader, plan, engine, stop=stop)


def tiled(index: Tensor, count: int, seed: int) -> Tensor:
    """`count` of the positions in `index`, each as often as any other or once more; which ones, by chance."""
    rounds, left = divmod(count, len(index))
    order = torch.randperm(len(index), generator=generator(seed, "tiles"))[:left]
    return torch.cat([index.repeat(rounds), index[order]])
