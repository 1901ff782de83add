"""Halves of labels, and the choice that follows from what models of both say."""

import math
from collections import Counter

import pytest
import torch

from hundredfold.evaluate.choice import best, halves
from hundredfold.records import Candidate


def candidate(model: str, held_out: float, agreement: float) -> Candidate:
    return Candidate(model=model, held_out=held_out, agreement=agreement)


def standard_error(accuracy: float, labels: int) -> float:
    return math.sqrt(accuracy * (1 - accuracy) / labels)


@pytest.mark.parametrize("seed", range(5))
def test_halves_share_out_each_class(seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    labels = torch.cat([torch.full((2 + 3 * label,), label) for label in (0, 1, 3, 4)])  # class 2 has none
    labels = labels[torch.randperm(len(labels), generator=rng)]
    parts = halves(labels)
    assert parts is not None
    first, second = (part.tolist() for part in parts)
    assert sorted(first + second) == list(range(len(labels))), "disjoint, and nothing is left out"
    assert first == sorted(first) and second == sorted(second)
    one, other = Counter(labels[first].tolist()), Counter(labels[second].tolist())
    for label in (0, 1, 3, 4):
        assert 0 <= one[label] - other[label] <= 1 and other[label] >= 1


@pytest.mark.parametrize("labels", [[], [0], [0, 0, 1], [3, 1, 3, 1, 0]])
def test_there_are_no_halves_where_a_class_has_a_single_label(labels: list[int]) -> None:
    assert halves(torch.tensor(labels, dtype=torch.int64)) is None


def test_the_most_stable_wins_among_those_that_are_as_good() -> None:
    steady = candidate("steady", 0.95, 0.97)
    assert best([candidate("sharp", 0.96, 0.90), steady, candidate("weak", 0.955, 0.8)], 100) is steady


def test_what_gets_clearly_more_labels_wrong_is_ruled_out_however_stable() -> None:
    sharp, constant = candidate("sharp", 0.9, 0.8), candidate("constant", 0.5, 1.0)
    assert best([constant, sharp], 100) is sharp


@pytest.mark.parametrize("top, labels", [(0.9, 100), (0.5, 20), (0.7, 1000)])
def test_clearly_is_a_standard_error(top: float, labels: int) -> None:
    error = standard_error(top, labels)
    first = candidate("first", top, 0.5)
    inside, outside = (candidate("other", top - share * error, 0.6) for share in (0.99, 1.01))
    assert best([first, inside], labels) is inside
    assert best([first, outside], labels) is first


def test_few_labels_rule_out_less() -> None:
    first, steady = candidate("first", 0.9, 0.5), candidate("steady", 0.85, 0.6)
    assert best([first, steady], 20) is steady and best([first, steady], 1000) is first


def test_all_right_rules_out_what_is_not_and_all_wrong_rules_out_nothing() -> None:
    perfect, mistaken = candidate("perfect", 1.0, 0.5), candidate("mistaken", 0.98, 0.6)
    assert best([perfect, mistaken], 50) is perfect, "one wrong of 50"
    also = candidate("also", 1.0, 0.6)
    assert best([perfect, mistaken, also], 50) is also
    hopeless = [candidate("one", 0.0, 0.3), candidate("two", 0.0, 0.4)]
    assert best(hopeless, 50) is hopeless[1]


def test_of_equals_the_first() -> None:
    same = [candidate(name, 0.9, 0.8) for name in "abc"]
    assert best(same, 10) is same[0] and best(same[::-1], 10) is same[2] and best(same[1:2], 10) is same[1]


def test_where_nothing_could_be_compared_the_more_accurate_wins() -> None:
    """Without unlabelled images every agreement is 0."""
    assert best([candidate("first", 0.90, 0.0), candidate("second", 0.92, 0.0)], 50).model == "second"


def test_a_student_gives_way_to_its_teacher_unless_it_is_clearly_more_stable():
    teacher, student = candidate("label_propagation", 0.99, 0.985), candidate("pseudo_label", 0.99, 0.987)
    error = math.sqrt((0.985 * 0.015 + 0.987 * 0.013) / 10_000)
    assert 0.002 < 2 * error < 0.004
    assert best([teacher, student], 100, compared=10_000) is teacher
    assert best([teacher, student], 100, compared=100_000) is student
    assert best([teacher, candidate("pseudo_label", 0.99, 0.985 + 2.5 * error)], 100).model == "pseudo_label"
    assert best([teacher, candidate("fixmatch", 0.99, 0.987)], 100).model == "fixmatch", "that is not its teacher"
    assert best([candidate("label_propagation", 0.5, 0.985), student], 100) is student, "the teacher is ruled out"
