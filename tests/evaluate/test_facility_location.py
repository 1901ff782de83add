"""The greedy order against a count of everything at every step, and the bound that theory gives."""

import itertools

import pytest
import torch

from hundredfold.evaluate.facility_location import greedy_order


def worth(chosen: list[int], alike: list[list[float]], weight: list[float], start: list[float]) -> float:
    """The weight of everything times how well the most similar chosen candidate, or the start, covers it."""
    return sum(
        share * max([start[place], *(alike[number][place] for number in chosen)]) for place, share in enumerate(weight)
    )


@pytest.mark.parametrize("seed", range(5))
def test_each_next_one_adds_most_and_every_beginning_is_nearly_the_best(seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    alike = torch.rand(8, 15, generator=rng, dtype=torch.float64)
    weight, start = (torch.rand(15, generator=rng, dtype=torch.float64) for _ in range(2))
    order = greedy_order(alike, weight, start / 3, 8).tolist()
    given = (alike.tolist(), weight.tolist(), (start / 3).tolist())
    assert sorted(order) == list(range(8))
    for k in range(1, 9):
        adds = {number: worth([*order[: k - 1], number], *given) for number in order[k - 1 :]}
        assert adds[order[k - 1]] == pytest.approx(max(adds.values()))
        best = max(worth(list(some), *given) for some in itertools.combinations(range(8), k))
        nothing = worth([], *given)
        assert worth(order[:k], *given) - nothing >= (1 - 1 / 2.71828) * (best - nothing)


def test_of_equals_the_lowest_number_comes_first() -> None:
    alike = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    assert greedy_order(alike, torch.ones(2), torch.zeros(2), 4).tolist() == [0, 1, 2, 3]
    assert greedy_order(alike, torch.tensor([1.0, 2.0]), torch.zeros(2), 2).tolist() == [1, 0]


def test_what_is_covered_is_not_worth_covering_again() -> None:
    alike = torch.tensor([[0.9, 0.0], [0.0, 0.5]])
    assert greedy_order(alike, torch.ones(2), torch.zeros(2), 1).tolist() == [0]
    assert greedy_order(alike, torch.ones(2), torch.tensor([0.8, 0.0]), 1).tolist() == [1]


def test_none_is_an_order_too() -> None:
    assert greedy_order(torch.ones(3, 2), torch.ones(2), torch.zeros(2), 0).tolist() == []
