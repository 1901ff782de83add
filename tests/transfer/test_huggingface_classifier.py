"""A transformers classifier answers as the library does; its features are what its last layer reads."""

import json

import pytest
import torch

from hundredfold.errors import CheckpointError, SettingsError
from hundredfold.train.engine import Engine
from hundredfold.transfer.huggingface_classifier import read_huggingface_classifier

transformers = pytest.importorskip("transformers")

VIT = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32, "patch_size": 8}
CONVNEXT = {"hidden_sizes": [4, 6, 8, 10], "depths": [1, 1, 1, 1]}
RESNET = {"embedding_size": 4, "hidden_sizes": [4, 8], "depths": [1, 1], "layer_type": "basic"}
KINDS = [("vit", {**VIT, "image_size": 32}, 16), ("convnextv2", CONVNEXT, 10), ("resnet", RESNET, 8)]
NAMES = {0: "cat", 1: "dog", 2: "bird"}
NORMAL = {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6]}


def saved(folder, kind, settings, preprocessing=None, **more):
    """A classifier as somebody else would publish it."""
    labels = {"id2label": NAMES, "label2id": {name: place for place, name in NAMES.items()}}
    config = transformers.AutoConfig.for_model(kind, **{**settings, **labels, **more})
    with torch.random.fork_rng():
        torch.manual_seed(5)
        model = transformers.AutoModelForImageClassification.from_config(config).eval()
    model.save_pretrained(folder)
    if preprocessing is not None:
        (folder / "preprocessor_config.json").write_text(json.dumps(preprocessing))
    return model


def images(*shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("kind, settings, width", KINDS)
def test_it_answers_as_the_library_does(tmp_path, kind, settings, width):
    model = saved(tmp_path, kind, settings, {**NORMAL, "size": {"height": 32, "width": 32}})
    classifier = read_huggingface_classifier(tmp_path)
    classifier.place(Engine(device=torch.device("cpu"), precision="float32"))
    assert (classifier.classes, classifier.channels, classifier.size) == (("cat", "dog", "bird"), 3, (32, 32))
    given = images(2, 3, 32, 32)
    mean, std = (torch.tensor(NORMAL[name]).view(3, 1, 1) for name in ("image_mean", "image_std"))
    with torch.no_grad():
        expected = model(pixel_values=(given - mean) / std).logits
    torch.testing.assert_close(classifier.logits(given), expected)
    torch.testing.assert_close(classifier.probabilities(given, temperature=2.0), (expected / 2).softmax(1))
    features = classifier.features(given)
    last = model.classifier if isinstance(model.classifier, torch.nn.Linear) else model.classifier[-1]
    assert features.shape == (2, width)
    torch.testing.assert_close(features @ last.weight.T + last.bias, expected)
    assert not features.requires_grad and not classifier.last._forward_pre_hooks


def test_grey_images_of_the_size_in_the_configuration(tmp_path):
    model = saved(tmp_path, "vit", {**VIT, "image_size": 16, "num_channels": 1})
    classifier = read_huggingface_classifier(tmp_path)
    assert (classifier.channels, classifier.size) == (1, (16, 16))
    given = images(2, 1, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(classifier.logits(given), model(pixel_values=given).logits)


@pytest.mark.parametrize(
    "asked, size",
    [
        ({"size": 48}, (48, 48)),
        ({"size": {"shortest_edge": 40}}, (40, 40)),
        ({"size": {"shortest_edge": 40}, "do_center_crop": True, "crop_size": {"height": 32, "width": 36}}, (32, 36)),
        ({"size": {"shortest_edge": 40}, "do_center_crop": False, "crop_size": 32}, (40, 40)),
        ({"do_resize": False, "size": 8}, (224, 224)),
        ({}, (224, 224)),
    ],
)
def test_the_size_that_the_preprocessing_names(tmp_path, asked, size):
    saved(tmp_path, "resnet", RESNET, asked)
    assert read_huggingface_classifier(tmp_path).size == size


def test_names_in_the_order_of_their_numbers(tmp_path):
    names = {str(place): f"class {place}" for place in range(11)}
    saved(tmp_path, "resnet", RESNET, id2label=names, label2id={name: int(place) for place, name in names.items()})
    assert read_huggingface_classifier(tmp_path).classes == tuple(f"class {place}" for place in range(11))


def test_a_backbone_is_no_classifier(tmp_path):
    transformers.AutoModel.from_config(transformers.AutoConfig.for_model("resnet", **RESNET)).save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="not all there") as refused:
        read_huggingface_classifier(tmp_path)
    assert "classifier" in refused.value.why


def test_models_of_other_things(tmp_path):
    small = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    config = transformers.AutoConfig.for_model("bert", **small, vocab_size=20)
    transformers.AutoModel.from_config(config).save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="cannot be loaded"):
        read_huggingface_classifier(tmp_path)


def test_weights_are_read_from_safetensors_alone(tmp_path):
    model = saved(tmp_path, "resnet", RESNET)
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="as pickles alone"):
        read_huggingface_classifier(tmp_path)


def test_code_beside_the_weights_is_never_run(tmp_path):
    saved(tmp_path, "resnet", RESNET)
    marker = tmp_path / "it ran"
    (tmp_path / "code.py").write_text(f"open({str(marker)!r}, 'w')\nclass Model: pass\nclass Config: pass\n")
    config = json.loads((tmp_path / "config.json").read_text())
    config["auto_map"] = {"AutoModelForImageClassification": "code.Model", "AutoConfig": "code.Config"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert read_huggingface_classifier(tmp_path).classes == ("cat", "dog", "bird")
    (tmp_path / "config.json").write_text(json.dumps({**config, "model_type": "unheard_of"}))
    with pytest.raises((CheckpointError, SettingsError)):
        read_huggingface_classifier(tmp_path)
    assert not marker.exists()


def test_a_preprocessing_that_cannot_be_read(tmp_path):
    saved(tmp_path, "resnet", RESNET)
    (tmp_path / "preprocessor_config.json").write_text("{")
    with pytest.raises(CheckpointError, match="preprocessor_config"):
        read_huggingface_classifier(tmp_path)
