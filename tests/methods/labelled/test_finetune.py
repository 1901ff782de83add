"""Supervised training: cross entropy of the labels, with every weight of the network moving."""

import math

import pytest
import torch

from hundredfold.encoders.build import encoder
from hundredfold.methods.labelled.finetune import Config, Finetune
from hundredfold.random import generator
from hundredfold.types import ImageBatch
from hundredfold.views.chain import Chain
from hundredfold.views.rotation import Rotation


def make(chain=Chain(()), **settings):  # noqa: B008
    small = encoder(
        "convnet", channels=1, size=(8, 8), mean=[0.5], std=[0.25], settings={"widths": [4], "features": 16}, seed=0
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Finetune(small, 3, chain, Config(**settings))


def batch():
    images = torch.randint(0, 256, (6, 1, 8, 8), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    return ImageBatch(images, torch.tensor([0, 1, 2, 0, 1, 2]), torch.arange(6))


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_the_loss_is_the_cross_entropy_of_the_labels(smoothing):
    method = make(label_smoothing=smoothing)
    views = method.views(batch(), generator(0, "v"))
    assert torch.equal(views.images, batch().images / 255)
    step = method(views)
    rows = method.logits(views.images).tolist()
    total, right = 0.0, 0
    for row, label in zip(rows, batch().labels.tolist(), strict=True):
        logs = [value - math.log(sum(math.exp(other) for other in row)) for value in row]
        target = [smoothing / 3 + (1 - smoothing) * (k == label) for k in range(3)]
        total -= sum(t * log for t, log in zip(target, logs, strict=True))
        right += row.index(max(row)) == label
    assert step.loss.item() == pytest.approx(total / 6, rel=1e-5)
    assert float(step.logs["accuracy"]) == pytest.approx(right / 6)


def test_the_gradient_reaches_everything():
    method = make()
    method(method.views(batch(), generator(0, "v"))).loss.backward()
    assert all(parameter.grad is not None for parameter in method.parameters())


def test_views_and_dropout_are_where_they_were_asked_for():
    turned = make(Chain((Rotation(degrees=45),))).views(batch(), generator(0, "v"))
    assert not torch.equal(turned.images, batch().images / 255)
    method, images = make(dropout=0.5), batch().images / 255
    method.encoder.eval()
    method.head.dropout.train()
    assert not torch.equal(method.logits(images), method.logits(images))
    method.eval()
    assert torch.equal(method.logits(images), method.logits(images))
