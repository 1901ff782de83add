"""Toy generators with one illness each, judged by a classifier that knows the truth."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from hundredfold.data.images import ImageSet, MemoryPixels
from hundredfold.encoders.build import encoder
from hundredfold.errors import DataError, Interrupted, SettingsError
from hundredfold.train.engine import Engine
from hundredfold.train.stop import StopRequest
from hundredfold.transfer.classification_accuracy_score import ScoreSettings
from hundredfold.transfer.generator import Generator, one_hot
from hundredfold.transfer.generator_quality import Judged, QualitySettings, draw_evenly, judge
from hundredfold.transfer.real_source import RealSource
from hundredfold.transfer.source_classifier import SourceClassifier

ENGINE = Engine(device=torch.device("cpu"), precision="float32")
CLASSES = ("left", "right", "below")
SMALL = QualitySettings(
    samples=120,
    score=ScoreSettings(encoder_settings={"widths": (4,), "features": 16}, images=90, steps=30, batch_size=30, lr=1e-2),
)


def prototypes() -> Tensor:
    """[3, 1, 8, 8]: a bright square at a place for each class."""
    images = torch.full((3, 1, 8, 8), 0.2)
    images[0, :, :3, :3] = images[1, :, :3, 4:7] = images[2, :, 5:, 2:5] = 0.8
    return images


def noisy(images: Tensor, rng: torch.Generator) -> Tensor:
    return images + 0.05 * torch.randn(images.shape, generator=rng)


class Squares(Generator):
    """Draws what it is asked for, mixtures too."""

    name, classes, channels, size = "squares", CLASSES, 1, (8, 8)

    def draw(self, condition: Tensor, rng: torch.Generator) -> Tensor:
        return noisy(torch.einsum("bk,kchw->bchw", condition, prototypes()), rng)

    def place(self, engine: Engine) -> None: ...


class Deaf(Squares):
    """Draws any class, whatever it is asked for."""

    def draw(self, condition: Tensor, rng: torch.Generator) -> Tensor:
        return super().draw(one_hot(torch.randint(3, (len(condition),), generator=rng), 3), rng)


class Likeliest(Squares):
    """Takes the likeliest class."""

    def draw(self, condition: Tensor, rng: torch.Generator) -> Tensor:
        return super().draw(one_hot(condition.argmax(1), 3), rng)


class OneMissing(Squares):
    """Draws the first class in place of the last."""

    def draw(self, condition: Tensor, rng: torch.Generator) -> Tensor:
        return super().draw(condition @ torch.tensor([[1.0, 0, 0], [0, 1, 0], [1, 0, 0]]), rng)


class Copier(Squares):
    """Hands out images of its training set."""

    def draw(self, condition: Tensor, rng: torch.Generator) -> Tensor:
        labels, train = condition.argmax(1), REAL.train
        several = torch.randint(20, (len(labels),), generator=rng)
        rows = [train.labels.eq(label).nonzero().squeeze(1)[n] for label, n in zip(labels, several, strict=True)]
        return train.take(torch.stack(rows)).float() / 255


class Nearest(SourceClassifier):
    """Knows the prototypes."""

    channels, size = 1, (8, 8)

    def __init__(self, classes: tuple[str, ...] = CLASSES) -> None:
        self.classes = classes
        self.known = torch.stack([prototypes()[CLASSES.index(name)] for name in classes])  # [k, 1, 8, 8]

    def logits(self, images: Tensor) -> Tensor:
        return -(images[:, None] - self.known).square().sum((2, 3, 4))

    def features(self, images: Tensor) -> Tensor:
        return images.flatten(1)

    def place(self, engine: Engine) -> None: ...


def real(count: int, seed: int, classes: tuple[str, ...] = CLASSES) -> ImageSet:
    labels = torch.arange(count) % 3
    places = torch.tensor([CLASSES.index(name) for name in classes])
    images = noisy(prototypes()[places[labels]], torch.Generator().manual_seed(seed)).clamp(0, 1)
    pixels = MemoryPixels((images * 255).round().to(torch.uint8))
    return ImageSet(source="real", pixels=pixels, labels=labels, classes=classes)


def source(train: ImageSet, test: ImageSet) -> RealSource:
    return RealSource(train=train, train_index=train.labelled(), test=test, test_index=test.labelled())


REAL = source(real(150, 1), real(240, 2, ("below", "left", "right")))


def judged(generator: Generator, real: RealSource | None = None, *, seed: int = 0) -> Judged:
    return judge(generator, Nearest(), real=real, settings=SMALL, engine=ENGINE, seed=seed)


@pytest.fixture(scope="module")
def good() -> Judged:
    return judged(Squares(), REAL)


def test_a_good_generator_is_trusted(good: Judged) -> None:
    quality = good.quality
    assert quality.trusted and quality.generator == "squares" and quality.samples == 120
    assert quality.consistency == 1 and quality.consistency_by_class == (1, 1, 1)
    assert quality.hard_response == pytest.approx(18 * 0.6 / 64, abs=0.01)  # two squares of nine pixels change
    assert quality.soft_response == pytest.approx(0.4 * quality.hard_response, abs=0.01)
    assert quality.classification_accuracy is not None and quality.classification_accuracy > 0.9
    assert quality.real_accuracy is not None and quality.real_accuracy > 0.9 and quality.test_images == 240
    assert quality.frechet == pytest.approx(quality.frechet_real, rel=0.5)
    assert quality.frechet_features == "the source classifier"
    assert quality.memorised is not None and quality.memorised < 0.05
    assert quality.nearest_ratio == pytest.approx(1, abs=0.1)


def test_pictures_are_samples_by_class_and_the_closest_pairs(good: Judged) -> None:
    assert good.samples.shape == (24, 1, 8, 8) and good.samples.dtype == torch.uint8
    seen = Nearest().logits(good.samples / 255).argmax(1)
    assert seen.tolist() == [0] * 8 + [1] * 8 + [2] * 8
    assert good.closest_samples.shape == good.closest_training.shape == (8, 1, 8, 8)
    apart = (good.closest_samples.float() - good.closest_training.float()).flatten(1).norm(dim=1) / 255
    others = (good.samples[:, None].float() - good.closest_training.float()).flatten(2).norm(dim=2) / 255
    assert apart.mean() < others.min(1).values.mean()


def test_it_follows_from_the_seed(good: Judged) -> None:
    again = judged(Squares(), REAL)
    assert again.quality == good.quality and again.samples.equal(good.samples)
    assert not judged(Squares(), seed=1).samples.equal(good.samples)


def test_a_generator_that_ignores_its_condition() -> None:
    found = judged(Deaf(), REAL)
    quality = found.quality
    assert not quality.trusted and quality.hard_response == 0 and "ignores the class" in quality.sentences[0]
    assert quality.consistency == pytest.approx(1 / 3, abs=0.15)
    assert quality.classification_accuracy is not None and quality.classification_accuracy < 0.8
    assert any("points" in sentence for sentence in quality.sentences)


def test_a_generator_that_takes_the_likeliest_class() -> None:
    quality = judged(Likeliest()).quality
    assert quality.trusted and quality.soft_response == 0 < quality.hard_response
    assert "mixture" in quality.sentences[0]


def test_a_generator_without_one_of_the_classes() -> None:
    quality = judged(OneMissing()).quality
    assert not quality.trusted and quality.consistency_by_class == (1, 1, 0)
    assert quality.consistency == pytest.approx(2 / 3)
    assert "class below the source classifier takes only 0 %" in quality.sentences[1]


def test_a_generator_that_hands_out_its_training_images() -> None:
    found = judged(Copier(), REAL)
    assert found.quality.memorised == 1 and found.quality.nearest_ratio == 0
    assert found.quality.trusted and any("100 % of the samples" in text for text in found.quality.sentences)
    assert found.closest_samples.equal(found.closest_training)


def test_without_real_images_there_are_no_figures_of_them() -> None:
    found = judged(Squares())
    quality = found.quality
    assert quality.trusted and quality.test_images == 0 and quality.frechet_features == ""
    figures = (quality.classification_accuracy, quality.real_accuracy, quality.frechet, quality.frechet_real)
    assert (*figures, quality.memorised, quality.nearest_ratio) == (None,) * 6
    assert found.closest_samples.shape == found.closest_training.shape == (0, 1, 8, 8)


def test_classes_are_matched_by_name_and_by_place_with_a_word() -> None:
    turned = judge(Squares(), Nearest(("below", "left", "right")), settings=SMALL, engine=ENGINE, seed=0)
    assert turned.quality.consistency == 1
    renamed = Nearest()
    renamed.classes = ("a", "b", "c")
    found = judge(Squares(), renamed, settings=SMALL, engine=ENGINE, seed=0)
    assert found.quality.consistency == 1 and "no class named 'left'" in found.quality.sentences[-1]


def test_distances_can_be_taken_in_features_of_an_encoder() -> None:
    own = encoder(
        "convnet", channels=1, size=(8, 8), mean=[0.3], std=[0.2], settings={"widths": (4,), "features": 8}, seed=0
    ).train()
    found = judge(Squares(), Nearest(), real=REAL, settings=SMALL, engine=ENGINE, seed=0, encoder=own)
    assert found.quality.frechet_features == "the encoder convnet"
    assert own.training, "it is given back as it was"


def test_of_three_test_images_there_is_no_distance() -> None:
    few = dataclasses.replace(REAL, test_index=torch.arange(3))
    quality = judged(Squares(), few).quality
    assert (quality.frechet, quality.frechet_real, quality.frechet_features) == (None, None, "")
    assert quality.test_images == 3 and quality.memorised is not None


def test_samples_are_of_all_classes_alike_and_the_first_stay_the_same_when_more_are_drawn() -> None:
    few, many = draw_evenly(Squares(), 7, seed=3), draw_evenly(Squares(), 1001, seed=3)
    assert few.labels.tolist() == [0, 1, 2, 0, 1, 2, 0] and few.pixels.shape == (7, 1, 8, 8)
    assert torch.bincount(many.labels).tolist() == [334, 334, 333] and many.classes == CLASSES
    assert Nearest().logits(many.take(torch.arange(1001)) / 255).argmax(1).equal(many.labels)
    assert many.take(torch.arange(500)).equal(draw_evenly(Squares(), 700, seed=3).take(torch.arange(500)))


def test_at_least_eight_of_each_class_are_drawn() -> None:
    found = judge(Squares(), Nearest(), settings=QualitySettings(samples=1), engine=ENGINE, seed=0)
    assert found.quality.samples == 24


def test_what_does_not_fit_is_refused_before_anything_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(self: Generator, condition: Tensor, rng: torch.Generator) -> Tensor:
        raise AssertionError("drawn")

    monkeypatch.setattr(Squares, "draw", never)
    with pytest.raises(DataError, match="the generator has 3, the classifier 2"):
        judge(Squares(), Nearest(("left", "right")), engine=ENGINE, seed=0)
    large = Nearest()
    large.size = (16, 16)
    with pytest.raises(DataError, match="1 x 8 x 8 of the generator and 1 x 16 x 16 of the classifier"):
        judge(Squares(), large, engine=ENGINE, seed=0)
    other = dataclasses.replace(REAL.test, classes=("cat", "dog", "cow"))
    with pytest.raises(DataError, match="no image of the generator's class 'left'"):
        judge(Squares(), Nearest(), real=source(REAL.train, other), engine=ENGINE, seed=0)
    bad = QualitySettings(samples=0, least_consistency=2, score=ScoreSettings(steps=0))
    with pytest.raises(SettingsError) as caught:
        judge(Squares(), Nearest(), settings=bad, engine=ENGINE, seed=0)
    assert [sentence.split()[0] for sentence in caught.value.problems] == [
        "score.steps",
        "samples",
        "least_consistency",
    ]


def test_a_signal_stops_it() -> None:
    stop = StopRequest()
    stop.received = 15
    with pytest.raises(Interrupted) as caught:
        judge(Squares(), Nearest(), settings=SMALL, engine=ENGINE, seed=0, stop=stop)
    assert caught.value.exit_status == 143
