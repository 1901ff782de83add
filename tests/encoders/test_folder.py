import json
import struct
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from hundredfold import atomic
from hundredfold.encoders import build
from hundredfold.encoders._base import Encoder
from hundredfold.encoders.folder import load_encoder, save_encoder
from hundredfold.errors import CheckpointError


def small(**settings) -> Encoder:
    settings = {"widths": [2, 3], "features": 5, **settings}
    return build.encoder("convnet", channels=3, size=(8, 6), mean=[0.1] * 3, std=[0.2] * 3, settings=settings, seed=0)


@pytest.fixture
def folder(tmp_path) -> Path:
    save_encoder(small(), tmp_path / "encoder")
    return tmp_path / "encoder"


def change(folder: Path, **changes) -> None:
    """Another description or other weights, with a manifest that agrees."""
    config = json.loads((folder / "config.json").read_text())
    config["encoder"].update(changes)
    (folder / "config.json").write_text(json.dumps(config))
    atomic.write_manifest(folder)


def refused(folder: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        load_encoder(folder)
    assert caught.value.fix
    return str(caught.value)


@pytest.mark.parametrize("name", build.names())
def test_what_is_loaded_answers_as_what_was_saved(tmp_path, name):
    encoder = build.encoder(name, channels=2, size=(8, 8), mean=[0.3, 0.4], std=[0.1, 0.2], seed=1)
    encoder(torch.rand(16, 2, 8, 8))  # moves the running means
    save_encoder(encoder, tmp_path)
    images = torch.rand(3, 2, 8, 8)
    back = load_encoder(tmp_path)
    assert not back.training
    assert back.spec == encoder.spec
    assert torch.equal(back(images), encoder.eval()(images))


def test_takes_the_run_folder_too_and_text(folder):
    assert load_encoder(folder.parent).spec == load_encoder(str(folder)).spec


def test_saving_over_another_replaces_it(folder):
    other = small(features=7)
    save_encoder(other, folder)
    assert load_encoder(folder).features == 7


def test_channels_last_and_half_precision_weights(tmp_path):
    encoder = small().to(memory_format=torch.channels_last).bfloat16()
    save_encoder(encoder, tmp_path)
    back = load_encoder(tmp_path)
    assert back.network.features[0].weight.dtype == torch.float32
    assert torch.equal(back.network.features[0].weight.bfloat16(), encoder.network.features[0].weight)


def test_no_encoder(tmp_path):
    assert "there is no such folder" in refused(tmp_path / "nowhere")
    assert "neither it nor its encoder/" in refused(tmp_path)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "manifest.json"])
def test_missing_truncated_and_flipped_files(folder, name):
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: len(whole) // 2])
    assert name in refused(folder)
    for position in (8, len(whole) // 2, len(whole) - 2):
        flipped = bytearray(whole)
        flipped[position] ^= 4
        (folder / name).write_bytes(flipped)
        if name != "manifest.json" or position == len(whole) // 2:
            refused(folder)
    (folder / name).unlink()
    assert f"{name} is missing" in refused(folder)


@pytest.mark.parametrize(
    "changes, problem",
    [
        ({"name": "convnett"}, "did you mean 'convnet'"),
        ({"name": "../convnet"}, "unknown encoder"),
        ({"settings": {"widths": [2, 3], "features": 6}}, "not [6]"),
        ({"settings": {"widths": [2, 3, 4], "features": 5}}, "too small"),
        ({"settings": {"widths": [2], "features": 5}}, "is not part of it"),
        ({"width": 32, "height": 32, "settings": {"widths": [2, 3, 4], "features": 5}}, "is missing"),
        ({"settings": {"widths": [2, 3], "features": 5, "code": "x"}}, "unknown setting"),
        ({"settings": {"widths": [10**6] * 2, "features": 10**9}}, "does not fit"),  # no memory is taken
        ({"settings": {"widths": [10**30], "features": 5}}, "describes no network"),
        ({"height": 0}, "at least one channel and pixel"),
        ({"height": 10**12, "width": 10**12}, "cannot be used"),
        ({"mean": [0.1]}, "mean must have 3 values"),
        ({"std": [0.0, 0.1, 0.1]}, "std"),
        ({"channels": "many"}, "channels"),
    ],
)
def test_descriptions_that_do_not_fit(folder, changes, problem):
    change(folder, **changes)
    assert problem in refused(folder)


def test_descriptions_that_are_none(folder):
    for content in ("", "[]", '{"schema": 1}', "\xff", "[" * 100_000, '{"a": "' + " " * (5 << 20) + '"}'):
        (folder / "config.json").write_text(content, encoding="latin-1")
        atomic.write_manifest(folder)
        assert "config.json" in refused(folder)


def test_a_later_layout_is_named(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "schema": 2}))
    atomic.write_manifest(folder)
    assert "version 2" in refused(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite(folder, value):
    weights = load_file(folder / "model.safetensors")
    weights["network.features.0.bias"][1] = value
    save_file(weights, folder / "model.safetensors")
    atomic.write_manifest(folder)
    assert "network.features.0.bias holds values that are not finite" in refused(folder)


HEADER = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
OVERLAP = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}'


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x04K\x01.",  # a pickle
        struct.pack("<Q", 1 << 62) + b"{}",
        struct.pack("<Q", (9 << 20)) + b" " * (9 << 20),
        struct.pack("<Q", 1000) + b"{}",
        struct.pack("<Q", 2) + b"{]",
        struct.pack("<Q", len(HEADER)) + HEADER,  # no data
        struct.pack("<Q", len(HEADER)) + HEADER + bytes(8),  # more than it says
        struct.pack("<Q", len(HEADER)) + HEADER.replace(b"[1]", b"[9]") + bytes(4),
        struct.pack("<Q", len(HEADER)) + HEADER.replace(b"F32", b"X99") + bytes(4),
        struct.pack("<Q", len(OVERLAP)) + OVERLAP + bytes(6),
        struct.pack("<Q", len(HEADER)) + HEADER + bytes(4),  # sound, but not this encoder's
    ],
)
def test_weight_files_that_are_none(folder, content):
    (folder / "model.safetensors").write_bytes(content)
    atomic.write_manifest(folder)
    assert "model.safetensors" in refused(folder)
