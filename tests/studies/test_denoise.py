"""Noise taken off: what is measured, again with loops; the filters beside it; and what cannot be."""

import math

import numpy as np
import pytest
import torch
from scipy import ndimage

import hundredfold
from hundredfold.errors import CheckpointError, DataError, SettingsError
from hundredfold.random import generator
from hundredfold.studies import denoise as study


def ratio(clean, other):
    """PSNR in dB, mean over images."""
    found = []
    for a, b in zip(clean, other):
        errors = [(float(x) - float(y)) ** 2 for x, y in zip(a.flatten(), b.flatten())]
        found.append(-10 * math.log10(sum(errors) / len(errors)))
    return sum(found) / len(found)


@pytest.fixture(scope="module")
def few(mosaics):
    return mosaics[0][:8]


def test_the_figures_again_with_loops(copied, few):
    found = hundredfold.denoise(copied("denoising_autoencoder"), few, noise=0.3, seed=5)
    clean, noisy, after = found.shown
    assert found.shown.shape == (3, 8, 1, 8, 8) and torch.equal(clean[:, 0], torch.from_numpy(few) / 255)
    drawn = torch.randn(8, 1, 8, 8, generator=generator(5, "noise", -1))
    torch.testing.assert_close(noisy, (clean + 0.3 * drawn).clamp(0, 1))
    assert found.psnr == pytest.approx(ratio(clean, after), rel=1e-5)
    assert found.filters.noisy == pytest.approx(ratio(clean, noisy), rel=1e-5)
    assert found.filters.images == 8 and found.noise == 0.3


def test_the_filters_are_those_of_scipy(copied, few):
    found = hundredfold.denoise(copied("denoising_autoencoder"), few, noise=0.3)
    clean, noisy, _ = found.shown.numpy()
    for one in found.filters.tried:
        filtered = [
            ndimage.gaussian_filter(image[0], one.strength)
            if one.kind == "gaussian"
            else ndimage.median_filter(image[0], int(one.strength))
            for image in noisy
        ]
        assert one.psnr == pytest.approx(ratio(clean, np.clip(filtered, 0, 1)), rel=1e-4), one
    assert found.filters.best.psnr == max(one.psnr for one in found.filters.tried)
    (sentence,) = found.sentences()
    assert f"{found.psnr - found.filters.best.psnr:+.1f} against the best filter" in sentence


def test_a_model_that_was_trained_for_it_beats_the_filters(copied):
    run = copied("denoising_autoencoder")
    found = hundredfold.denoise(run, noise=0.5)
    assert found.psnr > found.filters.best.psnr + 1 and len(found.images) == 40
    html = found.report.read_text()
    assert "Noise taken off" in html and "median filter" in html and f"{found.psnr:.1f}" in html


def test_noise_follows_from_the_seed(copied, few):
    run = copied("denoising_autoencoder")
    first, same, other = (hundredfold.denoise(run, few, noise=0.3, seed=seed).images for seed in (1, 1, 2))
    assert torch.equal(first, same) and not torch.equal(first, other)


def test_images_as_they_are(copied, few):
    run = copied("denoising_autoencoder")
    found = hundredfold.denoise(run, few, to=run.parent / "clean.npz")
    assert found.psnr is None and found.filters is None and found.shown.shape == (2, 8, 1, 8, 8)
    assert np.load(run.parent / "clean.npz")["images"].shape == (8, 1, 8, 8)
    assert "as they are" in found.report.read_text() and "8 images went through" in found.sentences()[0]
    torch.testing.assert_close(found.images, found.shown[1])


def test_all_images_are_cleaned_in_input_order(copied, mosaics, monkeypatch):
    run = copied("autoencoder")
    monkeypatch.setattr("hundredfold.studies.run_images.BLOCK", 7)
    monkeypatch.setattr(study, "MEASURED", 5)
    found = hundredfold.denoise(run, mosaics[0][:20], noise=0.1)
    backwards = hundredfold.denoise(run, mosaics[0][:20][::-1].copy())
    assert len(found.images) == 20 and found.filters.images == 5
    torch.testing.assert_close(backwards.images.flip(0), hundredfold.denoise(run, mosaics[0][:20]).images)


@pytest.mark.parametrize("noise", [-0.1, math.nan, math.inf])
def test_a_noise_that_cannot_be(tmp_path, noise):
    with pytest.raises(SettingsError, match="noise is a standard deviation"):
        hundredfold.denoise(tmp_path, noise=noise)


def test_what_cannot_be(pretrained, tmp_path):
    with pytest.raises(SettingsError, match="unknown file type"):
        hundredfold.denoise(tmp_path, to=tmp_path / "a.bmp")
    with pytest.raises(CheckpointError, match="holds no generative model"):
        hundredfold.denoise(pretrained("simclr"))
    with pytest.raises(DataError):
        hundredfold.denoise(pretrained("vae"), str(tmp_path / "nowhere"))
