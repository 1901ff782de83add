"""What a training run has done so far: the epochs behind it, the sums of the one it is in, the time it took.

All of it is part of each checkpoint, so that a resumed run reports what the unbroken one would have.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from torch import Tensor

from hundredfold.records import EpochRecord, Similarity
from hundredfold.train.watch import StepRecord


@dataclass
class Sums:
    """Sums over the steps of the epoch under way."""

    steps: int = 0
    loss: float = 0.0
    wait: float = 0.0
    seconds: float = 0.0
    logs: dict[str, float] = field(default_factory=dict)


class Ledger:
    """The account of a training run.

    Attributes:
        step: steps done.
        epochs: records of the epochs done.
        sums: of the epoch under way.
        earlier: seconds spent by the runs that this one goes on from.
        peak_bytes: the most memory that this run or those took, None if unknown.
    """

    def __init__(self, step: int = 0, state: Mapping[str, Any] | None = None) -> None:
        """A new account, or the one that `state()` described after `step` steps.

        Raises:
            LookupError, TypeError, ValueError: `state` is not such a description.
        """
        self.step = step
        self.epochs = [_epoch(record) for record in state["epochs"]] if state else []
        self.sums = Sums(**state["partial"]) if state else Sums()
        self.earlier = float(state["seconds"]) if state else 0.0
        self.peak_bytes: int | None = state.get("peak_bytes") if state else None
        self.began = time.monotonic()

    def state(self) -> dict[str, Any]:
        """All of it as plain JSON values, for a checkpoint."""
        epochs = [asdict(record) for record in self.epochs]
        partial, seconds = asdict(self.sums), self.seconds()
        return {"epochs": epochs, "partial": partial, "seconds": seconds, "peak_bytes": self.peak_bytes}

    def seconds(self) -> float:
        """Wall clock so far, earlier runs included."""
        return self.earlier + time.monotonic() - self.began

    def saw_memory(self, taken: int | None) -> None:
        """Keeps the largest of what was measured."""
        self.peak_bytes = max((known for known in (self.peak_bytes, taken) if known is not None), default=None)

    def add(self, record: StepRecord, logs: Mapping[str, Tensor]) -> None:
        """Counts a step."""
        self.step = record.step
        self.sums.steps += 1
        self.sums.loss += record.loss
        self.sums.wait += record.data_wait
        self.sums.seconds += record.seconds
        for name, value in logs.items():
            self.sums.logs[name] = self.sums.logs.get(name, 0.0) + float(value)

    def close_epoch(
        self, last: StepRecord, val_loss: float | None, similarity: Similarity | None, validating: float
    ) -> EpochRecord:
        """The record of the epoch that ends with the step `last`; `validating` is the seconds that looking took."""
        sums, self.sums = self.sums, Sums()
        record = EpochRecord(
            epoch=last.epoch,
            step=last.step,
            loss=sums.loss / sums.steps,
            val_loss=val_loss,
            lr=last.lr,
            images_per_second=sums.steps * last.images / max(sums.seconds, 1e-9),
            data_wait=sums.wait / max(sums.seconds, 1e-9),
            seconds=sums.seconds + validating,
            logs={name: value / sums.steps for name, value in sums.logs.items() if math.isfinite(value)},
            similarity=similarity,
        )
        self.epochs.append(record)
        return record


def _epoch(plain: Mapping[str, Any]) -> EpochRecord:
    fields = dict(plain)
    if fields.get("similarity"):
        fields["similarity"] = Similarity(**fields["similarity"])
    return EpochRecord(**fields)
