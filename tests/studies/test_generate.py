"""New images: they follow from the seed, are of the class asked for, and are refused where nothing can draw."""

import numpy as np
import pytest
import torch

import hundredfold
from hundredfold.errors import CheckpointError, SettingsError
from hundredfold.studies import generate as study


def test_a_seed_gives_the_same_images_and_another_others(copied):
    run = copied("vae")
    first, same, other = (hundredfold.generate(run, count=5, seed=seed) for seed in (1, 1, 2))
    assert first.images.shape == (5, 1, 8, 8) and torch.equal(first.images, same.images)
    assert not torch.equal(first.images, other.images)
    assert float(first.images.min()) >= 0 and float(first.images.max()) <= 1 and first.labels == ()
    assert len(first.images.flatten(1).unique(dim=0)) == 5


def test_blocks_draw_on(copied, monkeypatch):
    monkeypatch.setattr(study, "BLOCK", 4)
    run = copied("vae")
    longer, shorter = (hundredfold.generate(run, count=count).images for count in (9, 8))
    assert len(longer) == 9 and torch.equal(longer[:8], shorter)
    assert len(longer.flatten(1).unique(dim=0)) == 9


def test_images_are_of_the_class_that_was_asked_for(copied, mosaics):
    run = copied("conditional_vae")
    prototypes = torch.stack([torch.from_numpy(mosaics[0][mosaics[1] == label]).float().mean(0) for label in range(3)])
    for label in "012":
        found = hundredfold.generate(run, count=10, label=label)
        nearest = torch.cdist(found.images.flatten(1) * 255, prototypes.flatten(1)).argmin(1)
        assert found.labels == (label,) * 10 and nearest.tolist() == [int(label)] * 10
    turn = hundredfold.generate(run, count=7)
    assert turn.labels == ("0", "1", "2", "0", "1", "2", "0")
    nearest = torch.cdist(turn.images.flatten(1) * 255, prototypes.flatten(1)).argmin(1)
    assert nearest.tolist() == [0, 1, 2, 0, 1, 2, 0]


def test_diffusion_draws_the_class_that_was_asked_for(copied, mosaics):
    run = copied("diffusion")
    assert "64 images that nobody took" in (run / "report.html").read_text()
    prototypes = torch.stack([torch.from_numpy(mosaics[0][mosaics[1] == label]).float().mean(0) for label in range(3)])
    found = hundredfold.generate(run, count=60, seed=1)
    nearest = torch.cdist(found.images.flatten(1) * 255, prototypes.flatten(1)).argmin(1)
    right = nearest == torch.arange(60) % 3
    assert right.float().mean() > 0.8, "a third would be by chance"
    assert len(found.images.flatten(1).unique(dim=0)) == 60


def test_what_is_written_and_shown(copied, tmp_path):
    run = copied("conditional_vae")
    found = hundredfold.generate(run, count=70, to=tmp_path / "new.npy", label="1")
    assert np.load(tmp_path / "new.npy").shape == (70, 1, 8, 8)
    html = found.report.read_text()
    assert "64 images of 1 that nobody took" in html
    hundredfold.generate(run, count=1)
    again = found.report.read_text()
    assert "1 image of 0 that nobody took" in again and "64 images" not in again


def test_a_class_that_cannot_be(pretrained):
    with pytest.raises(SettingsError, match=r"unknown class '11': did you mean '1'\? Possible: 0, 1, 2"):
        hundredfold.generate(pretrained("conditional_vae"), label="11")
    with pytest.raises(CheckpointError, match="cannot generate images of a class") as refused:
        hundredfold.generate(pretrained("vae"), label="1")
    assert "knows no classes" in refused.value.why and "conditional_vae" in refused.value.fix


@pytest.mark.parametrize("method", ["autoencoder", "denoising_autoencoder"])
def test_what_reconstructs_cannot_draw(pretrained, method):
    with pytest.raises(CheckpointError, match="cannot generate images") as refused:
        hundredfold.generate(pretrained(method))
    assert refused.value.exit_status == 2 and method in refused.value.why


def test_settings_that_cannot_be_are_told_before_any_work(pretrained, tmp_path):
    for keywords, told in (
        ({"count": 0}, "count must be >= 1"),
        ({"to": tmp_path / "a.jpg"}, "unknown file type"),
        ({"to": tmp_path / "nowhere" / "a.png"}, "there is no folder"),
    ):
        with pytest.raises(SettingsError, match=told):
            hundredfold.generate(tmp_path / "no run", **keywords)
    with pytest.raises(CheckpointError, match="holds no generative model"):
        hundredfold.generate(pretrained("simclr"))


def test_a_conditional_model_without_any_label_draws_as_a_vae(mosaics, tmp_path):
    hundredfold.pretrain(mosaics[0], out=tmp_path / "run", method="conditional_vae", epochs=1, batch_size=32)
    found = hundredfold.generate(tmp_path / "run", count=3)
    assert found.images.shape == (3, 1, 8, 8) and found.labels == ()
    with pytest.raises(CheckpointError, match="knows no classes"):
        hundredfold.generate(tmp_path / "run", label="0")


def test_hostile_class_names_do_not_break_out_of_the_report(mosaics, tmp_path):
    names = np.array(["<script>alert(1)</script>", "b", '"><img src=x onerror=alert(1)>'])
    out = tmp_path / "run"
    hundredfold.pretrain((mosaics[0], names[mosaics[1]]), out=out, method="conditional_vae", epochs=1, batch_size=32)
    html = hundredfold.generate(out, count=6, label=str(names[0])).report.read_text()
    assert "<script>alert" not in html and "&lt;script&gt;alert(1)" in html and "<img src=x" not in html
