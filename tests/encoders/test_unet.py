"""What is peculiar to the U-Net: two halves of one network, images in -1..1, sides that do not halve evenly."""

import sys

import pytest
import torch
from diffusers import UNet2DModel

from hundredfold.encoders import build as encoders
from hundredfold.encoders.unet import Config, ContractingPath, ExpandingPath, padded
from hundredfold.errors import SettingsError

SMALL = {"widths": [4, 8], "groups": 2}


def make(channels=1, size=(8, 8), **settings):
    config = {"mean": [0.4] * channels, "std": [0.3] * channels, "settings": {**SMALL, **settings}, "seed": 0}
    return encoders.encoder("unet", channels=channels, size=size, **config)


def images(count=3, channels=1, size=(8, 8)):
    return torch.rand(count, channels, *size, generator=torch.Generator().manual_seed(1))


def seeded(make):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make()


@pytest.mark.parametrize("settings", [{}, {"attention": False}, {"blocks": 2}, {"widths": (4, 4, 8)}, {"widths": (6,)}])
def test_the_two_halves_are_the_whole_network(settings):
    """Against the library's own forward pass, with the same weights."""
    config = Config(**{"widths": (4, 8), "groups": 2, **settings})
    down, up = seeded(lambda: ContractingPath(3, config)), seeded(lambda: ExpandingPath(3, config))
    whole = seeded(
        lambda: UNet2DModel(
            in_channels=3,
            out_channels=3,
            block_out_channels=config.widths,
            down_block_types=("DownBlock2D",) * len(config.widths),
            up_block_types=("UpBlock2D",) * len(config.widths),
            layers_per_block=config.blocks,
            norm_num_groups=2,
            add_attention=config.attention,
            attention_head_dim=None,
            class_embed_type="identity",
        )
    )
    noisy, steps, told = images(4, 3), torch.tensor([0, 20, 500, 999]), torch.randn(4, down.embedding)
    together = down.tell(steps) + told
    middle, left = down.contract(noisy, together)
    torch.testing.assert_close(up(middle, left, together), whole(noisy, steps, class_labels=told).sample)
    count = sum(weight.numel() for half in (down, up) for weight in half.parameters())
    assert count == sum(weight.numel() for weight in whole.parameters()), "a weight is in both halves, or in none"


def test_images_reach_it_from_minus_one_to_one_whatever_the_data():
    encoder = make()
    assert encoder.spec.mean == encoder.spec.std == (0.5,)
    assert encoder.normalise(torch.tensor([0.0, 0.5, 1.0]).view(1, 1, 1, 3)).flatten().tolist() == [-1, 0, 1]
    assert encoders.rebuild(encoder.spec).spec == encoder.spec


def test_features_are_the_mean_of_the_middle_block_at_the_time_step_that_is_set():
    one, other = make().eval(), make(step=900).eval()
    maps = one.maps(images())
    assert maps.shape == (3, 8, 4, 4) and one.features == 8
    torch.testing.assert_close(one(images()), maps.mean((2, 3)))
    down = one.network
    by_hand, _ = down.contract(one.normalise(images()), down.tell(torch.tensor([20, 20, 20])))
    torch.testing.assert_close(maps, by_hand)
    assert not torch.allclose(one(images()), other(images()), atol=1e-4)


def test_sides_that_cannot_be_halved_are_made_longer_by_their_edge():
    config = Config(widths=(4, 8, 8), groups=2)
    wide = images(2, 1, (9, 14))
    longer = padded(wide, config)
    assert longer.shape == (2, 1, 12, 16) and torch.equal(longer[:, :, :9, :14], wide)
    for row in range(9, 12):
        assert torch.equal(longer[:, :, row, :14], wide[:, :, 8])
    for column in range(14, 16):
        assert torch.equal(longer[:, :, :9, column], wide[:, :, :, 13])
    even = images(2, 1, (8, 12))
    assert padded(even, config) is even
    assert make(size=(1, 1), widths=[4, 8, 8])(images(2, 1, (1, 1))).shape == (2, 8)


@pytest.mark.parametrize("attention", [True, False])
def test_places_look_at_each_other_only_with_attention(attention):
    names = [name for name, _ in make(attention=attention).named_parameters() if "attentions" in name]
    assert bool(names) == attention and all("middle" in name for name in names)


def test_all_settings_that_cannot_be_are_told():
    with pytest.raises(SettingsError) as caught:
        make(widths=[4, 7], blocks=0, step=1000)
    told = " | ".join(caught.value.problems)
    assert len(caught.value.problems) == 3
    assert "multiples of groups (2), got [4, 7]" in told and "blocks must be >= 1" in told and "0..999" in told
    for widths in ([], [0, 4]):
        with pytest.raises(SettingsError, match="widths must be one or more"):
            make(widths=widths)
    with pytest.raises(SettingsError, match="2 settings"):
        make(groups=0, blocks=-1)


def test_without_the_library_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(SettingsError, match="unet needs the diffusers library") as refused:
        make()
    assert refused.value.fix == "pip install 'hundredfold[diffusion]'"
    assert "unet" in encoders.names(), "the module can be looked at without it"
