"""How a task went on held-out images: figures again from the method, and no label but for who learns from them."""

import math

import numpy as np
import pytest
import torch

from hundredfold.data.images import as_float
from hundredfold.random import generator
from hundredfold.studies.examination import COMPARED, held_out
from hundredfold.studies.prepare import prepare
from hundredfold.studies.pretraining import loaders, new_method
from hundredfold.studies.run_settings import gather
from hundredfold.studies.task import task_stage
from hundredfold.train.loop import fit


@pytest.fixture(scope="module")
def made(mosaics):
    """made("rotation", source=..., epochs=...): a trained method and what it was prepared with."""

    def of(method, source=None, epochs=2, **settings):
        keywords = {
            "method": method,
            "epochs": epochs,
            "batch_size": 16,
            "lr": 0.01,
            "encoder": "convnet",
            "encoder_settings": {"widths": [4], "features": 16},
        }
        prepared = prepare(
            mosaics if source is None else source, gather(None, (), {**keywords, **settings}), needs_labels=False
        )
        method = new_method(prepared)
        train, _ = loaders(prepared)
        fit(method, train, prepared.settings.plan, prepared.engine)
        return method.eval(), prepared

    return of


def images_of(prepared):
    return as_float(held_out(prepared, COMPARED).images)


def share_of_variance(images, others):
    mean = images.double().mean(0)
    return float((others.double() - images.double()).square().sum() / (images.double() - mean).square().sum())


def test_answers_are_counted_over_all_held_out_images(made):
    method, prepared = made("rotation")
    found = task_stage(method, prepared)
    rng, right, asked = generator(0, "task"), 0, 0
    batch = held_out(prepared, COMPARED)
    for rows in torch.arange(40).split(32):  # at least 32 at a time
        views = method.views(type(batch)(*(part[rows] for part in batch)), rng)
        with torch.no_grad():
            answers, truth = method.answer(views)
        right, asked = right + int((answers == truth).sum()), asked + len(truth)
    assert found.accuracy == pytest.approx(right / asked) and asked == 40 == found.images
    assert found.chance == pytest.approx(1 / 4)
    assert found.explained is found.constant is found.latent is found.active_units is found.kl is None
    assert found.dimensions == 16 and 1 <= found.effective_rank <= 16


@pytest.mark.parametrize(("method", "answers"), [("flip", 2), ("jigsaw", 24)])
def test_chance_is_that_of_guessing(made, method, answers):
    found = task_stage(*made(method, epochs=1))
    assert found.chance == pytest.approx(1 / answers) and 0 <= found.accuracy <= 1


@pytest.mark.parametrize("method", ["inpainting", "masked_patch"])
def test_a_missing_part_is_explained_or_not(made, method):
    method, prepared = made(method)
    found = task_stage(method, prepared)
    assert found.explained is not None and found.explained <= 1 and found.accuracy is found.chance is None
    assert found.constant is None


def test_reconstructions_are_compared_with_the_images(made):
    method, prepared = made("autoencoder")
    found, images = task_stage(method, prepared), images_of(prepared)
    with torch.no_grad():
        again = method.reconstruct(images)
    assert found.explained == pytest.approx(1 - share_of_variance(images, again), rel=1e-4)
    assert found.constant == pytest.approx(share_of_variance(images, images + again - again.mean(0)), rel=1e-4)
    assert found.latent == 16 and found.accuracy is found.active_units is found.kl is found.negative_elbo is None


def test_the_code_of_a_vae(made):
    method, prepared = made("vae")
    found, images = task_stage(method, prepared), images_of(prepared)
    noise = torch.randn(40, 20, generator=generator(0, "posterior"))
    with torch.no_grad():
        mean, log_variance = (part.double() for part in method.posterior(images))
        bound = method.negative_elbo(images, noise)
    kl = sum(
        (m * m + math.exp(v) - v - 1) / 2 for m, v in zip(mean.flatten().tolist(), log_variance.flatten().tolist())
    )
    assert found.kl == pytest.approx(kl / 40, rel=1e-4) and found.negative_elbo == pytest.approx(float(bound.mean()))
    assert found.active_units == sum(float(column.var(correction=0)) > 0.01 for column in mean.T)
    assert found.latent == 20


def test_a_conditional_model_is_judged_by_what_it_was_trained_for(made, mosaics):
    method, prepared = made("conditional_vae", epochs=8)
    told = task_stage(method, prepared)
    labels = prepared.images.labels[held_out(prepared, COMPARED).positions]
    images = images_of(prepared)
    with torch.no_grad():
        again, blind = method.reconstruct(images, method.condition(labels)), method.reconstruct(images)
    assert told.explained == pytest.approx(1 - share_of_variance(images, again), rel=1e-4)
    assert told.explained > 0.1 + 1 - share_of_variance(images, blind)
    silent = task_stage(*made("conditional_vae", source=mosaics[0]))
    assert silent.explained is not None and silent.latent == 8


def test_other_methods_never_see_a_label(made, mosaics):
    other = np.roll(mosaics[1], 1)
    for method in ("vae", "rotation"):
        assert task_stage(*made(method)) == task_stage(*made(method, source=(mosaics[0], other)))


def test_it_comes_out_the_same_again(made):
    method, prepared = made("rotation")
    assert task_stage(method, prepared) == task_stage(method, prepared)
