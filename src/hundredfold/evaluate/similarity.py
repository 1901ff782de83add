"""How two views of held-out images lie on the sphere: what pre-training did, seen without any label.

Sources: Wang & Isola, "Understanding Contrastive Representation Learning through Alignment and Uniformity on the
Hypersphere", ICML 2020 (alignment with alpha = 2, uniformity with t = 2); Garrido, Balestriero, Najman & LeCun,
"RankMe", ICML 2023, equation 1 (effective rank).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from hundredfold.records import Histogram, Similarity

BINS = 80


def similarity(za: Tensor, zb: Tensor, features: Tensor) -> Similarity:
    """Cosine similarities of positive and cross-view negative pairs, and the features' effective rank.

    Args:
        za, zb: [n, d] projections of two views of the same n >= 2 images, in any length.
        features: [m, k] of the encoder, not normalised.
    """
    za, zb = functional.normalize(za.float(), dim=1), functional.normalize(zb.float(), dim=1)
    cosine = za @ zb.T  # [n, n]
    positives = cosine.diagonal()
    negatives = cosine[~torch.eye(len(cosine), dtype=torch.bool)]
    return Similarity(
        positive_mean=float(positives.mean()),
        positive_variance=float(positives.var(unbiased=False)),
        negative_mean=float(negatives.mean()),
        negative_variance=float(negatives.var(unbiased=False)),
        alignment=float(alignment(za, zb)),
        uniformity=float(uniformity(za)),
        effective_rank=effective_rank(features),
        dimensions=features.shape[1],
        positives=histogram(positives),
        negatives=histogram(negatives),
    )


def alignment(za: Tensor, zb: Tensor) -> Tensor:
    """Mean squared distance of positive pairs, [n, d] each of length 1: between 0 (identical) and 4 (opposite)."""
    return (za - zb).square().sum(1).mean()


def uniformity(z: Tensor) -> Tensor:
    """ln of the mean of exp(-2 |x - y|^2) over all pairs of [n, d] of length 1: 0 if collapsed, lower is better."""
    return torch.pdist(z).square().mul(-2).exp().mean().log()


def effective_rank(features: Tensor) -> float:
    """exp of the entropy of the normalised singular values of [m, k]: 1 (one direction) to min(m, k) (all alike)."""
    values = torch.linalg.svdvals(features.double())
    shares = values / values.sum().clamp_min(1e-12)
    return float(torch.special.entr(shares).sum().exp())


def histogram(values: Tensor, bins: int = BINS) -> Histogram:
    """Counts of cosine similarities over -1..1."""
    counts = torch.histc(values.float().clamp(-1, 1), bins=bins, min=-1, max=1).long()
    return Histogram(edges=tuple(torch.linspace(-1, 1, bins + 1).tolist()), counts=tuple(counts.tolist()))
