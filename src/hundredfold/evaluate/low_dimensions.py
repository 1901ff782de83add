"""Features as points of a plane, and how far the plane can be believed.

Principal components keep large distances and are the same for everybody: look at them first. t-SNE and UMAP keep
neighbours; how large their groups are, and how far apart, means nothing. `trustworthiness` says of any of them how many
of the neighbours that one sees are neighbours in truth.

Sources: Pearson 1901 and Hotelling 1933 (PCA); van der Maaten & Hinton, "Visualizing Data using t-SNE", JMLR 2008;
McInnes, Healy & Melville, "UMAP", 2018 (arXiv 1802.03426); Venna & Kaski, "Neighborhood Preservation in Nonlinear
Projection Methods", ICANN 2001 (trustworthiness).
"""

from __future__ import annotations

import warnings

import numpy as np
import torch
from torch import Tensor

from hundredfold.errors import DataError, SettingsError, unknown_name
from hundredfold.random import derive, numpy_generator

PCA, TSNE, UMAP = "pca", "tsne", "umap"
NAMES = (PCA, TSNE, UMAP)
PERPLEXITY = 30.0  # of t-SNE: neighbours that count, about; between 5 and 50 in the paper
NEIGHBOURS = 15  # of UMAP
BEFORE_TSNE = 50  # principal components, as in the paper, section 4.2
START = 1e-4  # standard deviation of t-SNE's first points, as in the paper, and of what tells equal points apart
FEWEST = 5  # images that have neighbours worth arranging


def reduce(features: Tensor, how: str, *, seed: int) -> Tensor:
    """Points of a plane for features of any dimension.

    One seed gives one plane on one machine; principal components need none. Fewer than five images, or features that
    are all the same, are shown by their principal components whatever is asked for. On one core, 5,000 images take
    t-SNE about half a minute; cap their number before.

    Args:
        features: [n, d] finite floats.
        how: "pca", "tsne" or "umap" (needs the extra `hundredfold[map]`).
        seed: of what is drawn.

    Returns:
        [n, 2] float32. For "pca" in the units of the features, the first column varying most.

    Raises:
        SettingsError: an unknown name, or a package that is not installed.
    """
    if how not in NAMES:
        raise SettingsError([unknown_name("map", how, NAMES)])
    rows = features.double().numpy()  # [n, d]
    plane = _principal(rows, 2)
    if how == PCA or len(rows) < FEWEST or not np.ptp(plane, axis=0).any():
        points = plane
    else:
        points = (_tsne if how == TSNE else _umap)(rows, plane, derive(seed, how) % (1 << 32))
    return torch.from_numpy(points).float()


def trustworthiness(features: Tensor, points: Tensor, *, neighbours: int = 10) -> float:
    """How far the nearest points of a plane are near in the features too: 1 where no false neighbour is shown.

    Every false neighbour costs by how far down the true list it stands; random points give about 0.5.

    Args:
        features: [n, d]; distances are Euclidean. All pairs are compared: cap n before, at 5,000 say.
        points: [n, 2].
        neighbours: of each point; fewer than n / 2, and where there are too few images, as many as that leaves.

    Returns:
        0..1.

    Raises:
        DataError: fewer than three images.
    """
    from sklearn.manifold import trustworthiness as of_sklearn

    if len(features) < 3:
        raise DataError("neighbours are compared among three images or more", why=f"there are {len(features)}")
    count = min(neighbours, (len(features) - 1) // 2)
    return float(of_sklearn(features.double().numpy(), points.double().numpy(), n_neighbors=count))


def _principal(rows: np.ndarray, count: int) -> np.ndarray:
    """The rows [n, d] along their first `count` principal axes; 0 along axes that they do not have."""
    centred = rows - rows.mean(0) if len(rows) else rows
    wide = centred.shape[1] > centred.shape[0]  # then the small matrix is that of the images
    values, vectors = np.linalg.eigh(centred @ centred.T if wide else centred.T @ centred)  # rising
    values, vectors = values[::-1][:count].clip(0), vectors[:, ::-1][:, :count]
    scores = vectors * np.sqrt(values) if wide else centred @ vectors  # [n, up to count]
    return np.pad(_facing_up(scores), ((0, 0), (0, count - scores.shape[1])))


def _facing_up(scores: np.ndarray) -> np.ndarray:
    """An axis may point either way: here the coordinate farthest from 0 is positive."""
    if not scores.size:
        return scores
    farthest = np.take_along_axis(scores, np.abs(scores).argmax(0, keepdims=True), axis=0)  # [1, count]
    return scores * np.where(farthest < 0, -1, 1)


def _first_points(plane: np.ndarray, seed: int) -> np.ndarray:
    """Where an arrangement begins: principal components, which keep large distances, with equal points told apart."""
    noise = numpy_generator(seed, "first points").normal(size=plane.shape)
    return plane / plane[:, 0].std() + START * noise


def _tsne(rows: np.ndarray, plane: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.manifold import TSNE as Model

    model = Model(
        perplexity=min(PERPLEXITY, (len(rows) - 1) / 3),
        init=START * _first_points(plane, seed),
        random_state=seed,
        n_jobs=1,
    )
    return model.fit_transform(_principal(rows, BEFORE_TSNE) if rows.shape[1] > BEFORE_TSNE else rows)


def _umap(rows: np.ndarray, plane: np.ndarray, seed: int) -> np.ndarray:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ImportWarning)  # it misses TensorFlow, for a part that is not used here
            from umap import UMAP as Model
    except ImportError as problem:
        raise SettingsError(
            [f"a map by UMAP needs the package umap-learn: {problem}"], fix="pip install 'hundredfold[map]'"
        ) from problem
    model = Model(
        n_neighbors=min(NEIGHBOURS, len(rows) - 1), init=_first_points(plane, seed), random_state=seed, n_jobs=1
    )
    return model.fit_transform(rows.astype(np.float32))
