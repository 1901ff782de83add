"""The images of a run once more: which they are, that they are the same, and those of any source in their form."""

import json
import shutil

import numpy as np
import pytest
import torch

import hundredfold
from hundredfold.data.read import read
from hundredfold.errors import DataError, SettingsError
from hundredfold.studies.run_images import Part, asked_for, evenly, in_form, run_images


@pytest.fixture(scope="module")
def spec(pretrained):
    return hundredfold.load_encoder(pretrained("vae")).spec


def part(count, index=None):
    images = read((np.arange(count, dtype=np.uint8).repeat(4).reshape(count, 2, 2), np.arange(count) % 2)).train
    return Part(images=images, index=torch.arange(count) if index is None else torch.tensor(index))


def test_a_part_knows_its_images_names_and_classes():
    some = part(6, [5, 1, 2])
    assert len(some) == 3 and some.names() == ["image 5", "image 1", "image 2"] and some.labels().tolist() == [1, 1, 0]
    assert some.take(torch.tensor([0, 2])).flatten(1)[:, 0].mul(255).round().tolist() == [5, 2]
    assert some.class_names(torch.tensor([2, 0])) == ["0", "1"]
    assert torch.cat(list(part(1100).blocks())).shape == (1100, 1, 2, 2)


def test_images_are_taken_evenly_over_all_parts():
    images, classes = evenly([part(6), part(4)], 5)
    assert images.flatten(1)[:, 0].mul(255).round().tolist() == [0, 2, 4, 0, 2] and classes == ["0"] * 5
    assert evenly([part(3)], 12)[0].shape == (3, 1, 2, 2)


def test_what_a_pretraining_kept_for_validation_is_held_out(pretrained, mosaics):
    found = run_images(pretrained("vae"))
    split = json.loads((pretrained("vae") / "splits.json").read_text())
    assert found.learnt.index.tolist() == split["unlabelled"] and found.held_out.index.tolist() == split["validation"]
    first = found.held_out.take(torch.tensor([0]))
    assert torch.equal(first[0, 0], torch.from_numpy(mosaics[0][split["validation"][0]]) / 255)
    assert not set(split["unlabelled"]) & set(split["validation"])


def test_the_test_images_of_a_run_are_held_out(unbroken):
    found, split = run_images(unbroken), json.loads((unbroken / "splits.json").read_text())
    assert found.held_out.index.tolist() == split["test"] and len(split["test"]) > 0


def test_a_test_set_of_its_own_is_held_out(mosaics, tmp_path):
    images, labels = mosaics
    np.savez(tmp_path / "a.npz", x_train=images[:100], y_train=labels[:100], x_test=images[100:130], y_test=labels[:30])
    out = tmp_path / "run"
    hundredfold.pretrain(str(tmp_path / "a.npz"), out=out, epochs=0, batch_size=16)
    found = run_images(out)
    assert len(found.held_out) == 30
    assert torch.equal(found.held_out.take(torch.tensor([29]))[0, 0], torch.from_numpy(images[129]) / 255)


def test_a_run_that_was_trained_on_another_machine(copied):
    run = copied("vae")
    asked = run / "asked.toml"
    asked.write_text('accelerator = "cuda"\nprecision = "bfloat16"\n' + asked.read_text())
    assert len(run_images(run).held_out) == 40


def test_data_in_memory_are_gone(mosaics, tmp_path):
    hundredfold.pretrain(mosaics, out=tmp_path / "run", epochs=0, batch_size=16)
    with pytest.raises(SettingsError, match="data in memory, which are gone") as refused:
        run_images(tmp_path / "run")
    assert refused.value.fix == "name a SOURCE"


def test_images_that_changed_or_vanished(mosaics, tmp_path):
    source, out = tmp_path / "a.npz", tmp_path / "run"
    np.savez(source, images=mosaics[0], labels=mosaics[1])
    hundredfold.pretrain(str(source), out=out, epochs=0, batch_size=16)
    other = mosaics[0].copy()
    other[0, 0, 0] ^= 1
    np.savez(source, images=other, labels=mosaics[1])
    with pytest.raises(DataError, match="are not those that the run in") as refused:
        run_images(out)
    assert "name another SOURCE" in refused.value.fix
    source.unlink()
    with pytest.raises(DataError, match="a.npz"):
        run_images(out)


@pytest.mark.parametrize("name", ["splits.json", "data.json", "settings.toml"])
@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"unlabelled": 1}'])
def test_a_folder_that_does_not_say_what_it_learnt_from(copied, name, content):
    run = copied("vae")
    (run / name).unlink()
    if content is not None:
        (run / name).write_text(content)
    with pytest.raises((DataError, SettingsError)) as refused:
        run_images(run)
    assert refused.value.exit_status == 2


def test_other_sizes_and_channels_are_brought_to_form(spec, mosaics):
    grey = mosaics[0][:6]
    colour, large = np.repeat(grey[..., None], 3, axis=3), np.kron(grey, np.ones((1, 3, 3), dtype=np.uint8))
    for images in (grey, colour, large, grey.astype(np.float32) / 255):
        (found,) = in_form(images, spec)
        assert found.channels == 1 and found.size == (8, 8)
        assert torch.allclose(found.take(torch.arange(6)).float().flatten(1).std(1) > 0, torch.tensor(True))
    with pytest.raises(DataError, match="5 channels cannot be brought to 1"):
        in_form(np.zeros((3, 8, 8, 5), dtype=np.uint8), spec)


def test_both_parts_of_a_source_are_asked_for_and_an_empty_one_is_told(pretrained, spec, mosaics, tmp_path):
    images = mosaics[0]
    np.savez(tmp_path / "a.npz", x_train=images[:7], y_train=[0] * 7, x_test=images[7:10], y_test=[0] * 3)
    assert [len(part) for part in asked_for(pretrained("vae"), str(tmp_path / "a.npz"), spec)] == [7, 3]
    assert [len(part) for part in asked_for(pretrained("vae"), None, spec)] == [40]
    with pytest.raises(DataError):
        asked_for(pretrained("vae"), str(tmp_path / "nowhere"), spec)


def test_a_run_that_held_nothing_out(copied, spec):
    run = copied("vae")
    split = json.loads((run / "splits.json").read_text())
    (run / "splits.json").write_text(json.dumps({**split, "validation": []}))
    with pytest.raises(DataError, match="no image was held out"):
        asked_for(run, None, spec)
    shutil.rmtree(run)
