"""BigGAN-deep: its parts in plain numbers, weights as they are published, conditions, and what is refused."""

import dataclasses
import json
import math

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from hundredfold.errors import CheckpointError, SettingsError
from hundredfold.train.engine import Engine
from hundredfold.transfer.biggan import (
    Attention,
    BigGAN,
    BigGANConfig,
    Block,
    ConditionalNorm,
    FixedNorm,
    plain_weights,
    read_biggan,
)
from hundredfold.transfer.generator import one_hot, responds

CONFIG = BigGANConfig(
    output_dim=16,
    z_dim=4,
    class_embed_dim=6,
    channel_width=4,
    num_classes=3,
    layers=((False, 16, 16), (True, 16, 8), (True, 8, 1)),
    attention_layer_position=1,
    n_stats=5,
)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=rng(seed))


def model(seed=0):
    """Weights large enough that every part is heard."""
    made, draws = BigGAN(CONFIG).eval(), rng(seed)
    for weight in made.parameters():
        nn.init.normal_(weight, std=0.3, generator=draws)
    return made


def published(made):
    """The weights with the vectors of spectral norms and statistics at five truncations, as others keep them."""
    state = {}
    for name, value in made.state_dict().items():
        if name.endswith(("running_means", "running_vars")):
            value = value + torch.arange(5.0)[:, None]
        if name.startswith("generator.") and name.endswith(".weight") and value.dim() > 1:
            left, _, right = torch.linalg.svd(value.flatten(1), full_matrices=False)
            stem = name.removesuffix("weight")
            state |= {f"{stem}weight_orig": 7 * value, f"{stem}weight_u": left[:, 0].contiguous()}
            state[f"{stem}weight_v"] = right[0].contiguous()
        else:
            state[name] = value
    return state


def folder(path, state=None, **changed):
    path.mkdir(exist_ok=True)
    (path / "config.json").write_text(json.dumps({**dataclasses.asdict(CONFIG), **changed}))
    save_file(model().state_dict() if state is None else state, path / "model.safetensors")
    return path


def test_a_mixture_acts_and_the_noise_follows_from_the_state(tmp_path):
    generator = read_biggan(folder(tmp_path))
    generator.place(Engine(device=torch.device("cpu"), precision="float32"))
    assert (generator.classes, generator.channels, generator.size) == (("0", "1", "2"), 3, (16, 16))
    soft = torch.tensor([[0.6, 0.4, 0.0]]).expand(2, 3)
    images = generator.sample(soft, rng(1))
    assert images.shape == (2, 3, 16, 16) and images.min() >= 0 and images.max() <= 1 and not images.requires_grad
    assert torch.equal(images, generator.sample(soft, rng(1)))
    assert not torch.equal(images, generator.sample(soft, rng(2)))
    assert not torch.allclose(images, generator.sample(one_hot(soft.argmax(1), 3), rng(1)), atol=1e-4)
    hard_response, soft_response = responds(generator, count=6)
    assert hard_response > 0.001 and soft_response > 0.001


def test_a_mixture_of_classes_is_the_mixture_of_their_embeddings():
    made, noise = model(), drawn(1, 4)
    shares = [0.2, 0.5, 0.3]
    rows = made.embeddings.weight.T  # [k, e]
    mixed = sum(share * rows[k] for k, share in enumerate(shares))[None]
    with torch.no_grad():
        expected = made.generator(torch.cat([noise, mixed], dim=1))
        torch.testing.assert_close(made(noise, torch.tensor([shares])), expected)


def test_noise_is_cut_at_two_and_scaled(tmp_path, monkeypatch):
    seen = []

    def look(_, given):
        seen.append(given[0])

    for truncation in (1.0, 0.25):
        generator = read_biggan(folder(tmp_path), truncation=truncation)
        generator.model.register_forward_pre_hook(look)
        generator.sample(one_hot(torch.zeros(500, dtype=torch.int64), 3), rng(3))
    assert 1.9 < float(seen[0].abs().max()) <= 2
    # The deviation of a standard normal between -2 and 2: 1 - 2 * 2 * density(2) / share within.
    density, share = math.exp(-2) / math.sqrt(2 * math.pi), math.erf(math.sqrt(2))
    assert float(seen[0].std()) == pytest.approx(math.sqrt(1 - 4 * density / share), abs=0.03)
    torch.testing.assert_close(seen[1], seen[0] * 0.25)


def test_published_weights_are_divided_by_their_norm_and_statistics_interpolated():
    made = model()
    plain = plain_weights(published(made), truncation=0.625)
    assert plain.keys() == made.state_dict().keys()
    for name, value in made.state_dict().items():
        if name.endswith(("running_means", "running_vars")):
            expected = value + 2.5  # half way between the third and the fourth of five
        elif name.startswith("generator.") and name.endswith(".weight") and value.dim() > 1:
            expected = value / torch.linalg.svdvals(value.flatten(1))[0]
        else:
            expected = value
        torch.testing.assert_close(plain[name], expected, atol=1e-5, rtol=1e-5)
    assert torch.equal(
        plain_weights(published(made), truncation=1.0)["generator.bn.running_means"],
        made.state_dict()["generator.bn.running_means"] + 4,
    )


def test_a_folder_of_published_weights(tmp_path):
    generator = read_biggan(folder(tmp_path, published(model())), truncation=0.5)
    assert generator.model.generator.layers[0].bn_0.running_means.unique().tolist() == [2]
    assert generator.sample(torch.eye(3), rng()).std() > 0


def test_fixed_norms_in_plain_numbers():
    conditional, fixed = ConditionalNorm(2, 3, 0.1), FixedNorm(2, 0.1)
    for norm in (conditional.requires_grad_(False), fixed.requires_grad_(False)):
        norm.running_means.copy_(torch.tensor([0.5, -1.0]))
        norm.running_vars.copy_(torch.tensor([2.0, 0.3]))
    fixed.weight.data, fixed.bias.data = torch.tensor([1.5, -2.0]), torch.tensor([0.2, 0.1])
    maps, told = drawn(2, 2, 1, 2), drawn(2, 3, seed=1)
    found, plain = conditional(maps, told), fixed(maps)
    for b in range(2):
        for c in range(2):
            scale = 1 + sum(float(conditional.scale.weight[c, t]) * float(told[b, t]) for t in range(3))
            shift = sum(float(conditional.offset.weight[c, t]) * float(told[b, t]) for t in range(3))
            for w in range(2):
                normal = (float(maps[b, c, 0, w]) - (0.5, -1.0)[c]) / math.sqrt((2.0, 0.3)[c] + 0.1)
                assert float(found[b, c, 0, w]) == pytest.approx(normal * scale + shift, abs=1e-5)
                assert float(plain[b, c, 0, w]) == pytest.approx(normal * (1.5, -2)[c] + (0.2, 0.1)[c], abs=1e-5)


def test_the_skip_drops_channels_and_doubles_the_size():
    block = Block(True, 8, 2, 3, 1e-4)
    nn.init.zeros_(block.conv_3.weight)
    nn.init.zeros_(block.conv_3.bias)
    maps = drawn(1, 8, 2, 2)
    with torch.no_grad():
        found = block(maps, drawn(1, 3))
    assert found.shape == (1, 2, 4, 4)
    for c in range(2):
        for y in range(4):
            for x in range(4):
                assert found[0, c, y, x] == maps[0, c, y // 2, x // 2]


def test_attention_in_plain_numbers():
    attention = Attention(8).requires_grad_(False)
    attention.gamma.data.fill_(0.7)
    maps = drawn(1, 8, 2, 4)

    def seen(layer, c, y, x):
        return sum(float(layer.weight[c, d, 0, 0]) * float(maps[0, d, y, x]) for d in range(8))

    def largest(layer, c, place):  # of the four places that are pooled into one
        return max(seen(layer, c, y, 2 * place + x) for y in range(2) for x in range(2))

    theta, phi, g = attention.snconv1x1_theta, attention.snconv1x1_phi, attention.snconv1x1_g
    found = attention(maps, drawn(1, 3))
    for y, x in ((0, 0), (1, 3)):
        scores = [math.exp(seen(theta, 0, y, x) * largest(phi, 0, place)) for place in range(2)]
        mixed = [sum(s * largest(g, c, p) for p, s in enumerate(scores)) / sum(scores) for c in range(4)]
        for d in range(8):
            out = sum(float(attention.snconv1x1_o_conv.weight[d, c, 0, 0]) * mixed[c] for c in range(4))
            assert float(found[0, d, y, x]) == pytest.approx(float(maps[0, d, y, x]) + 0.7 * out, abs=1e-5)


def test_named_classes(tmp_path):
    (folder(tmp_path) / "classes.json").write_text('["cat", "dog"]')
    generator = read_biggan(tmp_path)
    everything = read_biggan(folder(tmp_path / "unnamed"))
    assert generator.classes == ("cat", "dog")
    images = generator.sample(torch.tensor([[0.5, 0.5]]), rng())
    assert torch.equal(images, everything.sample(torch.tensor([[0.5, 0.5, 0.0]]), rng()))


@pytest.mark.parametrize(
    "changed, problem",
    [
        ({"output_dim": 128}, "lead to 16 pixels a side, output_dim says 128"),
        ({"layers": [[True, 16, 8], [True, 4, 1]]}, "from where the last ended"),
        ({"layers": []}, "must lead from 16 channel widths to 1"),
        ({"z_dim": 0, "n_stats": 1}, "z_dim must be >= 1, got 0; n_stats must be >= 2"),
        ({"channel_width": "wide"}, "channel_width"),
    ],
)
def test_descriptions_that_cannot_be_built(tmp_path, changed, problem):
    with pytest.raises(CheckpointError, match="describes no BigGAN") as refused:
        read_biggan(folder(tmp_path, **changed))
    assert problem in refused.value.why


def test_weights_that_do_not_fit(tmp_path):
    state = published(model())
    with pytest.raises(CheckpointError, match="do not fit"):
        read_biggan(folder(tmp_path, {name: v for name, v in state.items() if name != "generator.gen_z.weight_u"}))
    with pytest.raises(CheckpointError, match="do not fit"):
        read_biggan(folder(tmp_path, {name: v for name, v in state.items() if name != "embeddings.weight"}))
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(CheckpointError, match="do not fit"):
        read_biggan(tmp_path)


@pytest.mark.parametrize("truncation", [0.0, 1.01, -0.5])
def test_truncations_out_of_range(tmp_path, truncation):
    with pytest.raises(SettingsError, match="truncation"):
        read_biggan(tmp_path, truncation=truncation)
