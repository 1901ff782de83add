"""Which arm of a transfer is handed over, decided on labels held out, and the folders in which it is kept."""

from __future__ import annotations

from collections.abc import Sequence

from hundredfold.encoders.folder import save_encoder
from hundredfold.evaluate.choice import halves
from hundredfold.studies.cells import Cell
from hundredfold.studies.hand_over import classifier_of, save_classifier
from hundredfold.studies.run_folder import RunFolder
from hundredfold.studies.transfer_cells import Done, TransferCells
from hundredfold.transfer.arms import Arm
from hundredfold.transfer.choice import held_out

# Of equals the first is handed over. A few labels held out seldom tell arms apart, and pre-training on images that
# passed as good was better than learning from scratch on average in all near pairs measured (docs/transfer.md).
PREFERENCE = ("pseudo_pretraining", "pseudo_both", "contrastive_pretraining", "scratch", "long_scratch")


def choose_arm(cells: TransferCells, done: Sequence[Done]) -> tuple[str, str]:
    """The arm to hand over and a sentence: the one that predicts held-out labels best, by halves of all labels."""
    labels = cells.ready.prepared.settings.labels
    mine = {one.cell.model: one for one in done if one.cell.draw == 0 and one.cell.labels == labels}
    possible = [arm for arm in cells.ready.arms if not arm.oracle]
    possible.sort(key=lambda arm: PREFERENCE.index(arm.name) if arm.name in PREFERENCE else len(PREFERENCE))
    taught = cells.taught(Cell(model="", labels=labels, draw=0))
    if halves(cells.ready.prepared.images.labels[taught]) is None:
        return possible[0].name, "a class has a single label, so that nothing could be held out: it is what is usual"
    rates = {arm: _held_out(cells, arm, mine[arm.name]) for arm in possible}
    best = max(possible, key=lambda arm: (rates[arm], -possible.index(arm)))
    others = ", ".join(f"{arm.title} {100 * rates[arm]:.0f} %" for arm in possible if arm is not best)
    why = (
        f"of the labels held out, half of {labels} each time, it predicted {100 * rates[best]:.0f} % rightly ({others})"
    )
    return best.name, why


def _held_out(cells: TransferCells, arm: Arm, done: Done) -> float:
    """Share of the labels that the model of the other half predicts; known where settings were chosen by it."""
    if done.outcome.cross_validation is not None:
        return done.outcome.cross_validation
    chosen = done.beside.choice.chosen if done.beside.choice else {}
    return float(held_out(cells.workshop(0), arm, cells.taught(done.cell), chosen).float().mean())


def hand_over_arm(cells: TransferCells, done: Sequence[Done], chosen: str, folder: RunFolder) -> None:
    """Learns the chosen arm's first draw again and keeps its classifier and encoder."""
    labels = cells.ready.prepared.settings.labels
    arm = next(arm for arm in cells.ready.arms if arm.name == chosen)
    cell = Cell(model=chosen, labels=labels, draw=0)
    learnt = cells.model(arm, next(one for one in done if one.cell == cell))
    classifier = classifier_of(learnt, cells.ready.prepared.classes)
    save_classifier(classifier, folder.classifier)
    save_encoder(classifier.encoder, folder.encoder)
