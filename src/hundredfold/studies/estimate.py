"""What a run would take: time, memory and disk, from a few steps of the real thing. Nothing is written."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from hundredfold.encoders._base import pass_in_chunks
from hundredfold.encoders.folder import load_encoder
from hundredfold.methods._base import Method
from hundredfold.random import generator
from hundredfold.records import DataSummary
from hundredfold.studies.claim import check_free
from hundredfold.studies.prepare import Prepared, prepare
from hundredfold.studies.pretraining import loaders, new_method
from hundredfold.studies.reuse import check_fit, settings_of
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
    source: Any,
    *,
    run: str | Path | None = None,
    config: str | Path | None = None,
    overrides: Sequence[str] = (),
    out: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    needs_labels: bool = True,
    **settings: Any,
) -> Estimate:
    """Resolves and checks everything a run would, takes a few steps in memory, and writes nothing.

    Args:
        source: as for the run.
        run: for an evaluation, the run whose encoder is used; None for a run that pre-trains.
        config, overrides, out, resume, overwrite, settings: as for the run.
        needs_labels: whether models would be learnt from labels.

    Raises:
        UserError: what the run would raise before training.
    """
    given = gather(config, overrides, settings)
    if out is not None:
        check_free(Path(out), resume=resume, overwrite=overwrite)
    encoder = load_encoder(run) if run is not None else None
    if run is not None and encoder is not None:
        given |= settings_of(encoder, Path(run))
    prepared = prepare(source if source is not None else given.get("source"), given, needs_labels=needs_labels)
    if run is not None and encoder is not None:
        check_fit(encoder, prepared, Path(run))
    method = new_method(prepared)
    parameters = _parameters(method)
    train, _ = loaders(prepared)
    steps = prepared.settings.plan.epochs * train.steps_per_epoch if run is None else 0
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
        disk_bytes=(prepared.settings.plan.keep + 2) * checkpoint_bytes(method),
        notes=prepared.notes,
    )


def checkpoint_bytes(method: Method) -> int:
    """About the size of one checkpoint: weights and the optimizer's two moments."""
    return 3 * FLOAT * _parameters(method)


def _parameters(method: Method) -> int:
    return sum(parameter.numel() for parameter in method.parameters() if parameter.requires_grad)


def _seconds_per_step(prepared: Prepared) -> float:
    engine, seed = prepared.engine, prepared.settings.seed
    method = engine.place(new_method(prepared)).train()
    pass_in_chunks(method, prepared.settings.plan.chunk)
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
