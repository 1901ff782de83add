"""One function each that finds out what a folder holds; everything else is refused in a sentence."""

import json

import pytest
import torch

import hundredfold.methods.catalogue as methods
from hundredfold import atomic
from hundredfold.encoders.build import encoder
from hundredfold.encoders.folder import save_encoder
from hundredfold.errors import CheckpointError
from hundredfold.evaluate.probe import Linear
from hundredfold.studies.generator import save_generator
from hundredfold.studies.hand_over import Classifier, save_classifier
from hundredfold.studies.source_artefacts import load_source_classifier, load_source_generator
from hundredfold.transfer.generator import responds
from hundredfold.views.chain import Chain

CLASSES = ("a", "b", "c")
CONVNET = {"widths": [4], "features": 8}
UNET = {"widths": [4, 4], "groups": 2, "attention": False}


def small(name="convnet", settings=CONVNET):
    return encoder(name, channels=1, size=(8, 8), mean=[0.4], std=[0.3], settings=settings, seed=0).eval()


def generating(run, name, *, names=CLASSES, **settings):
    """A run as a pre-training leaves it behind."""
    start = small("unet", UNET) if name == "diffusion" else small()
    method = methods.build(name, start, Chain(()), settings, seed=0)
    save_encoder(method.encoder, run / "encoder")
    save_generator(method, run / "generator", name=name, settings=settings, classes=names)
    return run


def classifying(run):
    """A run as an evaluation leaves it behind."""
    head = Linear(weight=torch.eye(3, 8), bias=torch.tensor([0.1, 0.2, 0.3]), unit_length=False)
    kept = Classifier(encoder=small(), head=head, classes=CLASSES, temperature=2.0)
    save_encoder(kept.encoder, run / "encoder")
    save_classifier(kept, run / "classifier")
    return kept


@pytest.mark.parametrize("name, settings", [("conditional_vae", {"latent": 4}), ("diffusion", {"sampling_steps": 2})])
def test_a_run_that_learnt_to_draw_classes(tmp_path, name, settings):
    run = generating(tmp_path / "run", name, classes=3, **settings)
    for folder in (run, run / "generator"):
        generator = load_source_generator(folder)
        assert (generator.name, generator.classes, generator.size) == (name, CLASSES, (8, 8))
    assert generator.sample(torch.eye(3), torch.Generator().manual_seed(0)).shape == (3, 1, 8, 8)


def test_a_mixture_acts_on_what_a_run_holds(tmp_path):
    run = generating(tmp_path / "run", "conditional_vae", latent=4, classes=3)
    assert min(responds(load_source_generator(run), count=3)) > 0


def test_a_diffusers_pipeline(tmp_path):
    diffusers = pytest.importorskip("diffusers")
    blocks = {"down_block_types": ["DownBlock2D"], "up_block_types": ["UpBlock2D"], "block_out_channels": [8]}
    unet = diffusers.UNet2DModel(
        sample_size=8, in_channels=1, out_channels=1, norm_num_groups=4, num_class_embeds=3, **blocks
    )
    diffusers.DDPMPipeline(unet, diffusers.DDPMScheduler()).save_pretrained(tmp_path)
    assert load_source_generator(tmp_path).name == "diffusers"
    with pytest.raises(CheckpointError, match="holds no classifier"):
        load_source_classifier(tmp_path)


def test_a_biggan_folder(tmp_path):
    from dataclasses import asdict

    from safetensors.torch import save_file

    from hundredfold.transfer.biggan import BigGAN, BigGANConfig

    config = BigGANConfig(output_dim=8, z_dim=2, channel_width=4, num_classes=3, layers=((True, 16, 1),))
    (tmp_path / "config.json").write_text(json.dumps(asdict(config)))
    save_file(BigGAN(config).state_dict(), tmp_path / "model.safetensors")
    generator = load_source_generator(tmp_path)
    assert (generator.name, generator.size) == ("biggan", (8, 8))


@pytest.mark.parametrize("place", ["", "classifier"])
def test_a_run_that_classifies(tmp_path, place):
    kept = classifying(tmp_path)
    classifier = load_source_classifier(tmp_path / place)
    images = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert classifier.classes == CLASSES
    with torch.no_grad():
        expected = kept.probabilities(kept.encoder(images))
    torch.testing.assert_close(classifier.probabilities(images), expected)


def test_a_transformers_folder(tmp_path):
    transformers = pytest.importorskip("transformers")
    small_one = {"embedding_size": 4, "hidden_sizes": [4], "depths": [1], "layer_type": "basic"}
    config = transformers.AutoConfig.for_model("resnet", **small_one, num_labels=2)
    transformers.AutoModelForImageClassification.from_config(config).save_pretrained(tmp_path)
    assert load_source_classifier(tmp_path).classes == ("LABEL_0", "LABEL_1")
    with pytest.raises(CheckpointError, match="holds no generator"):
        load_source_generator(tmp_path)


def test_runs_that_draw_no_class(tmp_path):
    vae = generating(tmp_path / "vae", "vae")
    with pytest.raises(CheckpointError, match="cannot be asked for a class") as refused:
        load_source_generator(vae)
    assert "vae" in refused.value.why and "conditional_vae or diffusion" in refused.value.fix
    unlabelled = generating(tmp_path / "unlabelled", "conditional_vae", names=())
    with pytest.raises(CheckpointError, match="cannot be asked for a class"):
        load_source_generator(unlabelled)
    simclr = tmp_path / "simclr"
    save_encoder(small(), simclr / "encoder")
    with pytest.raises(CheckpointError, match="holds no generator") as refused:
        load_source_generator(simclr)
    assert "conditional_vae or diffusion" in refused.value.fix


def test_a_run_that_does_not_classify(tmp_path):
    save_encoder(small(), tmp_path / "encoder")
    with pytest.raises(CheckpointError, match="holds no classifier") as refused:
        load_source_classifier(tmp_path)
    assert "hundredfold evaluate" in refused.value.fix


def test_a_classifier_folder_holds_no_generator(tmp_path):
    classifying(tmp_path)
    with pytest.raises(CheckpointError, match="holds no generator"):
        load_source_generator(tmp_path / "classifier")


def test_what_was_changed_by_hand_is_not_used(tmp_path):
    run = generating(tmp_path / "run", "conditional_vae", classes=3)
    classifying(run)
    for part in ("generator", "classifier"):
        path = run / part / "model.safetensors"
        path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(CheckpointError, match="cannot be used"):
        load_source_generator(run)
    with pytest.raises(CheckpointError, match="cannot be trusted"):
        load_source_classifier(run)
    atomic.write_manifest(run / "generator")
    assert load_source_generator(run).classes == CLASSES


@pytest.mark.parametrize("load", [load_source_generator, load_source_classifier])
def test_everything_else_is_refused_in_a_sentence(tmp_path, load):
    with pytest.raises(CheckpointError, match="there is no folder"):
        load(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match="it holds nothing"):
        load(tmp_path)
    for number in range(10):
        (tmp_path / f"{number}.txt").touch()
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match="holds no .* that can be used") as refused:
        load(tmp_path)
    assert "0.txt, 1.txt" in refused.value.why and "and 3 more" in refused.value.why
    assert refused.value.fix.startswith("name a run")
    with pytest.raises(CheckpointError, match="is a file, not a folder"):
        load(tmp_path / "0.txt")
    (tmp_path / "pytorch_model.bin").touch()
    with pytest.raises(CheckpointError, match=r"pickles alone \(pytorch_model.bin\)") as refused:
        load(tmp_path)
    assert "runs the code" in refused.value.why
