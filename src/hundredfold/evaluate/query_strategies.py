"""Which images of a pool to ask labels for: one entry for the strategies, and when each serves.

`typiclust` needs no label and covers what the images are like; `density` and `badge` ask what a probe, learnt from the
labels there are, cannot tell. The name is that of Settles, "Active Learning Literature Survey", 2009, section 3.

Shape letters: n images, d features, m labelled, r others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from hundredfold.errors import SettingsError, unknown_name
from hundredfold.evaluate.badge import badge, output_gradient
from hundredfold.evaluate.density import information_density, margin
from hundredfold.evaluate.probe import linear_probe
from hundredfold.evaluate.typiclust import typiclust
from hundredfold.random import derive, generator
from hundredfold.types import UNLABELLED

COLD, WARM = "typiclust", "density"  # what "auto" takes without and with labels of two classes
GUESSES = 2  # of the model, for each image


@dataclass(frozen=True, kw_only=True, eq=False)
class Pool:
    """What there is to choose from.

    Attributes:
        features: [n, d] of all images, of length 1.
        known: [m] positions of the labelled ones.
        rest: [r] positions of the others, rising.
        probabilities: [r, classes] by a probe on the labels, of the others; None without labels of two classes.
    """

    features: Tensor
    known: Tensor
    rest: Tensor
    probabilities: Tensor | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Query:
    """Images to ask labels for, the most worth first.

    Attributes:
        positions: [count] int64, in the pool.
        strategy: "typiclust", "density" or "badge".
        scores: [count] what the strategy saw in each: images in its group (typiclust), doubt 0..1 (density), length of
            its gradient (badge).
        guesses: [count, 2] the probe's two likeliest classes, int64; None without one.
        shares: [count, 2] their probabilities; None without one.
    """

    positions: Tensor
    strategy: str
    scores: Tensor
    guesses: Tensor | None
    shares: Tensor | None


def query(features: Tensor, labels: Tensor, classes: int, count: int, *, strategy: str = "auto", seed: int) -> Query:
    """The `count` unlabelled images whose labels a model would gain most from.

    Args:
        features: [n, d].
        labels: [n], `UNLABELLED` where there is none.
        classes: number of classes.
        count: 1 to the number of unlabelled images.
        strategy: a name of `STRATEGIES`, or "auto": `COLD` without labels of two classes, `WARM` with.
        seed: of k-means, of draws and of the probe's folds.

    Raises:
        SettingsError: an unknown strategy, or one that needs labels where there are none of two classes.
    """
    name = resolved(strategy, labels)
    pool = _pool(functional.normalize(features, dim=1), labels, classes, seed)
    positions, scores = STRATEGIES[name](pool, count, seed)
    guesses, shares = _guesses(pool, positions)
    return Query(positions=positions, strategy=name, scores=scores, guesses=guesses, shares=shares)


def resolved(strategy: str, labels: Tensor) -> str:
    """The name of the strategy that serves with these labels [n] (errors as `query`)."""
    if strategy not in (*STRATEGIES, "auto"):
        raise SettingsError([unknown_name("strategy", strategy, (*STRATEGIES, "auto"))])
    known = labels[labels != UNLABELLED]
    present = len(known.unique())
    if strategy == "auto":
        return WARM if present > 1 else COLD
    if strategy != COLD and present < 2:
        found = f"{len(known):,} labels of one class are known" if present else "none is known"
        raise SettingsError(
            [f"strategy {strategy} asks a model, which needs labels of at least two classes: {found}"],
            fix=f"give labels with --labelled FILE.csv, or take --strategy {COLD}, which needs none",
        )
    return strategy


def _typiclust(pool: Pool, count: int, seed: int) -> tuple[Tensor, Tensor]:
    found = typiclust(pool.features, count, known=pool.known, seed=derive(seed, "typiclust"))
    return found.positions, found.sizes.float()


def _density(pool: Pool, count: int, seed: int) -> tuple[Tensor, Tensor]:
    assert pool.probabilities is not None
    doubt = margin(pool.probabilities)
    rows = information_density(pool.features[pool.rest], doubt, count, covered=pool.features[pool.known])
    return pool.rest[rows], doubt[rows]


def _badge(pool: Pool, count: int, seed: int) -> tuple[Tensor, Tensor]:
    assert pool.probabilities is not None
    rows = badge(pool.features[pool.rest], pool.probabilities, count, rng=generator(seed, "badge"))
    return pool.rest[rows], output_gradient(pool.probabilities[rows]).norm(dim=1)


STRATEGIES: dict[str, Callable[[Pool, int, int], tuple[Tensor, Tensor]]] = {
    "typiclust": _typiclust,
    "density": _density,
    "badge": _badge,
}


def _pool(features: Tensor, labels: Tensor, classes: int, seed: int) -> Pool:
    is_known = labels != UNLABELLED
    known, rest = is_known.nonzero().squeeze(1), (~is_known).nonzero().squeeze(1)
    probabilities = None
    if len(labels[known].unique()) > 1:
        probe = linear_probe(features[known], labels[known], classes, seed=derive(seed, "query"))
        probabilities = probe.probabilities(features[rest])
    return Pool(features=features, known=known, rest=rest, probabilities=probabilities)


def _guesses(pool: Pool, positions: Tensor) -> tuple[Tensor | None, Tensor | None]:
    if pool.probabilities is None:
        return None, None
    best = pool.probabilities[torch.searchsorted(pool.rest, positions)].topk(GUESSES, dim=1)
    return best.indices, best.values
