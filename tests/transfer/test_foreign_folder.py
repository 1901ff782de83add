"""What a folder says of itself, and pickles that stay shut."""

import pytest
import torch
from safetensors.torch import save_file

from hundredfold.errors import CheckpointError
from hundredfold.transfer.foreign_folder import class_names, description, needs_safetensors, pickles


def test_descriptions(tmp_path):
    (tmp_path / "config.json").write_text('{"a": 1}')
    assert description(tmp_path, "config.json") == {"a": 1}
    for text in ("{", "[1]", "\udcff"):
        (tmp_path / "config.json").write_bytes(text.encode(errors="surrogateescape"))
        with pytest.raises(CheckpointError, match=r"config\.json"):
            description(tmp_path, "config.json")
    with pytest.raises(CheckpointError, match="cannot be read"):
        description(tmp_path, "none.json")


def test_names_of_classes(tmp_path):
    assert class_names(tmp_path, most=3) == ("0", "1", "2")
    (tmp_path / "classes.json").write_text('["one", "two"]')
    assert class_names(tmp_path, most=3) == ("one", "two")


@pytest.mark.parametrize("text", ["[]", '["a", "a"]', '["a", "b", "c"]', "[1]", '{"0": "a"}', "names"])
def test_names_that_are_none(tmp_path, text):
    (tmp_path / "classes.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"classes\.json"):
        class_names(tmp_path, most=2)


def test_only_safetensors_will_do(tmp_path):
    with pytest.raises(CheckpointError, match="holds no weights"):
        needs_safetensors(tmp_path)
    with pytest.raises(CheckpointError, match="holds no weights"):
        needs_safetensors(tmp_path / "nowhere")
    for name in ("a.bin", "b.PT", "c.pkl", "d.json"):
        (tmp_path / name).write_bytes(b"")
    assert pickles(tmp_path) == ("a.bin", "b.PT", "c.pkl")
    with pytest.raises(CheckpointError, match=r"pickles alone \(a.bin, b.PT, c.pkl\)") as refused:
        needs_safetensors(tmp_path)
    assert "runs the code" in refused.value.why and "safetensors" in refused.value.fix
    save_file({"x": torch.zeros(1)}, tmp_path / "model.safetensors")
    needs_safetensors(tmp_path)
