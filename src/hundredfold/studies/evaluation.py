"""Stage two: learn models from each draw of labels, and let them predict the test images, whose labels stay sealed.

A *cell* is one model, one number of labels, one draw. Each finished cell is a file, so an interrupted evaluation goes
on where it was. Cells are scored when the last is done and the model to hand over is chosen: nothing that is learnt or
chosen can depend on a test label.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from hundredfold import atomic
from hundredfold.data.images import ImageSet
from hundredfold.encoders._base import Encoder
from hundredfold.errors import CheckpointError, Interrupted
from hundredfold.evaluate.choice import halves
from hundredfold.evaluate.learner import CANDIDATES, SLOW, Learner, LearnerSettings, Learnt
from hundredfold.evaluate.score import score
from hundredfold.random import derive, generator
from hundredfold.records import Score
from hundredfold.studies.cells import Cell, Outcome, identity, load, save
from hundredfold.studies.hand_over import Classifier, classifier_of, read_classifier, save_classifier
from hundredfold.studies.prepare import Prepared
from hundredfold.train.stop import StopRequest

NETWORKS = ("finetune", *SLOW)  # candidates with an encoder of their own
COMPARED = 10_000  # unlabelled images on which the models of two halves are compared


class Evaluation:
    """The cells of one run.

    Args:
        prepared: data, draws and settings.
        encoder: pre-trained.
        folder: where finished cells are kept.
        tell: gets a line now and then.
        stop: looked at between cells.
    """

    def __init__(
        self,
        prepared: Prepared,
        encoder: Encoder,
        folder: Path,
        *,
        tell: Callable[[str], None] = lambda _: None,
        stop: StopRequest | None = None,
    ) -> None:
        atomic.make_folder(folder)
        self.prepared = prepared
        self.held_out = prepared.held_out()  # one for all cells: what is read of it once, the learner keeps
        self.folder = folder
        self.tell = tell
        self.stop = stop
        self.identity = identity(encoder)
        self.learner = new_learner(prepared, encoder, stop)
        self.outcomes: dict[Cell, Outcome] = {}

    def learn(self, cells: Iterable[Cell]) -> dict[Cell, Outcome]:
        """The outcomes of these cells; those that were kept are not learnt again.

        Raises:
            Interrupted: a signal came; finished cells are kept.
        """
        wanted = list(cells)
        began = time.monotonic()
        for number, cell in enumerate(wanted, 1):
            known = load(cell.file(self.folder), self.identity)
            if known is None:
                known = self._learnt(cell, number, len(wanted))
                save(cell.file(self.folder), known, self.identity)
            self.outcomes[cell] = known
            if time.monotonic() - began > 20:
                self.tell(f"learnt {number} of {len(wanted)} models")
                began = time.monotonic()
            if self.stop and self.stop.received and number < len(wanted):
                raise _interrupted(number, len(wanted), self.stop.received)
        return {cell: self.outcomes[cell] for cell in wanted}

    def model(self, cell: Cell) -> Learnt:
        """What a cell learns."""
        return self.learner.learn(cell.model, self.taught(cell), seed=self._seed(cell))

    def handed_over(self, model: str) -> Cell:
        """The cell whose model is handed over if that kind of model is chosen: the first draw's."""
        return Cell(model=model, labels=self.prepared.settings.labels, draw=0)

    def classifier(self, model: str, *, temperature: float) -> Classifier:
        """The model to hand over; a network that took minutes to learn is not learnt again."""
        cell = self.handed_over(model)
        if model in NETWORKS:
            with suppress(CheckpointError):  # damaged: cheaper to learn again than to mend
                return replace(read_classifier(self._network(cell)), temperature=temperature)
        return classifier_of(self.model(cell), self.prepared.classes, temperature=temperature)

    def taught(self, cell: Cell) -> Tensor:
        """Positions of the labelled images that a cell learns from."""
        drawn = self.prepared.split.draws[cell.draw][: cell.labels]
        if not cell.half:
            return drawn
        parts = halves(self.prepared.images.labels[drawn])
        assert parts is not None  # cells of halves are made where there are two
        return drawn[parts[cell.half - 1]]

    def asked(self, cell: Cell) -> tuple[ImageSet, Tensor]:
        """The images that a cell predicts: of the test set, or of the other half and the pool."""
        if not cell.half:
            assert self.held_out is not None
            return self.held_out.images, self.held_out.index
        return self.learner.images, self._other_half(cell)

    def _other_half(self, cell: Cell) -> Tensor:
        drawn = self.prepared.split.draws[cell.draw][: cell.labels]
        other = self.taught(replace(cell, half=3 - cell.half))
        pool = self.prepared.split.pool
        unlabelled = pool[~torch.isin(pool, drawn)]
        order = torch.randperm(len(unlabelled), generator=generator(self.prepared.settings.seed, "compared"))
        return torch.cat([other, unlabelled[order[:COMPARED]]])

    def _learnt(self, cell: Cell, number: int, cells: int) -> Outcome:
        try:
            return self.outcome(cell)
        except Interrupted as stopped:  # in the training of a network, which starts again
            raise _interrupted(number - 1, cells, stopped.exit_status - 128) from None

    def outcome(self, cell: Cell) -> Outcome:
        """Learns a cell and predicts."""
        began = time.monotonic()
        learnt = self.model(cell)
        shares = self.learner.probabilities(learnt, *self.asked(cell))
        if cell == self.handed_over(cell.model) and cell.model in NETWORKS:
            save_classifier(classifier_of(learnt, self.prepared.classes), self._network(cell))
        confidence, predicted = shares.max(1)
        asked_for = cell.model in CANDIDATES and cell.labels == self.prepared.settings.labels
        return Outcome(
            predicted=predicted,
            confidence=confidence.float(),
            seconds=time.monotonic() - began,
            hyperparameters=learnt.hyperparameters,
            cross_validation=learnt.cross_validation,
            probabilities=shares.half() if asked_for else None,
        )

    def _network(self, cell: Cell) -> Path:
        return self.folder / f"{cell.model}-network"

    def _seed(self, cell: Cell) -> int:
        return derive(self.prepared.settings.seed, "cell", cell.draw, cell.labels, cell.half)


def new_learner(prepared: Prepared, encoder: Encoder, stop: StopRequest | None = None) -> Learner:
    """The learner of a run. It is given no label of an image that is held out."""
    settings, parts = prepared.settings, prepared.split
    known = torch.cat([torch.empty(0, dtype=torch.int64), *parts.draws]).unique()  # positions, sorted
    visible = torch.full_like(prepared.images.labels, -1)
    visible[known] = prepared.images.labels[known]
    return Learner(
        encoder,
        replace(prepared.images, labels=visible),
        pool=parts.pool,
        known=known,
        classes=len(prepared.classes),
        settings=LearnerSettings(
            views=settings.views,
            finetune=settings.finetune,
            pseudo_label=settings.pseudo_label,
            fixmatch=settings.fixmatch,
        ),
        engine=prepared.engine,
        seed=settings.seed,
        stop=stop,
    )


def all_cells(prepared: Prepared) -> Iterator[Cell]:
    """Every model on every draw and label count; those that take minutes on the full count alone."""
    settings = prepared.settings
    for draw in range(len(prepared.split.draws)):
        for labels in sorted(settings.label_counts, reverse=True):
            for model in settings.models:
                if model not in SLOW or labels == settings.labels:
                    yield Cell(model=model, labels=labels, draw=draw)


def scores(prepared: Prepared, outcomes: dict[Cell, Outcome], truth: Tensor) -> tuple[Score, ...]:
    """Each outcome against the test labels [n]."""
    return tuple(_scored(cell, outcome, truth, prepared) for cell, outcome in outcomes.items())


def _interrupted(done: int, cells: int, signal_number: int) -> Interrupted:
    return Interrupted(f"stopped after {done} of {cells} evaluations, which are saved", signal_number=signal_number)


def _scored(cell: Cell, outcome: Outcome, truth: Tensor, prepared: Prepared) -> Score:
    return score(
        truth,
        outcome.predicted,
        prepared.classes,
        model=cell.model,
        labels=cell.labels,
        draw=cell.draw,
        seed=prepared.settings.seed,
        seconds=outcome.seconds,
        hyperparameters=outcome.hyperparameters,
        cross_validation=outcome.cross_validation,
    )
