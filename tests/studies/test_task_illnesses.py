"""Illnesses of tasks made on purpose, by real trainings of seconds, and every method at its defaults found healthy."""

import math
import pathlib

import numpy as np
import pytest
import torch

import hundredfold
from hundredfold.data.digits import read_digits
from hundredfold.evaluate import diagnosis
from hundredfold.evaluate.health import diagnose
from hundredfold.studies.prepare import prepare
from hundredfold.studies.pretraining import loaders, new_method
from hundredfold.studies.run_settings import gather
from hundredfold.studies.task import task_stage
from hundredfold.train.loop import fit

CONVNET = {"encoder": "convnet", "encoder_settings": {"widths": [16, 32], "features": 64}}
SMALL = {"encoder": "convnet", "encoder_settings": {"widths": [8, 16], "features": 32}}
TASKS = [info for info in hundredfold.methods.names() if info.family != "contrastive"]
EPOCHS = {"vae": 64, "conditional_vae": 16, "masked_patch": 24, "mae": 150}  # of 9 steps; those not named learn faster


@pytest.fixture(scope="module")
def digits():
    images = read_digits().train
    first = torch.arange(720)
    return images.take(first).numpy(), images.labels[first].numpy()


def trained(source, **settings):
    """What the loop and held-out images say of a short training."""
    prepared = prepare(source, gather(None, (), {"batch_size": 64, **settings}), needs_labels=False)
    method = new_method(prepared)
    train, validation = loaders(prepared)
    result = fit(method, train, prepared.settings.plan, prepared.engine, validation=validation)
    return result, task_stage(method, prepared)


def sentence_of(illness, result, task):
    """The sentence of that illness; others may be found beside it."""
    sentences = {found.illness: found.sentence for found in diagnose(None, result, task)}
    assert illness in sentences and diagnosis.HEALTHY not in sentences, sentences
    return sentences[illness]


@pytest.mark.parametrize(
    "info", [pytest.param(info, id=info.name, marks=[pytest.mark.slow] * (info.name == "mae")) for info in TASKS]
)
def test_every_task_at_its_defaults_is_healthy(digits, info):
    network = {} if info.encoder else CONVNET
    result, task = trained(digits, method=info.name, epochs=EPOCHS.get(info.name, 8), **network)
    (only,) = diagnose(None, result, task)
    assert only.illness == diagnosis.HEALTHY, (only, task)
    assert f"the features use {task.effective_rank:.0f} of {task.dimensions} dimensions" in only.sentence
    assert task.images == 120 and result.epochs[-1].loss < result.epochs[0].loss
    if task.accuracy is not None:
        assert task.accuracy > 2 * task.chance or task.accuracy > 0.7


def test_posterior_collapse_by_too_much_weight_on_the_divergence(mosaics):
    settings = {"method": "vae", "epochs": 6, "batch_size": 32, "lr": 0.01, **SMALL}
    result, task = trained(mosaics, **settings, method_settings={"beta": 100.0})
    sentence = sentence_of(diagnosis.POSTERIOR_COLLAPSE, result, task)
    assert task.active_units == 0 and "0 of 20 dimensions" in sentence and "Lower beta" in sentence
    result, task = trained(mosaics, **{**settings, "epochs": 12})
    assert task.active_units > 2 and [found.illness for found in diagnose(None, result, task)] == [diagnosis.HEALTHY]


@pytest.mark.parametrize("method", ["autoencoder", "denoising_autoencoder"])
def test_constant_reconstructions_by_a_learning_rate_that_is_far_too_small(mosaics, method):
    result, task = trained(mosaics, method=method, epochs=1, lr=1e-6, batch_size=32, **SMALL)
    sentence = sentence_of(diagnosis.CONSTANT, result, task)
    assert task.constant < 0.01 and task.explained < 0 and "Nearly the same image comes back" in sentence


def test_nothing_of_what_is_missing_is_predicted(mosaics):
    result, task = trained(mosaics, method="masked_patch", epochs=1, lr=1e-6, batch_size=32, **SMALL)
    assert "no better than by the mean image" in sentence_of(diagnosis.NOT_LEARNING, result, task)
    assert task.explained < 0.02


def test_a_task_that_is_not_learnt(digits):
    result, task = trained(digits, method="rotation", epochs=2, lr=2e-6, **CONVNET)
    assert "chance is 1.39" in sentence_of(diagnosis.NOT_LEARNING, result, task)
    assert task.accuracy < 0.5 and task.chance == pytest.approx(math.exp(-math.log(4)))


def test_nothing_is_pretrained(digits):
    result, task = trained(digits, method="rotation", epochs=0, **CONVNET)
    assert "0 steps" in sentence_of(diagnosis.NOT_LEARNING, result, task)


def textures(marked):
    """360 images of noise, whose contrast is the class: a turn changes nothing, but for a bright corner."""
    rng, labels = np.random.default_rng(3), np.arange(360) % 3
    light = 110 + rng.uniform(-40, 40, (360, 1, 1))
    images = light + rng.normal(size=(360, 12, 12)) * np.array([12, 24, 48])[labels][:, None, None]
    if marked:
        images[:, :4, :4] = 255
    return images.clip(0, 255).astype(np.uint8), labels


@pytest.fixture(scope="module")
def shortcut(tmp_path_factory):
    """shortcut(marked): a run of rotation on textures, with few labels."""

    def of(marked):
        return hundredfold.run(
            textures(marked),
            out=tmp_path_factory.mktemp("shortcut") / "run",
            method="rotation",
            epochs=8,
            lr=0.01,
            batch_size=32,
            labels=60,
            label_counts=(60,),
            draws=3,
            models=("linear_probe", "random_encoder"),
            **SMALL,
        )

    return of


def test_a_task_that_a_bright_corner_solves(shortcut):
    found = shortcut(marked=True)
    assert found.task.accuracy > 0.98 and diagnosis.SHORTCUT in found.illnesses
    probe, random = (found.summary[name]["60"].mean for name in ("linear_probe", "random_encoder"))
    (said,) = (sentence for sentence in found.verdict if "solved by a shortcut" in sentence)
    assert probe < random and f"{100 * probe:.1f} %" in said and "one bright corner" in said
    assert "solved by a shortcut" in (pathlib.Path(found.folder) / "report.html").read_text()


def test_without_the_corner_there_is_nothing_to_answer(shortcut):
    found = shortcut(marked=False)
    assert found.task.accuracy < 0.6 and diagnosis.SHORTCUT not in found.illnesses
    assert diagnosis.NOT_LEARNING in found.illnesses
