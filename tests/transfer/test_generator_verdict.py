"""Each figure that is bad gets its sentence, with the figure, and only what spoils learning costs the trust."""

import dataclasses

import pytest

from hundredfold.transfer.generator_verdict import with_verdict
from hundredfold.transfer_records import GeneratorQuality

ALONE = GeneratorQuality(
    generator="toy",
    classes=("cat", "dog"),
    samples=2000,
    consistency=0.95,
    consistency_by_class=(0.93, 0.97),
    hard_response=0.1,
    soft_response=0.02,
)
GOOD = dataclasses.replace(
    ALONE,
    classification_accuracy=0.9,
    real_accuracy=0.95,
    test_images=1000,
    frechet=12.3,
    frechet_real=1.5,
    frechet_features="the source classifier",
    memorised=0.011,
    nearest_ratio=0.98,
)


def test_a_good_generator_is_trusted_and_its_figures_are_told() -> None:
    found = with_verdict(GOOD)
    assert found.trusted and len(found.sentences) == 4
    text = " ".join(found.sentences)
    for figure in (
        "95 % of 2,000 samples",
        "90.0 % of 1,000",
        "95.0 %",
        "12.3",
        "1.5",
        "the source classifier",
        "1.1 %",
    ):
        assert figure in text


def test_without_real_images_it_says_what_nobody_knows() -> None:
    found = with_verdict(ALONE)
    assert found.trusted and len(found.sentences) == 2
    assert "Without real images" in found.sentences[1]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"hard_response": 2e-4, "soft_response": 1e-4}, "by 0.02 % of its range"),
        ({"consistency": 0.79}, "takes only 79 % of 2,000 samples for the class that was asked for; 80 % are wanted"),
        ({"consistency_by_class": (0.97, 0.31)}, "samples of class dog the source classifier takes only 31 % for it."),
        ({"consistency_by_class": (0.2, 0.3)}, "class cat the source classifier takes only 20 % for it; 2 classes are"),
        ({"classification_accuracy": 0.7}, "cost 25.0 points, and more than 20 is too much"),
    ],
)
def test_what_spoils_learning_is_said_first_and_costs_the_trust(change: dict[str, object], sentence: str) -> None:
    found = with_verdict(dataclasses.replace(GOOD, **change))
    assert not found.trusted and sentence in found.sentences[0]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"soft_response": 0.0}, "takes a mixture of classes for its likeliest class"),
        ({"memorised": 0.061}, "6 % of the samples lie as near to one training image"),
    ],
)
def test_what_a_person_should_know_is_said_first_and_costs_no_trust(change: dict[str, object], sentence: str) -> None:
    found = with_verdict(dataclasses.replace(GOOD, **change))
    assert found.trusted and sentence in found.sentences[0]
    assert not any(sentence in other for other in with_verdict(GOOD).sentences)


def test_a_generator_that_ignores_classes_is_not_blamed_for_mixtures_too() -> None:
    found = with_verdict(dataclasses.replace(GOOD, hard_response=0.0, soft_response=0.0))
    assert "ignores the class" in found.sentences[0] and "mixture" not in " ".join(found.sentences)


def test_one_class_has_nothing_to_heed() -> None:
    one = dataclasses.replace(
        ALONE, classes=("cat",), consistency_by_class=(0.95,), hard_response=0.0, soft_response=0.0
    )
    found = with_verdict(one)
    assert found.trusted and not any("ignores" in sentence or "mixture" in sentence for sentence in found.sentences)


def test_the_limit_can_be_set_and_notes_come_last() -> None:
    found = with_verdict(dataclasses.replace(GOOD, consistency=0.6), least_consistency=0.5, notes=("By the way.",))
    assert found.trusted and found.sentences[-1] == "By the way."
    assert not with_verdict(GOOD, least_consistency=0.96).trusted
