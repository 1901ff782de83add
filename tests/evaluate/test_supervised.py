"""Supervised training: starts where it should, leaves its start alone, reads only the labels it was given."""

import pytest
import torch

from hundredfold.data.images import ImageSet, MemoryPixels, as_float
from hundredfold.encoders.build import encoder
from hundredfold.evaluate.features import features, pixels
from hundredfold.evaluate.probe import linear_probe
from hundredfold.evaluate.supervised import FinetuneSettings, predict_classifier, train_classifier
from hundredfold.train.engine import choose_engine
from hundredfold.views.chain import Chain

ENGINE = choose_engine(precision="float32")
LABELS = torch.arange(40) % 2


@pytest.fixture
def images() -> ImageSet:
    """Forty 8x8 images: class 0 bright on the left, class 1 on the right."""
    grey = torch.randint(0, 90, (40, 1, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    grey[LABELS == 0, :, :, :4] += 120
    grey[LABELS == 1, :, :, 4:] += 120
    return ImageSet(source="made", pixels=MemoryPixels(grey), labels=LABELS, classes=("left", "right"))


def start() -> object:
    return encoder("convnet", channels=1, size=(8, 8), mean=[0.3], std=[0.3], seed=0)


def trained(images: ImageSet, index: torch.Tensor, **changes: object) -> object:
    options = dict(settings=FinetuneSettings(steps=20, batch_size=8), lr=1e-3, chain=Chain(()), engine=ENGINE, seed=0)
    return train_classifier(start(), images, index, 2, **{**options, **changes})


def test_it_learns_what_it_is_shown(images: ImageSet) -> None:
    method = trained(images, torch.arange(20))
    shares = predict_classifier(method, images, torch.arange(20, 40), ENGINE)
    torch.testing.assert_close(shares.sum(1), torch.ones(20))
    assert (shares.argmax(1) == LABELS[20:]).float().mean() == 1


def test_the_encoder_it_starts_from_is_not_changed(images: ImageSet) -> None:
    before = start()
    same = {name: value.clone() for name, value in before.state_dict().items()}
    settings = FinetuneSettings(steps=3, batch_size=8)
    train_classifier(
        before, images, torch.arange(20), 2, settings=settings, lr=0.1, chain=Chain(()), engine=ENGINE, seed=0
    )
    assert all(torch.equal(value, same[name]) for name, value in before.state_dict().items())


def test_fine_tuning_begins_as_the_probe(images: ImageSet) -> None:
    index = torch.arange(40)
    origin = start().eval()
    x = features(origin, images, index, ENGINE)
    probe = linear_probe(x[:20], LABELS[:20], 2, seed=0)
    method = trained(images, index[:20], lr=1e-12, start=probe, settings=FinetuneSettings(steps=1, batch_size=8))
    # One step at no learning rate moves only the running statistics of batch normalisation: undo that.
    method.encoder.load_state_dict(origin.state_dict())
    shares = predict_classifier(method, images, index, ENGINE)
    torch.testing.assert_close(shares, probe.probabilities(x), atol=1e-4, rtol=1e-3)


def test_labels_elsewhere_are_never_read(images: ImageSet) -> None:
    poisoned = ImageSet(
        source="made",
        pixels=images.pixels,
        labels=torch.where(torch.arange(40) < 20, LABELS, 10**6),
        classes=("a", "b"),
    )
    one, other = trained(images, torch.arange(20)), trained(poisoned, torch.arange(20))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters()))


def test_the_seed_decides_and_the_global_state_does_not(images: ImageSet) -> None:
    torch.manual_seed(1)
    one = trained(images, torch.arange(20))
    torch.manual_seed(2)
    state = torch.get_rng_state()
    two = trained(images, torch.arange(20))
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters()))
    other = trained(images, torch.arange(20), seed=1)
    assert not torch.equal(one.head.linear.weight, other.head.linear.weight)


def test_features_are_in_input_order_whatever_the_batch(images: ImageSet) -> None:
    network = start().train()
    whole = features(network, images, torch.arange(40), ENGINE)
    parts = features(network, images, torch.arange(40), ENGINE, batch_size=7)
    torch.testing.assert_close(whole, parts)
    assert network.training
    network.eval()
    with torch.no_grad():
        torch.testing.assert_close(whole[3:4], network(as_float(images.take(torch.tensor([3])))))
    assert features(network, images, torch.arange(0), ENGINE).shape == (0, 512)


def test_pixels_are_the_images(images: ImageSet) -> None:
    assert torch.equal(pixels(images, torch.tensor([2]))[0], images.take(torch.tensor([2])).flatten() / 255)


def test_settings_out_of_range_are_all_said() -> None:
    problems = FinetuneSettings(steps=0, batch_size=1, lr=0.0, dropout=1.0).problems()
    assert len(problems) == 4
