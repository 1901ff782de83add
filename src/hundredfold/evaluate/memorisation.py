"""Whether a generator repeats the images that it learnt from: its samples lie nearer to them than new images do.

An image is near another for two reasons: it is a copy, or it is a simple or blurred image, which lies near to many. So
its distance to the nearest training image is divided by the mean distance to the next 50: a copy is near to one alone.
Measured on a conditional VAE of the digits 0-4 of MNIST: by plain distances, none of 100 training images with noise of
0.05 a pixel was found, because the nearest 1 % of new images are thin ones; with a limit for each class instead, 14 %
of the blurred fours were taken for copies. Divided, 97 of the 100 are found, and 0.5 % of the VAE's samples.

Source: Meehan, Chaudhuri & Dasgupta, "A Non-Parametric Test to Detect Data-Copying in Generative Models", AISTATS 2020
(arXiv 2004.05675): a generator copies if its samples lie systematically nearer to the training set than held-out images
of the same distribution do. The division: Carlini et al., "Extracting Training Data from Diffusion Models", USENIX
Security 2023 (arXiv 2301.13188). Looking at the nearest pairs: van den Burg & Williams, "On Memorization in
Probabilistic Deep Generative Models", NeurIPS 2021 (arXiv 2106.03216). The share below a quantile is ours: a few copies
among thousands of good samples harm privacy, and a rank test over all samples would not notice them.
When to use it: before samples are shown or handed on. When not: as a proof of privacy; a copy moved by a few pixels is
not found.

Letters: m samples, h held-out images, n training images, d numbers each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from hundredfold.errors import DataError
from hundredfold.evaluate.euclidean_neighbours import nearest_euclidean

QUANTILE = 0.01  # share of held-out images that are nearer by chance
AROUND = 50  # training images that say how densely they lie around an image, as in Carlini et al.


@dataclass(frozen=True, kw_only=True, eq=False)
class Memorisation:
    """How near samples lie to the training images.

    Attributes:
        share: of the samples that are nearer to a training image, for how densely these lie around them, than all but
            1 % of held-out images, 0..1.
        ratio: median distance of samples to the nearest training image, over that of held-out images. Below 1 samples
            lie nearer, which blurred ones do as well as copies.
        threshold: of `nearness`; a sample below it counts.
        held_out: images that this quantile is of.
        duplicates: held-out images that equal a training image, and were left out.
        nearness: [m], distance of each sample to its nearest training image over the mean distance to the next 50.
        distances: [m] of each sample to its nearest training image.
        nearest: [m] int64, the position of that training image.
        order: [m] int64, positions of the samples, the one with the least nearness first.
    """

    share: float
    ratio: float
    threshold: float
    held_out: int
    duplicates: int
    nearness: Tensor
    distances: Tensor
    nearest: Tensor
    order: Tensor


def memorisation(samples: Tensor, *, training: Tensor, held_out: Tensor) -> Memorisation:
    """Compares samples with held-out images by how near they are to one training image; exact.

    Args:
        samples: [m, d] floats, m >= 1.
        training: [n, d], n >= 1: all images that the generator learnt from, as a copy of one left out is not found.
        held_out: [h, d], h >= 1: images of the same source that it did not learn from; 100 or more for the quantile to
            mean what it says.

    Raises:
        DataError: an empty set, vectors of two lengths, or no held-out image that is not in the training set too.
    """
    _check(samples, training, held_out)
    distinct = _distinct(training)  # many copies of one image would hide that a sample is near to it alone
    known = training[distinct]  # [u, d]
    of_samples, of_new = _near(samples, known), _near(held_out, known)
    new = of_new.distances > 0  # an image that is in both sets was not held out, and would hide copies
    if not bool(new.any()):
        raise DataError(
            "whether images were memorised cannot be told",
            why=f"all {len(new)} held-out images are in the training set too",
            fix="give test images that the generator did not learn from",
        )
    threshold = float(of_new.nearness[new].quantile(QUANTILE))
    return Memorisation(
        share=float((of_samples.nearness < threshold).double().mean()),
        ratio=float(of_samples.distances.quantile(0.5) / of_new.distances[new].quantile(0.5)),
        threshold=threshold,
        held_out=int(new.sum()),
        duplicates=int((~new).sum()),
        nearness=of_samples.nearness,
        distances=of_samples.distances,
        nearest=distinct[of_samples.which],
        order=of_samples.nearness.argsort(stable=True),
    )


class _Near(NamedTuple):
    """Of each row: distance [m] to the nearest and nearness [m], float64, and which it is [m]."""

    distances: Tensor
    nearness: Tensor
    which: Tensor


def _near(rows: Tensor, known: Tensor) -> _Near:
    found, which = nearest_euclidean(rows, 1 + AROUND, among=known)  # [m, 1 + 50], fewer where fewer are known
    distances = found[:, 0].double()
    around = found[:, 1:].double().mean(1) if len(known) > 1 else torch.ones_like(distances)
    return _Near(distances, distances / around, which[:, 0])


def _distinct(rows: Tensor) -> Tensor:
    """Positions [u], rising, of the first of each set of equal rows [n, d]."""
    packed = np.ascontiguousarray(rows.cpu().numpy())
    packed = packed.view(np.dtype((np.void, packed.dtype.itemsize * packed.shape[1]))).ravel()  # [n], a row as bytes
    return torch.from_numpy(np.sort(np.unique(packed, return_index=True)[1]))


def _check(samples: Tensor, training: Tensor, held_out: Tensor) -> None:
    sets = {"samples": samples, "training images": training, "held-out images": held_out}
    for name, rows in sets.items():
        if rows.dim() != 2 or not len(rows):
            raise DataError(f"memorisation needs {name} as vectors [n, d], n >= 1", why=f"got {list(rows.shape)}")
    if len({rows.shape[1] for rows in sets.values()}) > 1:
        lengths = ", ".join(f"{rows.shape[1]} ({name})" for name, rows in sets.items())
        raise DataError("memorisation needs vectors of one length", why=f"got {lengths}")
