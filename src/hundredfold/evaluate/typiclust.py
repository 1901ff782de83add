"""TypiClust: with few labels, ask for those of typical images, one from each group of images that are alike.

Source: Hacohen, Dekel & Weinshall, "Active Learning on a Budget: Opposite Strategies Suit High and Low Budgets", ICML
2022 (arXiv 2202.02794), section 3.2: as many clusters as labels there will be, those without a labelled image first,
the largest before the smaller, and of each its most typical image.
When to use it: before there is a model, and as long as a model is wrong about whole groups.

Departures, each measured on MNIST (`benchmarks/README.md`): clusters are of features that were drawn together along
their neighbours; the typical image is the one nearest its cluster's centre, where the paper takes the one with the
nearest neighbours; and the images are put in the order in which each adds most to what is covered, where the paper
goes by the size of clusters, so that the first k of them are a good choice of k.
"""

from __future__ import annotations

import heapq
import warnings
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from hundredfold.evaluate.facility_location import greedy_order
from hundredfold.evaluate.neighbours import BLOCK, nearest

MOST_CLUSTERS = 500  # as in the paper; beyond it each group gives several images
MOST_EXACT = 50_000  # rows that k-means goes through at every step; beyond, batches of them
NEIGHBOURS, STEPS = 15, 2  # by which features are drawn together before
STARTS = 5  # of k-means, of which the tightest clusters are taken


@dataclass(frozen=True, kw_only=True, eq=False)
class Clusters:
    """Groups of rows.

    Attributes:
        of: [n] the group of each row.
        centres: [k, d].
        sizes: [k] rows in each; 0 where rows that are the same left nothing for it.
    """

    of: Tensor
    centres: Tensor
    sizes: Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class Typical:
    """Rows to label, the most worth first.

    Attributes:
        positions: [count] int64.
        sizes: [count] rows of the group that each is typical of.
    """

    positions: Tensor
    sizes: Tensor


def typiclust(features: Tensor, count: int, *, seed: int, known: Tensor | None = None) -> Typical:
    """The `count` rows to label: one a group where there are enough groups, from groups without a label first.

    Args:
        features: [n, d], of length 1.
        count: at most n less the known ones.
        seed: of k-means.
        known: [m] positions that are labelled already; never among the answers.
    """
    known = torch.empty(0, dtype=torch.int64) if known is None else known.unique()
    if not 1 <= count <= len(features) - len(known):
        raise ValueError(f"count must be in 1..{len(features) - len(known)}, got {count}")
    groups = min(len(known) + count, MOST_CLUSTERS, len(features))
    found = clusters(diffused(features, min(NEIGHBOURS, len(features) // (4 * groups))), groups, seed=seed)
    found = replace(found, centres=centres(features, found))
    ranked = by_centrality(features, found)  # the rows of each group, the most typical first
    queues = [group[~torch.isin(group, known)].tolist() for group in ranked]
    labelled = found.of[known].bincount(minlength=len(queues))
    taken = _fewest_labels_first(labelled, found.sizes, [len(queue) for queue in queues], count)
    positions = torch.tensor([queues[number].pop(0) for number in taken])
    first = by_coverage(features[positions[:MOST_CLUSTERS]], found, covered=features[known])
    order = torch.cat([first, torch.arange(len(first), count)])
    return Typical(positions=positions[order], sizes=found.sizes[torch.tensor(taken)][order])


def diffused(features: Tensor, neighbours: int, *, steps: int = STEPS) -> Tensor:
    """Each row as the mean of itself and its nearest rows, again brought to length 1, so many times over.

    Rows of one kind draw together and what lies between kinds is emptied, as by the propagation of a graph network
    without weights (Wu et al., "Simplifying Graph Convolutional Networks", ICML 2019).

    Args:
        features: [n, d], of length 1.
        neighbours: how many nearest rows, by cosine similarity; fewer than a group has, or groups are mixed.
        steps: how many times; the neighbours stay those of the start.
    """
    if neighbours < 1:
        return features
    index = nearest(features, neighbours + 1, among=features)[1]  # [n, neighbours + 1], the row itself is its nearest
    for _ in range(steps):
        means = [features[block].mean(1) for block in index.split(BLOCK)]
        features = functional.normalize(torch.cat(means), dim=1)
    return features


def centres(features: Tensor, found: Clusters) -> Tensor:
    """Mean [k, d] of the rows of each group; 0 where it has none."""
    total = features.new_zeros(len(found.sizes), features.shape[1]).index_add_(0, found.of, features)
    return total / found.sizes.clamp_min(1)[:, None]


def clusters(features: Tensor, count: int, *, seed: int) -> Clusters:
    """k-means of rows [n, d] from k-means++ starts: all rows at every step, or batches of them where there are many.

    Source: Lloyd 1982; Arthur & Vassilvitskii, SODA 2007; Sculley, WWW 2010 (batches).
    """
    from sklearn.cluster import KMeans, MiniBatchKMeans
    from sklearn.exceptions import ConvergenceWarning

    kind = KMeans if len(features) <= MOST_EXACT else MiniBatchKMeans
    model = kind(count, n_init=STARTS, random_state=seed % (1 << 32))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer different rows than clusters: some stay empty
        of = torch.from_numpy(model.fit_predict(features.numpy().astype(np.float32))).long()
    return Clusters(of=of, centres=torch.from_numpy(model.cluster_centers_).float(), sizes=of.bincount(minlength=count))


def by_centrality(features: Tensor, found: Clusters) -> list[Tensor]:
    """The rows of each group, the nearest to its centre first."""
    away = (features - found.centres[found.of]).square().sum(1)  # [n]
    nearest_first = away.argsort(stable=True)
    groups = found.of[nearest_first]
    return [nearest_first[groups == number] for number in range(len(found.centres))]


def by_coverage(chosen: Tensor, found: Clusters, *, covered: Tensor) -> Tensor:
    """An order [k] of the chosen rows [k, d], in which each next one adds most to how well all groups are covered.

    A group is covered as well as its centre is like the most similar row so far, and counts by its size (see
    `evaluate.facility_location`).

    Args:
        chosen: of length 1.
        found: the groups.
        covered: [m, d] rows that are labelled already.
    """
    centres = functional.normalize(found.centres, dim=1)  # [groups, d]
    start = (centres @ covered.T).amax(1) if len(covered) else centres.new_full((len(centres),), -1.0)
    return greedy_order(chosen @ centres.T, found.sizes.to(centres.dtype), start, len(chosen))


def _fewest_labels_first(labelled: Tensor, sizes: Tensor, available: list[int], count: int) -> list[int]:
    """Which group each of `count` labels goes to: one of those with the fewest labels, of these the largest."""
    queue = [(int(labels), -int(size), number) for number, (labels, size) in enumerate(zip(labelled, sizes))]
    heapq.heapify(queue)
    taken: list[int] = []
    left = list(available)
    while len(taken) < count:
        labels, size, number = heapq.heappop(queue)
        if left[number]:
            taken.append(number)
            left[number] -= 1
            heapq.heappush(queue, (labels + 1, size, number))
    return taken
