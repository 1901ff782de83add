"""What is peculiar to the denoising autoencoder: a spoilt image in, the clean one as the target."""

import pytest
import torch
from torch.nn import functional

from hundredfold.data.digits import read_digits
from hundredfold.data.images import as_float
from hundredfold.data.loader import Loader
from hundredfold.encoders.build import encoder
from hundredfold.methods.generative.denoising_autoencoder import Config, DenoisingAutoencoder
from hundredfold.random import generator
from hundredfold.train.engine import Engine
from hundredfold.train.loop import fit
from hundredfold.train.plan import Plan
from hundredfold.types import ImageBatch
from hundredfold.views.chain import Chain
from hundredfold.views.rotation import Rotation

ENGINE = Engine(device=torch.device("cpu"), precision="float32")


def make(widths=(8, 16), features=32, **settings):
    shape = {"widths": list(widths), "features": features}
    small = encoder("convnet", channels=1, size=(8, 8), mean=[0.3], std=[0.37], settings=shape, seed=0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        chain = Chain((Rotation(degrees=90),))
        return DenoisingAutoencoder(small, chain, Config(**{"latent": 16, **settings}))


def grey(level=0.5, count=200):
    return torch.full((count, 1, 8, 8), level)


def batch(pixels):
    return ImageBatch(pixels, torch.full((len(pixels),), -1), torch.arange(len(pixels)))


def test_gaussian_noise_has_the_standard_deviation_asked_for_and_is_cut():
    spoilt = make(noise=0.05, varied=False).corrupt(grey(), generator(0, "n"))
    assert (spoilt - 0.5).std().item() == pytest.approx(0.05, rel=0.03) and abs(spoilt.mean() - 0.5) < 0.002
    spoilt = make(noise=2.0, varied=False).corrupt(grey(), generator(0, "n"))
    assert spoilt.min() == 0 and spoilt.max() == 1


def test_masking_sets_the_share_asked_for_to_zero_and_leaves_the_rest():
    spoilt = make(corruption="masking", noise=0.3, varied=False).corrupt(grey(0.7), generator(0, "n"))
    assert spoilt.unique().tolist() == pytest.approx([0.0, 0.7])
    assert (spoilt == 0).float().mean().item() == pytest.approx(0.3, abs=0.02)


@pytest.mark.parametrize("corruption", ["gaussian", "masking"])
def test_varied_noise_differs_from_image_to_image_up_to_the_largest(corruption):
    spoilt = make(corruption=corruption, noise=0.2, varied=True).corrupt(grey(), generator(0, "n"))
    change = (spoilt - 0.5).square().mean((1, 2, 3))  # [b], noise^2 or noise / 4
    strength = change.sqrt() if corruption == "gaussian" else 4 * change
    assert strength.min() < 0.02 and 0.15 < strength.max() < 0.35
    assert strength.mean().item() == pytest.approx(0.1, abs=0.015)


def test_the_target_is_the_clean_image():
    method = make(augment=False)
    stored = (255 * torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(3))).to(torch.uint8)
    views = method.views(batch(stored), generator(0, "v"))
    assert torch.equal(views.clean, as_float(stored)) and not torch.equal(views.noisy, views.clean)
    wanted = functional.mse_loss(method.decoder(method.code(method.encoder(views.noisy))), views.clean)
    torch.testing.assert_close(method(views).loss, wanted)


def test_it_cleans_better_than_leaving_alone_and_than_any_gaussian_filter():
    digits = read_digits().train
    method = make(widths=(16, 32), features=64, noise=0.5, latent=32)
    loader = Loader(images=digits, index=torch.arange(1200), batch_size=100, seed=0)
    fit(method, loader, Plan(epochs=25, batch_size=50, lr=5e-3), ENGINE)
    clean = as_float(digits.take(torch.arange(1200, 1400)))
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    noisy = (clean + 0.5 * noise).clamp(0, 1)
    with torch.no_grad():
        cleaned = method.denoise(noisy)
        error = functional.mse_loss(cleaned, clean).item()
        assert torch.equal(cleaned, method.reconstruct(noisy))
        assert functional.mse_loss(method.reconstruct(clean), clean).item() < error
    filtered = min(functional.mse_loss(blurred(noisy, sigma / 10), clean).item() for sigma in range(3, 20))
    assert error < 0.6 * filtered < 0.6 * functional.mse_loss(noisy, clean).item()


def blurred(pixels, sigma):
    """A Gaussian filter of 7 x 7."""
    line = torch.exp(-torch.arange(-3, 4).square() / (2 * sigma**2))
    kernel = torch.outer(line, line)
    return functional.conv2d(functional.pad(pixels, [3] * 4, mode="reflect"), (kernel / kernel.sum())[None, None])


def test_levels_and_settings():
    assert make().levels(10) == (None, 0.0)
    assert Config().problems() == [] and Config(noise=2.0).problems() == []
    problems = Config(latent=0, corruption="salt", noise=0).problems()
    assert [problem.split()[0] for problem in problems] == ["latent", "corruption", "noise"]
    assert len(Config(corruption="masking", noise=1.1).problems()) == 1
