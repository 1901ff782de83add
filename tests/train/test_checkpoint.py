"""Checkpoints: what was put in comes out, and whatever was damaged since is passed over and told."""

import json
import os

import pytest
import torch

from hundredfold import atomic
from hundredfold.errors import CheckpointError
from hundredfold.train import checkpoint
from hundredfold.train.optimizer import optimizer as make_optimizer
from hundredfold.train.plan import Plan

FILES = ["manifest.json", "method.safetensors", "optimizer.safetensors", "state.json"]


@pytest.fixture
def trained(build):
    """A method after one step of AdamW, its filters channels-last as `fit` lays them out."""
    method = build().to(memory_format=torch.channels_last)
    optimizer = make_optimizer(method, Plan())
    images = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    method.head(method.encoder(images)).square().mean().backward()
    optimizer.step()
    return method, optimizer


def write(root, step, trained, **options):
    return checkpoint.save(
        root, step=step, method=trained[0], optimizer=trained[1], state={"told": f"step {step}"}, **options
    )


def moments(optimizer):
    return {
        (position, key): value
        for position, values in optimizer.state_dict()["state"].items()
        for key, value in values.items()
    }


def test_comes_back_with_the_layout_of_the_weights(trained, build, tmp_path):
    write(tmp_path, 7, trained)
    found = checkpoint.find(tmp_path).newest
    assert found.step == 7 and found.state["told"] == "step 7"
    method = build().to(memory_format=torch.channels_last)
    optimizer = make_optimizer(method, Plan())
    checkpoint.restore(found, method=method, optimizer=optimizer)
    for name, value in trained[0].state_dict().items():
        assert torch.equal(method.state_dict()[name], value)
    before, after = moments(trained[1]), moments(optimizer)
    assert before.keys() == after.keys()
    for name, value in before.items():
        assert torch.equal(value, after[name]) and value.stride() == after[name].stride(), name
    filters = [p for p in method.parameters() if p.dim() == 4]
    assert any(not p.is_contiguous() for p in filters)
    assert all(optimizer.state[p]["exp_avg"].stride() == p.stride() for p in filters)


def test_none_is_none(tmp_path):
    assert checkpoint.find(tmp_path / "nowhere") == checkpoint.Found(newest=None, damaged=(), notes=())
    (tmp_path / "step-12").mkdir()
    (tmp_path / "other").write_text("")
    assert checkpoint.find(tmp_path) == checkpoint.Found(newest=None, damaged=(), notes=())


def test_the_newest_is_the_one_of_the_highest_number(trained, tmp_path):
    for step in (99_999_999, 100_000_000):  # beyond eight digits names no longer sort as numbers do
        write(tmp_path, step, trained)
    assert checkpoint.find(tmp_path).newest.step == 100_000_000


def test_oldest_go(trained, tmp_path):
    for step in (1, 2, 3, 4):
        write(tmp_path, step, trained, keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000003", "step-00000004"]


def truncate(path):
    path.write_bytes(path.read_bytes()[:-1])


def empty(path):
    path.write_bytes(b"")


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def garble(path):
    path.write_text('{"step": 10')


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", [truncate, empty, flip, garble, os.remove])
def test_damage_is_passed_over_and_told(trained, tmp_path, name, damage):
    write(tmp_path, 1, trained)
    newest = write(tmp_path, 2, trained)
    damage(newest / name)
    found = checkpoint.find(tmp_path)
    assert found.newest.step == 1 and found.damaged == (newest,)
    (note,) = found.notes
    assert "step-00000002" in note and "passed over" in note
    assert name in note or name == "manifest.json"  # a changed sum speaks of the file that it is for


def test_where_none_can_be_trusted_that_is_told(trained, tmp_path):
    for step in (1, 2):
        flip(write(tmp_path, step, trained) / "method.safetensors")
    found = checkpoint.find(tmp_path)
    assert found.newest is None and len(found.damaged) == 2
    assert [note.split()[1] for note in found.notes[:2]] == ["step-00000002", "step-00000001"]
    assert found.notes[2] == "no checkpoint can be trusted: training began again"


@pytest.mark.parametrize("state", ["[]", "{}", "null", '{"step": "x"}', "not JSON"])
def test_whole_but_not_ours(trained, tmp_path, state):
    folder = write(tmp_path, 1, trained)
    (folder / "state.json").write_text(state)
    atomic.write_manifest(folder)
    with pytest.raises(CheckpointError, match=r"state\.json"):
        checkpoint.find(tmp_path)


def test_of_another_optimizer_or_network(trained, build, tmp_path):
    write(tmp_path, 1, trained)
    found = checkpoint.find(tmp_path).newest
    method = build()
    with pytest.raises(CheckpointError, match="written by AdamW, this run uses SGD"):
        checkpoint.restore(found, method=method, optimizer=make_optimizer(method, Plan(optimizer="sgd")))
    larger = build(features=20)
    with pytest.raises(CheckpointError, match="does not fit this run") as problem:
        checkpoint.restore(found, method=larger, optimizer=make_optimizer(larger, Plan()))
    assert "size mismatch" in problem.value.why and problem.value.exit_status == 2


def test_tensors_that_belong_to_no_parameter(trained, tmp_path):
    folder = write(tmp_path, 1, trained)
    atomic.write_tensors(folder / "optimizer.safetensors", {"99.exp_avg": torch.zeros(2)})
    atomic.write_manifest(folder)
    with pytest.raises(CheckpointError):
        checkpoint.restore(checkpoint.find(tmp_path).newest, method=trained[0], optimizer=trained[1])


def test_a_failed_write_leaves_nothing_behind(trained, tmp_path, monkeypatch):
    write(tmp_path, 1, trained)

    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(atomic, "write_manifest", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, 2, trained)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]


def test_holds_tensors_and_json_only(trained, tmp_path):
    folder = write(tmp_path, 1, trained)
    assert sorted(path.name for path in folder.iterdir()) == FILES
    assert json.loads((folder / "state.json").read_text()) == {"step": 1, "optimizer": "AdamW", "told": "step 1"}
