"""Which strategy serves with which labels, and that each is given the unlabelled images alone."""

import pytest
import torch
from torch.nn import functional

from hundredfold.errors import SettingsError
from hundredfold.evaluate.probe import linear_probe
from hundredfold.evaluate.query_strategies import COLD, STRATEGIES, WARM, query, resolved
from hundredfold.random import derive


def crowds(n: int = 120) -> tuple[torch.Tensor, torch.Tensor]:
    """Features of three classes that touch, and the class of each."""
    rng = torch.Generator().manual_seed(0)
    truth = torch.arange(n) % 3
    return 4 * (torch.eye(5)[truth] + 0.5 * torch.randn(n, 5, generator=rng)), truth


def some(truth: torch.Tensor, count: int) -> torch.Tensor:
    """The first labels alone."""
    return torch.where(torch.arange(len(truth)) < count, truth, -1)


def test_auto_goes_by_the_labels() -> None:
    none, one, two = torch.tensor([-1, -1]), torch.tensor([3, 3, -1]), torch.tensor([0, 3, -1])
    assert [resolved("auto", labels) for labels in (none, one, two)] == [COLD, COLD, WARM]
    assert all(resolved(name, two) == name for name in STRATEGIES) and resolved(COLD, none) == COLD
    for name in set(STRATEGIES) - {COLD}:
        with pytest.raises(SettingsError, match="none is known"):
            resolved(name, none)
        with pytest.raises(SettingsError, match="2 labels of one class"):
            resolved(name, one)
    with pytest.raises(SettingsError, match="did you mean 'density'"):
        resolved("densty", two)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_only_what_has_no_label_is_asked_for_and_none_twice(strategy: str) -> None:
    features, truth = crowds()
    labels = some(truth, 20)
    for count in (1, 7, 100):
        found = query(features, labels, 3, count, strategy=strategy, seed=0)
        assert found.strategy == strategy and len(found.positions.unique()) == count == len(found.scores)
        assert found.positions.min() >= 20
    same, other = (query(features, labels, 3, 10, strategy=strategy, seed=seed) for seed in (0, 1))
    assert torch.equal(same.positions, query(features, labels, 3, 10, strategy=strategy, seed=0).positions)
    assert strategy == "density" or not torch.equal(same.positions, other.positions)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_guesses_are_those_of_a_probe_on_the_labels(strategy: str) -> None:
    features, truth = crowds()
    labels = some(truth, 20)
    found = query(features, labels, 3, 6, strategy=strategy, seed=5)
    probe = linear_probe(functional.normalize(features, dim=1)[:20], truth[:20], 3, seed=derive(5, "query"))
    for row, position in enumerate(found.positions.tolist()):
        shares = probe.probabilities(features[position : position + 1])[0].tolist()
        best = sorted(range(3), key=lambda label: -shares[label])[:2]
        assert found.guesses is not None and found.shares is not None
        assert found.guesses[row].tolist() == best
        assert found.shares[row].tolist() == pytest.approx([shares[label] for label in best], abs=1e-5)
        if strategy == "density":
            assert float(found.scores[row]) == pytest.approx(1 - shares[best[0]] + shares[best[1]], abs=1e-5)
        if strategy == "badge":
            error = [share - (label == best[0]) for label, share in enumerate(shares)]
            assert float(found.scores[row]) == pytest.approx(sum(value**2 for value in error) ** 0.5, abs=1e-5)


def test_without_labels_there_are_no_guesses() -> None:
    features, truth = crowds()
    found = query(features, some(truth, 0), 3, 3, seed=0)
    assert found.guesses is None and found.shares is None and found.strategy == COLD
    assert sorted(truth[found.positions].tolist()) == [0, 1, 2], "one of each class"


def test_the_length_of_features_does_not_matter() -> None:
    features, truth = crowds()
    labels = some(truth, 20)
    scaled = features * torch.linspace(0.5, 3, len(features))[:, None]
    for strategy in STRATEGIES:
        one, other = (query(rows, labels, 3, 10, strategy=strategy, seed=0) for rows in (features, scaled))
        assert torch.equal(one.positions, other.positions)
