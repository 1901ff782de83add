"""Information density: ask for what the model is unsure of and what many other images are like.

Source: Settles & Craven, "An Analysis of Active Learning Strategies for Sequence Labeling Tasks", EMNLP 2008, section
3.5: the uncertainty of an image times its mean similarity to the unlabelled ones. What is unsure because it is like
nothing else (an outlier, a bad scan) is thereby left alone.
When to use it: with a model that is right about most images, where each label should settle a whole region of doubt.

The paper adds up single images, and a batch of those would be the same image many times. Here a batch is chosen whole,
one after the other: each image is worth the doubt of all images, by how much nearer it brings them to a labelled one.
That is the paper's product with what is covered already taken off: facility location with doubt for weights, in the
family of Wei, Iyer & Bilmes, "Submodularity in Data Subset Selection and Active Learning", ICML 2015.
"""

from __future__ import annotations

from torch import Tensor

from hundredfold.evaluate.facility_location import greedy_order

MOST_CANDIDATES = 2_000  # the most unsure images, from which a batch is chosen
MOST_WEIGHED = 20_000  # the most unsure images, whose doubt is added up


def margin(probabilities: Tensor) -> Tensor:
    """How unsure a model is [n], 0..1: 1 less the lead of the likeliest class over the second (Scheffer et al. 2001).

    Args:
        probabilities: [n, classes], at least two.
    """
    best = probabilities.topk(2, dim=1).values  # [n, 2]
    return 1 - (best[:, 0] - best[:, 1])


def information_density(features: Tensor, doubt: Tensor, count: int, *, covered: Tensor) -> Tensor:
    """Rows to label, the most worth first.

    Args:
        features: [n, d] of the unlabelled images, of length 1.
        doubt: [n] how unsure a model is of each, >= 0.
        count: how many, at most n.
        covered: [m, d] features of the labelled images, of length 1.

    Returns:
        [count] int64, no row twice.
    """
    if not 0 <= count <= len(features):
        raise ValueError(f"count must be in 0..{len(features)}, got {count}")
    unsure = doubt.argsort(descending=True, stable=True)[: max(MOST_WEIGHED, count)]  # [w]
    candidates = unsure[: max(MOST_CANDIDATES, count)]  # [c]
    rows = features[unsure]
    start = (rows @ covered.T).amax(1) if len(covered) else rows.new_full((len(rows),), -1.0)
    return candidates[greedy_order(features[candidates] @ rows.T, doubt[unsure], start, count)]
