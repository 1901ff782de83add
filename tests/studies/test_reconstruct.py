"""Reconstructions: every figure again with loops, and what is shown and written."""

import math

import numpy as np
import pytest
import torch

import hundredfold
from hundredfold.errors import CheckpointError, DataError, SettingsError
from hundredfold.random import generator
from hundredfold.studies.generator import load_generator


def pixels(images):
    return [[float(value) for value in image.flatten()] for image in images]


@pytest.fixture(scope="module")
def few(mosaics):
    return mosaics[0][:4]


def test_the_figures_again_with_loops(copied, few):
    found = hundredfold.reconstruct(copied("autoencoder"), few, count=4)
    before, after = pixels(found.shown[0]), pixels(found.shown[1])
    assert before == [[value / 255 for value in image] for image in pixels(few)] or np.allclose(
        before, np.array(pixels(few)) / 255
    )
    errors = [sum((x - y) ** 2 for x, y in zip(a, b)) / 64 for a, b in zip(before, after)]
    assert found.images == 4 and found.error == pytest.approx(sum(errors) / 4, rel=1e-5)
    assert found.psnr == pytest.approx(sum(-10 * math.log10(error) for error in errors) / 4, rel=1e-5)
    mean = [sum(image[place] for image in before) / 4 for place in range(64)]
    spread = sum((image[place] - mean[place]) ** 2 for image in before for place in range(64))
    assert found.explained == pytest.approx(1 - 64 * sum(errors) / spread, rel=1e-4)
    assert found.negative_elbo is found.kl is found.active_units is None and found.latent == 16
    assert len(found.sentences()) == 1 and f"{100 * found.explained:.1f} %" in found.sentences()[0]


def test_the_bound_is_that_of_the_method(pretrained, copied, few):
    found = hundredfold.reconstruct(copied("vae"), few)
    model = load_generator(pretrained("vae")).model
    images = torch.from_numpy(few).unsqueeze(1) / 255
    noise = torch.randn(4, 20, generator=generator(0, "posterior", 0))
    with torch.no_grad():
        bounds = model.negative_elbo(images, noise).tolist()
        mean, log_variance = (part.tolist() for part in model.posterior(images))
    assert found.negative_elbo == pytest.approx(sum(bounds) / 4, rel=1e-5)
    kl = [sum((m * m + math.exp(v) - v - 1) / 2 for m, v in zip(*row)) for row in zip(mean, log_variance)]
    assert found.kl == pytest.approx(sum(kl) / 4, rel=1e-4)
    columns = list(zip(*mean))
    variances = [sum((m - sum(column) / 4) ** 2 for m in column) / 4 for column in columns]
    assert found.active_units == sum(variance > 0.01 for variance in variances)
    assert "Negative ELBO" in found.sentences()[1]


def test_figures_are_over_all_images_and_blocks(copied, mosaics, monkeypatch):
    run = copied("vae")
    whole = hundredfold.reconstruct(run, mosaics[0], count=3)
    monkeypatch.setattr("hundredfold.studies.reconstruct.BLOCK", 7)
    blocks = hundredfold.reconstruct(run, mosaics[0], count=3)
    assert whole.images == 240 and whole.shown.shape == (2, 3, 1, 8, 8)
    assert blocks.error == pytest.approx(whole.error, rel=1e-5) and blocks.explained == pytest.approx(whole.explained)
    assert blocks.active_units == whole.active_units and whole.explained > 0.5


def test_without_a_source_those_held_out_and_the_report_shows_them(copied):
    run = copied("vae")
    found = hundredfold.reconstruct(run, to=run.parent / "again.npz")
    assert found.images == 40 and found.report == run / "report.html"
    assert np.load(run.parent / "again.npz")["images"].shape == (24, 1, 8, 8)
    html = found.report.read_text()
    assert "Reconstructions" in html and "40 images keep" in html and html.count("data:image/png") >= 24


def test_a_conditional_model_is_told_the_class_where_it_is_known(copied, mosaics):
    run = copied("conditional_vae")
    told, silent = hundredfold.reconstruct(run, mosaics), hundredfold.reconstruct(run, mosaics[0])
    assert told.told == 240 and silent.told == 0 and told.error < silent.error
    assert "and the class" in told.sentences()[0] and "and the class" not in silent.sentences()[0]


def test_a_single_image_and_images_that_are_all_the_same(copied):
    run = copied("autoencoder")
    alone = hundredfold.reconstruct(run, np.full((1, 8, 8), 100, dtype=np.uint8))
    same = hundredfold.reconstruct(run, np.full((5, 8, 8), 100, dtype=np.uint8))
    assert (alone.images, same.images) == (1, 5) and alone.explained == same.explained == 0.0


def test_what_cannot_be(pretrained, tmp_path):
    with pytest.raises(SettingsError, match="unknown file type"):
        hundredfold.reconstruct(tmp_path / "nowhere", to=tmp_path / "a.bmp")
    with pytest.raises(SettingsError, match="count must be >= 1"):
        hundredfold.reconstruct(pretrained("vae"), count=0)
    with pytest.raises(CheckpointError, match="holds no generative model"):
        hundredfold.reconstruct(pretrained("simclr"))
    with pytest.raises(DataError):
        hundredfold.reconstruct(pretrained("vae"), str(tmp_path / "nowhere"))
