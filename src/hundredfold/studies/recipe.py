"""What is chosen for a person who chose nothing: encoder, views, length, batch. Each choice comes with its reason.

The numbers were measured; `benchmarks/` holds the records.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from hundredfold.data.images import ImageSet, as_float
from hundredfold.methods import catalogue as methods
from hundredfold.settings import Table, merge, overlay
from hundredfold.studies.run_settings import RunSettings
from hundredfold.train.plan import Plan
from hundredfold.views.recipe import default_views

LOOKED_AT = 500  # images
SMALL = 40  # pixels: up to here the convnet is enough, and fast on a CPU
STEPS = 1600  # of pre-training, about
LEAST_EPOCHS, MOST_EPOCHS = 8, 100
BATCH = 256


def recommend(given: Table, images: ImageSet, pool: int, validation: int) -> tuple[RunSettings, tuple[str, ...]]:
    """Settings for these images, with what was given in place of what would have been chosen.

    Args:
        given: nested tables, already checked.
        images: the images to learn from.
        pool: how many of them pre-training sees.
        validation: how many are held out for the loss.

    Returns:
        The settings, none of them empty where a choice is needed, and a sentence for each choice.

    Raises:
        SettingsError: values that the recipe's own do not agree with.
    """
    background, border = _look(images)
    views, notes = default_views(images.channels, images.size, images.classes, background=background, border=border)
    batch = _batch(pool, validation)
    epochs = _epochs(pool, given.get("plan", {}).get("batch_size", batch))
    needed = methods.info(given.get("method", RunSettings().method)).encoder
    encoder = needed or _encoder(images)
    chosen = RunSettings(encoder=encoder, views=views, plan=replace(Plan(), batch_size=batch, epochs=epochs))
    wanted = overlay({}, given)
    if wanted.get("encoder") == "auto":
        del wanted["encoder"]
    settings = merge(chosen, wanted)
    reasons: list[str] = []
    if "encoder" not in wanted:
        why = (
            f"which {settings.method} trains" if needed else f"for {images.channels}-channel images of {_size(images)}"
        )
        reasons.append(f"encoder: {settings.encoder}, {why}")
    if "epochs" not in given.get("plan", {}):
        steps = settings.plan.epochs * max(1, pool // settings.plan.batch_size)
        reasons.append(f"epochs: {settings.plan.epochs}, about {steps:,} steps of {settings.plan.batch_size} images")
    if not set(given.get("views", {})):
        reasons.extend(notes)
    return settings, tuple(reasons)


def curve(labels: int, classes: int) -> tuple[int, ...]:
    """Points of the learning curve: up to six label counts from one a class to `labels`.

    >>> curve(100, 10)
    (10, 20, 40, 60, 80, 100)
    """
    shares = (0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
    return tuple(sorted({max(classes, round(labels * share)) for share in shares if labels >= classes} or {labels}))


def _look(images: ImageSet) -> tuple[float, float]:
    """Share of pixels within a tenth of the usual border value, and that value, over a few hundred images."""
    index = torch.linspace(0, len(images) - 1, min(len(images), LOOKED_AT)).long()
    values = as_float(images.take(index)).cpu()  # [b, c, h, w]
    edges = torch.cat([values[..., 0, :], values[..., -1, :], values[..., 0], values[..., -1]], dim=-1)
    border = float(edges.median())
    return float(((values - border).abs() < 0.1).float().mean()), border


def _encoder(images: ImageSet) -> str:
    return "convnet" if max(images.size) <= SMALL else "resnet18"


def _batch(pool: int, validation: int) -> int:
    """The largest power of two up to 256 that the validation images fill, so that both losses compare; at least 32."""
    batch = BATCH
    while batch > 32 and (batch > validation or batch * 4 > pool):
        batch //= 2
    return min(batch, max(2, pool))


def _epochs(pool: int, batch: Any) -> int:
    per_epoch = max(1, pool // batch) if isinstance(batch, int) and batch > 0 else 1
    return min(MOST_EPOCHS, max(LEAST_EPOCHS, round(STEPS / per_epoch)))


def _size(images: ImageSet) -> str:
    return f"{images.size[0]}x{images.size[1]} pixels"
