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
from hundredfold.evaluate.label_propagation import APART
from hundredfold.evaluate.learner import SLOW
from hundredfold.evaluate.trust import trust
from hundredfold.random import derive
from hundredfold.records import Mistake
from hundredfold.studies.cells import Cell, Outcome
from hundredfold.studies.choice import Choice
from hundredfold.studies.evaluation import Evaluation
from hundredfold.studies.hand_over import Classifier
from hundredfold.studies.prepare import Prepared
from hundredfold.studies.spreadsheet import write_csv
from hundredfold.trust_records import PoolFindings, Suspect, Trust

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


def predict_pool(classifier: Classifier, evaluation: Evaluation) -> Tensor:
    """Probabilities [n, classes] of every image to learn from, the labelled ones among them."""
    images, engine = evaluation.prepared.images, evaluation.prepared.engine
    return classifier.probabilities(features(classifier.encoder, images, torch.arange(len(images)), engine))


def about_pool(shares: Tensor, reach: Tensor | None, evaluation: Evaluation) -> PoolFindings:
    """The images to learn from beside the labels of the first draw: `shares` of `predict_pool`, `reach` as there."""
    prepared, learner = evaluation.prepared, evaluation.learner
    classes = len(prepared.classes)
    taught = evaluation.taught(evaluation.handed_over("label_propagation"))
    return PoolFindings(
        labelled=tuple(prepared.images.labels[taught].bincount(minlength=classes).tolist()),
        predicted=tuple(shares.argmax(1).bincount(minlength=classes).tolist()),
        unlabelled=int((~torch.isin(learner.nodes, taught)).sum()),
        apart=None if reach is None else int((reach < APART).sum()),
    )


def reach_of_pool(evaluation: Evaluation) -> Tensor | None:
    """How much of the first draw's labels reaches each image, [n], nan for one that is not learnt from.

    None where no model was asked for that spreads labels.
    """
    if not {"label_propagation", *SLOW} & {*evaluation.prepared.settings.models}:
        return None
    cell, learner = evaluation.handed_over("label_propagation"), evaluation.learner
    found = torch.full((len(learner.images),), torch.nan)
    found[learner.nodes] = learner.propagation(evaluation.taught(cell), seed=0).reach()
    return found


def write_predictions(path: Path, shares: Tensor, reach: Tensor | None, prepared: Prepared) -> None:
    """`predictions.csv`: class, probabilities and reach of every image to learn from.

    Args:
        path: where to.
        shares: [n, classes] of `predict_pool`.
        reach: [n] of `reach_of_pool`, or None.
        prepared: data.

    Raises:
        ResourceError, OutputError: it cannot be written.
    """
    classes = prepared.classes
    each = classes if len(classes) <= COLUMNS else ()
    header = ["index", "name", "label", "probability", "reach", *(f"probability_{name}" for name in each)]
    texts = [""] * len(shares) if reach is None else ["" if one != one else f"{one:.3f}" for one in reach.tolist()]
    write_csv(path, header, _predictions(prepared.images, shares, classes, len(each), texts))


def _predictions(
    images: ImageSet, shares: Tensor, classes: Sequence[str], columns: int, reach: Sequence[str]
) -> Iterator[list[str]]:
    for position, row in enumerate(shares.tolist()):
        most = max(row)
        label = classes[row.index(most)]
        numbers = (f"{share:.6f}" for share in row[:columns])
        yield [str(position), images.name(position), label, f"{most:.6f}", reach[position], *numbers]
