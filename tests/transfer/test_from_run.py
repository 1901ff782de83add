"""A run's conditional model and classifier as the source's artefacts."""

import math

import pytest
import torch

import hundredfold.methods.catalogue as methods
from hundredfold.encoders.build import encoder
from hundredfold.evaluate.knn import Neighbours
from hundredfold.evaluate.probe import Linear
from hundredfold.train.engine import Engine
from hundredfold.transfer.from_run import ConditionalVAEGenerator, RunClassifier
from hundredfold.transfer.generator import one_hot, responds
from hundredfold.views.chain import Chain

CLASSES = ("a", "b", "c")
ENGINE = Engine(device=torch.device("cpu"), precision="float32")


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=rng(seed))


def small():
    settings = {"widths": [4, 6], "features": 8}
    return encoder("convnet", channels=1, size=(8, 8), mean=[0.4], std=[0.3], settings=settings, seed=0)


@pytest.fixture
def generator():
    model = methods.build("conditional_vae", small(), Chain(()), {"classes": 3, "latent": 4}, seed=0)
    return ConditionalVAEGenerator(model, CLASSES)


def test_images_of_codes_from_the_prior(generator):
    assert not generator.model.training
    assert (generator.name, generator.channels, generator.size) == ("conditional_vae", 1, (8, 8))
    condition = drawn(5, 3).softmax(1)
    images = generator.sample(condition, rng(3))
    assert images.shape == (5, 1, 8, 8) and images.min() >= 0 and images.max() <= 1 and not images.requires_grad
    codes = torch.randn(5, 4, generator=rng(3))
    torch.testing.assert_close(images, generator.model.decode(codes, condition).detach())
    assert torch.equal(images, generator.sample(condition, rng(3)))
    assert not torch.equal(images, generator.sample(condition, rng(4)))


def test_a_mixture_acts(generator):
    generator.place(ENGINE)
    soft = torch.tensor([[0.6, 0.4, 0.0]]).expand(4, 3)
    assert not torch.allclose(
        generator.sample(soft, rng()), generator.sample(one_hot(soft.argmax(1), 3), rng()), atol=1e-4
    )
    hard_response, soft_response = responds(generator, count=6)
    assert hard_response > 0 and soft_response > 0


@pytest.mark.parametrize("unit_length", [False, True])
def test_probabilities_of_a_linear_head_in_plain_numbers(unit_length):
    weight, bias, images = drawn(3, 8), drawn(3, seed=1), drawn(4, 1, 8, 8, seed=2).sigmoid()
    head = Linear(weight=weight, bias=bias, unit_length=unit_length)
    classifier = RunClassifier(small(), head, CLASSES, temperature=2.5)
    classifier.place(ENGINE)
    assert not classifier.encoder.training and (classifier.channels, classifier.size) == (1, (8, 8))
    found = classifier.probabilities(images, temperature=2.0)
    for row, features in zip(found.tolist(), classifier.features(images).tolist(), strict=True):
        length = math.sqrt(sum(x * x for x in features)) if unit_length else 1.0
        logits = [
            (sum(w * x / length for w, x in zip(weight[k].tolist(), features, strict=True)) + float(bias[k])) / 2.5
            for k in range(3)
        ]
        total = sum(math.exp(logit / 2) for logit in logits)
        assert row == pytest.approx([math.exp(logit / 2) / total for logit in logits], abs=1e-5)


def test_a_head_that_votes_gives_its_shares():
    votes = torch.tensor([[1.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0]])
    features = torch.nn.functional.normalize(drawn(4, 8), dim=1)
    head = Neighbours(features=features, votes=votes, k=2, cross_validation=0.5)
    images = drawn(3, 1, 8, 8, seed=2).sigmoid()
    classifier = RunClassifier(small(), head, CLASSES)
    shares = head.probabilities(classifier.features(images))
    torch.testing.assert_close(classifier.probabilities(images), shares, atol=1e-6, rtol=1e-5)
    assert classifier.logits(images).isfinite().all(), "a class that nobody voted for has a finite logit"
    colder = RunClassifier(small(), head, CLASSES, temperature=2.0)
    torch.testing.assert_close(colder.logits(images), classifier.logits(images) / 2)


def test_no_gradient_is_kept():
    head = Linear(weight=drawn(3, 8).requires_grad_(), bias=drawn(3), unit_length=False)
    classifier = RunClassifier(small(), head, CLASSES)
    images = drawn(2, 1, 8, 8).requires_grad_()
    assert not classifier.logits(images).requires_grad and not classifier.features(images).requires_grad
    assert classifier.features(images).shape == (2, 8)
