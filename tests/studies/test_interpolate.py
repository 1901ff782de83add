"""From one image to another: the ends, the distances by brute force, and every way to name an image wrongly."""

import math
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

import hundredfold
from hundredfold.errors import CheckpointError, DataError, SettingsError
from hundredfold.studies import interpolate as study
from hundredfold.studies.generator import load_generator
from hundredfold.studies.interpolate import Interpolation
from hundredfold.studies.run_images import run_images


def rows(images):
    return [[float(value) for value in image.flatten()] for image in images]


def distance(a, b):
    return math.sqrt(sum((x - y) ** 2 for x, y in zip(a, b)))


@pytest.fixture(scope="module")
def found(pretrained, tmp_path_factory):
    run = shutil.copytree(pretrained("vae"), tmp_path_factory.mktemp("interpolate") / "run")
    return hundredfold.interpolate(run, 0, "7", steps=5)


def test_the_ends_are_the_reconstructions(found, pretrained):
    held_out = run_images(pretrained("vae")).held_out
    assert torch.equal(found.ends, held_out.take(torch.tensor([0, 7]))) and found.frames.shape == (5, 1, 8, 8)
    with torch.no_grad():
        again = load_generator(pretrained("vae")).model.reconstruct(found.ends)
    torch.testing.assert_close(found.frames[[0, -1]], again)
    assert not torch.allclose(found.frames[0], found.frames[2])


def test_distances_by_brute_force(found, pretrained):
    learnt = run_images(pretrained("vae")).learnt
    real = rows(learnt.take(torch.arange(len(learnt))))
    nearest = [min(distance(frame, one) for one in real) for frame in rows(found.frames)]
    assert found.distances.tolist() == pytest.approx(nearest, rel=1e-4)
    own = [min(distance(one, other) for other in real if other is not one) for one in real]
    assert found.limit == pytest.approx(float(np.percentile(own, 99)), rel=1e-4)
    assert found.strange == sum(one > found.limit for one in nearest)


def test_the_report_shows_the_way_and_a_second_one_replaces_it(found):
    html = found.report.read_text()
    assert "From one image to another" in html and "of the 5 frames" in html
    again = hundredfold.interpolate(found.report.parent, 1, 2, steps=3, how="spherical")
    html = again.report.read_text()
    assert "of the 3 frames" in html and "of the 5 frames" not in html


def test_sentences():
    frames, ends = torch.zeros(3, 1, 2, 2), torch.zeros(2, 1, 2, 2)

    def said(*distances):
        found = Interpolation(frames=frames, ends=ends, distances=torch.tensor(distances), limit=1.0)
        return found.strange, found.sentences()[0]

    assert said(0.5, 1.0, 0.2)[0] == 0 and said(0.5, 1.0, 0.2)[1].startswith("None of the 3 frames is farther")
    assert said(0.5, 1.5, 0.2)[0] == 1 and said(0.5, 1.5, 0.2)[1].startswith("1 of the 3 frames is farther")
    assert said(0.5, 1.5, 2.25)[0] == 2 and said(0.5, 1.5, 2.25)[1].startswith("2 of the 3 frames are farther")
    assert "farthest 2.25, limit 1.00" in said(0.5, 1.5, 2.25)[1]
    gone = Interpolation(frames=frames, ends=ends)
    assert gone.strange == 0 and "are gone" in gone.sentences()[0]


def test_image_files_of_any_form(copied, mosaics, tmp_path):
    run = copied("vae")
    Image.fromarray(mosaics[0][0]).save(tmp_path / "grey.png")
    colour = Image.fromarray(mosaics[0][1]).convert("RGB").resize((24, 24), Image.Resampling.NEAREST)
    colour.save(tmp_path / "colour.png")
    found = hundredfold.interpolate(run, tmp_path / "grey.png", str(tmp_path / "colour.png"), steps=2)
    assert torch.equal(found.ends[0, 0], torch.from_numpy(mosaics[0][0]) / 255) and found.ends.shape == (2, 1, 8, 8)
    assert float((found.ends[1, 0] * 255 - torch.from_numpy(mosaics[0][1])).abs().mean()) < 20


def test_a_file_whose_name_is_a_number_is_a_file(copied, mosaics, tmp_path, monkeypatch):
    run = copied("vae")
    Image.fromarray(mosaics[0][200]).save(tmp_path / "3", "PNG")
    monkeypatch.chdir(tmp_path)
    found = hundredfold.interpolate(run, "3", 3, steps=2)
    assert torch.equal(found.ends[0, 0], torch.from_numpy(mosaics[0][200]) / 255)
    assert not torch.equal(found.ends[0], found.ends[1])


def test_images_learnt_from_that_are_gone_leave_the_distances_out(mosaics, tmp_path):
    run = tmp_path / "run"
    hundredfold.pretrain(mosaics, out=run, method="autoencoder", epochs=1, batch_size=32)
    Image.fromarray(mosaics[0][0]).save(tmp_path / "a.png")
    found = hundredfold.interpolate(run, tmp_path / "a.png", tmp_path / "a.png", to=tmp_path / "way.png")
    assert found.distances is None and found.limit is None and len(found.frames) == 9
    assert (tmp_path / "way.png").exists() and "are gone" in found.report.read_text()
    with pytest.raises(SettingsError, match="in memory"):
        hundredfold.interpolate(run, 0, 1)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (40, "held out 40, from 0 to 39"),
        ("40", "held out 40, from 0 to 39"),
        (-1, "there is no image -1"),
        ("nowhere.png", "there is no image nowhere.png"),
        ("²", "there is no image ²"),
        ("x" * 5000, "there is no image xxx"),
        ("a\0b", "there is no image"),
        ("", "there is no image"),
    ],
    ids=repr,
)
def test_images_that_are_not_there(pretrained, name, told):
    with pytest.raises(DataError, match=told) as refused:
        hundredfold.interpolate(pretrained("vae"), 0, name)
    assert refused.value.exit_status == 2


def test_files_that_are_no_images(pretrained, tmp_path):
    (tmp_path / "text.png").write_text("no image")
    Image.new("L", (8, 8)).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:40])
    for name in ("text.png", "cut.png"):
        with pytest.raises(DataError, match=f"{name} cannot be read"):
            hundredfold.interpolate(pretrained("vae"), tmp_path / name, 0)
    with pytest.raises(DataError):
        hundredfold.interpolate(pretrained("vae"), tmp_path, 0)


def test_settings_that_cannot_be(pretrained, tmp_path):
    for keywords, told in (
        ({"steps": 1}, "steps must be 2 or more, got 1"),
        ({"how": "lineal"}, "unknown interpolation 'lineal': did you mean 'linear'"),
        ({"to": tmp_path / "a.gif"}, "unknown file type"),
    ):
        with pytest.raises(SettingsError, match=told):
            hundredfold.interpolate(pretrained("vae"), 0, 1, **keywords)
    with pytest.raises(CheckpointError, match="holds no generative model"):
        hundredfold.interpolate(pretrained("simclr"), 0, 1)


def test_at_most_so_many_known_images_are_compared_with(pretrained, monkeypatch):
    learnt = run_images(pretrained("vae")).learnt
    frames = learnt.take(torch.tensor([0, 1, 2]))
    assert study.compared(frames, learnt)[0].tolist() == pytest.approx([0, 0, 0], abs=1e-3)
    monkeypatch.setattr(study, "COMPARED", len(learnt) // 2)
    fewer = study.compared(frames, learnt)[0].tolist()
    assert fewer[0] == pytest.approx(0, abs=1e-3) and fewer[1] > 0.1
