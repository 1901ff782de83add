"""The one loop: everything that is trained here, with labels or without, is trained by `fit`.

generator for (seed, step, rank) -> views -> forward -> finite? -> backward -> clip -> step -> after_step -> watch ->
save when due. Batches and random numbers are addressed by step, so a resumed run is the unbroken run.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from hundredfold import distributed
from hundredfold.data.loader import Loader
from hundredfold.errors import DivergedError, Interrupted
from hundredfold.methods._base import Method
from hundredfold.random import derive, generator
from hundredfold.records import EpochRecord, TrainingResult, from_json, to_json
from hundredfold.train import checkpoint
from hundredfold.train.engine import Engine
from hundredfold.train.optimizer import optimizer as make_optimizer
from hundredfold.train.plan import Plan
from hundredfold.train.schedule import warmup_cosine
from hundredfold.train.stop import StopRequest
from hundredfold.train.watch import StepRecord, Watch
from hundredfold.types import ImageBatch, Progress


@dataclass
class _Epoch:
    """Sums over the steps of the epoch under way; part of the checkpoint."""

    steps: int = 0
    loss: float = 0.0
    wait: float = 0.0
    seconds: float = 0.0
    logs: dict[str, float] = field(default_factory=dict)


def fit(
    method: Method,
    loader: Loader,
    plan: Plan,
    engine: Engine,
    *,
    validation: Loader | None = None,
    watches: Sequence[Watch] = (),
    folder: Path | None = None,
    stop: StopRequest | None = None,
) -> TrainingResult:
    """Trains `method` in place, going on from the newest trusted checkpoint in `folder` if there is one.

    Args:
        method: what to train; placed on the engine's device.
        loader: the batches, by step; its seed is the seed of the views too.
        plan: how long and how fast.
        engine: where and in which precision.
        validation: held-out batches for the loss after each epoch.
        watches: told of each step and epoch.
        folder: where checkpoints go; None keeps nothing.
        stop: when it has received a signal, the loop finishes the step, saves and raises.

    Raises:
        DivergedError: a loss or gradient that is not finite, before the step that would spoil the weights.
        Interrupted: a signal came; the checkpoint is written.
        ResourceError, OutputError: a checkpoint could not be written.
    """
    engine.place(method)
    optimizer = make_optimizer(method, plan)
    steps = plan.epochs * loader.steps_per_epoch
    first, epochs, partial, before, notes = _resume(folder, method, optimizer)
    chance, floor = method.levels(plan.batch_size)
    wrapped = engine.wrap(method)
    for watch in watches:
        watch.start(first)

    started = saved = clock = time.monotonic()
    with torch.random.fork_rng():  # dropout reads the global generator: it is seeded for each step and given back
        try:
            method.train()
            for step, batch in enumerate(loader.batches(first, steps), first):
                torch.manual_seed(derive(loader.seed, "dropout", step, loader.rank))
                views = method.views(_on_device(batch, engine), generator(loader.seed, "views", step, loader.rank))
                waited = time.monotonic() - clock

                rate = warmup_cosine(step, steps, peak=plan.lr, warmup=plan.warmup)
                for group in optimizer.param_groups:
                    group["lr"] = rate
                with engine.autocast():
                    out = wrapped(views)
                loss = distributed.mean(out.loss.detach()).item()
                if not math.isfinite(loss):
                    raise _diverged("loss", loss, step, rate, folder)
                out.loss.backward()
                norm = _clip(method, plan.clip_norm)
                if not math.isfinite(norm):
                    raise _diverged("gradient norm", norm, step, rate, folder)
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
                method.after_step(Progress(step + 1, steps))

                now = time.monotonic()
                _add(partial, loss, out.logs, waited, now - clock)
                record = StepRecord(
                    step=step + 1,
                    steps=steps,
                    epoch=step // loader.steps_per_epoch + 1,
                    epochs=plan.epochs,
                    loss=loss,
                    lr=rate,
                    images=plan.batch_size,
                    data_wait=waited,
                    seconds=now - clock,
                )
                clock = now
                for watch in watches:
                    watch.step(record)

                ended = (step + 1) % loader.steps_per_epoch == 0
                if ended:
                    epochs.append(_close_epoch(partial, record, wrapped, validation, plan, engine))
                    partial = _Epoch()
                    for watch in watches:
                        watch.epoch(epochs[-1])
                    method.train()
                signal_number = distributed.largest(stop.received or 0) if stop else 0
                due = ended or signal_number or time.monotonic() - saved >= plan.checkpoint_seconds
                if folder and due and distributed.is_main():
                    spent = before + time.monotonic() - started
                    state = _state(epochs, partial, spent)
                    checkpoint.save(folder, step=step + 1, method=method, optimizer=optimizer, state=state, keep=plan.keep)
                    saved = time.monotonic()
                if signal_number and step + 1 < steps:
                    where = f", saved in {folder}" if folder else ""
                    raise Interrupted(f"stopped after step {step + 1} of {steps}{where}", signal_number=signal_number)
                clock = time.monotonic()
        finally:
            for watch in watches:
                watch.finish()
    method.eval()
    return TrainingResult(
        steps=steps,
        parameters=sum(parameter.numel() for parameter in method.parameters() if parameter.requires_grad),
        batch_size=plan.batch_size,
        epochs=tuple(epochs),
        seconds=before + time.monotonic() - started,
        precision=engine.precision,
        device=engine.device.type,
        chance=chance,
        floor=floor,
        notes=tuple(notes),
    )


@torch.no_grad()
def validation_loss(method: torch.nn.Module, loader: Loader, engine: Engine) -> float:
    """The method's loss over the whole of `loader`, in evaluation mode, under views that never change."""
    inner: Method = method.module if hasattr(method, "module") else method  # type: ignore[assignment]
    training = inner.training
    inner.eval()
    losses = []
    for step, batch in enumerate(loader.batches(0, loader.steps_per_epoch)):
        views = inner.views(_on_device(batch, engine), generator(loader.seed, "validation views", step, loader.rank))
        with engine.autocast():
            losses.append(inner(views).loss.float())
    inner.train(training)
    return float(distributed.mean(torch.stack(losses).mean()))


def _resume(
    folder: Path | None, method: Method, optimizer: torch.optim.Optimizer
) -> tuple[int, list[EpochRecord], _Epoch, float, list[str]]:
    found = checkpoint.newest(folder) if folder else None
    if found is None:
        return 0, [], _Epoch(), 0.0, []
    checkpoint.restore(found, method=method, optimizer=optimizer)
    state: dict[str, Any] = found.state
    epochs = [from_json(EpochRecord, text) for text in state["epochs"]]
    notes = [*found.passed_over, f"went on from step {found.step}"]
    return found.step, epochs, _Epoch(**state["partial"]), float(state["seconds"]), notes


def _state(epochs: list[EpochRecord], partial: _Epoch, seconds: float) -> dict[str, object]:
    return {"epochs": [to_json(record) for record in epochs], "partial": vars(partial), "seconds": seconds}


def _on_device(batch: ImageBatch, engine: Engine) -> ImageBatch:
    return batch._replace(images=engine.images(batch.images))


def _clip(method: Method, largest: float) -> float:
    """The gradient's norm; if `largest` > 0 the gradient is scaled down to it."""
    parameters = [parameter for parameter in method.parameters() if parameter.grad is not None]
    norm = torch.nn.utils.clip_grad_norm_(parameters, largest if largest > 0 else math.inf)
    return float(norm)


def _add(partial: _Epoch, loss: float, logs: Any, waited: float, seconds: float) -> None:
    partial.steps += 1
    partial.loss += loss
    partial.wait += waited
    partial.seconds += seconds
    for name, value in logs.items():
        partial.logs[name] = partial.logs.get(name, 0.0) + float(value)


def _close_epoch(
    partial: _Epoch, last: StepRecord, wrapped: torch.nn.Module, validation: Loader | None, plan: Plan, engine: Engine
) -> EpochRecord:
    began = time.monotonic()
    val_loss = validation_loss(wrapped, validation, engine) if validation and plan.validate else None
    return EpochRecord(
        epoch=last.epoch,
        step=last.step,
        loss=partial.loss / partial.steps,
        val_loss=val_loss,
        lr=last.lr,
        images_per_second=partial.steps * plan.batch_size / max(partial.seconds, 1e-9),
        data_wait=partial.wait / max(partial.seconds, 1e-9),
        seconds=partial.seconds + time.monotonic() - began,
        logs={name: value / partial.steps for name, value in partial.logs.items()},
    )


def _diverged(what: str, value: float, step: int, rate: float, folder: Path | None) -> DivergedError:
    kept = f"; the last good checkpoint is in {folder}" if folder else ""
    return DivergedError(
        f"training diverged: the {what} of step {step + 1} is {value}",
        why=f"learning rate {rate:.2g}; the weights before that step are untouched{kept}",
        fix="halve --lr, or look for values that are not finite in the data with `hundredfold check-data`",
    )
