"""Voting neighbours whose votes are distributions, against loops."""

import math

import pytest
import torch
from torch.nn import functional

from hundredfold.evaluate import knn
from hundredfold.evaluate.knn import GRID, Neighbours, nearest_neighbours, vote


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("block", [1, 4, 1000])
@pytest.mark.parametrize("k", [1, 3, 50])  # more than there are, too
def test_votes_are_the_mean_of_what_neighbours_say(monkeypatch: pytest.MonkeyPatch, block: int, k: int) -> None:
    monkeypatch.setattr(knn, "BLOCK", block)
    known, said, asked = drawn(12, 5), drawn(12, 3, seed=1).softmax(1), drawn(9, 5, seed=2)
    found = vote(known, said, asked, k=k, temperature=0.3)
    assert found.shape == (9, 3)
    for row, shares in zip(asked, found.tolist(), strict=True):
        cosines = [float(functional.cosine_similarity(row, other, dim=0)) for other in known]
        near = sorted(range(12), key=lambda place: -cosines[place])[:k]
        weights = [math.exp(cosines[place] / 0.3) for place in near]
        for c in range(3):
            wanted = sum(w * float(said[place, c]) for w, place in zip(weights, near, strict=True)) / sum(weights)
            assert shares[c] == pytest.approx(wanted, abs=1e-5)


def test_nobody_asks_and_nothing_breaks() -> None:
    assert vote(drawn(4, 5), drawn(4, 3).softmax(1), drawn(0, 5), k=2).shape == (0, 3)


def test_the_number_of_neighbours_is_chosen_on_the_labels_alone() -> None:
    labels = torch.arange(30) % 3
    centres = 3 * drawn(3, 6, seed=9)
    features = centres[labels] + drawn(30, 6)
    found = nearest_neighbours(features, labels, 3, seed=0)
    assert isinstance(found, Neighbours) and found.k in GRID and found.k <= 15
    assert found.cross_validation is not None and found.cross_validation > 0.8
    assert torch.equal(found.votes, functional.one_hot(labels, 3).float())
    torch.testing.assert_close(found.features.norm(dim=1), torch.ones(30))
    asked = centres + drawn(3, 6, seed=4)
    torch.testing.assert_close(found.probabilities(asked), vote(features, found.votes, asked, k=found.k))
    few = nearest_neighbours(features[:3], labels[:3], 3, seed=0)
    assert few.k == 1 and few.cross_validation is None
