"""Held-out images after each epoch: who is compared, what it costs, and where the figures go."""

import json
import math

import numpy as np
import pytest
import torch

import hundredfold
from hundredfold.evaluate.similarity import similarity
from hundredfold.random import generator
from hundredfold.studies import examination as examined
from hundredfold.studies.examination import examination, held_out, projections, similarity_stage
from hundredfold.studies.prepare import prepare
from hundredfold.studies.pretraining import loaders, new_method
from hundredfold.studies.run_settings import gather
from hundredfold.train.loop import fit

SMALL = {
    "encoder": "convnet",
    "encoder_settings": {"widths": [4], "features": 16},
    "method_settings": {"hidden": 16, "projection": 8},
    "batch_size": 16,
    "epochs": 1,
}


def prepared_for(count, **settings):
    """Random images 8x8, sorted by their ten classes."""
    pixels = np.random.default_rng(0).integers(0, 256, (count, 8, 8), dtype=np.uint8)
    given = gather(None, (), {**SMALL, **settings})
    return prepare((pixels, np.arange(count) * 10 // count), given, needs_labels=False)


class Counted:
    """Images through an encoder, and those that a training step carries there and back."""

    def __init__(self, method):
        self.looked_at = self.trained = self.calls = 0
        method.encoder.register_forward_hook(self)

    def __call__(self, encoder, images, features):
        self.calls += 1
        if encoder.training:
            self.trained += len(features)
        else:
            self.looked_at += len(features)


@pytest.mark.parametrize("count", [720, 3600])
def test_looking_costs_less_than_two_percent_of_an_epoch(count):
    prepared = prepared_for(count, batch_size=200)
    method = new_method(prepared)
    counted = Counted(method)
    train, _ = loaders(prepared)
    fit(method, train, prepared.settings.plan, prepared.engine, examine=examination(method, prepared))
    assert counted.looked_at >= 2 * 32
    assert counted.looked_at / (3 * counted.trained) < 0.02  # a step is a forward pass and a backward one of two


def test_the_number_compared_follows_the_pool_between_two_ends():
    for count, compared in ((2400, 33), (300, 32), (7200, 100)):
        prepared = prepared_for(count)
        assert examination(new_method(prepared), prepared)().images == compared
    many = prepared_for(300)
    few, all_there_are = held_out(many, 20), held_out(many, 10**6)
    assert len(few.images) == 20 and len(all_there_are.images) == len(many.split.validation) == 50


def test_those_compared_are_held_out_spread_over_the_set_and_without_labels():
    prepared = prepared_for(3000)
    batch = held_out(prepared, 40)
    assert len(batch.positions.unique()) == 40
    assert bool(torch.isin(batch.positions, prepared.split.validation).all())
    assert len(set((batch.positions * 10 // 3000).tolist())) == 10  # every class of a sorted set
    assert bool((batch.labels == -1).all())
    assert torch.equal(batch.images, prepared.images.take(batch.positions))


def test_images_of_the_pool_stand_in_where_too_few_are_held_out():
    prepared = prepared_for(60)
    assert len(prepared.split.validation) == 10
    batch = held_out(prepared, 1000)
    assert len(batch.positions.unique()) == 32 and torch.equal(batch.positions[:10], prepared.split.validation)
    found = examination(new_method(prepared), prepared)()
    assert found.images == 32 and math.isfinite(found.positive_mean)
    tiny = prepared_for(5, batch_size=2)
    assert examination(new_method(tiny), tiny)().images == 5


def test_the_figures_are_those_of_one_pass_in_evaluation_mode():
    prepared = prepared_for(300)
    method = new_method(prepared).train()
    counted = Counted(method)
    before = {name: value.clone() for name, value in method.state_dict().items()}
    state = torch.get_rng_state()
    found = examination(method, prepared)()
    assert counted.calls == 1 and counted.looked_at == 64 and method.training
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(value, before[name]) for name, value in method.state_dict().items())
    assert len(method.encoder._forward_hooks) == 1  # the counter's own

    batch = held_out(prepared, 32)
    method.eval()
    with torch.no_grad():
        pair = method.views(batch, generator(prepared.settings.seed, "similarity"))
        with prepared.engine.autocast():
            za, zb = (part.float() for part in method.project(pair))
            features = method.encoder(pair.a).float()
    expected = similarity(za, zb, features, temperature=0.5, histograms=False)
    assert found.positive_mean == pytest.approx(expected.positive_mean, abs=1e-3)
    assert found.negative_variance == pytest.approx(expected.negative_variance, abs=1e-3)
    assert found.effective_rank == pytest.approx(expected.effective_rank, rel=1e-2)
    assert found.effective_negatives == pytest.approx(expected.effective_negatives, abs=1e-3)
    assert found.negatives is None and examination(method, prepared)() == found


def test_many_images_go_through_in_parts():
    prepared = prepared_for(900)
    method = new_method(prepared)
    counted = Counted(method)
    za, zb, features = projections(method, held_out(prepared, 1000), prepared)
    assert len(za) == len(zb) == len(features) == 150
    assert counted.calls == 5 and counted.looked_at == 300
    assert features.shape == (150, method.encoder.features)
    found, pictures = similarity_stage(method, prepared)
    assert found.images == 150 and sum(found.negatives.counts) == 150 * 149
    assert {name: len(shown) for name, shown in pictures.items()} == {"originals": 8, "view_a": 8, "view_b": 8}


def test_a_method_that_compares_no_views_has_no_figures(monkeypatch):
    prepared = prepared_for(60)
    method = new_method(prepared)
    monkeypatch.setattr(method, "project", lambda views: None)
    assert examination(method, prepared)() is None and similarity_stage(method, prepared) == (None, {})
    assert len(method.encoder._forward_hooks) == 0


def test_figures_that_are_not_finite_do_not_stop_a_run():
    prepared = prepared_for(60)
    method = new_method(prepared)
    with torch.no_grad():
        next(method.encoder.parameters()).fill_(math.nan)
    assert examination(method, prepared)() is None


@pytest.mark.parametrize(
    ("settings", "temperature"),
    [
        ({"method": "simclr", "method_settings": {"temperature": 0.3}}, 0.3),
        ({"method": "simclr", "variance_reduction": 1.0}, 0.5),
        ({"method": "siglip"}, None),  # a sigmoid, and the inverse of what others call so
        ({"method": "swav"}, None),  # of prototypes, not of images
        ({"method": "vicreg"}, None),
    ],
)
def test_only_the_temperature_of_a_softmax_over_images_is_known(settings, temperature):
    assert new_method(prepared_for(60, **{**settings, "encoder": "convnet"})).softmax_temperature() == temperature


def test_every_epoch_of_a_run_has_figures_in_its_metrics_and_results(toy, tmp_path):
    """Also where validation has too few images for a loss: 20 do not fill a batch of 32."""
    settings = {"encoder_settings": {"widths": (4,), "features": 16}, "plan": {"epochs": 2, "batch_size": 32}}
    result = hundredfold.pretrain(toy, out=tmp_path / "run", **settings)
    assert all(epoch.val_loss is None and epoch.similarity.images == 32 for epoch in result.training.epochs)
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    kept = [line["similarity"] for line in lines if "similarity" in line]
    assert [one["negative_mean"] for one in kept] == [e.similarity.negative_mean for e in result.training.epochs]
    written = json.loads((tmp_path / "run" / "results.json").read_text())
    assert written["training"]["epochs"][1]["similarity"]["spread"] == result.training.epochs[1].similarity.spread
    assert result.similarity.negatives is not None and result.similarity.images == 32


def test_what_is_compared_is_taken_from_disk_once(monkeypatch):
    prepared = prepared_for(120)
    method = new_method(prepared)
    looked = examination(method, prepared)
    monkeypatch.setattr(examined, "held_out", None)
    assert looked() == looked()
