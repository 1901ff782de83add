import dataclasses
import subprocess
import sys

import pytest
import torch

from hundredfold.encoders import build
from hundredfold.encoders._base import Encoder
from hundredfold.errors import SettingsError
from hundredfold.records import from_json, to_json


def make(name="convnet", *, seed=0, channels=1, size=(8, 8), **settings) -> Encoder:
    mean, std = [0.25] * channels, [0.5] * channels
    return build.encoder(name, channels=channels, size=size, mean=mean, std=std, settings=settings, seed=seed)


def same(one: Encoder, other: Encoder) -> bool:
    first, second = one.state_dict(), other.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_names_are_the_files_that_build():
    assert {"convnet", "resnet18"} <= set(build.names())
    assert not {"build", "heads", "folder", "huggingface", "_base"} & set(build.names())


@pytest.mark.parametrize("name", build.names())
def test_every_encoder(name):
    encoder = make(name, channels=3, size=(9, 12))
    assert encoder.training
    images = torch.rand(4, 3, 9, 12)
    features = encoder(images)
    assert features.shape == (4, encoder.features)
    features.square().sum().backward()
    assert all(parameter.grad is not None for parameter in encoder.parameters())
    spec = from_json(type(encoder.spec), to_json(encoder.spec))
    assert spec == encoder.spec, "the description changes on its way through JSON"
    again = build.rebuild(spec)
    again.load_state_dict(encoder.state_dict())
    assert torch.equal(again.eval()(images), encoder.eval()(images))


@pytest.mark.parametrize("name", build.names())
def test_weights_follow_from_the_seed_alone(name):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one = make(name, seed=3)
    assert torch.equal(torch.get_rng_state(), before), "the global random state moved"
    torch.manual_seed(2)
    assert same(one, make(name, seed=3))
    assert not same(one, make(name, seed=4))
    assert same(one, build.rebuild(one.spec, seed=3))


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_can_be_trained_wherever_it_was_made(context):
    with context():
        encoder = make()
    encoder(torch.rand(2, 1, 8, 8)).sum().backward()
    assert all(parameter.grad is not None for parameter in encoder.parameters())


def test_normalises_with_the_given_mean_and_std():
    encoder = build.encoder("convnet", channels=2, size=(4, 4), mean=[0.1, 0.5], std=[0.2, 0.0], seed=0).eval()
    images = torch.rand(3, 2, 4, 4)
    by_hand = torch.stack([(images[:, 0] - 0.1) / 0.2, images[:, 1] - 0.5], 1)  # a constant channel is not scaled
    torch.testing.assert_close(encoder(images), encoder.network(by_hand))


def test_other_channels_are_refused_with_both_shapes():
    with pytest.raises(ValueError, match=r"\[b, 1, 8, 8\], got \(2, 3, 8, 8\)"):
        make()(torch.rand(2, 3, 8, 8))
    with pytest.raises(ValueError, match=r"got \(1, 8, 8\)"):
        make()(torch.rand(1, 8, 8))


def test_unknown_names_suggest_the_nearest():
    with pytest.raises(SettingsError, match="did you mean 'convnet'"):
        make("convent")
    with pytest.raises(SettingsError, match="hf:NAME"):
        make("_base")


def test_all_unusable_settings_are_reported_together():
    with pytest.raises(SettingsError) as caught:
        make(feature=64, features="many", widths=[3, "x"])
    text = " | ".join(caught.value.problems)
    assert len(caught.value.problems) == 3
    assert "did you mean 'encoder_settings.features'" in text
    assert "encoder_settings.features: input should be a valid integer" in text
    assert "widths.1" in text
    with pytest.raises(SettingsError) as caught:
        make(dropout=2, nonsense=1)
    assert len(caught.value.problems) == 2


def test_unusable_images_are_reported_together():
    with pytest.raises(SettingsError) as caught:
        build.encoder("convnet", channels=2, size=(8, 8), mean=[0.5], std=[float("nan"), -1], seed=0)
    assert len(caught.value.problems) == 3
    with pytest.raises(SettingsError, match="at least one channel and pixel"):
        build.encoder("convnet", channels=0, size=(8, 8), mean=[], std=[], seed=0)


def test_settings_may_come_as_text():
    assert make(features="64", widths=["8", "16"]).spec.settings["widths"] == [8, 16]


def test_spec_is_a_value():
    spec = make().spec
    assert dataclasses.replace(spec) == spec


def test_looking_for_encoders_imports_no_extra():
    extras = "{'transformers', 'diffusers'} & {*sys.modules}"
    code = f"import sys; from hundredfold.encoders import build; build.names(); assert not {extras}"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", build.names())
def test_maps_are_what_the_features_are_gathered_from(name):
    one = build.encoder(name, channels=1, size=(16, 16), mean=[0.4], std=[0.3], seed=0).eval()
    images = torch.rand(3, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    maps = one.maps(images)
    assert maps.dim() == 4 and len(maps) == 3 and maps.shape[2:] != (1, 1)
    moved = images.clone()
    moved[..., :4, :4] = 1 - moved[..., :4, :4]
    assert not torch.allclose(one.maps(moved)[..., 0, 0], maps[..., 0, 0])


def test_an_encoder_that_says_nothing_of_its_maps_has_none():
    one = build.encoder("convnet", channels=1, size=(16, 16), mean=[0.4], std=[0.3], seed=0)
    one.network = torch.nn.Flatten()
    assert one.maps(torch.rand(2, 1, 16, 16)) is None
