"""Settings of an arm, chosen by halves of its labels: what is tried, how it is asked, and when the simplest stays."""

import dataclasses

import pytest
import torch

from hundredfold.evaluate.choice import halves
from hundredfold.transfer import choice
from hundredfold.transfer.arms import ARMS, BY_NAME
from hundredfold.transfer.choice import choose, grid, held_out, simplest_of_the_best
from hundredfold.transfer.settings import TransferSettings

SETTINGS = TransferSettings(weights=(1.0, 0.0, 0.1), temperatures=(1.0, 4.0))


class Fixed:
    """A workshop whose models are right about some images, by weight.

    Args:
        images: an `ImageSet`.
        right: weight -> positions of the images that it predicts rightly.
        settings: of the transfer.
    """

    def __init__(self, images, right, settings=SETTINGS):
        self.task = dataclasses.make_dataclass("Task", ["images", "settings"])(images, settings)
        self.right, self.taught, self.plain_answers = right, [], {}

    def learn(self, arm, taught, chosen):
        self.taught.append((arm.name, taught, dict(chosen)))
        return dataclasses.make_dataclass("Outcome", ["learnt"])(chosen.get("weight", 0.0))

    def probabilities(self, learnt, images, index):
        right = torch.isin(index, torch.tensor(sorted(self.right[learnt])))
        told = torch.where(right, images.labels[index], (images.labels[index] + 1) % 3)
        return torch.eye(3)[told]


def test_an_arm_without_a_lesson_has_nothing_to_choose():
    for arm in ARMS:
        assert (grid(arm, SETTINGS) == ({},)) == (not arm.lesson)


def test_the_simplest_comes_first_and_is_tried_once():
    weights = ({"weight": 0.0}, {"weight": 0.1}, {"weight": 1.0})
    assert grid(BY_NAME["soft_target"], SETTINGS) == grid(BY_NAME["unlabelled_oracle"], SETTINGS) == weights
    assert grid(BY_NAME["pseudo_both"], SETTINGS) == (
        {"weight": 0.0},
        {"weight": 0.1, "temperature": 1.0},
        {"weight": 0.1, "temperature": 4.0},
        {"weight": 1.0, "temperature": 1.0},
        {"weight": 1.0, "temperature": 4.0},
    )


def test_a_single_weight_leaves_only_temperatures_or_nothing_to_choose():
    one = dataclasses.replace(SETTINGS, weights=(0.5, 0.5))
    assert grid(BY_NAME["logit_matching"], one) == ({"weight": 0.5},)
    pairs = grid(BY_NAME["pseudo_both"], one)
    assert pairs == ({"weight": 0.5, "temperature": 1.0}, {"weight": 0.5, "temperature": 4.0})
    none = dataclasses.replace(SETTINGS, weights=(0.0,))
    assert grid(BY_NAME["pseudo_both"], none) == ({"weight": 0.0},)


def test_each_half_is_predicted_by_the_model_of_the_other(target):
    taught = torch.tensor([20, 3, 40, 8, 33, 1, 60, 5, 9, 10])  # not in order, and not from 0
    right = {3, 8, 60, 10}
    workshop = Fixed(target, {0.5: right})
    found = held_out(workshop, BY_NAME["soft_target"], taught, {"weight": 0.5})
    assert found.tolist() == [position in right for position in taught.tolist()]
    first, second = halves(target.labels[taught])
    told = [positions.tolist() for _, positions, _ in workshop.taught]
    assert told == [taught[second].tolist(), taught[first].tolist()]
    assert sorted(told[0] + told[1]) == sorted(taught.tolist()), "each label is told once and asked once"
    assert all(settings == {"weight": 0.5} for _, _, settings in workshop.taught)


def test_a_class_with_a_single_label_cannot_be_halved(target):
    taught = torch.tensor([0, 3, 1, 4, 2])  # one of the third class
    workshop = Fixed(target, {})
    with pytest.raises(ValueError, match="two labels to be halved"):
        held_out(workshop, BY_NAME["soft_target"], taught, {"weight": 0.5})
    assert choose(workshop, BY_NAME["pseudo_both"], taught) == ({"weight": 0.0}, ())
    assert workshop.taught == [], "nothing is tried"


def test_without_a_choice_nothing_is_tried(target):
    workshop = Fixed(target, {})
    assert choose(workshop, BY_NAME["scratch"], torch.arange(12)) == ({}, ())
    fixed = Fixed(target, {}, dataclasses.replace(SETTINGS, weights=(0.5,)))
    assert choose(fixed, BY_NAME["soft_target"], torch.arange(12)) == ({"weight": 0.5}, ())
    assert workshop.taught == fixed.taught == []


def test_the_best_is_chosen_and_every_trial_is_told(target):
    taught = torch.arange(12)
    workshop = Fixed(target, {0.0: range(4), 0.1: range(6), 1.0: range(11)})
    chosen, trials = choose(workshop, BY_NAME["soft_target"], taught)
    assert chosen == {"weight": 1.0}
    assert [(trial.settings["weight"], round(trial.held_out * 12)) for trial in trials] == [
        (0.0, 4),
        (0.1, 6),
        (1.0, 11),
    ]
    assert [settings["weight"] for _, _, settings in workshop.taught] == [0.0, 0.0, 0.1, 0.1, 1.0, 1.0]


def test_a_weight_that_does_harm_is_left_out(target):
    workshop = Fixed(target, {0.0: range(8), 0.1: range(8), 1.0: range(2)})
    chosen, trials = choose(workshop, BY_NAME["soft_target"], torch.arange(12))
    assert chosen == {"weight": 0.0} and len(trials) == 3


def test_without_its_extra_loss_an_arm_is_asked_once_for_all_of_its_start(target):
    taught = torch.arange(12)
    workshop = Fixed(target, {0.0: range(8), 0.5: range(4)})

    def asked(name, weight, positions=taught):
        before = len(workshop.taught)
        found = held_out(workshop, BY_NAME[name], positions, {"weight": weight})
        return len(workshop.taught) - before, int(found.sum())

    assert asked("soft_target", 0.0) == (2, 8) and asked("pseudo_semi_supervised", 0.0) == asked("scratch", 0.0) == (
        0,
        8,
    )
    assert asked("long_scratch", 0.0) == asked("pseudo_both", 0.0) == (2, 8), "another start, or more steps"
    assert asked("soft_target", 0.5) == asked("pseudo_semi_supervised", 0.5) == asked("soft_target", 0.5) == (2, 4)
    assert asked("scratch", 0.0, torch.arange(6)) == (2, 6), "other labels"


def hits(*rights, of=100):
    """[of] booleans for each number of images that are right, the first ones."""
    return [torch.arange(of) < right for right in rights]


def test_of_equals_the_simplest_stays():
    assert simplest_of_the_best(hits(60, 60, 60)) == 0
    assert simplest_of_the_best(hits(0, 0)) == 0 and simplest_of_the_best(hits(100, 100)) == 0
    assert simplest_of_the_best(hits(50)) == 0
    assert simplest_of_the_best(hits(50, 70, 70)) == 1, "of equals that are better, the simpler"


def test_a_gain_counts_from_one_standard_error_of_the_difference():
    # 9 images are won and none lost: the mean 0.09 is more than sqrt(0.09 * 0.91 / 100) = 0.029.
    assert simplest_of_the_best(hits(50, 59)) == 1
    # 1 image is won: 0.01 is less than sqrt(0.01 * 0.99) / 10 = 0.00995 by nothing much, but it is more.
    assert simplest_of_the_best(hits(50, 51)) == 1
    # 13 are won and 10 lost: 0.03 is less than sqrt(0.23 - 0.03 ** 2) / 10 = 0.048.
    first, second = torch.zeros(100, dtype=torch.bool), torch.zeros(100, dtype=torch.bool)
    first[:10], second[10:23] = True, True
    assert simplest_of_the_best([first, second]) == 0
    # 20 are won and 10 lost: 0.1 is more than sqrt(0.3 - 0.1 ** 2) / 10 = 0.054.
    second[10:30] = True
    assert simplest_of_the_best([first, second]) == 1


def test_it_is_compared_with_the_simplest_and_not_with_the_second():
    assert simplest_of_the_best(hits(50, 70, 71)) == 2, "the highest rate, if it is above the simplest"
    assert simplest_of_the_best(hits(70, 50, 69)) == 0


def test_halves_are_those_of_the_labels_taught(target, monkeypatch):
    asked = []
    monkeypatch.setattr(choice, "halves", lambda labels: asked.append(labels.tolist()) or halves(labels))
    workshop = Fixed(target, {weight: range(90) for weight in (0.0, 0.1, 1.0)})
    choose(workshop, BY_NAME["soft_target"], torch.tensor([30, 1, 32, 3, 34, 5]))
    assert set(map(tuple, asked)) == {(0, 1, 2, 0, 1, 2)}
