"""What is peculiar to the conditional VAE: what it is told, that it listens, and what it does when told nothing."""

import pytest
import torch
from torch.distributions import Bernoulli, Independent, Normal, kl_divergence

from hundredfold.data.digits import read_digits
from hundredfold.data.images import as_float
from hundredfold.data.loader import Loader
from hundredfold.encoders.build import decoder, encoder
from hundredfold.methods.generative.conditional_vae import ConditionalDecoder, ConditionalVAE, Config, price
from hundredfold.random import generator
from hundredfold.train.engine import Engine
from hundredfold.train.loop import fit
from hundredfold.train.plan import Plan
from hundredfold.types import ImageBatch, Progress
from hundredfold.views.chain import Chain


def small(size=(8, 8)):
    shape = {"widths": [16, 32], "features": 64}
    return encoder("convnet", channels=1, size=size, mean=[0.3], std=[0.37], settings=shape, seed=0)


def make(size=(8, 8), **settings):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return ConditionalVAE(small(size), Chain(()), Config(**{"latent": 4, "classes": 3, **settings}))


def batch(labels=(0, 1, 2, -1, 2, 0)):
    pixels = torch.rand(len(labels), 1, 8, 8, generator=torch.Generator().manual_seed(1))
    return ImageBatch(pixels, torch.tensor(labels), torch.arange(len(labels)))


def test_a_class_is_one_hot_and_an_unknown_one_is_zeros():
    wanted = [[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0], [0, 0, 1], [1, 0, 0]]
    assert make().condition(batch().labels).tolist() == wanted
    assert make(unknown=0.0).views(batch(), generator(0, "v")).conditions.tolist() == wanted
    assert make(unknown=1.0).views(batch(), generator(0, "v")).conditions.abs().sum() == 0


def test_a_share_of_the_labels_is_hidden():
    conditions = make(unknown=0.2).views(batch([1] * 2000), generator(0, "v")).conditions
    assert conditions[:, 1].mean().item() == pytest.approx(0.8, abs=0.03)


def test_without_classes_labels_are_not_looked_at():
    method = make(classes=0)
    assert method.conditions == 1
    assert method.condition(torch.tensor([0, 5, -1])).tolist() == [[0.0]] * 3
    assert method.sample(torch.zeros(2, 1), generator(0, "s")).shape == (2, 1, 8, 8)


def test_a_label_beyond_the_classes_is_said():
    with pytest.raises(ValueError, match="below 3, the number of classes, got 3"):
        make().condition(torch.tensor([0, 3]))


def test_the_bound_is_that_of_torch_distributions():
    method = make(beta=1.0, warm_up=0.0)
    views = method.views(batch(), generator(0, "v"))
    pixels = views.images.round()
    mean, log_variance = method.posterior(pixels, views.conditions)
    q = Normal(mean, (log_variance / 2).exp())
    outputs = method.decoder(mean + q.stddev * views.epsilon, views.conditions)
    p = Independent(Bernoulli(logits=outputs), 3)
    wanted = kl_divergence(Independent(q, 1), Independent(Normal(torch.zeros(4), torch.ones(4)), 1)) - p.log_prob(
        pixels
    )
    found = method.negative_elbo(pixels, views.epsilon, views.conditions)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(method(views._replace(images=pixels)).loss, wanted.mean(), rtol=1e-4, atol=1e-3)


def test_both_halves_are_told():
    method = make().eval()
    pixels, conditions = batch().images, method.condition(torch.tensor([0, 1, 2, 0, 1, 2]))
    assert not torch.allclose(method.encode(pixels, conditions), method.encode(pixels))
    codes = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    assert not torch.allclose(method.decode(codes, conditions), method.decode(codes))
    torch.testing.assert_close(method.encode(pixels), method.encode(pixels, torch.zeros(6, 3)))
    torch.testing.assert_close(
        method.reconstruct(pixels, conditions), method.decode(method.encode(pixels, conditions), conditions)
    )


def test_every_block_of_the_decoder_is_told_by_itself():
    plain = decoder(small((9, 14)), inputs=4 + 3).eval()
    told = ConditionalDecoder(plain, 3)
    codes, conditions = torch.randn(2, 4), torch.eye(3)[:2]
    assert len(told.told) == len(plain.blocks) == 2 and told(codes, conditions).shape == (2, 1, 9, 14)
    with torch.no_grad():
        plain.linear[0].weight[:, 4:] = 0  # deaf at its start
        for bias in told.told:
            bias.weight.zero_()
        torch.testing.assert_close(told(codes, conditions), plain(torch.cat([codes, conditions], dim=1)))
        for bias in told.told:
            bias.weight.normal_(generator=torch.Generator().manual_seed(0))
            assert not torch.allclose(told(codes, conditions), told(codes, 0 * conditions))
            bias.weight.zero_()


def test_a_mixture_of_classes_is_neither_of_them():
    method = make().eval()
    soft = torch.tensor([[0.6, 0.4, 0.0]]).expand(4, 3)
    hard = torch.eye(3)[soft.argmax(1)]
    mixed, pure = (method.sample(conditions, generator(0, "s")) for conditions in (soft, hard))
    assert mixed.shape == (4, 1, 8, 8) and bool(((mixed >= 0) & (mixed <= 1)).all())
    assert not torch.allclose(mixed, pure, atol=1e-3)
    assert torch.equal(mixed, method.sample(soft, generator(0, "s")))


def test_the_price_of_a_code_follows_from_the_size_of_the_images():
    assert make().bound.config.beta == 1.0 and make(beta=3.0).bound.config.beta == 3.0
    large = ConditionalVAE(small((28, 28)), Chain(()), Config(classes=3))
    assert large.bound.config.beta == price(28 * 28) == 4.0 and large.config.beta == 0.0


def test_the_weight_of_the_kl_rises():
    method = make(warm_up=1.0, beta=2.0)
    method.after_step(Progress(1, 4))
    assert method.bound.weight.item() == 0.5 and "bound.weight" in method.state_dict()


def test_what_it_draws_is_of_the_class_asked_for():
    digits = read_digits().train
    method = make(classes=10, likelihood="mse", sigma=0.2)
    loader = Loader(images=digits, index=torch.arange(1400), batch_size=50, seed=0)
    engine = Engine(device=torch.device("cpu"), precision="float32")
    fit(method, loader, Plan(epochs=10, batch_size=50, lr=5e-3), engine)
    asked = torch.arange(10).repeat_interleave(20)
    with torch.no_grad():
        drawn = method.sample(torch.eye(10)[asked], generator(0, "s"))
    real = as_float(digits.take(torch.arange(len(digits)))).flatten(1)
    nearest = digits.labels[torch.cdist(drawn.flatten(1), real).argmin(1)]
    assert (nearest == asked).float().mean().item() > 0.8  # a tenth by chance
    with torch.no_grad():  # not one image a class: codes decide the rest
        assert drawn.view(10, 20, 64).std(1).mean().item() > 0.02


def test_learns_from_labels_and_settings():
    assert ConditionalVAE.learns_from_labels and make().levels(10) == (None, None)
    assert Config().problems() == []
    assert [problem.split()[0] for problem in Config(latent=0, classes=-1, unknown=1.5).problems()] == [
        "latent",
        "classes",
        "unknown",
    ]
