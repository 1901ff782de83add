"""The cells of a transfer: an arm, a number of labels, a draw. Each is a file, so an interrupted transfer goes on.

Test labels stay sealed until all cells are there: an arm's settings are chosen on its own labels.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from hundredfold import atomic
from hundredfold.errors import Interrupted
from hundredfold.evaluate.learner import Learnt
from hundredfold.evaluate.score import score
from hundredfold.records import Score, from_json, to_json
from hundredfold.studies.cells import Cell, Outcome, load, save
from hundredfold.studies.transfer_prepare import Ready
from hundredfold.train.stop import StopRequest
from hundredfold.transfer.arms import Arm, Workshop
from hundredfold.transfer.choice import choose
from hundredfold.transfer_records import ArmChoice, TransferCell


@dataclass(frozen=True, kw_only=True, eq=False)
class Done:
    """A finished cell.

    Attributes:
        cell: which.
        outcome: what it predicts for the test images.
        beside: how its settings were chosen, and what its training logged.
    """

    cell: Cell
    outcome: Outcome
    beside: TransferCell


class TransferCells:
    """The cells of one transfer.

    Args:
        ready: all that is needed.
        folder: where finished cells are kept.
        tell: gets a line for each.
        stop: looked at between cells, and by every training.
    """

    def __init__(self, ready: Ready, folder: Path, *, tell: Callable[[str], None], stop: StopRequest) -> None:
        held_out = ready.prepared.held_out()
        assert held_out is not None  # labels are needed, so there are some to test on
        atomic.make_folder(folder)
        self.ready, self.folder, self.tell, self.stop = ready, folder, tell, stop
        self.held_out = held_out
        self.identity = ready.identity()
        self._workshops: dict[int, Workshop] = {}

    def learn(self) -> list[Done]:
        """All cells, draw by draw; those that were kept are not learnt again.

        Raises:
            Interrupted: a signal came; finished cells are kept.
            DivergedError: as `fit`.
        """
        wanted = list(self.all())
        found = []
        for number, (arm, cell) in enumerate(wanted, 1):
            try:
                found.append(self._kept(cell) or self._learnt(arm, cell, f"{number} of {len(wanted)}"))
            except Interrupted as stopped:
                raise _stopped(number - 1, len(wanted), stopped.exit_status - 128) from None
            if self.stop.received and number < len(wanted):
                raise _stopped(number, len(wanted), self.stop.received)
        return found

    def all(self) -> Iterator[tuple[Arm, Cell]]:
        """Every arm on every draw and number of labels; draws come last, so that a draw's start serves all its arms."""
        for draw in range(len(self.ready.prepared.split.draws)):
            for labels in self.ready.prepared.settings.label_counts:
                for arm in self.ready.arms:
                    yield arm, Cell(model=arm.name, labels=labels, draw=draw)

    def workshop(self, draw: int) -> Workshop:
        """That of a draw; the one before it is forgotten."""
        if draw not in self._workshops:
            self._workshops = {draw: Workshop(self.ready.task(draw, self.stop))}
        return self._workshops[draw]

    def taught(self, cell: Cell) -> Tensor:
        """Positions of the labels of a cell."""
        return self.ready.prepared.split.draws[cell.draw][: cell.labels]

    def model(self, arm: Arm, done: Done) -> Learnt:
        """What a cell learnt, learnt again: the same, as all its randomness follows from its place."""
        chosen = done.beside.choice.chosen if done.beside.choice else {}
        return self.workshop(done.cell.draw).learn(arm, self.taught(done.cell), chosen).learnt

    def scores(self, done: Sequence[Done]) -> tuple[Score, ...]:
        """All cells against the test labels. After this nothing may be learnt or chosen any more."""
        truth = self.held_out.open()
        return tuple(
            score(
                truth,
                one.outcome.predicted,
                self.ready.prepared.classes,
                model=one.cell.model,
                labels=one.cell.labels,
                draw=one.cell.draw,
                seed=self.ready.prepared.settings.seed,
                seconds=one.outcome.seconds,
                hyperparameters=one.outcome.hyperparameters,
                cross_validation=one.outcome.cross_validation,
            )
            for one in done
        )

    def _learnt(self, arm: Arm, cell: Cell, place: str) -> Done:
        began = time.monotonic()
        workshop, taught = self.workshop(cell.draw), self.taught(cell)
        chosen, trials = choose(workshop, arm, taught)
        outcome = workshop.learn(arm, taught, chosen)
        shares = workshop.probabilities(outcome.learnt, self.held_out.images, self.held_out.index)
        confidence, predicted = shares.max(1)
        best = max((trial.held_out for trial in trials if trial.settings == chosen), default=None)
        kept = Outcome(
            predicted=predicted,
            confidence=confidence.float(),
            seconds=time.monotonic() - began,
            hyperparameters=chosen,
            cross_validation=best,
        )
        choice = ArmChoice(arm=arm.name, labels=cell.labels, draw=cell.draw, chosen=chosen, trials=trials)
        beside = TransferCell(choice=choice if trials else None, logs=dict(outcome.logs))
        atomic.write_text(self._beside(cell), to_json(beside))
        save(cell.file(self.folder), kept, self.identity)  # last: without it the cell is not there
        self.tell(f"{place}: {arm.title}, {cell.labels} labels, draw {cell.draw + 1}, {kept.seconds:.0f} s")
        return Done(cell=cell, outcome=kept, beside=beside)

    def _kept(self, cell: Cell) -> Done | None:
        outcome = load(cell.file(self.folder), self.identity)
        if outcome is None or len(outcome.predicted) != len(self.held_out):
            return None
        with suppress(OSError, ValueError):  # damaged: cheaper to learn again than to mend
            beside = from_json(TransferCell, self._beside(cell).read_text(encoding="utf-8"))
            return Done(cell=cell, outcome=outcome, beside=beside)
        return None

    def _beside(self, cell: Cell) -> Path:
        return cell.file(self.folder).with_suffix(".json")


def _stopped(done: int, cells: int, signal_number: int) -> Interrupted:
    return Interrupted(f"stopped after {done} of {cells} arms, which are saved", signal_number=signal_number)
