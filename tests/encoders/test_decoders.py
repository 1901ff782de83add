import pytest
import torch

from hundredfold.encoders import build
from hundredfold.encoders.decoders import Doubling
from hundredfold.errors import SettingsError


def make(name, channels, size, **settings):
    ones = [1.0] * channels
    return build.encoder(name, channels=channels, size=size, mean=ones, std=ones, settings=settings, seed=0)


@pytest.mark.parametrize("name", build.mirrored())
@pytest.mark.parametrize("size", [(28, 28), (32, 24), (29, 31), (96, 64)])
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_codes_become_images_of_the_form_that_the_encoder_takes(name, size, channels):
    if name == "vit" and (size[0] % 4 or size[1] % 4):
        pytest.skip("patches of a transformer divide its images")
    encoder = make(name, channels, size)
    images = build.decoder(encoder, inputs=7)(torch.randn(3, 7))
    assert images.shape == (3, channels, *size)
    assert encoder(images).shape == (3, encoder.features)


@pytest.mark.parametrize("size", [(9, 9), (10, 11), (11, 9)])
def test_doubling_gives_the_size_that_is_asked_for(size):
    assert Doubling(4, 2, size)(torch.randn(2, 4, 5, 5)).shape == (2, 2, *size)


def test_each_pixel_of_the_image_follows_from_the_code():
    decoder = build.decoder(make("convnet", 1, (13, 10), widths=[4, 8], features=16), inputs=3).eval()
    one, other = decoder(torch.zeros(1, 3)), decoder(torch.ones(1, 3))
    assert bool((one != other).all())


def test_the_way_back_is_as_wide_as_the_way_in():
    decoder = build.decoder(make("convnet", 1, (28, 28), widths=[6, 12, 24], features=48), inputs=5)
    assert decoder.start == (24, 3, 3)
    assert [block.size for block in decoder.blocks] == [(7, 7), (14, 14), (28, 28)]
    assert decoder.linear[0].out_features == 48


def test_an_encoder_without_a_mirror_is_told_with_those_that_have_one(monkeypatch):
    encoder = make("convnet", 1, (8, 8))
    monkeypatch.setattr(encoder, "spec", encoder.spec.__class__(**{**encoder.spec.__dict__, "name": "hf:google/vit"}))
    with pytest.raises(SettingsError, match="hf:google/vit cannot be mirrored") as told:
        build.decoder(encoder, inputs=4)
    assert "convnet or resnet18" in told.value.fix
