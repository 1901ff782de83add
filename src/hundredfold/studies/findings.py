"""What a run finds out about the model that it hands over: how far to trust it, its mistakes, labels that look wrong,
and what it says of every image of the pool.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from hundredfold.data.images import ImageSet
from hundredfold.evaluate import confident_learning
from hundredfold.evaluate.features import features
from hundredfold.evaluate.trust import trust
from hundredfold.random import derive
from hundredfold.records import Mistake
from hundredfold.studies.cells import Cell, Outcome
from hundredfold.studies.choice import Choice
from hundredfold.studies.evaluation import Evaluation
from hundredfold.studies.hand_over import Classifier
from hundredfold.studies.prepare import Prepared
from hundredfold.studies.spreadsheet import write_csv
from hundredfold.trust_records import Suspect, Trust

SHOWN = 24  # mistakes
COLUMNS = 100  # classes whose probabilities are written one by one


def how_far_to_trust(choice: Choice, evaluation: Evaluation) -> Trust:
    """Calibration, coverage and intervals of the chosen model over all draws, on the test images.

    The temperature of the first draw, whose model is handed over, stands for all.
    """
    prepared, labels = evaluation.prepared, evaluation.prepared.settings.labels
    held_out = prepared.held_out()
    assert held_out is not None
    cells = [Cell(model=choice.model, labels=labels, draw=draw) for draw in range(len(prepared.split.draws))]
    given = [evaluation.outcomes[cell].probabilities for cell in cells]
    taught = prepared.images.labels[evaluation.taught(cells[0])]
    return trust(
        [one.float() for one in given if one is not None],
        held_out.open(),
        [choice.held_out] * len(cells),
        classes=prepared.classes,
        labelled=taught.bincount(minlength=len(prepared.classes)).tolist(),
        model=choice.model,
        labels=labels,
        seed=prepared.settings.seed,
    )


def worst_mistakes(prepared: Prepared, outcome: Outcome, count: int = SHOWN) -> tuple[tuple[Mistake, ...], Tensor]:
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


def suspects(evaluation: Evaluation) -> tuple[tuple[Suspect, ...], Tensor]:
    """Labels of the first draw that look wrong, and the positions of their images."""
    prepared = evaluation.prepared
    taught = evaluation.taught(evaluation.handed_over("linear_probe"))
    labels, learner = prepared.images.labels[taught], evaluation.learner
    read = learner.read(learner.encoder, learner.images, learner.known)[torch.searchsorted(learner.known, taught)]
    if len(labels.unique()) < 2:
        return (), taught[:0]
    found = confident_learning.suspects(
        read, labels, len(prepared.classes), seed=derive(prepared.settings.seed, "suspects")
    )
    index = taught[torch.tensor([suspect.position for suspect in found], dtype=torch.int64)]
    return tuple(
        Suspect(
            index=position,
            name=prepared.images.name(position),
            given=prepared.classes[suspect.given],
            suggested=prepared.classes[suspect.suggested],
            score=suspect.score,
        )
        for suspect, position in zip(found, index.tolist(), strict=True)
    ), index


def write_suspects(path: Path, found: Sequence[Suspect]) -> None:
    """`suspects.csv`: the most suspicious label first.

    Raises:
        ResourceError, OutputError: it cannot be written.
    """
    rows = ([str(one.index), one.name, one.given, one.suggested, f"{one.score:.4f}"] for one in found)
    write_csv(path, ["index", "name", "label", "suggested", "score"], rows)


def write_predictions(path: Path, classifier: Classifier, prepared: Prepared) -> None:
    """`predictions.csv`: class and probabilities of every image to learn from, the labelled ones among them.

    Raises:
        ResourceError, OutputError: it cannot be written.
    """
    images = prepared.images
    read = features(classifier.encoder, images, torch.arange(len(images)), prepared.engine)
    shares = classifier.probabilities(read)  # [n, classes]
    each = classifier.classes if len(classifier.classes) <= COLUMNS else ()
    header = ["index", "name", "label", "probability", *(f"probability_{name}" for name in each)]
    write_csv(path, header, _predictions(images, shares, classifier.classes, len(each)))


def _predictions(images: ImageSet, shares: Tensor, classes: Sequence[str], columns: int) -> Iterator[list[str]]:
    for position, row in enumerate(shares.tolist()):
        most = max(row)
        label = classes[row.index(most)]
        numbers = (f"{share:.6f}" for share in (most, *row[:columns]))
        yield [str(position), images.name(position), label, *numbers]
