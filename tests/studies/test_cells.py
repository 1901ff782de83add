"""Finished cells come back bit for bit, and anything that is not theirs is learnt again."""

import pytest
import torch

from hundredfold.encoders.build import encoder
from hundredfold.studies.cells import Cell, Outcome, identity, load, save

OUTCOME = Outcome(
    predicted=torch.tensor([0, 2, 1]),
    confidence=torch.tensor([0.1, 1 / 3, 1.0]),
    seconds=0.1 + 0.2,
    hyperparameters={"k": 3.0},
    cross_validation=None,
)


def test_comes_back(tmp_path):
    path = Cell(model="knn", labels=10, draw=2).file(tmp_path)
    assert path == tmp_path / "knn-10-2.safetensors" and load(path, "me") is None
    save(path, OUTCOME, "me")
    back = load(path, "me")
    assert torch.equal(back.predicted, OUTCOME.predicted) and torch.equal(back.confidence, OUTCOME.confidence)
    assert back.predicted.dtype == torch.int64
    assert (back.seconds, back.hyperparameters, back.cross_validation) == (0.1 + 0.2, {"k": 3.0}, None)
    assert load(path, "somebody else") is None


def test_no_flipped_bit_and_no_lost_byte_goes_unseen(tmp_path):
    path = tmp_path / "c.safetensors"
    save(path, OUTCOME, "me")
    whole = path.read_bytes()
    for position in range(len(whole)):
        for changed in (bytes([*whole[:position], whole[position] ^ 1, *whole[position + 1 :]]), whole[:position]):
            path.write_bytes(changed)
            found = load(path, "me")
            assert found is None or torch.equal(found.predicted, OUTCOME.predicted), position  # JSON has loose spots
            assert found is None or torch.equal(found.confidence, OUTCOME.confidence), position
    path.write_bytes(whole)
    assert load(path, "me") is not None


@pytest.mark.parametrize("content", [b"", b"\xff" * 20, b"\x00" * 8 + b"{}"])
def test_files_that_are_none(tmp_path, content):
    (tmp_path / "c").write_bytes(content)
    assert load(tmp_path / "c", "me") is None


def test_an_encoder_is_known_by_its_weights():
    settings = {"widths": [4], "features": 8}
    make = {"channels": 1, "size": (4, 4), "mean": [0.5], "std": [0.5], "settings": settings}
    one, same, other = (encoder("convnet", **make, seed=seed) for seed in (0, 0, 1))
    same.to(memory_format=torch.channels_last)
    assert identity(one) == identity(same) != identity(other)
