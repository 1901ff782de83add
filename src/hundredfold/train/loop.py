"""The one loop: everything that is trained here, with labels or without, is trained by `fit`.

generator for (seed, step, rank) -> views -> forward -> finite? -> backward -> clip -> step -> after_step -> watch ->
save when due. Batches and random numbers are addressed by step, so a resumed run is the unbroken run.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

import torch

from hundredfold import distributed
from hundredfold.data.loader import Loader
from hundredfold.encoders._base import pass_in_chunks
from hundredfold.errors import DivergedError, Interrupted
from hundredfold.methods._base import Method
from hundredfold.random import derive, generator
from hundredfold.records import EpochRecord, Similarity, TrainingResult
from hundredfold.train import checkpoint
from hundredfold.train.engine import Engine
from hundredfold.train.ledger import Ledger
from hundredfold.train.memory import PeakMemory
from hundredfold.train.optimizer import optimizer as make_optimizer
from hundredfold.train.plan import Plan
from hundredfold.train.schedule import warmup_cosine
from hundredfold.train.stop import StopRequest
from hundredfold.train.watch import StepRecord, Watch, Watches
from hundredfold.types import ImageBatch, Progress


def fit(
    method: Method,
    loader: Loader,
    plan: Plan,
    engine: Engine,
    *,
    validation: Loader | None = None,
    examine: Callable[[], Similarity | None] | None = None,
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
        examine: called after each epoch; what it finds becomes part of the epoch's record.
        watches: told of each step and epoch.
        folder: where checkpoints go; None keeps nothing, and does not measure memory, which takes as long as a short
            training does.
        stop: when it has received a signal, the loop finishes the step, saves and raises.

    Raises:
        DivergedError: a loss or gradient that is not finite, before the step that would spoil the weights.
        Interrupted: a signal came; the checkpoint is written.
        CheckpointError: the checkpoint in `folder` is of another method, encoder or optimizer.
        ResourceError, OutputError: a checkpoint could not be written.
    """
    engine.place(method)
    pass_in_chunks(method, plan.chunk)
    optimizer = make_optimizer(method, plan)
    ledger, notes = _resume(folder, method, optimizer)
    wrapped = engine.wrap(method)
    steps = plan.epochs * loader.steps_per_epoch
    watching = Watches(watches, notes)
    watching.start(ledger.step)

    memory = PeakMemory(engine.device)
    saved = clock = time.monotonic()
    devices = [engine.device] if engine.device.type == "cuda" else []
    # Dropout reads the global generator: it is seeded in each step, and given back in the end.
    with torch.random.fork_rng(devices), memory if folder else nullcontext(), watching:
        method.train()
        for step, batch in enumerate(loader.batches(ledger.step, steps), ledger.step):
            torch.manual_seed(derive(loader.seed, "dropout", step, loader.rank))
            views = method.views(_on_device(batch, engine), generator(loader.seed, "views", step, loader.rank))
            waited = time.monotonic() - clock

            rate = warmup_cosine(step, steps, peak=plan.lr, warmup=plan.warmup)
            for group in optimizer.param_groups:
                group["lr"] = rate
            with engine.autocast():
                out = wrapped(views)
            loss = float(distributed.mean(out.loss.detach()))
            _require_finite(loss, f"loss of step {step + 1}", rate, folder)
            out.loss.backward()
            norm = _clip(method, plan.clip_norm)
            _require_finite(norm, f"gradient norm of step {step + 1}", rate, folder)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            method.after_step(Progress(step + 1, steps))

            now = time.monotonic()
            record = _step_record(step, steps, loss, rate, plan, waited, now - clock)
            ledger.add(record, out.logs)
            watching.step(record)
            ended = (step + 1) % loader.steps_per_epoch == 0
            if ended:
                closed = _close_epoch(ledger, record, wrapped, validation if plan.validate else None, examine, engine)
                _require_finite(closed.val_loss or 0.0, f"validation loss of epoch {closed.epoch}", rate, folder)
                watching.epoch(closed)
                method.train()
            signal_number = distributed.largest(stop.received or 0) if stop else 0
            if folder and (ended or signal_number or time.monotonic() - saved >= plan.checkpoint_seconds):
                ledger.saw_memory(memory.bytes)
                _save(folder, method, optimizer, ledger, plan)
                saved = time.monotonic()
            if signal_number and step + 1 < steps:
                where = f", saved in {folder}" if folder else ""
                raise Interrupted(f"stopped after step {step + 1} of {steps}{where}", signal_number=signal_number)
            clock = time.monotonic()
    method.eval()
    ledger.saw_memory(memory.bytes)
    return _result(method, ledger, plan, engine, notes)


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


def _resume(folder: Path | None, method: Method, optimizer: torch.optim.Optimizer) -> tuple[Ledger, list[str]]:
    """The account to go on with, and what to tell of it."""
    if folder is None:
        return Ledger(), []
    found = checkpoint.find(folder)
    ledger, notes = Ledger(), list(found.notes)
    if found.newest:
        checkpoint.restore(found.newest, method=method, optimizer=optimizer)
        try:
            ledger = Ledger(found.newest.step, found.newest.state)
        except (LookupError, TypeError, ValueError) as problem:
            raise checkpoint.unfit(found.newest.folder, str(problem)) from problem
        notes.append(f"training went on from step {ledger.step}")
    distributed.barrier()  # every process has read before one removes
    if distributed.is_main():
        checkpoint.remove(found.damaged)
    return ledger, notes


def _save(folder: Path, method: Method, optimizer: torch.optim.Optimizer, ledger: Ledger, plan: Plan) -> None:
    if distributed.is_main():
        checkpoint.save(
            folder, step=ledger.step, method=method, optimizer=optimizer, state=ledger.state(), keep=plan.keep
        )


def _on_device(batch: ImageBatch, engine: Engine) -> ImageBatch:
    return batch._replace(images=engine.images(batch.images))


def _clip(method: Method, largest: float) -> float:
    """The gradient's norm; if `largest` > 0 the gradient is scaled down to it."""
    parameters = [parameter for parameter in method.parameters() if parameter.grad is not None]
    norm = torch.nn.utils.clip_grad_norm_(parameters, largest if largest > 0 else math.inf)
    return float(norm)


def _step_record(
    step: int, steps: int, loss: float, rate: float, plan: Plan, waited: float, seconds: float
) -> StepRecord:
    return StepRecord(
        step=step + 1,
        steps=steps,
        epoch=step * plan.epochs // steps + 1,
        epochs=plan.epochs,
        loss=loss,
        lr=rate,
        images=plan.batch_size,
        data_wait=waited,
        seconds=seconds,
    )


def _close_epoch(
    ledger: Ledger,
    last: StepRecord,
    wrapped: torch.nn.Module,
    validation: Loader | None,
    examine: Callable[[], Similarity | None] | None,
    engine: Engine,
) -> EpochRecord:
    began = time.monotonic()
    loss = validation_loss(wrapped, validation, engine) if validation else None
    found = examine() if examine else None
    return ledger.close_epoch(last, loss, found, time.monotonic() - began)


def _result(method: Method, ledger: Ledger, plan: Plan, engine: Engine, notes: list[str]) -> TrainingResult:
    chance, floor = method.levels(plan.batch_size)
    return TrainingResult(
        steps=ledger.step,
        parameters=sum(parameter.numel() for parameter in method.parameters() if parameter.requires_grad),
        batch_size=plan.batch_size,
        epochs=tuple(ledger.epochs),
        seconds=ledger.seconds(),
        precision=engine.precision,
        device=engine.device.type,
        chance=chance,
        floor=floor,
        peak_bytes=ledger.peak_bytes,
        notes=tuple(notes),
    )


def _require_finite(value: float, what: str, rate: float, folder: Path | None) -> None:
    if math.isfinite(value):
        return
    kept = f"; the last good checkpoint is in {folder}" if folder and checkpoint.find(folder).newest else ""
    raise DivergedError(
        f"training diverged: the {what} is {value}",
        why=f"the learning rate was {rate:.2g}; it went no further, and nothing was saved since{kept}",
        fix="start again with half the --lr, or look for values that are not finite with `hundredfold check-data`",
    )
