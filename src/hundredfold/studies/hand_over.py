"""The model that a run hands over: chosen without the test set, kept as a folder, used by `predict`.

A classifier is an encoder and one linear layer: `config.json` (classes, where it comes from), `model.safetensors`
(weight and bias), and the encoder in a folder of its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from hundredfold import atomic
from hundredfold.encoders._base import Encoder
from hundredfold.encoders.folder import load_encoder, save_encoder
from hundredfold.errors import CheckpointError
from hundredfold.records import Chosen, Interval, Mistake
from hundredfold.studies.cells import Cell, Outcome
from hundredfold.studies.evaluation import Learner
from hundredfold.studies.prepare import Prepared

CHOSEN = "linear_probe"
COMPARED = (CHOSEN, "knn", "pixels", "random_encoder")  # models with a cross-validated accuracy


@dataclass(frozen=True, kw_only=True, eq=False)
class Classifier:
    """An encoder with a linear layer on its features.

    Attributes:
        encoder: in evaluation mode.
        weight: [classes, d].
        bias: [classes].
        classes: names in label order.
    """

    encoder: Encoder
    weight: Tensor
    bias: Tensor
    classes: tuple[str, ...]

    def probabilities(self, features: Tensor) -> Tensor:
        """[n, classes] of the encoder's features [n, d], which are brought to length 1 as by the probe."""
        return (functional.normalize(features, dim=1) @ self.weight.T + self.bias).softmax(1)


def choose(
    outcomes: Mapping[Cell, Outcome], summary: Mapping[str, Mapping[str, Interval]], labels: int
) -> Chosen | None:
    """The linear probe, with the reasons that its own labels give; None if no probe was learnt.

    Args:
        outcomes: every cell.
        summary: model -> label count -> accuracy on the test set, told beside the choice and not used for it.
        labels: the count that is handed over.
    """
    found = {
        model: [
            outcome.cross_validation
            for cell, outcome in outcomes.items()
            if cell.labels == labels and cell.model == model and outcome.cross_validation is not None
        ]
        for model in COMPARED
    }
    if not any(cell.model == CHOSEN and cell.labels == labels for cell in outcomes):
        return None
    on_test = summary[CHOSEN][str(labels)]
    return Chosen(model=CHOSEN, why=_why(found, labels), labels=labels, mean=on_test.mean, std=on_test.std)


def _why(found: Mapping[str, list[float]], labels: int) -> str:
    if not found[CHOSEN]:
        return "too few labels for cross-validation; a linear layer on frozen features is the safest with few"
    accuracy = {model: 100 * sum(values) / len(values) for model, values in found.items() if values}
    others = ", ".join(f"{model} {value:.1f} %" for model, value in accuracy.items() if model != CHOSEN)
    return (
        f"one linear layer on frozen features: {accuracy[CHOSEN]:.1f} % in cross-validation on its own {labels} labels"
        f"{f' ({others})' if others else ''}; the test set was not looked at"
    )


def hand_over(prepared: Prepared, encoder: Encoder, folder: Path) -> None:
    """Learns the linear probe from the first draw once more and keeps it as a classifier in `folder`."""
    learner = Learner(prepared, encoder, None)
    probe = learner.probe(Cell(model="linear_probe", labels=prepared.settings.labels, draw=0))
    save_classifier(Classifier(encoder=encoder, weight=probe.weight, bias=probe.bias, classes=prepared.classes), folder)


def save_classifier(classifier: Classifier, folder: Path) -> None:
    """Writes the folder, its manifest last."""
    atomic.make_folder(folder)
    save_encoder(classifier.encoder, folder / "encoder")
    finite = classifier.bias.clamp_min(torch.finfo(torch.float32).min)  # a class without a label has -inf
    atomic.write_tensors(folder / "model.safetensors", {"weight": classifier.weight, "bias": finite})
    atomic.write_text(folder / "config.json", json.dumps({"schema": 1, "classes": classifier.classes}))
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
    problems = atomic.check_manifest(folder)
    if problems:
        raise CheckpointError(f"the classifier in {folder} cannot be trusted", why="; ".join(problems))
    tensors = load_file(folder / "model.safetensors")
    classes = tuple(json.loads((folder / "config.json").read_text())["classes"])
    return Classifier(
        encoder=load_encoder(folder / "encoder"), weight=tensors["weight"], bias=tensors["bias"], classes=classes
    )


def worst_mistakes(prepared: Prepared, outcome: Outcome, count: int = 24) -> tuple[tuple[Mistake, ...], Tensor]:
    """The most confident errors on the test set, and their positions in the set that holds it."""
    held_out = prepared.held_out()
    assert held_out is not None
    truth = held_out.open()
    wrong = (outcome.predicted != truth).nonzero().squeeze(1)
    worst = wrong[outcome.confidence[wrong].argsort(descending=True, stable=True)][:count]
    mistakes = tuple(
        Mistake(
            index=int(held_out.index[row]),
            name=held_out.images.name(int(held_out.index[row])),
            true=prepared.classes[truth[row]],
            predicted=prepared.classes[outcome.predicted[row]],
            confidence=float(outcome.confidence[row]),
        )
        for row in worst.tolist()
    )
    return mistakes, held_out.index[worst]
