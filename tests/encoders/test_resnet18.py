import pytest
import torch
from torch import nn

from hundredfold.encoders import resnet18
from hundredfold.encoders.resnet18 import Block, Config


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    "size, classes, parameters",
    [((32, 32), 10, 11_173_962), ((224, 224), 1000, 11_689_512)],  # the counts everybody's ResNet-18 has
)
def test_parameters(size, classes, parameters):
    network, features = resnet18.build(3, size, Config())
    assert count(network) + count(nn.Linear(features, classes)) == parameters


@pytest.mark.parametrize(
    "channels, size, stem, map_size",
    [
        (1, (28, 28), "auto", (4, 4)),
        (3, (64, 80), "auto", (8, 10)),
        (3, (65, 65), "auto", (3, 3)),
        (3, (32, 32), "large", (1, 1)),
        (2, (96, 65), "small", (12, 9)),
        (1, (1, 1), "auto", (1, 1)),
    ],
)
def test_shapes(channels, size, stem, map_size):
    network, features = resnet18.build(channels, size, Config(stem=stem))
    network.eval()
    images = torch.rand(2, channels, *size)
    assert network(images).shape == (2, features)
    assert network[:-2](images).shape == (2, 512, *map_size)


def test_blocks_begin_as_the_identity():
    network, _ = resnet18.build(1, (8, 8), Config(zero_last=True))
    block = network[1][0]
    assert isinstance(block, Block)
    positive = torch.rand(2, 64, 8, 8)
    assert torch.equal(block(positive), positive)
    other, _ = resnet18.build(1, (8, 8), Config(zero_last=False))
    assert not torch.equal(other[1][0](positive), positive)


def test_start_keeps_the_variance_of_the_gradients():
    network, _ = resnet18.build(1, (8, 8), Config())
    weight = network[4][1].last.weight
    assert weight.std().item() == pytest.approx((2 / (512 * 9)) ** 0.5, rel=0.01)
