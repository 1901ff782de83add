"""A diffusers folder against the library asked for one class, and in plain numbers; mixtures; what is refused."""

import json
import math

import pytest
import torch

from hundredfold.errors import CheckpointError, SettingsError
from hundredfold.train.engine import Engine
from hundredfold.transfer.diffusers_pipeline import DiffusersGenerator, MixedEmbedding, read_diffusers
from hundredfold.transfer.generator import one_hot, responds

diffusers = pytest.importorskip("diffusers")

SMALL = {
    "sample_size": 8,
    "in_channels": 1,
    "out_channels": 1,
    "down_block_types": ("DownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "UpBlock2D"),
    "block_out_channels": (8, 8),
    "norm_num_groups": 4,
    "layers_per_block": 1,
}


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def network(**settings):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return diffusers.UNet2DModel(**{**SMALL, "num_class_embeds": 3, **settings}).eval()


def pipeline(folder, scheduler=None, **settings):
    """A folder as somebody else would publish it."""
    unet = network(**settings)
    diffusers.DDPMPipeline(unet, scheduler or diffusers.DDPMScheduler(num_train_timesteps=100)).save_pretrained(folder)
    return unet


def test_one_class_is_drawn_as_the_paper_says(tmp_path):
    unet = pipeline(tmp_path)
    generator = read_diffusers(tmp_path, steps=4)
    assert (generator.classes, generator.channels, generator.size) == (("0", "1", "2"), 1, (8, 8))
    labels = torch.tensor([2, 0])
    images = torch.randn(2, 1, 8, 8, generator=rng(7))
    # "linear" noise in 100 steps, of which the 76th, 51st, 26th and 1st are taken.
    betas = [1e-4 + (0.02 - 1e-4) * t / 99 for t in range(100)]
    kept = [math.prod(1 - beta for beta in betas[: t + 1]) for t in range(100)]
    for t in (75, 50, 25, 0):
        now, then = kept[t], kept[t - 25] if t else 1.0
        with torch.no_grad():
            noise = unet(images, t, class_labels=labels).sample
        clean = ((images - math.sqrt(1 - now) * noise) / math.sqrt(now)).clamp(-1, 1)
        images = math.sqrt(then) * clean + math.sqrt(1 - then) * noise
    found = generator.sample(one_hot(labels, 3), rng(7))
    torch.testing.assert_close(found, (images.clamp(-1, 1) + 1) / 2, atol=1e-4, rtol=1e-4)


def test_a_mixture_acts_and_the_noise_follows_from_the_state(tmp_path):
    pipeline(tmp_path)
    generator = read_diffusers(tmp_path, steps=3)
    generator.place(Engine(device=torch.device("cpu"), precision="float32"))
    soft = torch.tensor([[0.6, 0.4, 0.0]]).expand(2, 3)
    images = generator.sample(soft, rng(1))
    assert images.shape == (2, 1, 8, 8) and images.min() >= 0 and images.max() <= 1 and not images.requires_grad
    assert torch.equal(images, generator.sample(soft, rng(1)))
    assert not torch.equal(images, generator.sample(soft, rng(2)))
    assert not torch.allclose(images, generator.sample(one_hot(soft.argmax(1), 3), rng(1)), atol=1e-5)
    hard_response, soft_response = responds(generator, count=3)
    assert hard_response > 0 and soft_response > 0


def test_rows_are_mixed():
    table = torch.tensor([[1.0, 2.0], [3.0, 5.0]])
    found = MixedEmbedding(table)(torch.tensor([[0.25, 0.75], [0.0, 1.0]]))
    assert found.tolist() == [[2.5, 4.25], [3.0, 5.0]]


def test_named_classes_leave_out_the_row_of_no_class(tmp_path):
    unet = pipeline(tmp_path)
    (tmp_path / "classes.json").write_text('["cat", "dog"]')
    generator = read_diffusers(tmp_path, steps=2)
    assert generator.classes == ("cat", "dog")
    assert torch.equal(generator.unet.class_embedding.table, unet.class_embedding.weight[:2])
    (tmp_path / "classes.json").write_text('["a", "b", "c", "d"]')
    with pytest.raises(CheckpointError, match="1 to 3 different names"):
        read_diffusers(tmp_path)


def test_a_network_that_is_told_numbers(tmp_path):
    unet = pipeline(tmp_path, class_embed_type="timestep", num_class_embeds=None)
    with pytest.raises(CheckpointError, match="how many classes it knows"):
        read_diffusers(tmp_path)
    (tmp_path / "classes.json").write_text('["a", "b"]')
    generator = read_diffusers(tmp_path, steps=1)
    noise, labels = torch.randn(2, 1, 8, 8, generator=rng()), torch.tensor([1, 0])
    with torch.no_grad():
        expected = unet(noise, 30, class_labels=labels).sample
        found = generator.unet(noise, 30, class_labels=one_hot(labels, 2)).sample
    torch.testing.assert_close(found, expected)
    assert responds(generator, count=2)[1] > 0


def test_a_network_that_is_told_vectors(tmp_path):
    unet = pipeline(tmp_path, class_embed_type="identity", num_class_embeds=None)
    (tmp_path / "classes.json").write_text('["a", "b"]')
    generator = read_diffusers(tmp_path, steps=1)
    noise, vectors = torch.randn(1, 1, 8, 8, generator=rng()), torch.zeros(1, 32)
    vectors[0, :2] = torch.tensor([0.3, 0.7])
    with torch.no_grad():
        expected = unet(noise, 30, class_labels=vectors).sample
        found = generator.unet(noise, 30, class_labels=vectors[:, :2]).sample
    torch.testing.assert_close(found, expected)
    assert responds(generator, count=2)[1] > 0


def test_a_network_may_be_made_a_generator_twice(tmp_path):
    pipeline(tmp_path)
    once = read_diffusers(tmp_path, steps=2)
    images = once.sample(torch.eye(3), rng())
    again = DiffusersGenerator(once.unet, once.scheduler, ("a", "b", "c"), steps=2)
    assert torch.equal(again.sample(torch.eye(3), rng()), images)


def test_a_network_that_learnt_the_variance_too(tmp_path):
    pipeline(tmp_path, out_channels=2)
    assert read_diffusers(tmp_path, steps=2).sample(torch.eye(3), rng()).shape == (3, 1, 8, 8)


def test_images_that_are_not_square(tmp_path):
    pipeline(tmp_path, sample_size=(8, 12), in_channels=3, out_channels=3)
    generator = read_diffusers(tmp_path, steps=1)
    assert generator.size == (8, 12) and generator.sample(torch.eye(3), rng()).shape == (3, 3, 8, 12)


def test_pipelines_that_cannot_be_used(tmp_path):
    pipeline(tmp_path / "no classes", num_class_embeds=None)
    with pytest.raises(CheckpointError, match="draws images of no class that is asked for"):
        read_diffusers(tmp_path / "no classes")
    pipeline(tmp_path / "no size", sample_size=None)
    with pytest.raises(CheckpointError, match="does not say the size"):
        read_diffusers(tmp_path / "no size")


@pytest.mark.parametrize(
    "name, parts",
    [
        ("DiTPipeline", {"transformer": ["diffusers", "DiTTransformer2DModel"], "vae": ["diffusers", "AutoencoderKL"]}),
        ("LDMPipeline", {"unet": ["diffusers", "UNet2DModel"], "vqvae": ["diffusers", "VQModel"]}),
        ("OwnPipeline", {"unet": ["own_code", "UNet2DModel"]}),
    ],
)
def test_pipelines_of_other_parts(tmp_path, name, parts):
    index = {"_class_name": name, "scheduler": ["diffusers", "DDIMScheduler"], "safety": [None, None], **parts}
    (tmp_path / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match=name) as refused:
        read_diffusers(tmp_path)
    assert all(f"{part}: {kind}" in refused.value.why for part, (_, kind) in parts.items())
    assert "codes of an autoencoder" in refused.value.why


def test_a_scheduler_without_a_noise_schedule_of_steps(tmp_path):
    pipeline(tmp_path)
    scheduler = {"_class_name": "CMStochasticIterativeScheduler", "num_train_timesteps": 40}
    (tmp_path / "scheduler" / "scheduler_config.json").write_text(json.dumps(scheduler))
    with pytest.raises(CheckpointError, match="CMStochasticIterativeScheduler"):
        read_diffusers(tmp_path)


def test_weights_are_read_from_safetensors_alone_and_whole(tmp_path):
    from safetensors.torch import load_file, save_file

    unet = pipeline(tmp_path)
    path = tmp_path / "unet" / "diffusion_pytorch_model.safetensors"
    weights = load_file(path)
    lost = weights.pop("class_embedding.weight")
    save_file(weights, path)
    with pytest.raises(CheckpointError, match="not all there") as refused:
        read_diffusers(tmp_path)
    assert "class_embedding.weight" in refused.value.why
    save_file({**weights, "class_embedding.weight": lost[:2]}, path)
    with pytest.raises(CheckpointError, match="cannot be loaded"):
        read_diffusers(tmp_path)
    path.unlink()
    torch.save(unet.state_dict(), path.with_suffix(".bin"))
    with pytest.raises(CheckpointError, match="as pickles alone"):
        read_diffusers(tmp_path)


def test_steps_out_of_range():
    for steps in (0, 101):
        with pytest.raises(SettingsError, match=f"1 to 100, as in training, got {steps}"):
            DiffusersGenerator(
                network(), diffusers.DDIMScheduler(num_train_timesteps=100), ("a", "b", "c"), steps=steps
            )


def test_without_the_library_the_extra_is_named(tmp_path, monkeypatch):
    pipeline(tmp_path)
    monkeypatch.setitem(__import__("sys").modules, "diffusers", None)
    with pytest.raises(SettingsError, match=r"pip install 'hundredfold\[diffusion\]'"):
        read_diffusers(tmp_path)
