import pytest
import torch
from torch import nn

from hundredfold.encoders import convnet
from hundredfold.encoders.convnet import Config
from hundredfold.errors import SettingsError


def test_layers_have_the_parameters_of_the_report():
    network, features = convnet.build(1, (28, 28), Config())
    whole = nn.Sequential(network, nn.Linear(features, 10))
    layers = [sum(p.numel() for p in layer.parameters(recurse=False)) for layer in whole.modules()]
    assert [count for count in layers if count] == [320, 64, 9248, 64, 18496, 128, 36928, 128, 1606144, 1024, 5130]
    assert sum(p.numel() for p in whole.parameters()) == 1_677_674


@pytest.mark.parametrize("channels, size", [(1, (28, 28)), (3, (32, 32)), (1, (4, 4)), (5, (9, 22)), (1, (8, 8))])
def test_takes_the_size_of_the_data(channels, size):
    network, features = convnet.build(channels, size, Config(features=16))
    assert network(torch.rand(2, channels, *size)).shape == (2, features)


def test_another_size_is_refused_with_both():
    network, _ = convnet.build(1, (8, 8), Config())
    with pytest.raises(ValueError, match=r"\(8, 8\), got \(8, 9\)"):
        network(torch.rand(2, 1, 8, 9))


def test_images_too_small_to_halve():
    with pytest.raises(SettingsError, match="3x9 are too small") as caught:
        convnet.build(1, (3, 9), Config())
    assert caught.value.fix == "use at most 1 widths"


def test_dropout_acts_in_training_only():
    network, _ = convnet.build(1, (8, 8), Config(dropout=0.5, block_dropout=0.5))
    images = torch.rand(4, 1, 8, 8)
    assert (network(images) == 0).float().mean() > 0.6  # ReLU alone zeroes half
    network.eval()
    assert torch.equal(network(images), network(images))


def test_every_problem_is_named():
    problems = Config(widths=(), features=0, block_dropout=1.0, dropout=-0.1).problems()
    assert [problem.split()[0] for problem in problems] == ["widths", "features", "block_dropout", "dropout"]
