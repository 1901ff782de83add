"""Stage two: learn models from each draw of labels, predict the test images, and only then look at the test labels.

A *cell* is one model, one number of labels, one draw. Each finished cell is a file, so an interrupted evaluation goes
on where it was. Cells are scored together when the last is done: nothing that is learnt or chosen can depend on it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from hundredfold import atomic
from hundredfold.data.images import ImageSet
from hundredfold.encoders._base import Encoder
from hundredfold.encoders.build import rebuild
from hundredfold.errors import Interrupted
from hundredfold.evaluate.features import features, pixels
from hundredfold.evaluate.held_out import HeldOut
from hundredfold.evaluate.knn import nearest_neighbours
from hundredfold.evaluate.probe import Probe, linear_probe
from hundredfold.evaluate.score import score
from hundredfold.evaluate.supervised import predict_classifier, train_classifier
from hundredfold.methods.labelled.finetune import Finetune
from hundredfold.random import derive
from hundredfold.records import Score
from hundredfold.studies.cells import Cell, Outcome, identity, load, save
from hundredfold.studies.prepare import Prepared
from hundredfold.train.stop import StopRequest
from hundredfold.views.chain import Chain
from hundredfold.views.recipe import build as build_views


def evaluation_stage(
    prepared: Prepared,
    encoder: Encoder,
    folder: Path,
    *,
    tell: Callable[[str], None] = lambda _: None,
    stop: StopRequest | None = None,
) -> tuple[tuple[Score, ...], dict[Cell, Outcome]]:
    """Every model on every draw and label count of the settings, scored on the test set at the end.

    Args:
        prepared: data, draws and settings.
        encoder: pre-trained.
        folder: where finished cells are kept.
        tell: gets a line now and then.
        stop: looked at between cells.

    Raises:
        Interrupted: a signal came; finished cells are kept.
    """
    held_out = prepared.held_out()
    if held_out is None:
        return (), {}
    atomic.make_folder(folder)
    learner = Learner(prepared, encoder, held_out, stop)
    cells, encoder_identity = list(_cells(prepared)), identity(encoder)
    outcomes: dict[Cell, Outcome] = {}
    began = time.monotonic()
    for number, cell in enumerate(cells, 1):
        known = load(cell.file(folder), encoder_identity)
        if known is None:
            known = _learnt(learner, cell, number, len(cells))
            save(cell.file(folder), known, encoder_identity)
        outcomes[cell] = known
        if number % len(prepared.settings.models) == 0 and time.monotonic() - began > 5:
            tell(f"evaluated {number} of {len(cells)} models")
            began = time.monotonic()
        if stop and stop.received and number < len(cells):
            raise _interrupted(number, len(cells), stop.received)
    truth = held_out.open()
    return tuple(_scored(cell, outcome, truth, prepared) for cell, outcome in outcomes.items()), outcomes


class Learner:
    """Learns the models of one run. It can see test images, but no test label.

    Args:
        prepared: data, draws and settings.
        encoder: pre-trained.
        held_out: the sealed test set.
        stop: passed on to training.
    """

    def __init__(
        self, prepared: Prepared, encoder: Encoder, held_out: HeldOut | None, stop: StopRequest | None = None
    ) -> None:
        self.prepared = prepared
        self.settings = prepared.settings
        self.encoder = encoder
        self.held_out = held_out
        self.stop = stop
        self._represented: dict[str, tuple[Tensor, Tensor]] = {}
        images, parts = prepared.images, prepared.split
        self.known = torch.cat([torch.empty(0, dtype=torch.int64), *parts.draws]).unique()  # positions, sorted
        hidden = images.labels.clone()
        hidden[parts.test] = -1
        self.labels = hidden
        self.images: ImageSet = replace(images, labels=hidden).to(prepared.engine.device)

    def outcome(self, cell: Cell) -> Outcome:
        """Learns a cell and predicts the test images."""
        assert self.held_out is not None
        began = time.monotonic()
        if cell.model in ("baseline", "finetune"):
            method, chosen, accuracy = self.classifier(cell)
            shares = predict_classifier(method, self.held_out.images, self.held_out.index, self.prepared.engine)
        else:
            model, chosen, accuracy = self.reader(cell)
            shares = model(self._test(cell.model))
        confidence, predicted = shares.max(1)
        return Outcome(
            predicted=predicted,
            confidence=confidence.float(),
            seconds=time.monotonic() - began,
            hyperparameters=chosen,
            cross_validation=accuracy,
        )

    def reader(self, cell: Cell) -> tuple[Callable[[Tensor], Tensor], dict[str, float], float | None]:
        """A model that reads features: probabilities of features, what was chosen, its cross-validated accuracy."""
        x, y, seed = self._taught(cell)
        if cell.model == "knn":
            neighbours = nearest_neighbours(x, y, len(self.prepared.classes), seed=seed)
            return neighbours.probabilities, {"k": float(neighbours.k)}, neighbours.cross_validation
        classes, learnt = len(self.prepared.classes), cell.model != "pixels"
        probe = linear_probe(x, y, classes, seed=seed, unit_length=learnt)
        return probe.probabilities, {"inverse_penalty": probe.inverse_penalty}, probe.cross_validation

    def probe(self, cell: Cell) -> Probe:
        """The linear probe of a cell's labels on the pre-trained features."""
        x, y, seed = self._taught(Cell(model="linear_probe", labels=cell.labels, draw=cell.draw))
        return linear_probe(x, y, len(self.prepared.classes), seed=seed)

    def classifier(self, cell: Cell) -> tuple[Finetune, dict[str, float], float | None]:
        """A whole network trained on a cell's labels."""
        options, pretrained = self.settings.finetune, cell.model == "finetune"
        images, size = self.images, self.images.size
        chain = build_views(self.settings.views, images.channels, size) if options.views else Chain(())
        method = train_classifier(
            self.encoder if pretrained else self._untrained(f"baseline/{cell.draw}"),
            images,
            self._positions(cell),
            len(self.prepared.classes),
            settings=options,
            lr=options.lr if pretrained else options.baseline_lr,
            chain=chain,
            engine=self.prepared.engine,
            seed=derive(self.settings.seed, "supervised", cell.draw, cell.labels),
            start=self.probe(cell) if pretrained else None,
            stop=self.stop,
        )
        return method, {}, None

    def _untrained(self, purpose: str) -> Encoder:
        """The same network with random weights, also where the encoder's came from a pre-trained one."""
        return rebuild(self.encoder.spec, seed=derive(self.settings.seed, purpose))

    def _positions(self, cell: Cell) -> Tensor:
        return self.prepared.split.draws[cell.draw][: cell.labels]

    def _taught(self, cell: Cell) -> tuple[Tensor, Tensor, int]:
        positions = self._positions(cell)
        rows = torch.searchsorted(self.known, positions)
        x = self._represent(cell.model)[0][rows]
        return x, self.labels[positions], derive(self.settings.seed, "folds", cell.draw, cell.labels)

    def _test(self, model: str) -> Tensor:
        return self._represent(model)[1]

    def _represent(self, model: str) -> tuple[Tensor, Tensor]:
        """Representations of all labelled images of all draws, and of the test images, taken once."""
        kind = model if model in ("pixels", "random_encoder") else "pretrained"
        if kind not in self._represented:
            held_out = self.held_out
            test, index = (held_out.images, held_out.index) if held_out else (self.images, self.known[:0])
            if kind == "pixels":
                self._represented[kind] = pixels(self.images, self.known), pixels(test, index)
            else:
                encoder = self.encoder if kind == "pretrained" else self._untrained("random")
                engine = self.prepared.engine
                self._represented[kind] = (
                    features(encoder, self.images, self.known, engine),
                    features(encoder, test, index, engine),
                )
        return self._represented[kind]


def _learnt(learner: Learner, cell: Cell, number: int, cells: int) -> Outcome:
    try:
        return learner.outcome(cell)
    except Interrupted as stopped:  # in the training of a network, which starts again
        raise _interrupted(number - 1, cells, stopped.exit_status - 128) from None


def _interrupted(done: int, cells: int, signal_number: int) -> Interrupted:
    return Interrupted(f"stopped after {done} of {cells} evaluations, which are saved", signal_number=signal_number)


def _cells(prepared: Prepared) -> Iterator[Cell]:
    settings = prepared.settings
    for draw in range(len(prepared.split.draws)):
        for labels in sorted(settings.label_counts, reverse=True):
            for model in settings.models:
                yield Cell(model=model, labels=labels, draw=draw)


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
