"""Labelled samples: classes from the prior, refused ones drawn again, and the same bytes from the same seed."""

import pytest
import torch

from hundredfold.transfer import samples as module
from hundredfold.transfer.samples import TRIES, Samples, SampleSettings
from hundredfold.types import UNLABELLED


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def test_classes_follow_the_prior(generator):
    even = Samples(generator).labels(8000, rng()).bincount(minlength=4)
    assert even.tolist() == pytest.approx([2000] * 4, abs=150)  # four standard deviations
    prior = SampleSettings(class_prior=(6.0, 3.0, 0.0, 1.0))
    found = Samples(generator, settings=prior).labels(8000, rng()).bincount(minlength=4)
    assert found.tolist() == pytest.approx([4800, 2400, 0, 800], abs=150) and found[2] == 0


def test_an_image_is_of_its_class(generator, classifier):
    batch = Samples(generator).batch(40, rng())
    assert batch.images.shape == (40, 1, 8, 8) and batch.positions.tolist() == list(range(40))
    assert torch.equal(classifier.logits(batch.images).argmax(1), batch.labels)
    assert len(batch.images.flatten(1).unique(dim=0)) == 40


def test_without_a_limit_no_classifier_is_asked(generator, classifier):
    Samples(generator, classifier).batch(10, rng())
    assert classifier.seen == [] and len(generator.asked) == 1


def test_a_refused_image_is_drawn_again_until_it_is_right(make_generator, classifier):
    generator = make_generator(false={2: 0}, until=20)  # the first batch alone is false
    labels = torch.tensor([0, 1, 2, 3, 2] * 4)
    images = Samples(generator, classifier, SampleSettings(least_probability=0.5)).of(labels, rng())
    assert torch.equal(classifier.logits(images).argmax(1), labels)
    again = generator.asked[1].argmax(1).tolist()
    assert again == [2] * 8, "those that were refused, and no other"
    assert len(generator.asked) == 2, "what is right is not drawn again"
    first = make_generator(false={2: 0}).sample(torch.eye(4)[labels], rng())
    kept = labels != 2
    assert torch.equal(images[kept], first[kept])


def test_those_refused_to_the_last_are_unlabelled(make_generator, classifier):
    generator = make_generator(false={2: 0})
    samples = Samples(generator, classifier, SampleSettings(least_probability=0.5))
    labels = samples.labels(30, rng())
    batch = samples.batch(30, rng())
    wanted = torch.where(labels == 2, torch.full_like(labels, UNLABELLED), labels)
    assert torch.equal(batch.labels, wanted) and (labels == 2).any()
    assert [len(asked) for asked in generator.asked] == [30] + [int((labels == 2).sum())] * (TRIES - 1)


def test_the_limit_is_on_the_probability_of_the_class_asked_for(generator, classifier):
    images, labels = generator.sample(torch.eye(4), rng()), torch.arange(4)
    shares = classifier.probabilities(images).diagonal()
    for least in (float(shares.min()), float(shares.max()), 0.9999):
        found = Samples(generator, classifier, SampleSettings(least_probability=least)).accepts(images, labels)
        assert found.tolist() == [float(share) >= least for share in shares]
    swapped = Samples(generator, classifier, SampleSettings(least_probability=0.5)).accepts(images, labels.flip(0))
    assert not swapped.any()


def test_a_fixed_set_follows_from_its_seed_and_is_kept_as_bytes(generator, classifier, monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 8)
    samples = Samples(generator)
    first, same, other = (samples.image_set(20, seed=seed) for seed in (1, 1, 2))
    every = torch.arange(20)
    assert first.take(every).dtype == torch.uint8 and first.pixels.shape == (20, 1, 8, 8)
    assert torch.equal(first.take(every), same.take(every)) and torch.equal(first.labels, same.labels)
    assert not torch.equal(first.take(every), other.take(every))
    assert first.classes == generator.classes and first.source == "samples of tiles"
    assert torch.equal(classifier.logits(first.take(every) / 255).argmax(1), first.labels)
    assert len(first.take(every).flatten(1).unique(dim=0)) == 20, "no block repeats another"
    shorter = samples.image_set(8, seed=1)
    assert torch.equal(shorter.take(torch.arange(8)), first.take(torch.arange(8))), "a block follows from its place"


def test_a_fixed_set_keeps_refused_images_without_a_label(make_generator, classifier):
    samples = Samples(make_generator(false={1: 3}), classifier, SampleSettings(least_probability=0.5))
    found = samples.image_set(40, seed=0)
    assert len(found) == 40 and 0 < len(found.labelled()) < 40
    assert set(found.labels.tolist()) == {UNLABELLED, 0, 2, 3}


def test_what_a_generator_draws_is_not_changed(generator, classifier):
    kept = generator.sample(torch.eye(4), rng())
    found = Samples(generator, classifier, SampleSettings(least_probability=0.9)).of(torch.arange(4), rng())
    assert torch.equal(found, kept)


@pytest.mark.parametrize(
    "given, problem",
    [
        ({"class_prior": (1.0, -1.0)}, "class_prior must be shares >= 0"),
        ({"class_prior": (0.0, 0.0)}, "not all 0"),
        ({"class_prior": (1.0, float("inf"))}, "class_prior"),
        ({"class_prior": (1.0, float("nan"))}, "class_prior"),
        ({"least_probability": 1.0}, "at least 0 and below 1, got 1.0"),
        ({"least_probability": -0.1}, "least_probability"),
        ({"least_probability": float("nan")}, "least_probability"),
    ],
)
def test_settings_that_cannot_be(given, problem):
    (found,) = SampleSettings(**given).problems()
    assert problem in found


def test_settings_that_do_not_fit_the_generator(generator):
    assert SampleSettings(class_prior=(0.0, 2.0), least_probability=0.9).problems() == []
    with pytest.raises(ValueError, match="class_prior has 2 shares, the generator 4 classes"):
        Samples(generator, settings=SampleSettings(class_prior=(1.0, 1.0)))
    with pytest.raises(ValueError, match="needs a source classifier"):
        Samples(generator, settings=SampleSettings(least_probability=0.5))
