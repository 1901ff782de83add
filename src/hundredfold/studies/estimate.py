"""What a run would take: time, memory and disk, from a few steps of the real thing. Nothing is written."""

from __future__ import annotations

import itertools
import time
from dataclasses import asdict, dataclass
from typing import Any

import torch

from hundredfold.random import generator
from hundredfold.records import DataSummary
from hundredfold.studies.prepare import Prepared, prepare
from hundredfold.studies.pretraining import loaders, new_method
from hundredfold.studies.run_settings import gather
from hundredfold.train.optimizer import optimizer as make_optimizer

STEPS = 3  # timed, after one that warms up
PARTS = 4  # weights, gradient and the two moments of AdamW
FLOAT = 4  # bytes


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What `--dry-run` says.

    Attributes:
        settings: every setting, resolved.
        data: what was read.
        parameters: trainable ones of the method.
        steps: of pre-training.
        seconds_per_step: measured.
        pretrain_seconds: steps * seconds_per_step.
        memory_bytes: of images in memory, weights, gradients and optimizer; activations come on top.
        disk_bytes: of checkpoints, encoder and classifier.
        notes: what was chosen and why.
    """

    settings: dict[str, Any]
    data: DataSummary
    parameters: int
    steps: int
    seconds_per_step: float
    pretrain_seconds: float
    memory_bytes: int
    disk_bytes: int
    notes: tuple[str, ...]


def estimate(
    source: Any, *, config: str | None = None, overrides: tuple[str, ...] = (), needs_labels: bool = True, **settings: Any
) -> Estimate:
    """Resolves and checks everything a run would, takes a few steps in memory, and writes nothing.

    Raises:
        UserError: what the run would raise before training.
    """
    prepared = prepare(source, gather(config, list(overrides), settings), needs_labels=needs_labels)
    parameters = _parameters(prepared)
    train, _ = loaders(prepared)
    steps = prepared.settings.plan.epochs * train.steps_per_epoch
    per_step = _seconds_per_step(prepared) if steps else 0.0
    n, c, h, w = prepared.images.pixels.shape
    pixels = n * c * h * w if prepared.images.pixels.in_memory else 0
    return Estimate(
        settings=asdict(prepared.settings),
        data=prepared.source.summary(),
        parameters=parameters,
        steps=steps,
        seconds_per_step=per_step,
        pretrain_seconds=steps * per_step,
        memory_bytes=pixels + PARTS * FLOAT * parameters,
        disk_bytes=(prepared.settings.plan.keep + 2) * checkpoint_bytes(prepared),
        notes=prepared.notes,
    )


def checkpoint_bytes(prepared: Prepared) -> int:
    """About the size of one checkpoint: weights and the optimizer's two moments."""
    return 3 * FLOAT * _parameters(prepared)


def _parameters(prepared: Prepared) -> int:
    return sum(parameter.numel() for parameter in new_method(prepared).parameters() if parameter.requires_grad)


def _seconds_per_step(prepared: Prepared) -> float:
    engine, seed = prepared.engine, prepared.settings.seed
    method = engine.place(new_method(prepared)).train()
    optimizer = make_optimizer(method, prepared.settings.plan)
    train, _ = loaders(prepared)
    began = 0.0
    for step, batch in enumerate(itertools.islice(train.batches(0, STEPS + 1), STEPS + 1)):
        if step == 1:
            began = time.monotonic()
        views = method.views(batch._replace(images=engine.images(batch.images)), generator(seed, "estimate", step))
        with engine.autocast():
            loss = method(views).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    if engine.device.type == "cuda":
        torch.cuda.synchronize()
    return (time.monotonic() - began) / STEPS
