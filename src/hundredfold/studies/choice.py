"""Choosing the model that a run hands over: each candidate learns from two halves of the first draw's labels.

How the choice is made: `evaluate.choice`. What the halves say of each other's labels also fits the temperature of the
chosen model: those are probabilities of images that it had not learnt from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from hundredfold.evaluate.choice import best, halves
from hundredfold.evaluate.learner import CANDIDATES
from hundredfold.evaluate.out_of_fold import OutOfFold
from hundredfold.records import Candidate
from hundredfold.studies.cells import Cell, Outcome
from hundredfold.studies.evaluation import Evaluation

SMALLEST = 1e-6  # a probability of 0 is one that was not seen among few
ONLY = "it is the only candidate that was asked for"
SAFEST = ("linear_probe", "label_propagation", "knn", "finetune", "fixmatch", "pseudo_label")  # with a label a class


@dataclass(frozen=True, kw_only=True, eq=False)
class Choice:
    """The chosen model and its reasons.

    Attributes:
        model: its name.
        why: a sentence.
        candidates: what was compared; empty where there were too few labels for halves.
        held_out: what models of one half say of the labels of the other; None there.
    """

    model: str
    why: str
    candidates: tuple[Candidate, ...] = ()
    held_out: OutOfFold | None = None


def choose(evaluation: Evaluation) -> Choice | None:
    """The model to hand over, or None if none of the candidates was asked for.

    Raises:
        Interrupted: a signal came; finished halves are kept.
    """
    settings = evaluation.prepared.settings
    names = [model for model in settings.models if model in CANDIDATES]
    if not names:
        return None
    drawn = evaluation.taught(evaluation.handed_over(names[0]))
    if halves(evaluation.prepared.images.labels[drawn]) is None:
        model = next(name for name in SAFEST if name in names)
        safest = "a class has a single label, too few to compare models: this is the safest"
        return Choice(model=model, why=safest if len(names) > 1 else ONLY)
    if len(names) > 1:
        evaluation.tell(f"comparing {len(names)} models on two halves of the labels")
    made = {name: _halves(evaluation, name) for name in names}
    candidates = tuple(_candidate(evaluation, name, *pair) for name, pair in made.items())
    compared = len(made[names[0]][0].predicted) - len(_labelled(evaluation, names[0])[0])
    chosen = best(candidates, len(drawn), compared=compared)
    return Choice(
        model=chosen.model,
        why=_why(chosen, candidates, len(drawn)),
        candidates=candidates,
        held_out=_held_out(evaluation, chosen.model, made[chosen.model]),
    )


def _halves(evaluation: Evaluation, model: str) -> tuple[Outcome, Outcome]:
    labels = evaluation.prepared.settings.labels
    cells = [Cell(model=model, labels=labels, draw=0, half=half) for half in (1, 2)]
    first, second = evaluation.learn(cells).values()
    return first, second


def _candidate(evaluation: Evaluation, model: str, first: Outcome, second: Outcome) -> Candidate:
    found = _held_out(evaluation, model, (first, second))
    tested = [len(part) for part in _labelled(evaluation, model)]
    beyond = (first.predicted[tested[0] :], second.predicted[tested[1] :])  # of the same unlabelled images
    agreement = (beyond[0] == beyond[1]).float().mean() if len(beyond[0]) else torch.tensor(0.0)
    return Candidate(
        model=model,
        held_out=float((found.logits.argmax(1) == found.labels).float().mean()),
        agreement=float(agreement),
    )


def _held_out(evaluation: Evaluation, model: str, pair: tuple[Outcome, Outcome]) -> OutOfFold:
    """Logits of each half's labelled images by the model of the other."""
    tested = _labelled(evaluation, model)
    shares = torch.cat([_shares(outcome)[: len(part)] for outcome, part in zip(pair, tested, strict=True)])
    positions = torch.cat(tested)
    return OutOfFold(
        positions=torch.arange(len(positions)),
        logits=shares.float().clamp_min(SMALLEST).log(),
        labels=evaluation.prepared.images.labels[positions],
    )


def _shares(outcome: Outcome) -> torch.Tensor:
    assert outcome.probabilities is not None  # kept for every half
    return outcome.probabilities


def _labelled(evaluation: Evaluation, model: str) -> list[torch.Tensor]:
    """Positions of the labelled images that the models of the first and of the second half were asked for."""
    labels = evaluation.prepared.settings.labels
    return [evaluation.taught(Cell(model=model, labels=labels, draw=0, half=half)) for half in (2, 1)]


def _why(chosen: Candidate, candidates: Sequence[Candidate], labels: int) -> str:
    others = [c for c in candidates if c is not chosen]
    if not others:
        return f"{ONLY}; of the half of its {labels} labels not taught it got {100 * chosen.held_out:.0f} % right"
    right = ", ".join(f"{c.model} {100 * c.held_out:.0f} %" for c in others)
    stable = ", ".join(f"{c.model} {100 * c.agreement:.1f} %" for c in others)
    return (
        f"taught with half of its {labels} labels it got {100 * chosen.held_out:.0f} % of the other half right "
        f"({right}), and {_stability(chosen, stable)}; the test set was not looked at"
    )


def _stability(chosen: Candidate, others: str) -> str:
    if not chosen.agreement:
        return "there are no unlabelled images on which to compare the models of its two halves"
    return (
        "of the models within chance of the best its two halves agree on most unlabelled images (a student must be "
        f"clearly above its teacher), {100 * chosen.agreement:.1f} % ({others})"
    )
