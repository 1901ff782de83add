import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from hundredfold.encoders import build
from hundredfold.encoders._base import Encoder
from hundredfold.encoders.folder import load_encoder, save_encoder
from hundredfold.errors import CheckpointError, SettingsError
from hundredfold.records import from_json, to_json

transformers = pytest.importorskip("transformers")

VIT = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
CONVNEXT = {"hidden_sizes": [4, 6, 8, 10], "depths": [1, 1, 1, 1]}
RESNET = {"embedding_size": 4, "hidden_sizes": [4, 8], "depths": [1, 1], "layer_type": "basic"}
KINDS = [("vit", VIT), ("convnextv2", CONVNEXT), ("resnet", RESNET)]


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def make(name, *, channels=1, size=(28, 28), seed=0, **settings) -> Encoder:
    mean, std = [0.25] * channels, [0.5] * channels
    return build.encoder(f"hf:{name}", channels=channels, size=size, mean=mean, std=std, settings=settings, seed=seed)


@pytest.mark.parametrize("kind, settings", KINDS)
@pytest.mark.parametrize("channels, size", [(1, (28, 28)), (3, (20, 32)), (5, (64, 64))])
def test_random_start_fits_the_data(kind, settings, channels, size):
    encoder = make(kind, pretrained=False, channels=channels, size=size, **settings)
    assert encoder.training
    features = encoder(torch.rand(3, channels, *size))
    assert features.shape == (3, encoder.features)
    features.square().sum().backward()
    unreached = [name for name, p in encoder.named_parameters() if p.requires_grad and p.grad is None]
    assert unreached == []


@pytest.mark.parametrize("kind, settings", KINDS)
def test_weights_follow_from_the_seed_alone(kind, settings):
    torch.manual_seed(1)
    one = make(kind, pretrained=False, seed=3, **settings).state_dict()
    torch.manual_seed(2)
    before = torch.get_rng_state()
    same = make(kind, pretrained=False, seed=3, **settings).state_dict()
    other = make(kind, pretrained=False, seed=4, **settings).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("kind, settings", KINDS)
def test_an_encoder_folder_needs_no_network(tmp_path, kind, settings):
    encoder = make(kind, pretrained=False, **settings)
    assert from_json(type(encoder.spec), to_json(encoder.spec)) == encoder.spec
    images = torch.rand(2, 1, 28, 28)
    encoder(images)
    save_encoder(encoder, tmp_path)
    with torch.inference_mode():
        assert torch.equal(load_encoder(tmp_path)(images), encoder.eval()(images))


def saved(folder: Path, kind: str, settings: dict, preprocessing: dict | None = None, **config) -> torch.nn.Module:
    """A model of three channels and 32x32 images, as somebody else would publish it."""
    torch.manual_seed(5)
    model = transformers.AutoModel.from_config(transformers.AutoConfig.for_model(kind, **settings, **config))
    model.save_pretrained(folder)
    if preprocessing:
        (folder / "preprocessor_config.json").write_text(json.dumps(preprocessing))
    return model.eval()


@pytest.mark.parametrize("kind, settings", KINDS)
def test_pretrained_answers_as_the_library_does(tmp_path, kind, settings):
    sizes = {"patch_size": 8, "image_size": 32} if kind == "vit" else {}
    model = saved(tmp_path, kind, settings, {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6]}, **sizes)
    encoder = make(tmp_path, channels=3, size=(32, 32), image_size=32).eval()
    images = torch.rand(2, 3, 32, 32)
    mean, std = torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1), torch.tensor([0.4, 0.5, 0.6]).view(3, 1, 1)
    expected = model(pixel_values=(images - mean) / std).pooler_output.flatten(1)
    torch.testing.assert_close(encoder(images), expected)
    fresh = build.rebuild(encoder.spec, seed=9).eval()
    assert not torch.allclose(fresh(images), expected), "rebuild starts from random weights"


def test_pretrained_takes_grey_images_of_another_size(tmp_path):
    model = saved(
        tmp_path, "vit", VIT, {"image_mean": [0.2, 0.3, 0.4], "image_std": [0.5] * 3}, patch_size=8, image_size=32
    )
    encoder = make(tmp_path, size=(10, 14)).eval()
    assert encoder.spec.mean == pytest.approx((0.3,))
    assert encoder.spec.settings["scale_to"] == 32
    images = torch.rand(2, 1, 10, 14)
    scaled = torch.nn.functional.interpolate((images - 0.3) / 0.5, (32, 32), mode="bilinear", antialias=True)
    expected = model(pixel_values=scaled.expand(-1, 3, -1, -1)).pooler_output
    torch.testing.assert_close(encoder(images), expected)


def test_image_size_interpolates_position_encodings(tmp_path):
    model = saved(tmp_path, "vit", VIT, patch_size=8, image_size=32)
    encoder = make(tmp_path, channels=3, size=(48, 48), image_size=48).eval()
    images = torch.rand(2, 3, 48, 48)
    expected = model(pixel_values=(images - 0.25) / 0.5, interpolate_pos_encoding=True).pooler_output
    torch.testing.assert_close(encoder(images), expected)


def test_a_pooler_that_was_not_trained_is_not_used(tmp_path):
    config = transformers.AutoConfig.for_model("vit", **VIT, patch_size=8, image_size=32)
    model = transformers.ViTModel(config, add_pooling_layer=False).eval()
    model.save_pretrained(tmp_path)
    encoder = make(tmp_path, channels=3, size=(32, 32)).eval()
    images = torch.rand(2, 3, 32, 32)
    tokens = model(pixel_values=(images - 0.25) / 0.5).last_hidden_state
    torch.testing.assert_close(encoder(images), tokens.mean(1))
    assert {name for name, p in encoder.named_parameters() if not p.requires_grad} == {
        "network.model.pooler.dense.weight",
        "network.model.pooler.dense.bias",
    }


def test_weights_that_are_not_all_there(tmp_path):
    from safetensors.torch import load_file, save_file

    saved(tmp_path, "vit", VIT, patch_size=8, image_size=32)
    weights = load_file(tmp_path / "model.safetensors")
    lost = next(name for name in weights if name.endswith("layernorm.weight"))
    del weights[lost]
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(CheckpointError, match="1 of them would be random"):
        make(tmp_path, channels=3)


def test_weights_are_read_from_safetensors_alone(tmp_path):
    model = saved(tmp_path, "vit", VIT, patch_size=8, image_size=32)
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="safetensors"):
        make(tmp_path, channels=3)


def test_code_beside_the_weights_is_never_run(tmp_path):
    saved(tmp_path, "vit", VIT, patch_size=8, image_size=32)
    marker = tmp_path / "it ran"
    (tmp_path / "code.py").write_text(f"open({str(marker)!r}, 'w')\nclass Model: pass\nclass Config: pass\n")
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {"auto_map": {"AutoModel": "code.Model", "AutoConfig": "code.Config"}, "_attn_implementation": "a/kernel"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    encoder = make(tmp_path, channels=3)
    assert not marker.exists()
    kept = json.dumps(encoder.spec.settings)
    assert "auto_map" not in kept and "kernel" not in kept
    (tmp_path / "config.json").write_text(json.dumps({**config, "model_type": "unheard_of"}))
    with pytest.raises((CheckpointError, SettingsError)):
        make(tmp_path, channels=3)
    assert not marker.exists()


@pytest.mark.parametrize(
    "name, settings, problem",
    [
        ("", {}, "needs the name"),
        ("vit", {}, "is a kind of model, not a pre-trained one"),
        ("vit", {"pretrained": False, "hidden_sise": 8}, "did you mean 'encoder_settings.hidden_size'"),
        ("vit", {"pretrained": False, "hidden_size": "wide"}, "hidden_size"),
        ("vit", {"pretrained": "perhaps", "pool": "max"}, "2 settings"),
        ("vit", {"pretrained": False, "image_size": -1}, "image_size must be >= 0"),
        ("bert", {"pretrained": False, "num_hidden_layers": 1}, "reads input_ids, not images"),
        ("vit_mae", {"pretrained": False, **VIT}, "hides parts of every image"),
        ("efficientnet", {"pretrained": False, "width_coefficient": 0.1}, "cannot take images of 1 x 28 x 28"),
    ],
)
def test_names_and_settings_that_cannot_be_used(name, settings, problem):
    with pytest.raises(SettingsError, match=problem):
        make(name, **settings)


def test_models_that_are_not_there():
    with pytest.raises(CheckpointError, match=r"no folder \./nowhere"):
        make("./nowhere")
    with pytest.raises(CheckpointError, match="no model to be had for 'somebody/something'"):
        make("somebody/something")


def test_channels_that_do_not_fit(tmp_path):
    saved(tmp_path, "resnet", RESNET)
    with pytest.raises(SettingsError, match="takes 3 channels, the images have 2"):
        make(tmp_path, channels=2, size=(32, 32))


def test_without_the_library_the_extra_is_named(monkeypatch):
    def missing(_):
        from importlib.metadata import PackageNotFoundError

        raise PackageNotFoundError

    monkeypatch.setattr("hundredfold.encoders._transformers.version", missing)
    with pytest.raises(SettingsError, match=r"pip install 'hundredfold\[hf\]'"):
        make("vit", pretrained=False)


def test_a_library_that_is_too_old_is_refused(monkeypatch):
    monkeypatch.setattr("hundredfold.encoders._transformers.version", lambda _: "5.2.1")
    with pytest.raises(SettingsError, match=r"transformers 5\.2\.1 is too old"):
        make("vit", pretrained=False)


def test_a_broken_torchvision_is_named(tmp_path):
    """One that is there, but was built for another torch, stops every model of the library."""
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text("raise RuntimeError('operator torchvision::nms')")
    (tmp_path / "torchvision-0.1.dist-info").mkdir()
    (tmp_path / "torchvision-0.1.dist-info" / "METADATA").write_text("Name: torchvision\nVersion: 0.1\n")
    code = (
        "from hundredfold.encoders.build import encoder\n"
        "from hundredfold.errors import SettingsError\n"
        "try: encoder('hf:vit', channels=1, size=(8, 8), mean=[0], std=[1], settings={'pretrained': False}, seed=0)\n"
        "except SettingsError as error: print(error)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    answer = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert "pip uninstall torchvision" in answer.stdout
