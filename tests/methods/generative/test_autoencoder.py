"""What is peculiar to the autoencoder: a short code, images that come back through it, the share that it explains."""

import math

import pytest
import torch

from hundredfold.data.digits import read_digits
from hundredfold.data.images import as_float
from hundredfold.data.loader import Loader
from hundredfold.encoders.build import encoder
from hundredfold.methods.generative._generative import explained
from hundredfold.methods.generative.autoencoder import Autoencoder, Config, pixel_loss
from hundredfold.random import generator
from hundredfold.train.engine import Engine
from hundredfold.train.loop import fit
from hundredfold.train.plan import Plan
from hundredfold.types import ImageBatch
from hundredfold.views.chain import Chain
from hundredfold.views.rotation import Rotation

ENGINE = Engine(device=torch.device("cpu"), precision="float32")


def make(channels=1, size=(8, 8), **settings):
    small = encoder(
        "convnet",
        channels=channels,
        size=size,
        mean=[0.3] * channels,
        std=[0.3] * channels,
        settings={"widths": [8, 16], "features": 32},
        seed=0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Autoencoder(small, Chain((Rotation(degrees=90),)), Config(**{"latent": 5, **settings}))


def images(channels=1, size=(8, 8), count=10):
    return torch.rand(count, channels, *size, generator=torch.Generator().manual_seed(1))


def batch(pixels):
    return ImageBatch(pixels, torch.full((len(pixels),), -1), torch.arange(len(pixels)))


@pytest.mark.parametrize("likelihood", ["mse", "bernoulli"])
@pytest.mark.parametrize(("channels", "size"), [(1, (8, 8)), (3, (9, 14)), (2, (7, 4))])
def test_images_of_any_shape_come_back_in_their_shape_and_range(channels, size, likelihood):
    method = make(channels, size, likelihood=likelihood).eval()
    given = images(channels, size)
    codes = method.encode(given)
    back = method.reconstruct(given)
    assert codes.shape == (10, 5) and back.shape == given.shape and back.dtype == torch.float32
    assert torch.equal(back, method.decode(codes)) and bool(((back >= 0) & (back <= 1)).all())


def test_the_loss_is_that_of_what_comes_back():
    method = make()
    views = method.views(batch(images()), generator(0, "v"))
    outputs = method.decoder(method.encode(views.images))
    pairs = list(zip(outputs.flatten().tolist(), views.images.flatten().tolist(), strict=True))
    assert method(views).loss.item() == pytest.approx(sum((y - x) ** 2 for y, x in pairs) / len(pairs), rel=1e-5)
    coins = sum(-x * math.log(1 / (1 + math.exp(-y))) - (1 - x) * math.log(1 / (1 + math.exp(y))) for y, x in pairs)
    assert pixel_loss(outputs, views.images, "bernoulli").item() == pytest.approx(coins / len(pairs), rel=1e-5)


def test_explained_is_a_share_of_the_variance():
    given = images()
    assert explained(given, given).item() == 1
    assert explained(given.mean(0).expand_as(given), given).item() == pytest.approx(0, abs=1e-6)
    assert explained(1 - given, given).item() < 0
    assert bool(explained(given[:1], given[:1]).isfinite())  # one image has no variance
    mean = given.mean(0)
    missed = sum(x**2 for x in (given[1:] - mean).flatten().tolist())
    spread = sum(x**2 for x in (given - mean).flatten().tolist())
    first_only = torch.cat([given[:1], mean.expand(9, 1, 8, 8)])
    assert explained(first_only, given).item() == pytest.approx(1 - missed / spread, rel=1e-4)


def test_without_augmentation_it_learns_from_the_images_as_they_are():
    stored = (255 * images()).round().to(torch.uint8)
    plain = make(augment=False).views(batch(stored), generator(0, "v")).images
    assert torch.equal(plain, as_float(stored))
    assert not torch.equal(make(augment=True).views(batch(stored), generator(0, "v")).images, plain)


def test_a_longer_code_says_more():
    digits = read_digits().train
    loader = Loader(images=digits, index=torch.arange(600), batch_size=50, seed=0)
    shares = {}
    for latent in (1, 16):
        method = make(latent=latent, augment=False)
        fit(method, loader, Plan(epochs=12, batch_size=50, lr=1e-2), ENGINE)
        with torch.no_grad():
            seen = as_float(digits.take(torch.arange(600, 800)))
            shares[latent] = explained(method.reconstruct(seen), seen).item()
    assert 0.05 < shares[1] < shares[16] - 0.05


def test_levels_and_settings():
    assert make().levels(10) == (None, 0.0) and make(likelihood="bernoulli").levels(10) == (None, None)
    assert Config().problems() == []
    problems = Config(latent=0, likelihood="laplace").problems()
    assert [problem.split()[0] for problem in problems] == ["latent", "likelihood"]
