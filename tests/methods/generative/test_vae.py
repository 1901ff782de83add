"""What is peculiar to the VAE: the bound on log p(image), a code that is drawn, and what trades its two terms."""

import math

import pytest
import torch
from torch.distributions import Bernoulli, Independent, Normal

from hundredfold.data.digits import read_digits
from hundredfold.data.images import as_float
from hundredfold.data.loader import Loader
from hundredfold.encoders.build import encoder
from hundredfold.losses.gaussian_kl import gaussian_kl_per_dimension
from hundredfold.methods.generative._variational import LARGEST, Posterior, PosteriorHead
from hundredfold.methods.generative.vae import VAE, Config
from hundredfold.random import generator
from hundredfold.train.engine import Engine
from hundredfold.train.loop import fit
from hundredfold.train.plan import Plan
from hundredfold.types import ImageBatch, Progress
from hundredfold.views.chain import Chain
from hundredfold.views.rotation import Rotation

ENGINE = Engine(device=torch.device("cpu"), precision="float32")


def make(**settings):
    shape = {"widths": [8, 16], "features": 32}
    small = encoder("convnet", channels=1, size=(8, 8), mean=[0.3], std=[0.37], settings=shape, seed=0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return VAE(small, Chain((Rotation(degrees=90),)), Config(**{"latent": 4, **settings}))


def batch(count=6):
    pixels = torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    return ImageBatch(pixels, torch.full((count,), -1), torch.arange(count))


def train(epochs=6, **settings):
    method = make(**{"likelihood": "mse", "sigma": 0.2, "warm_up": 0.0, **settings})
    loader = Loader(images=read_digits().train, index=torch.arange(800), batch_size=50, seed=0)
    return method, fit(method, loader, Plan(epochs=epochs, batch_size=50, lr=5e-3), ENGINE)


def nats_of(method):
    """[k] mean KL of each dimension of the code on images that were not trained on."""
    with torch.no_grad():
        posterior = method.posterior(as_float(read_digits().train.take(torch.arange(800, 1200))))
    return gaussian_kl_per_dimension(*posterior).mean(0)


def test_training_images_are_not_augmented_unless_asked_for():
    stored = batch()
    assert torch.equal(make().views(stored, generator(0, "v")).images, stored.images)
    assert not torch.equal(make(augment=True).views(stored, generator(0, "v")).images, stored.images)


@pytest.mark.parametrize(("likelihood", "sigma"), [("bernoulli", 0.1), ("mse", 0.1), ("mse", 1.0)])
def test_the_bound_is_that_of_torch_distributions(likelihood, sigma):
    method = make(likelihood=likelihood, sigma=sigma).eval()
    pixels = batch().images.round()  # black and white, of which torch's Bernoulli knows
    epsilon = torch.randn(6, 4, generator=torch.Generator().manual_seed(2))
    posterior = method.posterior(pixels)
    q = Independent(Normal(posterior.mean, (posterior.log_variance / 2).exp()), 1)
    prior = Independent(Normal(torch.zeros(4), torch.ones(4)), 1)
    outputs = method.decoder(posterior.mean + (posterior.log_variance / 2).exp() * epsilon)
    p = Bernoulli(logits=outputs) if likelihood == "bernoulli" else Normal(outputs, sigma)
    wanted = torch.distributions.kl_divergence(q, prior) - Independent(p, 3).log_prob(pixels)
    torch.testing.assert_close(method.negative_elbo(pixels, epsilon), wanted, rtol=1e-4, atol=1e-3)


def test_the_loss_is_the_mean_bound_and_both_terms_are_logged():
    method = make(warm_up=0.0)
    views = method.views(batch(), generator(0, "v"))
    step = method(views)
    torch.testing.assert_close(step.loss, method.negative_elbo(*views).mean())
    torch.testing.assert_close(step.logs["negative_elbo"], step.loss.detach())
    torch.testing.assert_close(step.logs["reconstruction"] + step.logs["kl"], step.loss.detach())
    method = make(warm_up=0.0, beta=4.0)
    step = method(views)
    torch.testing.assert_close(step.loss.detach(), step.logs["reconstruction"] + 4 * step.logs["kl"])
    torch.testing.assert_close(step.logs["negative_elbo"], step.logs["reconstruction"] + step.logs["kl"])


def test_free_bits_are_free():
    method = make(warm_up=0.0, free_bits=50.0)
    views = method.views(batch(), generator(0, "v"))
    step = method(views)
    torch.testing.assert_close(step.loss.detach(), step.logs["reconstruction"] + 4 * 50.0)
    assert step.logs["kl"] < 4 * 50.0


def test_the_weight_of_the_kl_rises_linearly_and_is_part_of_the_state():
    method = make(beta=2.0, warm_up=0.5)
    weights = [method.bound.weight.item()]
    for step in range(1, 9):
        method.after_step(Progress(step, 8))
        weights.append(method.bound.weight.item())
    assert weights == [0.0, 0.5, 1.0, 1.5, 2.0, 2.0, 2.0, 2.0, 2.0]
    assert "bound.weight" in method.state_dict()
    at_once = make(beta=2.0, warm_up=0.0)
    assert at_once.bound.weight.item() == 2.0
    at_once.after_step(Progress(1, 8))
    assert at_once.bound.weight.item() == 2.0


def test_a_draw_has_the_mean_and_spread_of_its_posterior():
    posterior = Posterior(torch.tensor([[1.0, -2.0]]), torch.tensor([[0.0, -2.0]]))
    draws = posterior.draw(torch.randn(50_000, 2, generator=torch.Generator().manual_seed(0)))
    torch.testing.assert_close(draws.mean(0), posterior.mean[0], atol=0.02, rtol=0)
    torch.testing.assert_close(draws.std(0), (posterior.log_variance[0] / 2).exp(), atol=0.02, rtol=0)


def test_no_feature_makes_the_variance_overflow_or_stop_learning():
    head = PosteriorHead(2, 3)
    features = torch.tensor([[1e4, -1e4], [15.0, 15.0]], requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        posterior = head(features)
    assert posterior.log_variance.dtype == posterior.mean.dtype == torch.float32
    assert bool((posterior.log_variance.abs() <= LARGEST).all())
    posterior.log_variance[1].sum().backward()
    assert bool((features.grad[1] != 0).any())


def test_samples_are_images_that_depend_on_the_generator_alone():
    method = make().eval()
    one, same, other = (method.sample(5, generator(0, "s", seed)) for seed in (1, 1, 2))
    assert one.shape == (5, 1, 8, 8) and bool(((one >= 0) & (one <= 1)).all())
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert torch.equal(one, method.decode(torch.randn(5, 4, generator=generator(0, "s", 1))))


def test_it_comes_below_the_best_cost_of_one_normal_image_for_all():
    method, _ = train(epochs=8)
    pixels = read_digits().train
    shown, known = as_float(pixels.take(torch.arange(800, 1200))), as_float(pixels.take(torch.arange(800)))
    epsilon = torch.randn(400, 4, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        bound = method.negative_elbo(shown, epsilon).mean().item()
    alone = -Normal(known.mean(0), 0.2).log_prob(shown).sum((1, 2, 3)).mean().item()
    assert bound < alone - 5


def test_beta_trades_what_codes_tell_against_what_they_cost():
    kl = {beta: train(beta=beta)[1].epochs[-1].logs["kl"] for beta in (0.1, 1.0, 100.0)}
    assert kl[0.1] > 1.3 * kl[1.0] and kl[100.0] < 0.3 < 1 < kl[1.0]  # the last is posterior collapse


def test_free_bits_undo_a_posterior_collapse():
    taken = {nats: nats_of(train(beta=100.0, free_bits=nats)[0]) for nats in (0.0, 1.0)}  # [k] each
    assert taken[0.0].sum() < 0.1 < 1 < taken[1.0].sum()
    assert taken[1.0].max() < 1.2  # no more than is free


def test_settings():
    assert Config().problems() == [] and make().levels(10) == (None, None)
    bad = {"latent": 0, "likelihood": "x", "sigma": 0, "beta": -1, "warm_up": 2, "free_bits": math.nan}
    assert [problem.split()[0] for problem in Config(**bad).problems()] == list(bad)
