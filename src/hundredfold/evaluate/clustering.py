"""Images that are alike, in groups without names, and how well the groups agree with labels where there are some.

k-means wants groups of one size and a number of them; a mixture lets groups be long or wide; DBSCAN and HDBSCAN find
the number themselves and leave out what belongs nowhere. When to use which: k-means first; a mixture where k-means cuts
long groups; HDBSCAN where the number is unknown and outliers should stay out; DBSCAN where one density fits all.

Features are brought to length 1 first, as the library compares them by cosine everywhere: between unit vectors the
squared Euclidean distance is 2 - 2 cosine, so that all of these methods group by the same likeness.

Sources: Lloyd 1982 and Arthur & Vassilvitskii, SODA 2007 (k-means++); Dempster, Laird & Rubin 1977 (mixtures by EM);
Ester et al., KDD 1996 (DBSCAN and the curve of k-distances); Campello, Moulavi & Sander, PAKDD 2013 (HDBSCAN);
Rousseeuw 1987 (silhouette); Schwarz 1978 (BIC); Strehl & Ghosh, JMLR 2002 (normalised mutual information); Hubert &
Arabie 1985 (adjusted Rand index).

Shape letters: n images, d features.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from hundredfold.errors import DataError, SettingsError, unknown_name
from hundredfold.evaluate.typiclust import clusters as k_means
from hundredfold.random import derive, generator
from hundredfold.types import UNLABELLED

KMEANS, MIXTURE, DBSCAN, HDBSCAN = "kmeans", "mixture", "dbscan", "hdbscan"
NAMES = (KMEANS, MIXTURE, DBSCAN, HDBSCAN)
NOISE = -1
FEWEST, MOST = 2, 20  # clusters among which their number is chosen
MOST_TO_CHOOSE = 3_000  # images on which it is chosen
DIMENSIONS = 20  # principal components, at most, in which densities are estimated
STARTS = 3  # of a mixture
CROWD = 10  # images within eps of one, itself among them, that make a dense place
HEIGHTS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)  # of the k-distance curve, among which eps is chosen
TOUCHING = 1e-6  # the least eps, for images that are equal
SMALLEST_SHARE = 0.01  # of the images: what is smaller is no group to HDBSCAN, and none to count for DBSCAN
FEWEST_IMAGES = 5  # of a group by HDBSCAN, and whose distance is its density


@dataclass(frozen=True, kw_only=True, eq=False)
class Clustering:
    """Images in groups.

    Attributes:
        labels: [n] int64, the group of each image from 0, the largest group first; -1 for what belongs nowhere.
        number: groups.
        sizes: images in each, falling.
        noise: images that belong nowhere.
        eps: of "dbscan", how near is near; None for the others.
    """

    labels: Tensor
    number: int
    sizes: tuple[int, ...]
    noise: int
    eps: float | None = None


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How well groups agree with labels that they were made without.

    Attributes:
        nmi: normalised mutual information, by the mean of both entropies, 0..1; it grows with the number of groups.
        ari: adjusted Rand index, -0.5..1: 0 is what chance gives whatever the number of groups.
        images: labelled images that were compared.
        noise: those of them that belong to no group; each counted as a group of its own.
    """

    nmi: float
    ari: float
    images: int
    noise: int


def cluster(
    features: Tensor, how: str, *, clusters: int | None = None, eps: float | None = None, seed: int
) -> Clustering:
    """Groups of images by their features.

    Args:
        features: [n, d] finite floats, n >= 1, of any length.
        how: "kmeans", "mixture", "dbscan" or "hdbscan".
        clusters: 1..n, for "kmeans" and "mixture"; None: 2..20, by the silhouette (k-means) or BIC (mixture) of at most
            3,000 images. Groups that nothing falls into are left out.
        eps: for "dbscan", how near is near, as a Euclidean distance of unit vectors (0..2); None: the height of the
            curve of distances to the tenth image at which there are most groups (see `_eps`).
        seed: of the starts, and of which images the number is chosen on.

    Raises:
        DataError: there are no images; SettingsError: an unknown name, or settings that it does not have.
    """
    if not len(features):
        raise DataError("there are no images to group")
    _check(how, clusters, eps, len(features))
    rows = functional.normalize(features.float(), dim=1)
    if how == KMEANS:
        return _largest_first(_k_means(rows, clusters or _by_silhouette(_some(rows, seed), seed), seed))
    if how == MIXTURE:
        rows = _reduced(rows, _affordable(len(rows)))
        return _largest_first(_mixture(rows, clusters or _by_bic(_some(rows, seed), seed), seed))
    rows = _reduced(rows)
    if how == HDBSCAN:
        return _largest_first(_hdbscan(rows))
    eps = _eps(rows, _some(rows, seed)) if eps is None else eps
    return replace(_largest_first(_dbscan(rows, eps)), eps=eps)


def agreement(labels: Tensor, truth: Tensor) -> Agreement:
    """How well groups agree with labels, whatever either are called.

    Images without a label are left out. An image that belongs to no group counts as a group of its own: left out, a
    method would look the better the more difficult images it gave up on; together, it would have found a group.

    Args:
        labels: [n] groups, -1 for none.
        truth: [n] classes, -1 where unknown.

    Raises:
        DataError: no image has a label.
    """
    known = truth != UNLABELLED
    if not known.any():
        raise DataError("groups are compared with labels", why="no image has one")
    groups, classes = labels[known].clone(), truth[known]
    noise = groups == NOISE
    groups[noise] = len(labels) + labels.abs().max() + torch.arange(int(noise.sum()))
    _, groups = groups.unique(return_inverse=True)
    _, classes = classes.unique(return_inverse=True)
    cells = (groups * (classes.max() + 1) + classes).unique(return_counts=True)[1]  # only those that are not empty
    sizes, counts = groups.bincount(), classes.bincount()
    return Agreement(
        nmi=_normalised_information(cells.double(), sizes.double(), counts.double()),
        ari=_adjusted_rand(cells.double(), sizes.double(), counts.double()),
        images=len(classes),
        noise=int(noise.sum()),
    )


def _check(how: str, clusters: int | None, eps: float | None, n: int) -> None:
    if how not in NAMES:
        raise SettingsError([unknown_name("clustering", how, NAMES)])
    problems = []
    if clusters is not None and how in (DBSCAN, HDBSCAN):
        problems.append(f"{how} finds the number of clusters itself; leave it out, or take kmeans")
    if clusters is not None and not 1 <= clusters <= n:
        problems.append(f"clusters must be in 1..{n}, the number of images, got {clusters}")
    if eps is not None and (how != DBSCAN or not eps > 0):
        problems.append(f"eps is a distance above 0 and only of dbscan, got {eps} for {how}")
    if problems:
        raise SettingsError(problems)


def _reduced(rows: Tensor, most: int = DIMENSIONS) -> Tensor:
    """The first principal components [n, up to `most`]: densities in hundreds of dimensions are all the same."""
    if rows.shape[1] <= most:
        return rows
    centred = (rows - rows.mean(0)).double()
    axes = torch.linalg.eigh(centred.T @ centred).eigenvectors[:, -most:].flip(1)
    return (centred @ axes).float()


def _affordable(n: int) -> int:
    """Dimensions in which each of twenty Gaussians has no more numbers in its covariance than images: 2..20.

    The axes are those of all images together and not those of each group, so that mixtures are given full covariances:
    on digits, NMI with ten groups is 0.79 in 20 dimensions, and 0.69 with diagonal ones. In more dimensions than this,
    BIC takes the numbers for too dear and merges groups of few images.
    """
    return max(2, min(DIMENSIONS, math.isqrt(2 * n // MOST)))


def _some(rows: Tensor, seed: int) -> Tensor:
    return rows[torch.randperm(len(rows), generator=generator(seed, "clusters"))[:MOST_TO_CHOOSE]]


def _k_means(rows: Tensor, clusters: int, seed: int) -> Tensor:
    return k_means(rows, clusters, seed=derive(seed, KMEANS)).of


def _by_silhouette(rows: Tensor, seed: int) -> int:
    """The number of clusters whose members are nearest their own and farthest from the next, on average."""
    from sklearn.metrics import silhouette_score

    most = min(MOST, len(rows.unique(dim=0)) - 1)  # of n groups of one image nothing can be said
    scores = {}
    for number in range(FEWEST, most + 1):
        labels = _k_means(rows, number, seed)
        scores[number] = float(silhouette_score(rows.numpy(), labels.numpy()))
    return max(scores, key=lambda number: scores[number]) if scores else 1


def _mixture(rows: Tensor, clusters: int, seed: int) -> Tensor:
    if len(rows) == 1:
        return torch.zeros(1, dtype=torch.int64)  # scikit-learn wants two
    return torch.from_numpy(_fit_mixture(rows, clusters, seed).predict(rows.double().numpy())).long()


def _fit_mixture(rows: Tensor, clusters: int, seed: int):  # type: ignore[no-untyped-def]  # of scikit-learn
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    model = GaussianMixture(
        clusters, covariance_type="full", n_init=STARTS, random_state=derive(seed, MIXTURE) % (1 << 32)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # equal rows, or still moving a little: good enough
        return model.fit(rows.double().numpy())


def _by_bic(rows: Tensor, seed: int) -> int:
    """The number of Gaussians that says most for its parameters."""
    numbers = range(FEWEST, min(MOST, len(rows.unique(dim=0))) + 1)
    scores = {number: _fit_mixture(rows, number, seed).bic(rows.double().numpy()) for number in numbers}
    return min(scores, key=lambda number: scores[number]) if scores else 1


def _dbscan(rows: Tensor, eps: float) -> Tensor:
    from sklearn.cluster import DBSCAN as Model

    return torch.from_numpy(Model(eps=eps, min_samples=CROWD).fit_predict(rows.numpy())).long()


def _k_distances(rows: Tensor) -> Tensor:
    """Distance [n] of each image to the tenth of those around it, itself among them, as DBSCAN counts."""
    from sklearn.neighbors import NearestNeighbors

    near = NearestNeighbors(n_neighbors=min(CROWD, len(rows))).fit(rows.numpy())
    return torch.from_numpy(near.kneighbors(rows.numpy())[0][:, -1]).double()


def _eps(rows: Tensor, some: Tensor) -> float:
    """The height of the k-distance curve at which there are most groups of 1 % of the images, at least 10, or more.

    The paper reads the height off at the curve's bend, beyond which lies noise. Images have a bend where all groups
    have become one (on digits, MNIST and Fashion-MNIST alike), so that groups are counted here instead. Of heights that
    give as many, the largest leaves out least.
    """
    heights, curve = torch.tensor(HEIGHTS, dtype=torch.float64), _k_distances(some)
    groups = [_substantial(_dbscan(some, max(eps, TOUCHING))) for eps in curve.quantile(heights).tolist()]
    best = max(range(len(groups)), key=lambda place: (groups[place], place))
    return max(float(_k_distances(rows).quantile(heights[best])), TOUCHING)


def _substantial(labels: Tensor) -> int:
    return int((labels[labels != NOISE].bincount() >= max(CROWD, SMALLEST_SHARE * len(labels))).sum())


def _hdbscan(rows: Tensor) -> Tensor:
    from sklearn.cluster import HDBSCAN as Model

    smallest = max(FEWEST_IMAGES, round(SMALLEST_SHARE * len(rows)))
    if len(rows) < 2 * smallest:
        return torch.full((len(rows),), NOISE)
    model = Model(min_cluster_size=smallest, min_samples=FEWEST_IMAGES, copy=True)
    return torch.from_numpy(model.fit_predict(rows.numpy())).long()


def _largest_first(labels: Tensor) -> Clustering:
    sizes = labels[labels != NOISE].bincount()
    order = sizes.argsort(descending=True, stable=True)[: int((sizes > 0).sum())]
    names = torch.full((len(sizes) + 1,), NOISE)  # the last is that of noise
    names[order] = torch.arange(len(order))
    return Clustering(
        labels=names[labels],
        number=len(order),
        sizes=tuple(sizes[order].tolist()),
        noise=int((labels == NOISE).sum()),
    )


def _normalised_information(cells: Tensor, sizes: Tensor, counts: Tensor) -> float:
    """2 I / (H + H'); 1 where both are one group."""
    groups, classes, both = _entropy(sizes), _entropy(counts), _entropy(cells)
    return max(0.0, 2 * (groups + classes - both) / (groups + classes)) if groups + classes else 1.0


def _entropy(counts: Tensor) -> float:
    shares = counts / counts.sum()
    return float(-(shares * shares.log()).sum().clamp_max(0))


def _adjusted_rand(cells: Tensor, sizes: Tensor, counts: Tensor) -> float:
    """(pairs together in both - those of chance) / (the most there could be - those of chance): eq. 5 of the paper."""
    together, of_groups, of_classes = (float((c * (c - 1) / 2).sum()) for c in (cells, sizes, counts))
    n = float(cells.sum())
    chance = of_groups * of_classes / (n * (n - 1) / 2) if n > 1 else 0.0
    most = (of_groups + of_classes) / 2
    return (together - chance) / (most - chance) if most != chance else 1.0
