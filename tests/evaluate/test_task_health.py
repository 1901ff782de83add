"""Figures of a task read as illnesses: each alone, its sentence with its figures, and nothing where all is well."""

import pytest

from hundredfold.evaluate.diagnosis import (
    CONSTANT,
    FLAT,
    HEALTHY,
    ILLNESSES,
    NOT_LEARNING,
    POSTERIOR_COLLAPSE,
    SHORTCUT,
    Worth,
)
from hundredfold.evaluate.health import diagnose, illnesses
from hundredfold.evaluate.task_health import healthy_task, task_ills
from hundredfold.evaluate.verdict import verdict, worth
from hundredfold.records import Interval
from hundredfold.task_records import TaskFindings


def task(**figures):
    return TaskFindings(**{"images": 100, "effective_rank": 30.0, "dimensions": 64, **figures})


VAE = {"explained": 0.6, "constant": 0.5, "latent": 20, "active_units": 12, "kl": 8.25, "negative_elbo": 90.0}
ROTATION = {"accuracy": 0.8, "chance": 0.25}
INPAINTING = {"explained": 0.3}


def names(found, value=None):
    return [ill.illness for ill in task_ills(found, value)]


@pytest.mark.parametrize("figures", [VAE, ROTATION, INPAINTING, {}])
def test_nothing_where_all_is_well(figures):
    assert names(task(**figures)) == [] == names(task(**figures), Worth(probe=0.9, random=0.5))
    assert [found.illness for found in diagnose(None, None, task(**figures))] == [HEALTHY]
    assert illnesses(None, None, task(**figures)) == ()


def test_nothing_to_judge():
    assert list(task_ills(None, Worth(probe=0.1, random=0.9))) == [] and diagnose(None, None) == ()


@pytest.mark.parametrize(
    ("change", "illness", "said"),
    [
        ({"active_units": 0}, POSTERIOR_COLLAPSE, "0 of 20 dimensions of the code tell of the image"),
        ({"active_units": 1}, POSTERIOR_COLLAPSE, "a divergence of 8.25 nats"),
        ({"active_units": 0, "constant": 0.0, "explained": 0.0}, POSTERIOR_COLLAPSE, "Lower beta"),
        ({"constant": 0.01}, CONSTANT, "vary by 1.0 % of what held-out images do"),
        ({"constant": 0.01, "explained": -0.1}, CONSTANT, "Train longer"),
        ({"explained": -0.02}, NOT_LEARNING, "-2.0 % of its variance is explained"),
    ],
    ids=str,
)
def test_each_illness_alone_and_its_figures(change, illness, said):
    (found,) = task_ills(task(**{**VAE, **change}), None)
    assert found.illness == illness and illness in ILLNESSES and said in found.sentence


def test_a_short_code_may_use_one_dimension():
    short = {**VAE, "latent": 2, "active_units": 1}
    assert names(task(**short)) == []
    assert names(task(**{**short, "active_units": 0})) == [POSTERIOR_COLLAPSE]


@pytest.mark.parametrize(
    ("accuracy", "chance", "probe", "random", "ill"),
    [
        (0.99, 0.25, 0.50, 0.55, True),
        (0.99, 0.25, 0.555, 0.55, True),
        (0.99, 0.25, 0.60, 0.55, False),  # solved, and of use
        (0.90, 0.25, 0.50, 0.55, False),  # hard, and of no use
        (0.97, 0.5, 0.3, 0.6, False),  # 94 % of the way from chance
        (0.98, 0.5, 0.3, 0.6, True),
        (0.99, None, 0.3, 0.6, True),
    ],
)
def test_a_shortcut_is_a_solved_task_of_no_use(accuracy, chance, probe, random, ill):
    found = list(task_ills(task(accuracy=accuracy, chance=chance), Worth(probe=probe, random=random)))
    assert [one.illness for one in found] == ([SHORTCUT] if ill else [])
    for one in found:
        assert f"{100 * accuracy:.1f} % of its answers" in one.sentence and f"{100 * probe:.1f} %" in one.sentence
        assert f"a random encoder {100 * random:.1f} %" in one.sentence


def test_without_a_probe_nothing_is_said_of_shortcuts():
    assert names(task(accuracy=1.0, chance=0.25)) == []


def test_features_in_one_direction_are_flat():
    found = diagnose(None, None, task(**ROTATION, effective_rank=1.2))
    assert [one.illness for one in found] == [FLAT] and "effective rank 1.2 of 64" in found[0].sentence


def test_the_sentence_of_a_healthy_task_carries_its_figures():
    assert healthy_task(task(**ROTATION)).sentence == (
        "The task answers 80.0 % of its questions rightly on held-out images; the features use 30 of 64 dimensions."
    )
    said = healthy_task(task(**VAE)).sentence
    assert "explains 60 % of the variance of held-out pixels and uses 12 of 20 dimensions of its code" in said
    assert healthy_task(task()).sentence.startswith("The task was learnt;")


def interval(mean):
    return {"100": Interval(mean=mean, std=0.0, low=mean, high=mean, draws=1)}


def test_what_features_were_good_for_comes_from_the_summary():
    summary = {"linear_probe": interval(0.4), "random_encoder": interval(0.5), "pixels": interval(0.6)}
    assert worth(summary, 100) == Worth(probe=0.4, random=0.5) and worth(summary, 20) is None
    assert worth({"linear_probe": interval(0.4)}, 100) is None
    said = verdict(None, None, summary, 100, task=task(accuracy=1.0, chance=0.25))
    assert said[0].startswith("The task is solved by a shortcut: 100.0 % of its answers are right")
    assert any("Pre-training adds nothing over a random encoder" in sentence for sentence in said)
    assert illnesses(None, None, task(accuracy=1.0, chance=0.25), worth(summary, 100)) == (SHORTCUT,)
