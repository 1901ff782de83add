"""What watches a training run: a file of metrics, TensorBoard, a progress bar. None of them can stop it.

The loop tells each watch of every step and epoch; a watch only looks.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, TextIO

from hundredfold import atomic
from hundredfold.records import EpochRecord, Similarity


@dataclass(frozen=True, kw_only=True)
class StepRecord:
    """One step, as the loop reports it.

    Attributes:
        step: steps done, from 1.
        steps: steps in the plan.
        epoch: the epoch it belongs to, from 1.
        epochs: epochs in the plan.
        loss: of this step.
        lr: of this step.
        images: images in this step, over all processes.
        data_wait: seconds spent on getting the batch and drawing its views.
        seconds: wall clock of the step, data_wait included.
    """

    step: int
    steps: int
    epoch: int
    epochs: int
    loss: float
    lr: float
    images: int
    data_wait: float
    seconds: float


class Watch:
    """Does nothing; the methods to override."""

    def start(self, first_step: int) -> None:
        """Training begins, or goes on, after `first_step` steps."""

    def step(self, record: StepRecord) -> None:
        """A step is done."""

    def epoch(self, record: EpochRecord) -> None:
        """An epoch is done and validated."""

    def finish(self) -> None:
        """Training ended, for whatever reason."""


class Watches:
    """Several watches told as one. One that fails is told nothing more: a full disk for curves must not end a run.

    Args:
        watches: whom to tell.
        notes: gets a sentence for each that failed.
    """

    def __init__(self, watches: Iterable[Watch], notes: list[str]) -> None:
        self.watches = list(watches)
        self.notes = notes

    def __enter__(self) -> Watches:
        return self

    def __exit__(self, *_: object) -> None:
        self._tell(lambda watch: watch.finish())

    def start(self, first_step: int) -> None:
        """Training begins, or goes on, after `first_step` steps."""
        self._tell(lambda watch: watch.start(first_step))

    def step(self, record: StepRecord) -> None:
        """A step is done."""
        self._tell(lambda watch: watch.step(record))

    def epoch(self, record: EpochRecord) -> None:
        """An epoch is done and validated."""
        self._tell(lambda watch: watch.epoch(record))

    def _tell(self, of: Callable[[Watch], None]) -> None:
        for watch in list(self.watches):
            try:
                of(watch)
            except Exception as problem:  # noqa: BLE001 - whatever a logger does, training goes on
                self.watches.remove(watch)
                self.notes.append(f"{type(watch).__name__} failed and was left out ({problem}); training went on")


class MetricsFile(Watch):
    """`metrics.jsonl`: a line an epoch, and a line for about twenty steps of each.

    A resumed run first drops the lines of steps that it is going to do again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def start(self, first_step: int) -> None:
        """Keeps the lines up to `first_step`."""
        kept = []
        if first_step and self.path.exists():
            for line in self.path.read_text(errors="replace").splitlines():
                try:
                    if json.loads(line)["step"] <= first_step:
                        kept.append(line + "\n")
                except (ValueError, LookupError, TypeError):  # a line cut off by a kill
                    continue
        atomic.write_text(self.path, "".join(kept))

    def step(self, record: StepRecord) -> None:
        """A line now and then, so that a short run has a curve too and a long one stays small."""
        if record.step % max(1, record.steps // max(1, record.epochs) // 20) == 0:
            self._append({"step": record.step, "epoch": record.epoch, "step_loss": record.loss, "lr": record.lr})

    def epoch(self, record: EpochRecord) -> None:
        """A line an epoch, without what is not known."""
        line = {**asdict(record), "similarity": figures(record.similarity) or None}
        self._append({key: value for key, value in line.items() if value is not None})

    def _append(self, values: dict[str, Any]) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps(values) + "\n")


class TensorBoard(Watch):
    """Event files for `tensorboard --logdir RUN`; needs the package `tensorboard`.

    Each epoch is written when it ends, by the loop's own thread: the package's writer has one of its own, which prints
    a traceback over everything when the disk is full, and puts the name of the machine into that of the file.

    Args:
        folder: where the files go; it is made when training begins.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file: IO[bytes] | None = None

    def start(self, first_step: int) -> None:
        """Opens a new file; a resumed run hides what an interrupted one wrote of the steps that it does again."""
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog

        atomic.make_folder(self.folder)
        number = sum(1 for _ in self.folder.iterdir())
        self._file = (self.folder / f"events.out.tfevents.{int(time.time())}.{number}").open("xb")
        self._write(Event(file_version="brain.Event:2"))
        if first_step:
            self._write(Event(step=first_step + 1, session_log=SessionLog(status=SessionLog.START)))

    def epoch(self, record: EpochRecord) -> None:
        """Scalars of the epoch, at its last step."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        names = ("loss", "val_loss", "lr", "images_per_second", "data_wait")
        values = {name: getattr(record, name) for name in names}
        values |= {f"similarity/{name}": value for name, value in figures(record.similarity).items()}
        scalars = [Summary.Value(tag=name, simple_value=value) for name, value in values.items() if value is not None]
        self._write(Event(step=record.step, summary=Summary(value=scalars)))

    def finish(self) -> None:
        """Closes the file."""
        if self._file:
            self._file.close()

    def _write(self, event: Any) -> None:
        from tensorboard.summary.writer.record_writer import RecordWriter

        event.wall_time = time.time()
        writer = RecordWriter(self._file)
        writer.write(event.SerializeToString())
        writer.flush()


class Lines(Watch):
    """Plain lines for logs and pipes: the first and the last epoch, and between them one every `every` seconds."""

    def __init__(self, stream: TextIO | None = None, *, every: float = 15.0) -> None:
        self.stream = stream or sys.stderr
        self.every = every
        self._last = time.monotonic()
        self._said = False
        self._ended = False

    def step(self, record: StepRecord) -> None:
        """A line if the last one is long ago."""
        if time.monotonic() - self._last >= self.every:
            self._print(f"step {record.step}/{record.steps}  loss {record.loss:.4f}")
        self._ended = record.step == record.steps

    def epoch(self, record: EpochRecord) -> None:
        """A line, unless the last one was just now and more epochs come."""
        if self._ended or not self._said or time.monotonic() - self._last >= self.every / 3:
            self._said = True
            self._print(describe(record))

    def _print(self, line: str) -> None:
        self._last = time.monotonic()
        print(line, file=self.stream, flush=True)


class ProgressBar(Watch):
    """A bar with loss, images/s, data wait and time left, for a terminal."""

    def __init__(self, title: str = "pre-training") -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.title = title
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[numbers]}"),
            console=Console(stderr=True),
        )
        self._task: Any = None

    def step(self, record: StepRecord) -> None:
        """Moves the bar."""
        if self._task is None:
            self.bar.start()
            self._task = self.bar.add_task(self.title, total=record.steps, completed=record.step - 1, numbers="")
        speed = record.images / max(record.seconds, 1e-9)
        wait = 100 * record.data_wait / max(record.seconds, 1e-9)
        numbers = f"loss {record.loss:.3f}  {speed:,.0f} images/s  data {wait:.0f} %"
        self.bar.update(self._task, completed=record.step, numbers=numbers)

    def epoch(self, record: EpochRecord) -> None:
        """A line above the bar."""
        self.bar.console.print(describe(record), highlight=False)

    def finish(self) -> None:
        """Leaves the bar on the screen."""
        self.bar.stop()


def figures(found: Similarity | None) -> dict[str, float]:
    """The numbers of a record of similarities by name, without its histograms; none of None."""
    plain = asdict(found) if found else {}
    return {name: value for name, value in plain.items() if isinstance(value, int | float)}


def describe(record: EpochRecord) -> str:
    """An epoch in one line for a person."""
    validation = f"  validation {record.val_loss:.4f}" if record.val_loss is not None else ""
    return (
        f"epoch {record.epoch}  loss {record.loss:.4f}{validation}  lr {record.lr:.1e}  "
        f"{record.images_per_second:,.0f} images/s  data {100 * record.data_wait:.0f} %"
    )
