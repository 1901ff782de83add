"""Illnesses made on purpose, by real trainings of a second each, and contrastive methods at their defaults healthy.

Those of methods that compare no views are in `test_task_illnesses`.
"""

import pytest
import torch
from torch import nn
from torch.nn import functional

import hundredfold
from hundredfold.data.digits import read_digits
from hundredfold.evaluate import health
from hundredfold.evaluate.health import diagnose
from hundredfold.losses.siglip import siglip
from hundredfold.methods.contrastive._two_views import HeadConfig, TwoViewMethod
from hundredfold.studies.examination import examination, similarity_stage
from hundredfold.studies.prepare import prepare
from hundredfold.studies.pretraining import loaders, new_encoder, new_method
from hundredfold.studies.run_settings import gather
from hundredfold.train.loop import fit
from hundredfold.types import Step
from hundredfold.views import recipe as views

SETTINGS = {
    "encoder": "convnet",
    "encoder_settings": {"widths": [16, 32], "features": 64},
    "epochs": 8,
    "batch_size": 64,
}


class WithoutNegatives(TwoViewMethod):
    """Positives are drawn together, and nothing keeps the rest apart: all becomes one point."""

    def compare(self, za, zb):
        return Step(2 - 2 * functional.cosine_similarity(za, zb).mean(), {})


class TwoTowers(TwoViewMethod):
    """A head for each view, and a sigmoid loss whose bias is far too high."""

    def __init__(self, encoder, chain, config):
        super().__init__(encoder, chain, config, nn.Linear(encoder.features, config.projection))
        self.other = nn.Linear(encoder.features, config.projection)

    def project(self, pair):
        first, second = self.encoder(torch.cat([pair.a, pair.b])).chunk(2)
        return self.head(first), self.other(second)

    def compare(self, za, zb):
        return Step(siglip(za, zb, temperature=10.0, bias=0.0), {})


@pytest.fixture(scope="module")
def source():
    images = read_digits().train
    first = torch.arange(720)
    return images.take(first).numpy(), images.labels[first].numpy()


def around(kind):
    """Builds a method of these tests' own around the encoder of the settings."""

    def build(prepared):
        encoder = new_encoder(prepared)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            chain = views.build(prepared.settings.views, prepared.images.channels, prepared.images.size)
            return kind(encoder, chain, HeadConfig(hidden=64, projection=32))

    return build


def trained(source, build=new_method, **settings):
    """What held-out images and the loop say of a short training."""
    prepared = prepare(source, gather(None, (), {**SETTINGS, **settings}), needs_labels=False)
    method = build(prepared)
    train, validation = loaders(prepared)
    plan, engine = prepared.settings.plan, prepared.engine
    result = fit(method, train, plan, engine, validation=validation, examine=examination(method, prepared))
    found, _ = similarity_stage(method, prepared)
    return found, result


def sentence_of(illness, found, result):
    """The sentence of that illness; the others are not asked for."""
    sentences = {diagnosis.illness: diagnosis.sentence for diagnosis in diagnose(found, result)}
    assert illness in sentences, sentences
    assert health.HEALTHY not in sentences
    return sentences[illness]


@pytest.mark.parametrize("name", [info.name for info in hundredfold.methods.names() if info.family == "contrastive"])
def test_every_contrastive_method_at_its_defaults_is_healthy(source, name):
    found, result = trained(source, method=name)
    (only,) = diagnose(found, result)
    assert only.illness == health.HEALTHY, only
    assert f"similarity of {found.positive_mean:.2f}" in only.sentence
    last = result.epochs[-1].similarity
    assert len(result.epochs) == 8 and last.images == 32 and last.positives is None
    assert last.positive_mean == pytest.approx(found.positive_mean, abs=0.1)


def test_collapsed(source):
    found, result = trained(source, around(WithoutNegatives))
    assert found.spread < 0.2
    sentence = sentence_of(health.COLLAPSED, found, result)
    assert f"similarity of {found.negative_mean:.2f}" in sentence and "tells images apart" in sentence


def test_over_separated(source):
    found, result = trained(source, around(TwoTowers))
    sentence = sentence_of(health.OVER_SEPARATED, found, result)
    assert found.positive_mean <= found.sharp_bound < found.bound < 1
    assert (
        f"below {found.sharp_bound:.2f} (it is {found.positive_mean:.2f})" in sentence and "lower the bias" in sentence
    )


def test_not_learning(source):
    slow, result = trained(source, lr=2e-6)
    assert "raise the learning rate" in sentence_of(health.NOT_LEARNING, slow, result)
    idle, result = trained(source, epochs=0)
    assert "0 steps" in sentence_of(health.NOT_LEARNING, idle, result)
    pixel, result = trained(source, method_settings={"projection": 1})
    assert f"ended at {result.epochs[-1].loss:.2f}" in sentence_of(health.NOT_LEARNING, pixel, result)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"lr": 2.0}, "Lower the learning rate"),
        ({"method_settings": {"projection": 2}}, "2.0 in 2 dimensions"),
        ({"encoder_settings": {"widths": [16, 32], "features": 2}}, "The features use few of their dimensions"),
    ],
    ids=["learning rate x 1000", "two dimensions to compare in", "two features"],
)
def test_dimensional_collapse(source, settings, said):
    assert said.lower() in sentence_of(health.FLAT, *trained(source, **settings)).lower()


def test_batch_too_small_and_what_variance_reduction_does_about_it(source):
    found, result = trained(source, batch_size=4, epochs=1)
    sentence = sentence_of(health.SMALL_BATCH, found, result)
    assert "Batches of 4 images" in sentence and f"{found.negative_variance:.2f}" in sentence
    reduced, result = trained(source, batch_size=4, epochs=1, variance_reduction=30.0)
    assert reduced.negative_variance < 0.5 * found.negative_variance
    assert health.SMALL_BATCH not in [diagnosis.illness for diagnosis in diagnose(reduced, result)]


@pytest.mark.parametrize(
    ("temperature", "illness", "said"),
    [
        (10.0, health.TOO_HOT, "% of them count"),
        (0.03, health.TOO_COLD, "the nearest images alone"),
        (0.01, health.TOO_COLD, "small differences"),
    ],
)
def test_temperature(source, temperature, illness, said):
    sentence = sentence_of(illness, *trained(source, method_settings={"temperature": temperature}))
    assert said in sentence and f"temperature of {temperature:g} " in sentence
