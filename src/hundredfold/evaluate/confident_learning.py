"""Which of the given labels look wrong: confident learning, made fit for a hundred labels.

Source: Northcutt, Jiang & Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 70 (2021):
thresholds of each class (eq. 2) and the confident joint (eq. 1), from out-of-fold probabilities. Its list is precise
but, from so few labels, short: the wrong ones have taught the probes that judge them. So the labels on it are set
aside, the probes learn again without them, and once more without all that those contradict.

What is a contradiction, and what only a hard image, is then asked of a model in which each label is wrong with the same
probability, to any other class alike (Angluin & Laird, "Learning From Noisy Examples", Machine Learning 2, 1988). That
rate follows from the labels, and is near 0 where all of them are right.

When to use it: whenever labels were given by hand. It needs a representation in which the classes lie apart, and
other labels of the same class: an image that is alone in its class is never suspected.

Shape letters: n labelled images, d features, k classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hundredfold.evaluate.out_of_fold import out_of_fold

INVERSE_PENALTY = 0.1  # of the probes; cross-validation on wrong labels would choose by how well they are learnt
REPEATS = 3  # of the folds, averaged
FEW = 300  # labels: with more, one division into folds is enough
ROUNDS = 2  # of setting aside and learning again
SHARPENINGS = tuple(0.25 * 2 ** (step / 4) for step in range(17))  # 1 / temperature: 0.25..4
REPORTED = 0.2  # probability from which a label is worth a look: a wrong one that is missed costs more than a look
RATES = tuple(step / 200 for step in range(101))  # share of wrong labels: 0..0.5
SMALLEST = 1e-9  # probability


@dataclass(frozen=True, kw_only=True)
class LabelSuspect:
    """A label that looks wrong.

    Attributes:
        position: row of the labelled images.
        given: the class that it carries.
        suggested: the most probable of the other classes.
        score: the probability that the label is wrong, 0.2..1.
    """

    position: int
    given: int
    suggested: int
    score: float


def suspects(features: Tensor, labels: Tensor, classes: int, *, seed: int) -> tuple[LabelSuspect, ...]:
    """The labels that are wrong with a probability of 0.2 or more, the most suspicious first.

    Args:
        features: [n, d].
        labels: [n] in 0..classes - 1; at least two of the classes have labels.
        classes: number of classes.
        seed: of the folds.
    """
    aside = torch.zeros(len(labels), dtype=torch.bool)
    for number in range(ROUNDS):
        positions, judged = _judged(features, labels, classes, aside, seed)
        given = labels[positions]
        contradicted = off_diagonal(judged, given) if number == 0 else judged.argmax(1) != given
        aside = _at_most_half(contradicted, judged, positions, labels)
    positions, judged = _judged(features, labels, classes, aside, seed)
    given = labels[positions]
    wrong, likeliest = probability_wrong(judged, given), judged.scatter(1, given[:, None], -1.0).argmax(1)
    listed = [row for row in wrong.argsort(descending=True, stable=True).tolist() if wrong[row] >= REPORTED]
    return tuple(
        LabelSuspect(
            position=int(positions[row]),
            given=int(given[row]),
            suggested=int(likeliest[row]),
            score=float(wrong[row]),
        )
        for row in listed
    )


def class_thresholds(probabilities: Tensor, labels: Tensor) -> Tensor:
    """[k] mean probability of a class among the images [n, k] that are labelled so [n]: eq. 2; inf without any."""
    own = probabilities.gather(1, labels[:, None]).squeeze(1).double()
    counts = labels.bincount(minlength=probabilities.shape[1])
    sums = labels.bincount(own, minlength=probabilities.shape[1])
    return torch.where(counts > 0, sums / counts, torch.inf)


def confident_class(probabilities: Tensor, labels: Tensor) -> Tensor:
    """[n] the most probable of the classes whose threshold an image [n, k] reaches; -1 where it reaches none: eq. 1."""
    reached = probabilities.double() >= class_thresholds(probabilities, labels)  # [n, k]
    best = probabilities.masked_fill(~reached, -1.0).argmax(1)
    return best.masked_fill(~reached.any(1), -1)


def off_diagonal(probabilities: Tensor, labels: Tensor) -> Tensor:
    """[n] whether an image is counted off the diagonal of the confident joint: the paper's list of label errors."""
    confident = confident_class(probabilities, labels)
    return (confident >= 0) & (confident != labels)


def normalised_margin(probabilities: Tensor, labels: Tensor) -> Tensor:
    """[n] probability of the given class less that of the best other, -1..1; negative where another is likelier."""
    given = labels[:, None]
    return probabilities.gather(1, given).squeeze(1) - probabilities.scatter(1, given, -1.0).max(1).values


def probability_wrong(probabilities: Tensor, labels: Tensor) -> Tensor:
    """[n] posterior probability that a label is wrong, where each is so with one rate and to any other class alike.

    With p the probability [n, k] of the given class and r the rate, it is (1 - p) r' / ((1 - p) r' + p (1 - r)), where
    r' = r / (k - 1). It is averaged over a grid of rates and temperatures of the probabilities, weighted by the
    likelihood that each gives the labels [n]: so few labels leave both open.
    """
    known = (probabilities > 0).any(0)  # a class without a label takes no part
    logits = probabilities.double().clamp_min(SMALLEST).log().masked_fill(~known, -torch.inf)
    right = [_own(logits * sharpening, labels) for sharpening in SHARPENINGS]  # each [n, 1]
    others = max(1, int(known.sum()) - 1)
    likelihoods = torch.stack([_likelihood(one, others) for one in right])  # [temperatures, rates]
    weights = likelihoods.flatten().softmax(0).view_as(likelihoods)
    posterior = torch.zeros(len(labels), dtype=torch.float64)
    for one, weight in zip(right, weights, strict=True):
        wrong, kept = _wrong_and_right(one, others)
        posterior += (wrong / (wrong + kept)) @ weight
    return posterior


def _own(logits: Tensor, labels: Tensor) -> Tensor:
    """[n, 1] probability of the given class, never quite 0 or 1."""
    return logits.softmax(1).gather(1, labels[:, None]).clamp(SMALLEST, 1 - SMALLEST)


def _wrong_and_right(own: Tensor, others: int) -> tuple[Tensor, Tensor]:
    """[n, rates] likelihood of a label by having been changed, and by having been left as it was."""
    rates = torch.tensor(RATES, dtype=torch.float64)
    return (1 - own) * rates / others, own * (1 - rates)


def _likelihood(own: Tensor, others: int) -> Tensor:
    wrong, kept = _wrong_and_right(own, others)
    return (wrong + kept).log().sum(0)  # [rates]


def _judged(features: Tensor, labels: Tensor, classes: int, aside: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Rows that can be judged [m], and their probabilities [m, k] by probes that did not learn from them."""
    found = [
        out_of_fold(features, labels, classes, inverse_penalty=INVERSE_PENALTY, seed=seed, repeat=repeat, aside=aside)
        for repeat in range(REPEATS if len(labels) <= FEW else 1)
    ]
    return found[0].positions, torch.stack([one.logits.softmax(1) for one in found]).mean(0)


def _at_most_half(contradicted: Tensor, judged: Tensor, positions: Tensor, labels: Tensor) -> Tensor:
    """[n] what is set aside: the contradicted, but of each class no more than half, the clearest first."""
    aside = torch.zeros(len(labels), dtype=torch.bool)
    margin = normalised_margin(judged, labels[positions])
    for label in labels.unique():
        members = (contradicted & (labels[positions] == label)).nonzero().squeeze(1)
        clearest = members[margin[members].argsort(stable=True)]
        aside[positions[clearest[: int((labels == label).sum()) // 2]]] = True
    return aside
