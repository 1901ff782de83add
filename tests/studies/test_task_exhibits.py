"""What the report of a run shows of its task: questions and answers, what was missing, reconstructions, samples."""

import json

import pytest
from safetensors.torch import load_file

import hundredfold
from hundredfold.exhibit_records import Exhibit
from hundredfold.records import from_json


def shown(run, name):
    exhibit = from_json(Exhibit, (run / "exhibits" / f"{name}.json").read_text())
    return exhibit, load_file(run / "exhibits" / f"{name}.safetensors")


def of_all(run):
    return sorted(path.stem for path in (run / "exhibits").glob("*.json")) if (run / "exhibits").is_dir() else []


@pytest.mark.parametrize("method", ["rotation", "flip", "jigsaw"])
def test_questions_with_their_answers(pretrained, method):
    run = pretrained(method)
    assert of_all(run) == ["task"]
    exhibit, pictures = shown(run, "task")
    (row,) = exhibit.rows
    assert len(row.captions) == len(pictures["asked"]) == 12 and pictures["asked"].shape[1:] == (1, 8, 8)
    most = {"rotation": 4, "flip": 2, "jigsaw": 24}[method]
    for caption in row.captions:
        right, _, given = caption.partition(", answered ")
        assert 0 <= int(right) < most and (not given or (0 <= int(given) < most and given != right))
    assert len({caption.partition(",")[0] for caption in row.captions}) > 1
    html = (run / "report.html").read_text()
    assert "The task, on held-out images" in html and row.captions[0] in html


@pytest.mark.parametrize("method", ["inpainting", "masked_patch", "mae"])
def test_what_was_missing_and_what_was_answered(pretrained, method):
    exhibit, pictures = shown(pretrained(method), "task")
    assert [row.key for row in exhibit.rows] == ["masked", "completed", "images"]
    assert {tensor.shape for tensor in pictures.values()} == {(12, 1, 8, 8)}
    same = (pictures["completed"] == pictures["images"]).float().mean()
    assert 0.2 < float(same) < 1, "what was seen is left as it was"
    assert not pictures["masked"].equal(pictures["images"])


def test_a_generative_model_shows_reconstructions_and_samples(pretrained):
    assert of_all(pretrained("vae")) == of_all(pretrained("conditional_vae")) == ["generate", "reconstruct"]
    assert of_all(pretrained("autoencoder")) == of_all(pretrained("denoising_autoencoder")) == ["reconstruct"]
    exhibit, pictures = shown(pretrained("vae"), "reconstruct")
    assert "40 images" in exhibit.sentences[0] and pictures["originals"].shape == (12, 1, 8, 8)
    samples, drawn = shown(pretrained("conditional_vae"), "generate")
    assert drawn["generated"].shape == (64, 1, 8, 8) and samples.rows[0].captions[:4] == ("0", "1", "2", "0")
    assert shown(pretrained("vae"), "generate")[0].rows[0].captions == ()


def test_two_views_have_no_task_to_show(pretrained):
    assert of_all(pretrained("simclr")) == []
    assert json.loads((pretrained("simclr") / "results.json").read_text())["task"] is None


def test_figures_of_the_task_are_in_the_results_and_on_the_page(pretrained):
    found = json.loads((pretrained("rotation") / "results.json").read_text())
    assert found["similarity"] is None and found["task"]["chance"] == pytest.approx(0.25)
    html = (pretrained("rotation") / "report.html").read_text()
    assert f"{100 * found['task']['accuracy']:.1f}" in html


def test_overwriting_removes_what_belonged_to_the_run_before(copied, mosaics_file):
    run = copied("vae")
    assert (run / "generator").is_dir() and (run / "exhibits").is_dir()
    hundredfold.pretrain(str(mosaics_file), out=run, overwrite=True, epochs=0, batch_size=32)
    assert not (run / "generator").exists() and not (run / "exhibits").exists()
