"""Forms brought together, classes put in one order, and everything that does not fit said at once."""

import pytest
import torch
from torch.nn import functional

from hundredfold.errors import SettingsError
from hundredfold.transfer.generator import Generator, one_hot, responds
from hundredfold.transfer.resized import (
    ReorderedClassifier,
    ResizedClassifier,
    ResizedGenerator,
    check_match,
    match_notes,
)
from hundredfold.transfer.source_classifier import SourceClassifier


class Noise(Generator):
    """Noise, brighter with the class."""

    name = "noise"

    def __init__(self, channels=1, size=(8, 8), classes=("a", "b", "c")):
        self.channels, self.size, self.classes = channels, size, classes
        self.placed = None

    def draw(self, condition, rng):
        noise = 0.5 * torch.rand(len(condition), self.channels, *self.size, generator=rng)
        return noise + 0.2 * condition.argsort(1).float().mul(condition).sum(1).view(-1, 1, 1, 1)

    def place(self, engine):
        self.placed = engine


class Corners(SourceClassifier):
    """Sees one row of pixels of the first channel."""

    def __init__(self, channels=1, size=(8, 8), classes=("a", "b", "c")):
        self.channels, self.size, self.classes = channels, size, classes
        self.placed = None

    def logits(self, images):
        return self.features(images)[:, : len(self.classes)]

    def features(self, images):
        assert images.shape[1:] == (self.channels, *self.size)
        return images[:, 0, 0]

    def place(self, engine):
        self.placed = engine


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def images(*shape):
    return torch.rand(*shape, generator=rng(1))


@pytest.mark.parametrize("size", [(4, 4), (16, 16)])
def test_a_generator_of_another_size(size):
    inner = Noise()
    generator = ResizedGenerator(inner, 3, size)
    condition = one_hot(torch.tensor([0, 1]), 3)
    found = generator.sample(condition, rng())
    expected = functional.interpolate(
        inner.sample(condition, rng()), size, mode="bilinear", antialias=True, align_corners=False
    )
    torch.testing.assert_close(found, expected.expand(-1, 3, -1, -1))
    assert (generator.channels, generator.size, generator.classes, generator.name) == (3, size, inner.classes, "noise")
    assert found.min() >= 0 and found.max() <= 1
    assert responds(generator, count=3)[1] > 0
    generator.place("engine")
    assert inner.placed == "engine"


def test_colours_become_grey_by_how_bright_they_are():
    inner = Noise(channels=3)
    condition = one_hot(torch.tensor([0]), 3)
    red, green, blue = inner.sample(condition, rng())[0]
    found = ResizedGenerator(inner, 1, (8, 8)).sample(condition, rng())[0, 0]
    torch.testing.assert_close(found, 0.299 * red + 0.587 * green + 0.114 * blue)


def test_a_classifier_of_another_form():
    inner = Corners(size=(4, 4))
    classifier = ResizedClassifier(inner, 3, (8, 8))
    given = images(2, 3, 8, 8)
    grey = (given * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(1, keepdim=True)
    small = functional.interpolate(grey, (4, 4), mode="bilinear", antialias=True, align_corners=False)
    torch.testing.assert_close(classifier.logits(given), inner.logits(small))
    torch.testing.assert_close(classifier.features(given), inner.features(small))
    torch.testing.assert_close(classifier.probabilities(given), inner.logits(small).softmax(1))
    assert (classifier.channels, classifier.size, classifier.classes) == (3, (8, 8), inner.classes)
    classifier.place("engine")
    assert inner.placed == "engine"


def test_what_fits_is_left_alone():
    generator, classifier = Noise(), Corners()
    assert check_match(generator, classifier, 1, (8, 8), resize=False) == (generator, classifier)
    assert check_match(generator, classifier, 1, (8, 8), resize=True) == (generator, classifier)
    assert match_notes(generator, classifier, 1, (8, 8)) == ()


def test_forms_are_brought_together_on_request_alone():
    generator, classifier = Noise(size=(4, 6)), Corners(channels=3)
    with pytest.raises(SettingsError) as refused:
        check_match(generator, classifier, 1, (8, 8), resize=False)
    assert "draws images of 6 x 4, 1 channel and" in str(refused.value)
    assert "takes images of 8 x 8, 3 channels; the target's are of 8 x 8, 1 channel" in str(refused.value)
    assert "--resize" in refused.value.fix
    brought, seeing = check_match(generator, classifier, 1, (8, 8), resize=True)
    drawn = brought.sample(torch.eye(3), rng())
    assert drawn.shape == (3, 1, 8, 8)
    assert seeing.logits(drawn).shape == (3, 3)
    notes = match_notes(generator, classifier, 1, (8, 8))
    assert notes == (
        "images of the generator (6 x 4, 1 channel) were brought to 8 x 8, 1 channel",
        "images for the source classifier (8 x 8, 1 channel) were brought to 8 x 8, 3 channels",
    )


def test_everything_that_does_not_fit_is_said_at_once():
    with pytest.raises(SettingsError) as refused:
        check_match(Noise(channels=4), Corners(classes=("a", "b")), 2, (8, 8), resize=True)
    assert refused.value.problems == (
        "the generator draws 3 classes, the source classifier knows 2",
        "the generator's images of 4 channels cannot be brought to 2: only grey (1) and RGB (3) can",
        "the target's images of 2 channels cannot be brought to 1: only grey (1) and RGB (3) can",
    )
    with pytest.raises(SettingsError) as refused:
        check_match(Noise(size=(4, 4)), Corners(classes=("a", "b")), 1, (8, 8), resize=False)
    assert len(refused.value.problems) == 2


def test_wrappers_refuse_channels_that_cannot_be_brought():
    with pytest.raises(SettingsError, match="images of 2 channels cannot be brought to 3"):
        ResizedGenerator(Noise(channels=2), 3, (8, 8))
    with pytest.raises(SettingsError, match="images of 4 channels cannot be brought to 1"):
        ResizedClassifier(Corners(), 4, (8, 8))


def test_the_same_names_in_another_order():
    generator, inner = Noise(), Corners(classes=("c", "a", "b"))
    _, classifier = check_match(generator, inner, 1, (8, 8), resize=False)
    given = images(2, 1, 8, 8)
    assert isinstance(classifier, ReorderedClassifier) and classifier.classes == ("a", "b", "c")
    for row, plain in zip(classifier.logits(given).tolist(), inner.logits(given).tolist(), strict=True):
        assert row == [plain[1], plain[2], plain[0]]
    assert torch.equal(classifier.features(given), inner.features(given))
    assert "by their names" in match_notes(generator, inner, 1, (8, 8))[0]
    classifier.place("engine")
    assert inner.placed == "engine"


def test_reordered_and_resized_at_once():
    generator, inner = Noise(), Corners(size=(4, 4), classes=("b", "a", "c"))
    _, classifier = check_match(generator, inner, 1, (8, 8), resize=True)
    given = images(2, 1, 8, 8)
    assert classifier.classes == generator.classes
    torch.testing.assert_close(
        classifier.logits(given)[:, [1, 0, 2]], ResizedClassifier(inner, 1, (8, 8)).logits(given)
    )


def test_other_names_are_taken_place_by_place():
    generator, inner = Noise(), Corners(classes=("a", "two", "three"))
    assert check_match(generator, inner, 1, (8, 8), resize=False)[1] is inner
    assert "('b', 'two')" in match_notes(generator, inner, 1, (8, 8))[0]


def test_names_shared_in_other_places_cannot_be_told_apart():
    with pytest.raises(SettingsError, match="'b' for one"):
        check_match(Noise(), Corners(classes=("b", "two", "three")), 1, (8, 8), resize=False)
