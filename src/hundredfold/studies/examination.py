"""What held-out images say of a method: a few after each epoch of training, more when it is done.

Nothing here looks at a label.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from hundredfold.evaluate.features import features
from hundredfold.evaluate.similarity import similarity
from hundredfold.methods._base import Method
from hundredfold.random import generator
from hundredfold.records import Similarity
from hundredfold.studies.pictures import as_bytes
from hundredfold.studies.prepare import Prepared
from hundredfold.types import ImageBatch

COMPARED = 1000  # held-out images whose similarities are looked at in the end
FEWEST = 32  # images that are compared at least
SHARE = 60  # images to learn from for each that is compared after an epoch
SHOWN = 8  # images whose two views the report shows


def examination(method: Method, prepared: Prepared) -> Callable[[], Similarity | None]:
    """What `fit` calls after each epoch: figures of a few held-out images under views that never change.

    One image is compared for every 60 to learn from. That is a forward pass of 1/60 of an epoch, which is a third of
    the work of its steps: 0.6 % of the epoch's time, and below 2 % from a pool of about 500 images on.
    """
    batch = held_out(prepared, min(COMPARED, max(FEWEST, len(prepared.split.pool) // SHARE)))

    def examine() -> Similarity | None:
        with prepared.engine.autocast():
            found = projections(method, batch, prepared)
        if found is None or not all(bool(part.isfinite().all()) for part in found):
            return None
        return similarity(*found, temperature=method.softmax_temperature(), histograms=False)

    return examine


def similarity_stage(method: Method, prepared: Prepared) -> tuple[Similarity | None, dict[str, Tensor]]:
    """How views of held-out images compare, and pictures of some: `originals`, `view_a`, `view_b`, uint8."""
    prepared.engine.place(method)
    batch = held_out(prepared, COMPARED)
    found = projections(method, batch, prepared)
    if found is None:
        return None, {}
    plain = features(method.encoder, prepared.images, batch.positions, prepared.engine)
    return similarity(found[0], found[1], plain, temperature=method.softmax_temperature()), _pictures(method, prepared)


@torch.no_grad()
def projections(method: Method, batch: ImageBatch, prepared: Prepared) -> tuple[Tensor, Tensor, Tensor] | None:
    """Two views of each image [n, d] and the features of the first [n, k], on the CPU; None if none are compared.

    In evaluation mode, and about as many images at a time as in a step of training, for which there was memory.
    """
    rng = generator(prepared.settings.seed, "similarity")
    caught: list[Tensor] = []
    parts: list[tuple[Tensor, Tensor, Tensor]] = []
    training = method.training
    method.eval()
    hook = method.encoder.register_forward_hook(lambda encoder, images, features: caught.append(features))
    try:
        for rows in torch.arange(len(batch.images)).split(max(FEWEST, prepared.settings.plan.batch_size)):
            caught.clear()
            pair = method.project(method.views(ImageBatch(*(part[rows] for part in batch)), rng))
            if pair is None:
                return None
            parts.append((*pair, caught[0][: len(rows)]))
    finally:
        hook.remove()
        method.train(training)
    za, zb, seen = (torch.cat(column).float().cpu() for column in zip(*parts))
    return za, zb, seen


def held_out(prepared: Prepared, most: int) -> ImageBatch:
    """Validation images, evenly spread over the set (a folder has its classes one after the other), without labels.

    Where there are fewer than 32, images of the pool stand in for the missing ones: figures of a few pairs say little.
    """
    parts = prepared.split
    index = _evenly(parts.validation, most)
    index = torch.cat([index, _evenly(parts.pool, max(0, min(most, FEWEST) - len(index)))])
    images = prepared.images.without_labels()
    return ImageBatch(prepared.engine.images(images.take(index)), images.labels[index], index)


def _pictures(method: Method, prepared: Prepared) -> dict[str, Tensor]:
    """Some images and the first two sets of images among what the method makes of them, as bytes."""
    shown = held_out(prepared, SHOWN)
    views = method.views(shown, generator(prepared.settings.seed, "shown views"))
    sets = (part for part in _parts(views) if part.dim() == 4)
    named = {"originals": shown.images, **dict(zip(("view_a", "view_b"), sets))}
    return {name: as_bytes(images) for name, images in named.items()}


def _parts(views: Any) -> Iterator[Tensor]:
    if isinstance(views, Tensor):
        yield views
    elif isinstance(views, tuple):
        for part in views:
            yield from _parts(part)


def _evenly(index: Tensor, most: int) -> Tensor:
    """At most so many of the positions, at equal distances."""
    count = min(most, len(index))
    return index[torch.arange(count) * len(index) // max(1, count)]
