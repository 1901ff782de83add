"""Who serves for what: images to learn from, validation, test, and the draws of labelled ones.

Every split is drawn from a seed, stratified by class where there are labels, and written to the run as indices.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hundredfold.errors import DataError
from hundredfold.random import generator
from hundredfold.types import UNLABELLED


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """Positions in the set to learn from, and in the test set.

    Attributes:
        pool: [m] images that pre-training sees, never with their labels.
        validation: [v] images for the loss on held-out data, in no other part.
        test: [t] positions in the set to learn from that are held out for testing; empty if the source brings a
            test set of its own.
        draws: for each draw, the positions of the labelled images in the order in which they are taken: the first k
            are the draw with k labels, so that smaller draws are parts of larger ones.
        available: how many labelled images there are to draw from.
    """

    pool: Tensor
    validation: Tensor
    test: Tensor
    draws: tuple[Tensor, ...]
    available: int = 0


def split(
    labels: Tensor,
    classes: int,
    *,
    labels_per_draw: int,
    draws: int,
    seed: int,
    has_test: bool,
    validation_share: float = 1 / 6,
    test_share: float = 0.2,
) -> Split:
    """Splits a set of which some images may be labelled.

    Args:
        labels: [n] int64, `UNLABELLED` where there is none.
        classes: number of classes.
        labels_per_draw: how many labelled images each draw takes (fewer if there are fewer).
        draws: how many times to draw.
        seed: of everything here.
        has_test: whether a test set exists already; if not, `test_share` of the labelled images become one.
        validation_share: of the images that are not test images. Images without a label go first, and where fewer
            than half of the images are labelled no labelled one is spent on it.
        test_share: of the labelled images of each class, at least one.

    Raises:
        DataError: fewer labels than classes, or a single class.
    """
    known = (labels != UNLABELLED).nonzero().squeeze(1)
    if labels_per_draw:
        _check_labels(labels[known], classes, labels_per_draw)
    test = torch.empty(0, dtype=torch.int64)
    if not has_test and labels_per_draw:
        test = _stratified(known, labels, test_share, generator(seed, "test"))
    rest = _without(torch.arange(len(labels)), test)
    validation = _validation(rest, labels, validation_share, generator(seed, "validation"))
    pool = _without(rest, validation)
    available = pool[labels[pool] != UNLABELLED]
    learnable = _without(known, test)
    if labels_per_draw and len(labels[available].unique()) < len(labels[learnable].unique()):
        available = learnable  # rare classes: their labels matter more than their place in the pool
    taken = tuple(
        _interleaved(available, labels, generator(seed, "draw", draw))[:labels_per_draw]
        for draw in range(draws if labels_per_draw else 0)
    )
    return Split(pool=pool, validation=validation, test=test, draws=taken, available=len(available))


def _check_labels(labels: Tensor, classes: int, wanted: int) -> None:
    present = int((torch.bincount(labels, minlength=classes) > 0).sum()) if len(labels) else 0
    if len(labels) == 0:
        raise DataError(
            "no image carries a label, so nothing can be learnt from labels or tested",
            fix="give some with --labelled SOURCE, or run `hundredfold pretrain`, which needs none",
        )
    if present < 2:
        raise DataError(
            f"all {len(labels)} labelled images are of one class: there is nothing to tell apart",
            fix="label images of at least two classes",
        )
    if wanted < present:
        raise DataError(
            f"fewer labels than classes: --labels {wanted} for {present} classes",
            fix=f"ask for at least {present} labels, one a class",
        )


def _stratified(known: Tensor, labels: Tensor, share: float, rng: torch.Generator) -> Tensor:
    """A share of each class, at least one image where the class has two."""
    parts = []
    for label in labels[known].unique():
        members = known[labels[known] == label]
        count = max(1, round(share * len(members))) if len(members) > 1 else 0
        parts.append(members[torch.randperm(len(members), generator=rng)[:count]])
    return torch.cat(parts).sort().values


def _validation(rest: Tensor, labels: Tensor, share: float, rng: torch.Generator) -> Tensor:
    count = round(share * len(rest))
    unlabelled = rest[labels[rest] == UNLABELLED]
    source = unlabelled if len(unlabelled) > len(rest) / 2 else rest
    return source[torch.randperm(len(source), generator=rng)[:count]].sort().values


def _interleaved(available: Tensor, labels: Tensor, rng: torch.Generator) -> Tensor:
    """All labelled images, one of each class in turn, so that every prefix is as balanced as it can be."""
    shuffled = available[torch.randperm(len(available), generator=rng)]
    turn = torch.empty(len(shuffled), dtype=torch.int64)
    for label in labels[shuffled].unique():
        members = (labels[shuffled] == label).nonzero().squeeze(1)
        turn[members] = torch.arange(len(members))
    within_turn = torch.rand(len(shuffled), generator=rng, dtype=torch.float64)
    return shuffled[(turn + within_turn).argsort()]


def _without(positions: Tensor, removed: Tensor) -> Tensor:
    return positions[~torch.isin(positions, removed)]
