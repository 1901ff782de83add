"""Finished parts of an evaluation, each a file, so that an interrupted one goes on where it was.

A file is taken only if it is whole and belongs to the encoder at hand: anything else is cheaper to learn again than
to mend.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from hundredfold import atomic
from hundredfold.encoders._base import Encoder


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One model, learnt from `labels` labels of draw `draw`, or from one half of them.

    Attributes:
        model: its name.
        labels, draw: which labels.
        half: 0 for all of them, 1 or 2 for a half (see `evaluate.choice`).
    """

    model: str
    labels: int
    draw: int
    half: int = 0

    def file(self, folder: Path) -> Path:
        """Where its predictions are kept."""
        half = f"-half{self.half}" if self.half else ""
        return folder / f"{self.model}-{self.labels}-{self.draw}{half}.safetensors"


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """What a cell predicts: for the test images, or, learnt from a half, for the other half and unlabelled images.

    Attributes:
        predicted: [n] class positions.
        confidence: [n] probability of the predicted class.
        probabilities: [n, classes] in float16, or None where nobody will ask for them.
        seconds: to learn and to predict.
        hyperparameters: chosen by cross-validation on the labels.
        cross_validation: accuracy there, or None.
    """

    predicted: Tensor
    confidence: Tensor
    seconds: float
    hyperparameters: dict[str, float]
    cross_validation: float | None
    probabilities: Tensor | None = None


def identity(encoder: Encoder) -> str:
    """SHA-256 of the encoder's weights: outcomes of another encoder are not taken for its own."""
    return _digest(encoder.state_dict())


def save(path: Path, outcome: Outcome, encoder: str) -> None:
    """Keeps an outcome that was learnt with the encoder of that identity.

    Raises:
        ResourceError, OutputError: it cannot be written.
    """
    tensors = {"predicted": outcome.predicted.to(torch.int32), "confidence": outcome.confidence}
    if outcome.probabilities is not None:
        tensors["probabilities"] = outcome.probabilities
    facts = {
        "seconds": outcome.seconds,
        "hyperparameters": outcome.hyperparameters,
        "cross_validation": outcome.cross_validation,
    }
    written = json.dumps(facts)
    proof = _proof(tensors, written, encoder)
    atomic.write_tensors(path, tensors, {"facts": written, "proof": proof})


def load(path: Path, encoder: str) -> Outcome | None:
    """The outcome at `path`, or None if it has to be learnt (again)."""
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            written, proof = file.metadata()["facts"], file.metadata()["proof"]
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is no dict
        if proof != _proof(tensors, written, encoder):
            return None
        return Outcome(
            predicted=tensors["predicted"].long(),
            confidence=tensors["confidence"],
            probabilities=tensors.get("probabilities"),
            **json.loads(written),
        )
    except (SafetensorError, OSError, LookupError, ValueError, TypeError):
        return None


def _proof(tensors: dict[str, Tensor], facts: str, encoder: str) -> str:
    return hashlib.sha256(f"{_digest(tensors)}/{facts}/{encoder}".encode()).hexdigest()


def _digest(tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
