"""How unlike the known images an image is: scores without labels, higher is stranger.

Neighbour distance works on any features and needs no model of them: it is the first to try. The latent distance is one
matrix product however many images are known, and fits features that form one cloud. Reconstruction error needs a model
that was trained to reconstruct, on known images only. Isolation Forest and one-class SVM on pixels are the references
that a learnt score has to beat. The scores have different units: `combined` brings them onto one scale.

Sources: Ramaswamy, Rastogi & Shim, "Efficient Algorithms for Mining Outliers from Large Data Sets", SIGMOD 2000, and
Bergman, Cohen & Hoshen, "Deep Nearest Neighbor Anomaly Detection", 2020 (arXiv 2002.10445), on neighbours; Lee et al.,
"A Simple Unified Framework for Detecting Out-of-Distribution Samples and Adversarial Attacks", NeurIPS 2018 (arXiv
1807.03888), section 2.1, on the latent distance; Ledoit & Wolf, "A Well-conditioned Estimator for Large-dimensional
Covariance Matrices", 2004; Liu, Ting & Zhou, "Isolation Forest", ICDM 2008; Schölkopf et al., "Estimating the Support
of a High-Dimensional Distribution", Neural Computation 2001.

Shape letters: n known images, m asked about, d features.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from hundredfold.errors import DataError
from hundredfold.evaluate.euclidean_neighbours import nearest_euclidean
from hundredfold.evaluate.neighbours import nearest
from hundredfold.random import derive, generator

NEIGHBOURS = 3  # mean AUROC on pixels of MNIST, 3, 5 or 8 ordinary: 0.965 with 1, 3 and 5 of them, 0.961 with 10
TREES = 100  # of an Isolation Forest, as in the paper, each grown on 256 images
OUTSIDE = 0.1  # share of the known images that a one-class SVM may leave outside; there the best of 0.01, 0.1 and 0.5
MOST_FOR_SVM = 5_000  # known images: its time grows with their square
SMALLEST = 1e-9  # variance of a direction, as a share of the largest: below, known images say nothing of its size


def neighbour_distance(
    known: Tensor, asked: Tensor, *, k: int = NEIGHBOURS, normalise: bool = True, own: Tensor | None = None
) -> Tensor:
    """Mean distance of each image to the k known ones nearest to it.

    Args:
        known: [n, d] features.
        asked: [m, d] features.
        k: neighbours, >= 1; where fewer are known, all of them.
        normalise: compare directions, by 1 - cosine (a row of zeros is 1 from everything); otherwise Euclidean, as for
            pixels, where lengths mean something.
        own: [m] position of each asked image among the known ones, -1 where it is not one of them: none is its own
            neighbour, or known images would seem less strange than others like them.

    Returns:
        [m], in 0..2 if normalised, otherwise >= 0.

    Raises:
        DataError: nothing to compare with.
    """
    if k < 1:
        raise ValueError(f"k must be 1 or more, got {k}")
    _check_features(known, asked)
    others = len(known) if own is None else len(known) - 1
    if others < 1:
        raise DataError(f"{len(known)} known images leave nothing to compare with", fix="give two known images or more")
    if not len(asked):
        return asked.new_zeros(0)
    distances, index = _nearest(known, asked, k + (own is not None), normalise)  # [m, k (+ 1)]
    return (distances if own is None else _without(own, distances, index)).mean(1)


def mahalanobis(known: Tensor, asked: Tensor, *, shrinkage: float | None = None) -> Tensor:
    """Distance of each image from the mean of the known ones, each direction measured by how much those vary in it.

    Where known images do not vary at all, it is the Euclidean distance from their mean.

    Args:
        known: [n, d] features, n >= 1.
        asked: [m, d] features.
        shrinkage: 0..1, how far the covariance is drawn to that of a ball, which it needs where images are few for
            their dimensions; None: as far as Ledoit & Wolf estimate to be best.

    Returns:
        [m] float64 >= 0, in standard deviations.
    """
    _check_features(known, asked)
    if not len(known):
        raise DataError("a latent distance needs known images", why="there are none")
    mean = known.double().mean(0)
    centred = known.double() - mean  # [n, d]
    share = _ledoit_wolf(centred) if shrinkage is None else shrinkage
    covariance = centred.T @ centred / len(known)  # [d, d]
    ball = covariance.trace() / len(covariance)
    values, vectors = torch.linalg.eigh((1 - share) * covariance + share * ball * torch.eye(len(covariance)))
    largest = values.max().clamp_min(0)
    values = values.clamp_min(float(SMALLEST * largest)) if largest > 0 else torch.ones_like(values)
    return ((asked.double() - mean) @ vectors / values.sqrt()).norm(dim=1)


def reconstruction_error(images: Tensor, reconstructions: Tensor) -> Tensor:
    """Mean squared error of each reconstruction, over all its pixels.

    Args:
        images: [m, ...] floats.
        reconstructions: of the same shape and scale.

    Returns:
        [m] >= 0; at most 1 for values in 0..1.
    """
    if images.shape != reconstructions.shape or not (
        images.is_floating_point() and reconstructions.is_floating_point()
    ):
        raise ValueError(
            f"images and reconstructions must be floats of one shape, got {tuple(images.shape)} of {images.dtype} and "
            f"{tuple(reconstructions.shape)} of {reconstructions.dtype}"
        )
    return (images - reconstructions).square().flatten(1).mean(1)


def isolation_forest(known: Tensor, asked: Tensor, *, seed: int) -> Tensor:
    """How few random cuts set an image apart from the known ones: a reference that needs no training of a network.

    Args:
        known: [n, ...] pixels or features, n >= 1; each image is one row of numbers.
        asked: [m, ...] of the same size.
        seed: of the trees.

    Returns:
        [m] in 0..1; 0.5 is ordinary (eq. 2 of the paper).
    """
    from sklearn.ensemble import IsolationForest

    rows, others = _rows(known, asked)
    if not len(others):
        return torch.zeros(0)
    model = IsolationForest(n_estimators=TREES, random_state=derive(seed, "isolation forest") % (1 << 32)).fit(rows)
    return torch.from_numpy(-model.score_samples(others)).float()


def one_class_svm(known: Tensor, asked: Tensor, *, seed: int, at_most: int = MOST_FOR_SVM) -> Tensor:
    """How far outside the region of the known images an image lies, by a one-class SVM with a Gaussian kernel.

    The kernel's width follows the variance of the known pixels, as scikit-learn has it by default.

    Args:
        known: [n, ...] pixels or features, n >= 1; each image is one row of numbers.
        asked: [m, ...] of the same size.
        seed: which known images are learnt from where there are more than `at_most`.
        at_most: images to learn from.

    Returns:
        [m], negative inside the weighted sum of the kernel's bumps: only the order means something.
    """
    from sklearn.svm import OneClassSVM

    chosen = torch.randperm(len(known), generator=generator(seed, "one-class SVM"))[:at_most]
    rows, others = _rows(known[chosen], asked)
    if not len(others):
        return torch.zeros(0)
    return torch.from_numpy(-OneClassSVM(nu=OUTSIDE).fit(rows).score_samples(others)).float()


def auroc(scores: Tensor, is_strange: Tensor) -> float:
    """How often a strange image scores above an ordinary one; pairs that score the same count half.

    This is the area under the ROC curve, by ranks (Hanley & McNeil, "The Meaning and Use of the Area under a ROC
    Curve", Radiology 1982).

    Args:
        scores: [m], higher is stranger.
        is_strange: [m] booleans.

    Returns:
        0..1: 0.5 is guessing.

    Raises:
        DataError: images of one kind only.

    >>> auroc(torch.tensor([0.1, 0.4, 0.4, 0.9]), torch.tensor([False, False, True, True]))
    0.875
    """
    strange = int(is_strange.sum())
    pairs = strange * (len(scores) - strange)
    if not pairs:
        raise DataError(
            "an area under the curve needs ordinary and strange images",
            why=f"{strange} of {len(scores)} are strange",
            fix="score some of both",
        )
    _, place, counts = scores.double().unique(return_inverse=True, return_counts=True)
    ranks = (counts.cumsum(0) - (counts - 1).double() / 2)[
        place
    ]  # [m], from 1; equal scores share the mean of their ranks
    return float((ranks[is_strange].sum() - strange * (strange + 1) / 2) / pairs)


def combined(known_scores: Mapping[str, Tensor], asked_scores: Mapping[str, Tensor]) -> Tensor:
    """Mean over several criteria, each in standard deviations above the mean of its scores of known images.

    Percentiles among known scores would have no units either, but end at 100: what is strange by all criteria, and
    there most of the ranking happens, would score the same. A criterion that is the same for all known images has no
    scale and adds 0.

    Args:
        known_scores: by criterion, [n] each; of images that the criterion did not learn from, or leave-one-out.
        asked_scores: of the same criteria, [m] each.

    Returns:
        [m] float64; 0 is as strange as the mean known image.
    """
    if not known_scores or known_scores.keys() != asked_scores.keys():
        raise ValueError(f"criteria must be the same, got {sorted(known_scores)} and {sorted(asked_scores)}")
    return torch.stack([_standardised(known_scores[name], asked_scores[name]) for name in known_scores]).mean(0)


def percentile(known_scores: Tensor, scores: Tensor) -> Tensor:
    """Share of known images that score lower [m] float64, in percent, for scores [m]; of equal ones half.

    >>> percentile(torch.tensor([1.0, 2.0, 2.0, 4.0]), torch.tensor([0.0, 2.0, 5.0])).tolist()
    [0.0, 50.0, 100.0]
    """
    if not len(known_scores):
        raise DataError("a percentile needs scores of known images", why="there are none")
    ordered = known_scores.double().sort().values
    asked = scores.double().contiguous()
    below, up_to = torch.searchsorted(ordered, asked), torch.searchsorted(ordered, asked, right=True)
    return 50 * (below + up_to).double() / len(ordered)


def _check_features(known: Tensor, asked: Tensor) -> None:
    if known.dim() != 2 or asked.dim() != 2 or known.shape[1] != asked.shape[1]:
        raise ValueError(f"features must be [n, d] and [m, d], got {tuple(known.shape)} and {tuple(asked.shape)}")


def _nearest(known: Tensor, asked: Tensor, count: int, normalise: bool) -> tuple[Tensor, Tensor]:
    """Distances [m, count] to the nearest known rows, and their positions."""
    count = min(count, len(known))
    if not normalise:
        return nearest_euclidean(asked, count, among=known)
    similarity, index = nearest(functional.normalize(asked, dim=1), count, among=functional.normalize(known, dim=1))
    return (1 - similarity).clamp_min(0), index  # rounding may bring a cosine above 1


def _without(own: Tensor, distances: Tensor, index: Tensor) -> Tensor:
    """The distances less that of each row to itself; where it was not found, less the farthest."""
    is_own = index == own[:, None]  # [m, k + 1]
    is_own[:, -1] |= ~is_own.any(1)
    return distances[~is_own].view(len(own), -1)


def _ledoit_wolf(centred: Tensor) -> float:
    from sklearn.covariance import ledoit_wolf_shrinkage

    if len(centred) == 1:
        return 1.0  # one image has no covariance
    return float(ledoit_wolf_shrinkage(centred.numpy(), assume_centered=True))


def _rows(known: Tensor, asked: Tensor) -> tuple[np.ndarray, np.ndarray]:
    if not len(known):
        raise DataError("strangeness is measured against known images", why="there are none")
    rows, others = known.flatten(1), asked.flatten(1)
    _check_features(rows, others)
    return rows.float().numpy(), others.float().numpy()


def _standardised(known: Tensor, asked: Tensor) -> Tensor:
    spread = known.double().std(correction=0)
    return (asked.double() - known.double().mean()) / spread if spread > 0 else torch.zeros_like(asked.double())
