"""Label propagation: labels flow along the edges of a graph of nearest neighbours, through the unlabelled images too.

Source: Zhou, Bousquet, Lal, Weston & Schölkopf, "Learning with Local and Global Consistency", NIPS 2003: F = (I - alpha
S)^-1 Y with S = D^-1/2 W D^-1/2. Edges and solver as in Iscen, Tolias, Avrithis & Chum, "Label Propagation for Deep
Semi-Supervised Learning", CVPR 2019 (W from similarity ^ gamma, conjugate gradients), images outside the graph as in
Delalleau, Bengio & Le Roux, "Efficient Non-Parametric Function Induction in Semi-Supervised Learning", AISTATS 2005.

When to use it: whenever there are unlabelled images and the features keep classes in clusters; it costs seconds. When
not: where clusters cross classes; its cross-validation on the labels then falls below the linear probe's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from hundredfold.evaluate.cross_validation import stratified_folds
from hundredfold.evaluate.knn import Neighbours
from hundredfold.evaluate.neighbours import nearest

NEIGHBOURS = 10
ALPHA = 0.99  # how far labels flow: with 0.9 about 0.6 points less on MNIST, with 0.999 about 0.1
GAMMA = 3.0  # of Iscen et al.; 1 does as well
TOLERANCE = 1e-5  # of the solution, relative
ITERATIONS = 200  # at most; about 30 are needed
COLUMNS = 256  # solved together
APART = 0.5  # reach below which an image is like nothing that is labelled, see `Propagation.reach`


@dataclass(frozen=True, kw_only=True, eq=False)
class NeighbourGraph:
    """Images as nodes, joined to their nearest neighbours.

    Attributes:
        features: [n, d], of length 1.
        weights: S, a sparse symmetric [n, n] matrix whose eigenvalues lie in -1..1.
    """

    features: Tensor
    weights: Any


@dataclass(frozen=True, kw_only=True, eq=False)
class Propagation:
    """What labels say of every image of a graph, and of images beside it.

    Attributes:
        graph: the images.
        mass: [n, classes] >= 0: how much of each class reaches an image; all zero where no label does.
        held_out: [l, classes] the same at each labelled image from the labels of the other folds; None where there are
            too few labels for folds.
        usual: [classes] how much reaches a labelled image of a class from the others, the median; what `reach` is
            measured by, for each class since a rare one with as many labels is reached by more.
        cross_validation: accuracy on the labels in cross-validation, or None where there are too few.
    """

    graph: NeighbourGraph
    mass: Tensor
    held_out: Tensor | None
    usual: Tensor
    cross_validation: float | None

    def distributions(self) -> Tensor:
        """[n, classes] of the images of the graph; rows sum to 1, even over the classes where no label reaches."""
        return shares(self.mass)

    def reach(self) -> Tensor:
        """[n] >= 0: how much of any label reaches an image, 1 for what usually reaches a labelled one from the others.

        It tells images of no labelled kind: with 2,500 pictures of clothes among 10,000 digits, it was below 0.5 for
        all of those and for 17 and 47 digits in two draws (docs/few-labels.md).
        """
        return self.mass.sum(1) / self.usual[self.mass.argmax(1)].clamp_min(1e-30)

    def apart(self) -> Tensor:
        """[n] booleans: images that nothing labelled is like (`reach` below 0.5)."""
        return self.reach() < APART

    def neighbours(self) -> Neighbours:
        """The model of images beside the graph: the distributions of its nearest images vote."""
        return Neighbours(features=self.graph.features, votes=self.distributions(), k=NEIGHBOURS)


def neighbour_graph(features: Tensor, *, neighbours: int = NEIGHBOURS) -> NeighbourGraph:
    """The graph of images by the cosine similarity of their features.

    An edge weighs similarity ^ 3 and is there if either image is among the other's nearest.

    Args:
        features: [n, d], n >= 2.
        neighbours: of each image; fewer where there are fewer images.
    """
    import scipy.sparse as sparse  # type: ignore[import-untyped]

    unit = functional.normalize(features.float(), dim=1)
    n, k = len(unit), min(neighbours, len(unit) - 1)
    similarity, index = nearest(unit, k, among=unit, without_self=True)  # [n, k]
    edges = (similarity.clamp_min(0) ** GAMMA).double().numpy().ravel()
    rows = np.repeat(np.arange(n), k)
    w = sparse.csr_matrix((edges, (rows, index.numpy().ravel())), shape=(n, n))
    w = w.maximum(w.T)
    degree = np.asarray(w.sum(1)).ravel()
    scale = sparse.diags(np.where(degree > 0, 1 / np.sqrt(np.maximum(degree, 1e-300)), 0.0))
    return NeighbourGraph(features=unit, weights=(scale @ w @ scale).tocsr())


def propagate(
    graph: NeighbourGraph, known: Tensor, labels: Tensor, classes: int, *, seed: int, alpha: float = ALPHA
) -> Propagation:
    """Labels spread over the graph.

    Args:
        graph: of n images.
        known: [l] positions in the graph of the labelled images.
        labels: [l] in 0..classes - 1.
        classes: number of classes.
        seed: of the folds of cross-validation.
        alpha: share of its neighbours' labels that an image takes over, 0..1 (not 1).
    """
    folds = stratified_folds(labels, seed=seed)
    # Each class gives off as much in all, however many labels it has, or one with forty floods one with a single label.
    counts = labels.bincount(minlength=classes).double()
    weight = len(labels) / (counts.clamp_min(1) * (counts > 0).sum())  # [classes], 1 where labels are even
    mass = torch.zeros(len(graph.features), classes, dtype=torch.float64)
    own = torch.zeros(len(labels), classes, dtype=torch.float64)  # what labels get from their own fold
    for part in [held_out for _, held_out in folds] or [torch.arange(len(labels))]:
        sent = spread(graph, known[part], labels[part], classes, alpha=alpha) * weight
        mass += sent  # the system is linear: what the folds send adds up
        own[part] = sent[known[part]]
    held_out = (mass[known] - own).clamp_min(0)
    right = (held_out.argmax(1) == labels).float().mean()
    return Propagation(
        graph=graph,
        mass=mass.float(),
        held_out=shares(held_out.float()) if folds else None,
        usual=_usual(held_out, labels, len(folds)) if folds else _usual(mass, mass.argmax(1), 0),
        cross_validation=float(right) if folds else None,
    )


def _usual(mass: Tensor, classes_of: Tensor, folds: int) -> Tensor:
    """[classes] medians of how much reaches the rows [n, classes] of a class; of all rows for a class without one."""
    total = mass.sum(1).float() * (folds / (folds - 1) if folds else 1)  # a fold's own labels were left out
    of_class = [total[classes_of == label] for label in range(mass.shape[1])]
    return torch.stack([(some if len(some) else total).median() for some in of_class])


def spread(graph: NeighbourGraph, known: Tensor, labels: Tensor, classes: int, *, alpha: float = ALPHA) -> Tensor:
    """(1 - alpha) (I - alpha S)^-1 Y, [n, classes] float64 >= 0; arguments as `propagate`."""
    right = np.zeros((len(graph.features), classes))  # Y
    right[known.numpy(), labels.numpy()] = 1 - alpha
    solved = [_solve(graph.weights, right[:, part], alpha) for part in _blocks(classes)]
    return torch.from_numpy(np.concatenate(solved, axis=1)).clamp_min(0)


def _solve(weights: Any, right: Any, alpha: float) -> Any:
    """x of (I - alpha S) x = right, all columns at once: conjugate gradients (Hestenes & Stiefel 1952) [n, m]."""
    x = np.zeros_like(right)
    residual, direction = right.copy(), right.copy()
    square = (residual**2).sum(0)  # [m]
    enough = TOLERANCE**2 * square
    for _ in range(ITERATIONS):
        if (square <= enough).all():
            break
        image = direction - alpha * (weights @ direction)
        step = square / np.maximum((direction * image).sum(0), 1e-300)
        x += step * direction
        residual -= step * image
        before, square = square, (residual**2).sum(0)
        direction = residual + square / np.maximum(before, 1e-300) * direction
    return x


def _blocks(columns: int) -> Sequence[slice]:
    return [slice(first, min(first + COLUMNS, columns)) for first in range(0, columns, COLUMNS)]


def shares(mass: Tensor) -> Tensor:
    """Rows [n, classes] that sum to 1, even over the classes where nothing is."""
    total = mass.sum(1, keepdim=True)
    return (mass / total).where(total > 0, 1 / mass.shape[1])
