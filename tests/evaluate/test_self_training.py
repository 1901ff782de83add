"""Students: what they are given to learn from, where they start, and that they stop when they are told to."""

import types
from collections.abc import Iterator

import pytest
import torch
from torch.nn import functional

from hundredfold.data.images import ImageSet, MemoryPixels
from hundredfold.encoders.build import encoder
from hundredfold.errors import Interrupted
from hundredfold.evaluate import self_training
from hundredfold.evaluate.features import features
from hundredfold.evaluate.label_propagation import neighbour_graph, propagate
from hundredfold.evaluate.probe import Linear, linear_probe
from hundredfold.evaluate.self_training import (
    FixMatchSettings,
    Lesson,
    StudentSettings,
    strong_views,
    train_fixmatch,
    train_pseudo_label,
)
from hundredfold.methods.labelled.pseudo_label import certainty
from hundredfold.train.engine import choose_engine
from hundredfold.views.erasing import Erasing
from hundredfold.views.recipe import ViewSettings

ENGINE = choose_engine(precision="float32")
TRUTH = torch.arange(60) % 3
INDEX = torch.arange(10, 60)  # ten images are held out
TAUGHT = torch.tensor([41, 12, 33, 55, 10, 20])


@pytest.fixture(scope="module")
def images() -> ImageSet:
    rng = torch.Generator().manual_seed(7)
    noisy = torch.rand(3, 1, 8, 8, generator=rng)[TRUTH] + 0.2 * torch.randn(60, 1, 8, 8, generator=rng)
    return ImageSet(source="toy", pixels=MemoryPixels((noisy.clamp(0, 1) * 255).to(torch.uint8)), labels=TRUTH)


def start() -> object:
    settings = {"widths": [4], "features": 16}
    return encoder("convnet", channels=1, size=(8, 8), mean=[0.5], std=[0.25], settings=settings, seed=0)


def lesson(images: ImageSet, **changes: object) -> Lesson:
    given: dict = dict(index=INDEX, taught=TAUGHT, classes=3, views=ViewSettings(), engine=ENGINE, seed=0)
    return Lesson(images=images, **{**given, **changes})


def spread(images: ImageSet) -> torch.Tensor:
    graph = neighbour_graph(features(start(), images, INDEX, ENGINE))
    return propagate(graph, torch.searchsorted(INDEX, TAUGHT), TRUTH[TAUGHT], 3, seed=0).distributions()


def probe(images: ImageSet) -> Linear:
    return linear_probe(features(start(), images, TAUGHT, ENGINE), TRUTH[TAUGHT], 3, seed=0)


@pytest.fixture
def fitted(monkeypatch: pytest.MonkeyPatch) -> Iterator[types.SimpleNamespace]:
    """What `fit` is called with, which then does nothing."""
    seen = types.SimpleNamespace()

    def fit(method: object, loader: object, plan: object, engine: object, *, stop: object) -> None:
        seen.method, seen.loader, seen.plan, seen.engine, seen.stop = method, loader, plan, engine, stop

    monkeypatch.setattr(self_training, "fit", fit)
    yield seen


def test_a_student_is_given_what_labels_say_and_beyond_them_its_teacher(images: ImageSet, fitted) -> None:
    given = spread(images)
    before = given.clone()
    train_pseudo_label(start(), given, lesson(images), StudentSettings())
    assert torch.equal(given, before), "what was given is left as it is"
    targets, weights = fitted.method.targets, fitted.method.weights
    assert targets.shape == (60, 3) and weights.shape == (60,)
    assert torch.equal(targets[TAUGHT], functional.one_hot(TRUTH[TAUGHT], 3).float())
    assert weights[TAUGHT].tolist() == [1.0] * len(TAUGHT), "labels are certain"
    beyond = [position for position in INDEX.tolist() if position not in TAUGHT]
    rows = torch.searchsorted(INDEX, torch.tensor(beyond))
    torch.testing.assert_close(targets[beyond], given[rows])
    torch.testing.assert_close(weights[beyond], certainty(given[rows]))
    assert not weights[:10].any(), "images that are held out count for nothing"


@pytest.mark.parametrize("steps, batch_size", [(1, 8), (7, 8), (40, 8), (3, 256), (13, 32)])
def test_about_as_many_steps_as_were_asked_for(images: ImageSet, fitted, steps: int, batch_size: int) -> None:
    settings = FixMatchSettings(steps=steps, batch_size=batch_size, lr=0.5, weight_decay=0.25, labelled=5)
    train_fixmatch(start(), probe(images), lesson(images), settings)
    passes, within = fitted.plan.epochs, fitted.loader.steps_per_epoch
    assert abs(passes * within - steps) <= within / 2 and passes >= 1
    assert (fitted.plan.lr, fitted.plan.weight_decay, fitted.plan.batch_size) == (0.5, 0.25, min(batch_size, 50))
    assert not fitted.plan.validate and fitted.method.config.labelled == 5


@pytest.mark.parametrize("steps", [2, 100])
def test_images_come_without_labels_and_from_the_pool_alone(images: ImageSet, fitted, steps: int) -> None:
    train_fixmatch(start(), probe(images), lesson(images), FixMatchSettings(steps=steps, batch_size=8))
    loader = fitted.loader
    seen = torch.cat([loader.positions(step) for step in range(3 * loader.steps_per_epoch)]).unique()
    assert set(seen.tolist()) <= set(INDEX.tolist()) and len(seen) >= min(16, 50 - 8)
    assert (loader.images.labels == -1).all()


def test_a_part_of_a_pool_that_is_too_large_is_drawn_from_all_of_it(images: ImageSet, fitted) -> None:
    parts = []
    for seed in (0, 0, 1):
        train_fixmatch(start(), probe(images), lesson(images, seed=seed), FixMatchSettings(steps=2, batch_size=8))
        parts.append(fitted.loader.index)
    assert torch.equal(parts[0], parts[1]) and not torch.equal(parts[0], parts[2])
    assert len(parts[0].unique()) == 16 and parts[0].max() > 30 > parts[0].min()


def test_fixmatch_starts_from_the_probe_and_learns_from_its_labels(images: ImageSet, fitted) -> None:
    given = probe(images)
    settings = FixMatchSettings(threshold=0.9, align=True, momentum=0.5)
    method = train_fixmatch(start(), given, lesson(images), settings)
    assert method is fitted.method
    assert torch.equal(method.images, images.take(TAUGHT)) and torch.equal(method.labels, TRUTH[TAUGHT])
    config = method.config
    assert (config.threshold, config.align, config.momentum, config.unit_length) == (0.9, True, 0.5, True)
    network, head = method.eval().learnt()
    with torch.no_grad():
        shares = head(features(network, images, INDEX, ENGINE)).softmax(1)
    wanted = given.probabilities(features(start(), images, INDEX, ENGINE))
    torch.testing.assert_close(shares, wanted, atol=1e-5, rtol=1e-4)


def test_the_encoder_they_start_from_is_not_changed(images: ImageSet) -> None:
    origin = start()
    before = {name: value.clone() for name, value in origin.state_dict().items()}
    settings = dict(steps=2, batch_size=16, lr=0.1)
    one = train_fixmatch(origin, probe(images), lesson(images), FixMatchSettings(**settings))
    two = train_pseudo_label(origin, spread(images), lesson(images), StudentSettings(**settings))
    assert all(torch.equal(value, before[name]) for name, value in origin.state_dict().items())
    for method in (one, two):
        moved = dict(method.learnt()[0].named_parameters())
        assert all(not torch.equal(value, before[name]) for name, value in moved.items() if value.dim() > 1)


@pytest.mark.parametrize("erasing", [0.0, 0.9])
def test_strong_views_are_those_of_pre_training_with_boxes(images: ImageSet, erasing: float) -> None:
    chain = strong_views(lesson(images, views=ViewSettings(rotation=10, erasing_probability=erasing)))
    (boxes,) = [view for view in chain.views if isinstance(view, Erasing)]
    assert boxes.probability == max(0.5, erasing) and len(chain.views) > 1


def test_a_signal_ends_training(images: ImageSet) -> None:
    stop = types.SimpleNamespace(received=15)
    for train in (
        lambda: train_fixmatch(start(), probe(images), lesson(images, stop=stop), FixMatchSettings(steps=9)),
        lambda: train_pseudo_label(start(), spread(images), lesson(images, stop=stop), StudentSettings(steps=9)),
    ):
        with pytest.raises(Interrupted, match="after step 1 of 9"):
            train()


def test_settings_out_of_range_are_all_said() -> None:
    wrong = dict(steps=0, batch_size=1, lr=0.0, momentum=1.0)
    assert len(StudentSettings(**wrong).problems()) == 4
    assert len(FixMatchSettings(**wrong, labelled=0, threshold=1.5).problems()) == 6
    assert StudentSettings().problems() == FixMatchSettings().problems() == []
