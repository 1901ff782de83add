"""The commands that show what a model is for: what they print and write, and bad input answered with sentences."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from hundredfold import atomic
from hundredfold.cli import main

SMALL = ["--epochs=2", "--batch-size=16", "--lr=0.01", "--set=encoder_settings={widths=[4], features=16}", "--quiet"]


@pytest.fixture(scope="module")
def made(toy_file, tmp_path_factory):
    """made(method): a finished pre-training with it, made once. Not to be changed: copy it."""
    folder = tmp_path_factory.mktemp("made")

    def of(method):
        out = folder / method
        if not out.exists():
            with pytest.raises(SystemExit) as leaving:
                main(["pretrain", str(toy_file), "--method", method, *SMALL, "--out", str(out)])
            assert leaving.value.code == 0
        return out

    return of


@pytest.fixture
def run(made, tmp_path):
    """run(method): a copy, which may be changed."""
    return lambda method: shutil.copytree(made(method), tmp_path / f"copy of {method}")


@pytest.fixture
def refused(call):
    """refused("generate", ...): what stderr says of a call that ends with status 2, without a traceback."""

    def of(*arguments):
        said = call(*arguments)
        assert said.status == 2 and said.out == "" and "Traceback" not in said.err and "a defect" not in said.err, said
        assert len(said.err) < 1500
        return said.err

    return of


# --- what they do -------------------------------------------------------------------------------------------------

JOBS = [
    ("reconstruct", "autoencoder", [], "Reconstructions", "keep"),
    ("generate", "conditional_vae", ["--count", "5"], "New images", "5 new images"),
    ("interpolate", "vae", ["0", "3"], "From one image to another", "of the 9 frames"),
    ("denoise", "denoising_autoencoder", ["--noise", "0.3"], "Noise taken off", "against the best filter"),
    ("anomalies", "simclr", [], "Images unlike those learnt from", "stranger than 99 %"),
    ("map", "simclr", ["--how", "pca"], "The images on a map", "principal components"),
    ("cluster", "simclr", ["--clusters", "3"], "Groups of images", "in 3 groups by kmeans"),
]


@pytest.mark.parametrize(("command", "method", "arguments", "title", "said"), JOBS, ids=[job[0] for job in JOBS])
def test_each_prints_its_figures_and_adds_to_the_report(call, run, command, method, arguments, title, said):
    folder = run(method)
    (folder / "exhibits" / f"{command}.json").unlink(missing_ok=True)
    call("report", folder)
    assert title not in (folder / "report.html").read_text()
    found = call(command, folder, *arguments)
    assert found.status == 0 and found.err == "" and said in found.out
    assert str(folder / "report.html") in found.out.splitlines()[-1] and len(found.out.splitlines()) <= 4
    assert title in (folder / "report.html").read_text()
    call("report", folder)
    html = (folder / "report.html").read_text()
    assert title in html and said.split()[-1] in html
    again = call(command, folder, *arguments)
    assert again.out == found.out
    assert len(list((folder / "exhibits").glob(f"{command}.json"))) == 1


@pytest.mark.parametrize(
    ("command", "method", "arguments", "to"),
    [
        ("reconstruct", "autoencoder", [], "a.png"),
        ("generate", "vae", ["--count=4"], "folder"),
        ("interpolate", "vae", ["0", "1"], "a.npy"),
        ("denoise", "autoencoder", [], "a.npz"),
        ("anomalies", "simclr", [], "a.csv"),
        ("map", "simclr", ["--how=pca"], "a.csv"),
        ("cluster", "simclr", [], "a.csv"),
    ],
)
def test_what_is_asked_for_is_written_and_named(call, run, tmp_path, command, method, arguments, to):
    found = call(command, run(method), *arguments, "--to", tmp_path / to)
    assert found.status == 0 and (tmp_path / to).exists() and str(tmp_path / to) in found.out


def test_a_source_takes_the_place_of_the_images_held_out(call, run, toy_file):
    assert "90 images keep" in call("reconstruct", run("autoencoder"), toy_file).out
    labelled = call("anomalies", run("simclr"), toy_file, "--normal-class", "0", "--normal-class", "1")
    assert labelled.status == 0 and "Area under the ROC curve" in labelled.out


def test_a_seed_and_a_class(call, run, tmp_path):
    folder = run("conditional_vae")
    for seed, name in ((1, "a.npy"), (1, "b.npy"), (2, "c.npy")):
        assert call("generate", folder, "--seed", seed, "--class", "2", "--to", tmp_path / name).status == 0
    first, same, other = (np.load(tmp_path / name) for name in ("a.npy", "b.npy", "c.npy"))
    assert np.array_equal(first, same) and not np.array_equal(first, other) and len(first) == 64


def test_images_named_by_their_files(call, run, tmp_path):
    Image.new("RGB", (30, 20), (200, 30, 60)).save(tmp_path / "a.png")
    Image.new("L", (8, 8), 90).save(tmp_path / "b.jpg")
    found = call("interpolate", run("vae"), tmp_path / "a.png", tmp_path / "b.jpg", "--steps", "4")
    assert found.status == 0 and "of the 4 frames" in found.out


# --- bad input ----------------------------------------------------------------------------------------------------

COMMANDS = {
    "reconstruct": [],
    "generate": [],
    "interpolate": ["0", "1"],
    "denoise": [],
    "anomalies": [],
    "map": [],
    "cluster": [],
}
GENERATIVE = ["reconstruct", "generate", "interpolate", "denoise"]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_run_that_is_not_there_or_not_finished(refused, command, tmp_path):
    (tmp_path / "empty").mkdir()
    for folder in ("nowhere", "empty"):
        said = refused(command, tmp_path / folder, *COMMANDS[command])
        assert folder in said and "finished" in said
    assert list((tmp_path / "empty").iterdir()) == []


@pytest.mark.parametrize("command", GENERATIVE)
def test_a_run_without_a_model_that_makes_images(refused, made, finished, command):
    for folder in (made("simclr"), finished):
        said = refused(command, folder, *COMMANDS[command])
        draws = "conditional_vae or diffusion or vae"  # an autoencoder draws nothing
        able = draws if command == "generate" else "autoencoder or "
        assert "holds no generative model" in said and f"--method {able}" in said


def test_a_run_that_reconstructs_but_cannot_draw(refused, made):
    said = refused("generate", made("autoencoder"))
    assert "cannot generate images" in said and "--method conditional_vae or diffusion or vae" in said


@pytest.mark.parametrize("command", GENERATIVE)
def test_a_damaged_model(refused, run, command):
    folder = run("vae")
    weights = folder / "generator" / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert "SHA-256 differs" in refused(command, folder, *COMMANDS[command])
    weights.write_bytes(whole)
    config = folder / "generator" / "config.json"
    text = config.read_text()
    config.write_text(text[: len(text) // 2])
    assert "config.json has" in refused(command, folder, *COMMANDS[command])
    atomic.write_manifest(folder / "generator")
    assert "config.json cannot be read" in refused(command, folder, *COMMANDS[command])
    config.write_text(json.dumps({**json.loads(text), "schema": 99}))
    atomic.write_manifest(folder / "generator")
    said = refused(command, folder, *COMMANDS[command])
    assert "schema is 99" in said and "upgrade" in said


@pytest.mark.parametrize(
    ("command", "arguments", "told"),
    [
        ("generate", ["--class", "22"], "unknown class '22': did you mean '2'?"),
        ("generate", ["--count", "0"], "0"),
        ("generate", ["--count", "many"], "many"),
        ("generate", ["--to", "a.gif"], "unknown file type '.gif'"),
        ("generate", ["--to", "nowhere/a.png"], "there is no folder"),
        ("generate", ["--accelerator", "gpu"], "got 'gpu'"),
        ("reconstruct", ["--count", "-3"], "-3"),
        ("reconstruct", ["nowhere"], "there is no source 'nowhere'"),
        ("reconstruct", ["--to", "a.csv"], "unknown file type '.csv'"),
        ("interpolate", ["0", "1000"], "held out 15, from 0 to 14"),
        ("interpolate", ["0"], "Missing argument"),
        ("interpolate", ["0", "nowhere.png"], "there is no image nowhere.png"),
        ("interpolate", ["0", "1", "--steps", "1"], "1"),
        ("interpolate", ["0", "1", "--how", "spheric"], "did you mean 'spherical'"),
        ("denoise", ["--noise", "-0.5"], "-0.5"),
        ("denoise", ["--noise", "nan"], "nan"),
        ("denoise", ["--noise", "inf"], "inf"),
        ("denoise", ["nowhere"], "there is no source 'nowhere'"),
        ("anomalies", ["--to", "a.txt"], "unknown file type '.txt'. Possible: .csv"),
        ("anomalies", ["nowhere"], "there is no source 'nowhere'"),
        ("anomalies", ["--normal", "nowhere"], "there is no source 'nowhere'"),
        ("anomalies", ["--normal-class", "cat"], "unknown class 'cat'"),
        ("map", ["--how", "tsn"], "did you mean 'tsne'"),
        ("map", ["--count", "1"], "count must be in 2..5,000, got 1"),
        ("map", ["--how", "latent"], "is no plane"),
        ("map", ["--to", "nowhere/a.csv"], "there is no folder"),
        ("cluster", ["--clusters", "16"], "clusters must be in 1..15"),
        ("cluster", ["--how", "kmens"], "did you mean 'kmeans'"),
        ("cluster", ["--eps", "0.5"], "only of dbscan"),
        ("cluster", ["--to", "a.png"], "unknown file type '.png'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_is_told_in_a_sentence(refused, made, tmp_path, monkeypatch, command, arguments, told):
    monkeypatch.chdir(tmp_path)
    folder = made("conditional_vae")
    before = sorted(folder.rglob("*"))
    assert told in refused(command, folder, *arguments)
    assert sorted(folder.rglob("*")) == before and list(tmp_path.iterdir()) == []


def test_a_class_of_a_model_that_knows_none(refused, made):
    said = refused("generate", made("vae"), "--class", "1")
    assert "cannot generate images of a class" in said and "leave --class out" in said


def test_files_that_are_no_images(refused, made, tmp_path):
    (tmp_path / "a.png").write_text("text")
    assert "a.png cannot be read" in refused("interpolate", made("vae"), "0", tmp_path / "a.png")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.png").write_text("text")
    assert "folder" in refused("reconstruct", made("vae"), tmp_path / "folder")


def test_images_of_channels_that_do_not_fit(refused, made, tmp_path):
    np.save(tmp_path / "five.npy", np.zeros((4, 8, 8, 5), dtype=np.uint8))
    for command in ("reconstruct", "denoise", "anomalies", "map", "cluster"):
        assert "5 channels cannot be brought to 1" in refused(command, made("vae"), tmp_path / "five.npy")


def test_pictures_of_channels_that_a_png_has_not(refused, call, tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "two.npy", rng.integers(0, 256, (60, 8, 8, 2), dtype=np.uint8))
    out = tmp_path / "run"
    assert call("pretrain", tmp_path / "two.npy", "--method=vae", *SMALL, "--out", out).status == 0
    said = refused("generate", out, "--to", tmp_path / "a.png")
    assert "2 channels cannot be written as PNG" in said and ".npz" in said
    assert call("generate", out, "--to", tmp_path / "a.npz").status == 0


def test_a_source_that_changed_or_vanished(refused, call, toy_file, tmp_path):
    source, out = tmp_path / "toy.npz", tmp_path / "run"
    shutil.copy(toy_file, source)
    assert call("pretrain", source, "--method=autoencoder", *SMALL, "--out", out).status == 0
    content = dict(np.load(source))
    np.savez(source, images=content["images"][::-1], labels=content["labels"])
    for command in ("reconstruct", "denoise", "anomalies", "map", "cluster"):
        assert "are not those that the run in" in refused(command, out)
    source.unlink()
    for command in ("reconstruct", "denoise", "anomalies", "map", "cluster"):
        assert "toy.npz" in refused(command, out)
    assert call("reconstruct", out, toy_file).status == 0, "another source serves"


def test_debug_shows_the_traceback(call, made):
    said = call("generate", made("autoencoder"), "--debug")
    assert said.status == 2 and "Traceback" in said.err
