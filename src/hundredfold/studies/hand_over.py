"""The model that a run hands over, kept as a folder and used by `predict`.

A classifier is an encoder and a head that reads its features: `config.json` (classes, kind of head, temperature),
`model.safetensors` (a linear layer, or features that vote), and the encoder in a folder of its own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from hundredfold import atomic
from hundredfold.encoders._base import Encoder
from hundredfold.encoders.folder import load_encoder, save_encoder
from hundredfold.errors import CheckpointError
from hundredfold.evaluate.calibration import scaled
from hundredfold.evaluate.knn import Neighbours
from hundredfold.evaluate.learner import Head, Learnt
from hundredfold.evaluate.probe import Linear

SCHEMA = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class Classifier:
    """An encoder with a head on its features.

    Attributes:
        encoder: in evaluation mode.
        head: reads its features.
        classes: names in label order.
        temperature: what logits are divided by, so that probabilities mean what they say (Guo et al. 2017).
    """

    encoder: Encoder
    head: Head
    classes: tuple[str, ...]
    temperature: float = 1.0

    def probabilities(self, features: Tensor) -> Tensor:
        """[n, classes] of the encoder's features [n, d]; rows sum to 1."""
        return scaled(self.head.probabilities(features), self.temperature).float()


def save_classifier(classifier: Classifier, folder: Path) -> None:
    """Writes the folder, its manifest last.

    Raises:
        ResourceError, OutputError: it cannot be written.
    """
    atomic.make_folder(folder)
    for place in (folder, folder / "encoder"):
        atomic.sweep(place)  # what a writer left that was killed here
    save_encoder(classifier.encoder, folder / "encoder")
    described, tensors = _described(classifier.head)
    atomic.write_tensors(folder / "model.safetensors", tensors)
    facts = {"schema": SCHEMA, "classes": classifier.classes, "temperature": classifier.temperature, "head": described}
    atomic.write_text(folder / "config.json", json.dumps(facts))
    atomic.write_manifest(folder)


def load_classifier(run: Path) -> Classifier:
    """The classifier of a run folder.

    Raises:
        CheckpointError: there is none, or it is damaged.
    """
    folder = run / "classifier"
    if not run.is_dir():
        raise CheckpointError(f"there is no folder {run}", fix="name the folder of a run that has finished")
    if not folder.is_dir():
        raise CheckpointError(
            f"{run} holds no classifier",
            why="it was pre-trained without labels" if (run / "encoder").is_dir() else "it is not a finished run",
            fix=f"run `hundredfold evaluate {run} SOURCE` with a source that has labels",
        )
    return read_classifier(folder)


def read_classifier(folder: Path) -> Classifier:
    """The classifier that `save_classifier` wrote.

    Raises:
        CheckpointError: it is damaged, or of a later version.
    """
    problems = atomic.check_manifest(folder)
    if problems:
        raise CheckpointError(f"the classifier in {folder} cannot be trusted", why="; ".join(problems))
    facts = json.loads((folder / "config.json").read_text())
    if facts["schema"] > SCHEMA:
        raise CheckpointError(
            f"the classifier in {folder} was written by a later version",
            why=f"its schema is {facts['schema']}, this version reads up to {SCHEMA}",
            fix="upgrade hundredfold",
        )
    return Classifier(
        encoder=load_encoder(folder / "encoder"),
        head=_head(facts.get("head", {"kind": "linear", "unit_length": True}), load_file(folder / "model.safetensors")),
        classes=tuple(facts["classes"]),
        temperature=facts.get("temperature", 1.0),
    )


def classifier_of(learnt: Learnt, classes: tuple[str, ...], *, temperature: float = 1.0) -> Classifier:
    """What a model that reads an encoder's features is handed over as."""
    assert learnt.encoder is not None  # candidates read features
    return Classifier(encoder=learnt.encoder, head=learnt.head, classes=classes, temperature=temperature)


def _described(head: Head) -> tuple[dict[str, Any], dict[str, Tensor]]:
    if isinstance(head, Neighbours):
        votes = {"features": head.features.half(), "votes": head.votes.half()}  # a pool of thousands: half the room
        return {"kind": "neighbours", "k": head.k}, votes
    assert isinstance(head, Linear)
    finite = head.bias.clamp_min(torch.finfo(torch.float32).min)  # a class without a label has -inf
    return {"kind": "linear", "unit_length": head.unit_length}, {"weight": head.weight, "bias": finite}


def _head(described: dict[str, Any], tensors: dict[str, Tensor]) -> Head:
    if described["kind"] == "neighbours":
        return Neighbours(features=tensors["features"].float(), votes=tensors["votes"].float(), k=described["k"])
    return Linear(weight=tensors["weight"], bias=tensors["bias"], unit_length=described["unit_length"])
