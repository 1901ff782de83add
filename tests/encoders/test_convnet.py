import pytest
import torch
from torch import nn

from hundredfold.encoders import convnet
from hundredfold.encoders.build import encoder, rebuild
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


def norms(network):
    return [part for part in network.modules() if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d | nn.GroupNorm)]


def test_the_default_is_batch_norm_and_named_so_it_is_the_same():
    networks = []
    for config in (Config(), Config(norm="batch")):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            networks.append(convnet.build(1, (8, 8), config)[0])
    one, same = (network.state_dict() for network in networks)
    assert list(one) == list(same) and all(torch.equal(one[name], same[name]) for name in one)
    assert [type(norm) for norm in norms(networks[0])] == [nn.BatchNorm2d] * 4 + [nn.BatchNorm1d]


def test_group_norm_takes_every_place_of_batch_norm_and_the_same_weights():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        batch, _ = convnet.build(1, (8, 8), Config())
        torch.manual_seed(0)
        group, _ = convnet.build(1, (8, 8), Config(norm="group"))
    assert [type(norm) for norm in norms(group)] == [nn.GroupNorm] * 5
    assert [norm.num_channels for norm in norms(group)] == [32, 32, 64, 64, 512]
    assert all(norm.num_groups == 8 for norm in norms(group))
    assert all(torch.equal(a, b) for a, b in zip(batch.parameters(), group.parameters(), strict=True))
    assert not list(group.buffers()), "no statistics of batches"


@pytest.mark.parametrize(
    "width, groups", [(64, 8), (24, 8), (20, 5), (12, 6), (14, 7), (8, 4), (7, 1), (6, 3), (4, 2), (2, 1), (1, 1)]
)
def test_groups_divide_the_channels_and_have_two_or_more(width, groups):
    network, _ = convnet.build(1, (8, 8), Config(widths=(width,), norm="group"))
    assert [norm.num_groups for norm in norms(network)] == [groups, groups, 8]


@pytest.mark.parametrize("features, groups", [(64, 8), (48, 6), (40, 5), (17, 1), (16, 2), (8, 1)])
def test_groups_of_features_have_eight_or_more(features, groups):
    network, _ = convnet.build(1, (8, 8), Config(features=features, norm="group"))
    assert norms(network)[-1].num_groups == groups


def test_group_norm_is_equation_1_of_each_image_by_itself():
    """Wu & He: (x - mean) / sqrt(variance + 1e-5) over the channels of a group and all places, by loops."""
    network, _ = convnet.build(1, (4, 4), Config(widths=(6,), norm="group"))
    maps = torch.randn(2, 6, 2, 3, generator=torch.Generator().manual_seed(0))
    found = norms(network)[0](maps)
    for image, out in zip(maps.tolist(), found, strict=True):
        for first in (0, 2, 4):  # 3 groups of 2
            values = [x for channel in image[first : first + 2] for row in channel for x in row]
            mean = sum(values) / len(values)
            deviation = (sum((x - mean) ** 2 for x in values) / len(values) + 1e-5) ** 0.5
            wanted = [(x - mean) / deviation for x in values]
            assert out[first : first + 2].flatten().tolist() == pytest.approx(wanted, abs=1e-5)


def test_group_norm_reads_an_image_alike_whatever_is_beside_it_and_in_training():
    images = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    for norm, alike in (("group", True), ("batch", False)):
        network, _ = convnet.build(1, (8, 8), Config(norm=norm))
        together = network.train()(images)
        apart = torch.cat([network(images[:2]), network(images[2:])])
        assert torch.allclose(together, apart, atol=1e-5) == alike
        assert torch.allclose(together, network.eval()(images), atol=1e-5) == alike


def test_group_norm_trains_on_one_image_and_every_feature_has_more_than_two_values():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network, _ = convnet.build(1, (8, 8), Config(widths=(8,), features=8, norm="group"))
    images = torch.rand(64, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    before_relu = network.features[1](network.features[0](network.maps(images).flatten(1)))
    assert all(len(values.detach().mul(1000).round().unique()) > 10 for values in before_relu.T)
    network.train()(images[:1]).sum().backward()
    assert all(p.grad.isfinite().all() for p in network.parameters())


def test_the_way_back_keeps_batch_norm():
    back = convnet.mirror(16, 1, (8, 8), Config(norm="group"))
    assert norms(back) and not any(isinstance(norm, nn.GroupNorm) for norm in norms(back))


def test_a_norm_that_does_not_exist_and_too_few_features_for_a_group_are_refused():
    assert Config(norm="layer").problems() == ["norm must be batch or group, got 'layer'"]
    assert Config(norm="group", features=7).problems() == ["features must be >= 8 with norm group, got 7"]
    assert Config(norm="group", features=0).problems() == ["features must be >= 1, got 0"]
    assert not Config(norm="group", features=8).problems() and not Config(features=1).problems()


def test_the_setting_goes_through_the_description():
    made = encoder("convnet", channels=1, size=(8, 8), mean=[0.5], std=[0.3], settings={"norm": "group"}, seed=0)
    again = rebuild(made.spec)
    again.load_state_dict(made.state_dict())
    images = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(made(images), again(images))
    with pytest.raises(SettingsError, match="encoder_settings.norm must be batch or group"):
        encoder("convnet", channels=1, size=(8, 8), mean=[0.5], std=[0.3], settings={"norm": "grp"}, seed=0)
