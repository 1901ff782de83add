"""How two views of held-out images lie on the sphere: what pre-training did, seen without any label.

Sources: Lee, Lim, Lee & Sohn, "On the Similarities of Embeddings in Contrastive Learning", ICML 2025 (arXiv
2506.09781): definition 4.1 (positive and cross-view negative similarities, whose variances are those of all pairs),
theorem 5.2 and lemma C.6 (what negatives leave the positives); Wang & Isola, "Understanding Contrastive
Representation Learning through Alignment and Uniformity on the Hypersphere", ICML 2020 (alignment with alpha = 2,
uniformity with t = 2); Garrido, Balestriero, Najman & LeCun, "RankMe", ICML 2023, equation 1 (effective rank); Chen &
He, "Exploring Simple Siamese Representation Learning", CVPR 2021, section 4.1 (spread).

Shapes: n images, d dimensions of a projection, k of a feature vector.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from hundredfold.records import Histogram, Similarity

BINS = 80


def similarity(
    za: Tensor, zb: Tensor, features: Tensor, *, temperature: float | None = None, histograms: bool = True
) -> Similarity:
    """Cosine similarities of views of the same and of different images, and what follows from them.

    Args:
        za, zb: [n, d] projections of two views of the same n >= 2 images, in any length.
        features: [m, k] of the encoder, not normalised.
        temperature: by which the loss divides similarities, for `effective_negatives`; None leaves that out.
        histograms: whether the distributions are kept beside their means and variances.

    Raises:
        ValueError: the shapes differ or are not [n, d], n < 2.
    """
    if za.dim() != 2 or za.shape != zb.shape or len(za) < 2:
        raise ValueError(f"two views of n >= 2 images are needed, [n, d], got {tuple(za.shape)} and {tuple(zb.shape)}")
    n, d = za.shape
    za, zb = functional.normalize(za.double(), dim=1), functional.normalize(zb.double(), dim=1)
    cosine = za @ zb.T  # [n, n]
    positives = cosine.diagonal()
    negatives = _off_diagonal(cosine)  # [n, n - 1]: across the views
    withins = torch.cat([_off_diagonal(za @ za.T), _off_diagonal(zb @ zb.T)])  # [2n, n - 1]: in the same view
    mean = float(negatives.mean())
    return Similarity(
        positive_mean=float(positives.mean()),
        positive_variance=float(positives.var(unbiased=False)),
        negative_mean=mean,
        negative_variance=float(negatives.var(unbiased=False)),
        alignment=float(alignment(za, zb)),
        uniformity=float(uniformity(za)),
        effective_rank=effective_rank(features),
        dimensions=features.shape[1],
        images=n,
        within_mean=float(withins.mean()),
        within_variance=float(withins.var(unbiased=False)),
        excess=-1 / (n - 1) - mean,
        bound=alignment_bound(mean, n),
        sharp_bound=sharp_bound(mean, n) if n > 2 else None,
        projection_rank=effective_rank(za),
        projection_dimensions=d,
        spread=float(spread(za) + spread(zb)) / 2,
        temperature=temperature,
        effective_negatives=None if temperature is None else effective_negatives(negatives, temperature),
        positives=histogram(positives) if histograms else None,
        negatives=histogram(negatives) if histograms else None,
        withins=histogram(withins) if histograms else None,
    )


def alignment(za: Tensor, zb: Tensor) -> Tensor:
    """Mean squared distance of positive pairs, [n, d] each of length 1: between 0 (identical) and 4 (opposite)."""
    return (za - zb).square().sum(1).mean()


def uniformity(z: Tensor) -> Tensor:
    """ln of the mean of exp(-2 |x - y|^2) over all pairs of [n, d] of length 1: 0 if collapsed, lower is better."""
    return torch.pdist(z).square().mul(-2).exp().mean().log()


def alignment_bound(negative_mean: float, n: int) -> float:
    """What the mean positive similarity of n >= 2 images cannot exceed: 1 + negative_mean + 1/(n - 1).

    It says something where negatives are further apart than in the optimum of the full batch, where all are at
    -1/(n - 1): then positives cannot coincide (Lee et al. 2025, theorem 5.2).
    """
    return 1 + negative_mean + 1 / (n - 1)


def sharp_bound(negative_mean: float, n: int) -> float:
    """The bound that can be reached, for n > 2: 1 + 2 (n - 1)/(n - 2) (negative_mean + 1/(n - 1)).

    Below 1 it is lower than `alignment_bound`, above it higher (from lemma C.6 of Lee et al. 2025).
    """
    return 1 + 2 * (n - 1) / (n - 2) * (negative_mean + 1 / (n - 1))


def effective_rank(features: Tensor) -> float:
    """exp of the entropy of the normalised singular values of [m, k]: 1 (one direction) to min(m, k) (all alike)."""
    values = torch.linalg.svdvals(features.double())
    shares = values / values.sum().clamp_min(1e-12)
    return float(torch.special.entr(shares).sum().exp())


def spread(z: Tensor) -> Tensor:
    """Standard deviation of a dimension, mean over dimensions, times sqrt(d), of [n, d] of length 1: 0 to 1."""
    return z.std(0, unbiased=False).mean() * z.shape[1] ** 0.5


def effective_negatives(negatives: Tensor, temperature: float) -> float:
    """The share of the negatives [n, m] of each image that its softmax loss listens to, mean over images.

    exp of the entropy of softmax(negatives / temperature), over their number: 1 where all weigh the same, as with a
    high temperature, 1/m where only the nearest counts.
    """
    weights = functional.softmax(negatives / temperature, dim=1)
    return float(torch.special.entr(weights).sum(1).exp().mean()) / negatives.shape[1]


def histogram(values: Tensor, bins: int = BINS) -> Histogram:
    """Counts of cosine similarities over -1..1."""
    counts = torch.histc(values.float().clamp(-1, 1), bins=bins, min=-1, max=1).long()
    return Histogram(edges=tuple(torch.linspace(-1, 1, bins + 1).tolist()), counts=tuple(counts.tolist()))


def _off_diagonal(square: Tensor) -> Tensor:
    """[n, n] without its diagonal, [n, n - 1]: each row's own entry left out."""
    n = len(square)
    return square.flatten()[1:].view(n - 1, n + 1)[:, :-1].reshape(n, n - 1)
