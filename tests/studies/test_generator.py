"""The generative model beside the encoder: it comes back as it was, and what is no model is refused in a sentence."""

import json
import re
import shutil
import tomllib

import pytest
import torch

import hundredfold
from hundredfold import atomic
from hundredfold.errors import CheckpointError
from hundredfold.methods.generative.diffusion import Diffusion
from hundredfold.methods.generative.vae import VAE
from hundredfold.studies.generator import able_to, conditions, load_generator


def resealed(run):
    """After a change by hand, the manifest that such a file would have come with."""
    atomic.write_manifest(run / "generator")
    return run


def changed(run, **content):
    path = run / "generator" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **content}))
    return resealed(run)


def test_the_model_comes_back_as_it_was(pretrained, mosaics):
    kept = load_generator(pretrained("vae"))
    assert isinstance(kept.model, VAE) and kept.name == "vae" and kept.classes == () and not kept.model.training
    assert kept.settings["latent"] == kept.model.latent == 20
    images = torch.from_numpy(mosaics[0][:5]).unsqueeze(1) / 255
    again = load_generator(pretrained("vae")).model
    with torch.no_grad():
        torch.testing.assert_close(kept.model.reconstruct(images), again.reconstruct(images), rtol=0, atol=0)
        rows = hundredfold.load_encoder(pretrained("vae"))(images)
        torch.testing.assert_close(kept.model.encoder(images), rows, rtol=0, atol=0)


def test_a_model_that_learnt_from_labels_knows_their_names(pretrained):
    kept = load_generator(pretrained("conditional_vae"))
    assert kept.classes == ("0", "1", "2") and kept.settings["classes"] == 3
    (told,) = conditions(kept, ["2", "", "cat", "0"])
    assert told.tolist() == [[0, 0, 1], [0, 0, 0], [0, 0, 0], [1, 0, 0]]
    assert conditions(load_generator(pretrained("vae")), ["2"]) == ()


def test_what_cannot_be_asked_of_a_model(pretrained):
    folder = pretrained("autoencoder")
    with pytest.raises(CheckpointError, match="cannot generate images") as refused:
        able_to(load_generator(folder), "generate images", "sample", folder)
    assert "autoencoder" in refused.value.why and "conditional_vae or diffusion or vae" in refused.value.fix
    assert able_to(load_generator(pretrained("vae")), "generate images", "sample", folder)


def test_a_model_without_codes_draws_and_does_nothing_else(copied):
    run = copied("diffusion")
    kept = load_generator(run)
    assert isinstance(kept.model, Diffusion) and kept.classes == ("0", "1", "2") and kept.settings["classes"] == 3
    for command, verb in (
        (lambda: hundredfold.reconstruct(run), "reconstruct images"),
        (lambda: hundredfold.denoise(run), "take noise off images"),
        (lambda: hundredfold.interpolate(run, 0, 1), "go from one image to another"),
        (lambda: hundredfold.map_features(run, how="latent"), "lay images out by their codes"),
    ):
        with pytest.raises(CheckpointError, match=f"cannot {verb}") as refused:
            command()
        assert "diffusion, which has no codes" in refused.value.why
        assert "autoencoder or conditional_vae or denoising_autoencoder or vae" in refused.value.fix
    found = hundredfold.anomalies(run)
    assert "reconstruction_error" not in found.scores and "latent_distance" in found.scores


def test_a_run_without_a_generative_model(pretrained, tmp_path):
    assert not (pretrained("simclr") / "generator").exists()
    with pytest.raises(CheckpointError, match="holds no generative model") as refused:
        load_generator(pretrained("simclr"))
    assert "--method autoencoder or conditional_vae or denoising_autoencoder or vae" in refused.value.fix
    with pytest.raises(CheckpointError, match="there is no folder"):
        load_generator(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match="is not a finished run"):
        load_generator(tmp_path)


def test_a_run_that_evaluates_has_no_generative_model_of_its_own(pretrained, mosaics_file, tmp_path):
    hundredfold.evaluate(
        pretrained("vae"), str(mosaics_file), out=tmp_path / "e", labels=6, draws=1, models=("linear_probe",)
    )
    with pytest.raises(CheckpointError, match="holds no generative model"):
        load_generator(tmp_path / "e")


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "manifest.json"])
def test_a_flipped_byte_or_a_cut_file_is_not_used(copied, name):
    path = copied("vae") / "generator" / name
    content = path.read_bytes()
    for damaged in (content[:-7], content[:40] + bytes([content[40] ^ 1]) + content[41:]):
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match="cannot be used") as refused:
            load_generator(path.parent.parent)
        assert name in refused.value.why and refused.value.exit_status == 2
    path.unlink()
    with pytest.raises(CheckpointError, match="cannot be used"):
        load_generator(path.parent.parent)


def test_a_later_version_says_to_upgrade(copied):
    with pytest.raises(CheckpointError, match="cannot be used") as refused:
        load_generator(changed(copied("vae"), schema=99))
    assert "schema is 99" in refused.value.why and refused.value.fix == "upgrade hundredfold"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"method": "simclr", "settings": {}}, "simclr turns nothing back into images"),
        ({"method": "veritable"}, "unknown method 'veritable'"),
        ({"settings": {"latent": 7}}, "size mismatch"),
        ({"settings": {"latent": -1}}, "latent must be >= 1"),
        ({"settings": 3}, "config.json cannot be read"),
        ({"encoder": {}}, "config.json cannot be read"),
    ],
    ids=str,
)
def test_a_description_that_does_not_fit(copied, content, told):
    with pytest.raises(CheckpointError, match="cannot be used") as refused:
        load_generator(changed(copied("vae"), **content))
    assert re.search(told, refused.value.why), refused.value.why


def test_weights_that_are_none(copied):
    run = copied("vae")
    (run / "generator" / "model.safetensors").write_bytes(b"no weights at all")
    with pytest.raises(CheckpointError, match="cannot be used"):
        load_generator(resealed(run))
    (run / "generator" / "config.json").write_bytes(b"\xff\xfe")
    with pytest.raises(CheckpointError, match="cannot be used"):
        load_generator(resealed(run))


def test_the_classes_are_filled_in_recorded_and_resumed(copied):
    run = copied("conditional_vae")
    settings = tomllib.loads((run / "settings.toml").read_text())["method_settings"]
    assert settings["classes"] == 3 and settings["latent"] == 8
    assert "classes" not in tomllib.loads((run / "asked.toml").read_text()).get("method_settings", {})
    before = (run / "generator" / "model.safetensors").read_bytes()
    (run / "results.json").unlink()
    shutil.rmtree(run / "generator")
    hundredfold.pretrain(None, out=run, resume=True)
    assert (run / "generator" / "model.safetensors").read_bytes() == before
    assert load_generator(run).classes == ("0", "1", "2")


def test_an_encoder_that_has_seen_labels_is_told_where_few_are_learnt_from(pretrained, mosaics_file, tmp_path):
    few = {"labels": 6, "draws": 1, "models": ("linear_probe",)}
    found = hundredfold.evaluate(pretrained("conditional_vae"), str(mosaics_file), out=tmp_path / "e", **few)
    assert any("has learnt from labels (conditional_vae)" in note for note in found.notes)
    other = hundredfold.evaluate(pretrained("autoencoder"), str(mosaics_file), out=tmp_path / "o", **few)
    assert not any("has learnt from labels" in note for note in other.notes)
