"""What is peculiar to the Vision Transformer: patches in order, fixed positions, any subset of its tokens."""

import math

import pytest
import torch
from safetensors.torch import load, save
from torch import nn

from hundredfold.encoders import build as encoders
from hundredfold.encoders import vit
from hundredfold.encoders.vit import Block, Config, patch_for, patches_of, place_waves, sine_cosine_positions
from hundredfold.errors import SettingsError

SMALL = {"width": 16, "depth": 2, "heads": 2}


def make(channels=1, size=(8, 8), **settings):
    config = {"mean": [0.4] * channels, "std": [0.3] * channels, "settings": {**SMALL, **settings}, "seed": 0}
    return encoders.encoder("vit", channels=channels, size=size, **config)


def images(count=3, channels=1, size=(8, 8)):
    return torch.rand(count, channels, *size, generator=torch.Generator().manual_seed(1))


def test_positions_are_those_of_the_paper():
    """Sines and cosines of the row, then of the column, with floats."""
    table = sine_cosine_positions((2, 3), 8).tolist()
    for row in range(2):
        for column in range(3):
            expected = []
            for place in (row, column):
                angles = [place / 10 ** (k / 2) for k in range(2)]
                expected += [math.sin(angle) for angle in angles] + [math.cos(angle) for angle in angles]
            assert table[3 * row + column] == pytest.approx(expected, abs=1e-6)


def test_every_patch_has_a_position_of_its_own():
    positions = sine_cosine_positions((7, 9), 32)
    assert torch.cdist(positions, positions).fill_diagonal_(1).min() > 0.1


def test_attention_is_that_of_torch():
    """Softmax of scaled products, heads side by side: against torch's own module with the same weights."""
    block = Block(12, 3, 2).double()
    other = nn.MultiheadAttention(12, 3, batch_first=True).double()
    other.load_state_dict(
        {
            "in_proj_weight": block.asked.weight,
            "in_proj_bias": block.asked.bias,
            "out_proj.weight": block.heard.weight,
            "out_proj.bias": block.heard.bias,
        }
    )
    tokens = torch.randn(2, 5, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    inner = tokens + other(*[block.attention_norm(tokens)] * 3, need_weights=False)[0]
    torch.testing.assert_close(block(tokens), inner + block.hidden(block.hidden_norm(inner)))


def test_tokens_are_patches_row_by_row():
    network = make(channels=2, size=(8, 12), patch=4).network
    whole = images(channels=2, size=(8, 12))
    tokens = network.tokens(whole)
    assert tokens.shape == (3, 6, 16) and network.grid == (2, 3)
    filters, offset = network.embed.weight.flatten(1), network.embed.bias
    for place in range(6):
        row, column = divmod(place, 3)
        patch = whole[:, :, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4].flatten(1)
        torch.testing.assert_close(tokens[:, place], patch @ filters.T + offset + network.positions[place])


def test_features_are_a_mean_over_all_tokens_on_their_waves():
    encoder = make()
    normal = (images() - 0.4) / 0.3
    tokens = encoder.network.forward_tokens(encoder.network.tokens(normal))
    torch.testing.assert_close(encoder(images()), (tokens * encoder.network.waves).mean(1))
    torch.testing.assert_close(tokens.mean(2), torch.zeros(3, 16), atol=1e-5, rtol=0)  # behind a LayerNorm


@pytest.mark.parametrize("grid", [(2, 2), (3, 5), (4, 4)])
def test_the_waves_keep_what_is_where(grid):
    """Those of one turn are orthogonal, the first is constant, and the next turn is the same again."""
    count = grid[0] * grid[1]
    waves = place_waves(grid, 2 * count).double()
    torch.testing.assert_close(
        waves[:, :count].T @ waves[:, :count] / count, torch.eye(count).double(), atol=1e-4, rtol=0
    )
    assert torch.equal(waves[:, 0], torch.ones(count).double()) and torch.equal(waves[:, :count], waves[:, count:])


def test_a_wave_by_hand():
    waves = place_waves((2, 3), 6)
    for place in range(6):
        for feature in range(6):
            (row, column), (u, v) = divmod(place, 3), divmod(feature, 3)
            angle = 2 * math.pi * (u * row / 2 + v * column / 3)
            assert waves[place, feature].item() == pytest.approx(math.cos(angle) + math.sin(angle), abs=1e-5)


def test_any_tokens_may_be_left_out_and_their_order_does_not_matter():
    network = make().network
    tokens = network.tokens(images())
    some = torch.tensor([5, 2, 11])
    after = network.forward_tokens(tokens[:, some])
    assert after.shape == (3, 3, 16)
    torch.testing.assert_close(network.forward_tokens(tokens[:, some.flip(0)]).flip(1), after)


def test_where_a_patch_lies_matters():
    left, right = torch.zeros(2, 1, 1, 8, 8)
    left[..., 2:4, 0:2] = right[..., 2:4, 6:8] = 1
    encoder = make()
    assert not torch.allclose(encoder(left), encoder(right), atol=1e-3)


@pytest.mark.parametrize(
    "size, patch",
    [((28, 28), 7), ((32, 32), 8), ((8, 8), 2), ((224, 224), 16), ((30, 45), 5), ((6, 4), 2), ((4, 4), 2)],
)
def test_a_patch_is_chosen_for_the_size(size, patch):
    assert patch_for(0, size) == patch
    network = make(size=size, channels=3).network
    assert network.patch == patch and network.grid == (size[0] // patch, size[1] // patch)


def test_patches_that_divide():
    assert patches_of((28, 28)) == (2, 4, 7, 14)
    assert patches_of((28, 14)) == (2, 7)
    assert patches_of((29, 29)) == patches_of((29, 31)) == patches_of((2, 2)) == ()


def test_a_patch_that_does_not_divide_is_refused_with_those_that_do():
    with pytest.raises(
        SettingsError, match="patches of 5x5 do not divide images of 28x28; these do: 2, 4, 7, 14"
    ) as no:
        make(size=(28, 28), patch=5)
    assert no.value.fix == "set patch to 2 or 4 or 7 or 14, or to 0 to have it chosen"
    with pytest.raises(SettingsError, match="14x14"):
        make(size=(14, 14), patch=14)  # a single patch has none to look at


@pytest.mark.parametrize("patch", [0, 4])
def test_images_that_nothing_divides_are_refused(patch):
    with pytest.raises(SettingsError, match="no patch divides images of 29x31"):
        make(size=(29, 31), patch=patch)


def test_another_size_is_refused_with_both():
    with pytest.raises(ValueError, match=r"\(8, 8\), got \(8, 10\)"):
        make().network(torch.rand(2, 1, 8, 10))


def test_every_problem_is_named():
    problems = Config(patch=1, width=10, depth=0, heads=0, hidden=0).problems()
    assert [problem.split()[0] for problem in problems] == ["patch", "depth", "heads", "hidden", "width"]
    assert Config().problems() == []
    assert len(Config(width=128, heads=3).problems()) == len(Config(patch=-4).problems()) == 1


def test_works_channels_last_and_in_bfloat16():
    encoder = make(channels=3, size=(8, 12))
    batch = images(channels=3, size=(8, 12))
    expected = encoder(batch)
    laid_out = encoder.to(memory_format=torch.channels_last)
    torch.testing.assert_close(laid_out(batch.contiguous(memory_format=torch.channels_last)), expected)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(laid_out(batch).float(), expected, atol=0.1, rtol=0.1)


def test_state_goes_through_a_file_and_holds_weights_alone():
    one, other = make(), make(size=(8, 8))
    with torch.no_grad():
        for parameter in one.parameters():
            parameter.add_(0.1)
    assert set(one.state_dict()) == {name for name, _ in one.named_parameters()}
    other.load_state_dict(load(save(one.state_dict())))
    assert torch.equal(one(images()), other(images()))


def test_gradient_reaches_every_weight():
    encoder = make()
    encoder(images()).square().sum().backward()
    assert all(bool((p.grad != 0).any()) for name, p in encoder.named_parameters() if p.dim() > 1)


@pytest.mark.parametrize("channels, size", [(1, (28, 28)), (3, (32, 48)), (1, (8, 8)), (2, (45, 30)), (1, (4, 6))])
def test_mirror_gives_images_of_the_size(channels, size):
    network = encoders.decoder(make(channels=channels, size=size), inputs=5)
    assert network(torch.randn(2, 5)).shape == (2, channels, *size)
    assert hasattr(vit, "mirror") and "vit" in encoders.mirrored()
