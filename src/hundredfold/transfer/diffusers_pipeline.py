"""A class-conditional diffusion model from a folder of the diffusers library, asked for mixtures of classes too.

Source: sampling: Song, Meng & Ermon, "Denoising Diffusion Implicit Models", ICLR 2021 (arXiv 2010.02502), equation 12
with sigma = 0, as the library's `DDIMScheduler` computes it from the folder's noise schedule. How a UNet is told the
class: Nichol & Dhariwal, "Improved Denoising Diffusion Probabilistic Models", ICML 2021 (arXiv 2102.09672), section 2:
an embedding of the class is added to that of the time step.

The library looks a class up by its number, so that a mixture of classes cannot be said. Here the rows of its embedding
are mixed by the condition; a condition of one class gives the very row. Its pipelines are not used: some versions
forget to pass the class on.

When to use it: a diffusion model that was trained elsewhere, on images of the source task. When not: a pipeline that
works in the codes of an autoencoder (DiT, Stable Diffusion) or draws images of no class; both are refused.

Weights are read from safetensors alone and from disk alone. Needs the extra: `pip install 'hundredfold[diffusion]'`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hundredfold.errors import CheckpointError, SettingsError
from hundredfold.train.engine import Engine
from hundredfold.transfer.foreign_folder import CLASSES, class_names, description, needs_safetensors, short
from hundredfold.transfer.generator import Generator

INDEX = "model_index.json"
STEPS = 25
INSTALL = "pip install 'hundredfold[diffusion]'"


class MixedEmbedding(nn.Module):
    """Rows of a table [k, d], mixed by conditions: [b, k] -> [b, d]."""

    table: Tensor

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.register_buffer("table", table)

    def forward(self, condition: Tensor) -> Tensor:
        """Mixtures [b, d] by conditions [b, k]."""
        return condition.to(self.table.dtype) @ self.table


class DiffusersGenerator(Generator):
    """Denoises noise under a condition, in `steps` steps of which none adds noise.

    Args:
        unet: a `diffusers.UNet2DModel` that knows classes; its way to be told them is replaced.
        scheduler: a `diffusers.DDIMScheduler` with the noise schedule that the network was trained with.
        classes: k names.
        steps: of sampling, 1 to as many as the network was trained with.

    Raises:
        CheckpointError: a network without classes, or that does not say the size of its images.
        SettingsError: a number of steps out of range.
    """

    name = "diffusers"

    def __init__(self, unet: Any, scheduler: Any, classes: tuple[str, ...], *, steps: int = STEPS) -> None:
        trained = int(scheduler.config.num_train_timesteps)
        if not 1 <= steps <= trained:
            raise SettingsError([f"steps must be 1 to {trained}, as in training, got {steps}"])
        self.unet = unet.eval()
        self.scheduler = scheduler
        self.classes = classes
        self.channels = int(unet.config.in_channels)
        self.size = _size(unet.config.sample_size)
        scheduler.set_timesteps(steps)
        unet.class_embedding = MixedEmbedding(_table(unet, len(classes)))
        unet.register_to_config(class_embed_type="identity")  # or it would take conditions for time steps

    @torch.no_grad()
    def draw(self, condition: Tensor, rng: torch.Generator) -> Tensor:
        """See `Generator.sample`."""
        device = next(self.unet.parameters()).device
        images = torch.randn(len(condition), self.channels, *self.size, generator=rng).to(device)  # [b, c, h, w]
        told = condition.to(device)
        for step in self.scheduler.timesteps:
            answer = self.unet(images, step.to(device), class_labels=told).sample
            # A network that also learnt the variance says it in further channels, of which this sampling has no use.
            images = self.scheduler.step(answer[:, : self.channels], step, images).prev_sample
        return (images + 1) / 2

    def place(self, engine: Engine) -> None:
        """See `Generator.place`."""
        engine.place(self.unet)


def read_diffusers(folder: Path, *, steps: int = STEPS) -> DiffusersGenerator:
    """The generator in a pipeline folder: `model_index.json`, `unet/`, `scheduler/`, and perhaps `classes.json`.

    Args:
        folder: as `save_pretrained` of a pipeline writes it; with a list of names in `classes.json`, the classes are
            those and a further row of the embedding ("no class") is never asked for, else "0", "1", ...
        steps: of sampling.

    Raises:
        CheckpointError: another kind of pipeline, weights that are pickles or not all there, no classes.
        SettingsError: the extra is missing, or `steps` is out of range.
    """
    _check_kind(folder)
    needs_safetensors(folder / "unet")
    unet = _unet(folder / "unet")
    scheduler = _scheduler(folder / "scheduler")
    classes = class_names(folder, most=_known(unet, folder))
    return DiffusersGenerator(unet, scheduler, classes, steps=steps)


def _check_kind(folder: Path) -> None:
    index = description(folder, INDEX)
    parts = {name: part[1] for name, part in index.items() if isinstance(part, list) and len(part) == 2 and part[1]}
    if index.get("unet") == ["diffusers", "UNet2DModel"] and parts.keys() == {"unet", "scheduler"}:
        return
    made = ", ".join(f"{name}: {kind}" for name, kind in parts.items()) or "nothing"
    raise CheckpointError(
        f"the pipeline {index.get('_class_name')} in {folder} cannot be used",
        why=f"it is made of {made}; one that draws the codes of an autoencoder (DiT, latent diffusion) is not read",
        fix="name a pipeline of a UNet2DModel and a scheduler alone, which draws pixels",
    )


def _unet(folder: Path) -> Any:
    diffusers = _library()
    options = {"local_files_only": True, "use_safetensors": True, "low_cpu_mem_usage": False}
    try:
        unet, loaded = diffusers.UNet2DModel.from_pretrained(
            folder, torch_dtype=torch.float32, output_loading_info=True, **options
        )
    except (OSError, RuntimeError, ValueError, TypeError, KeyError, AttributeError) as problem:
        raise CheckpointError(f"the network in {folder} cannot be loaded", why=short(problem)) from problem
    if loaded["missing_keys"]:
        missing = sorted(loaded["missing_keys"])
        raise CheckpointError(
            f"the weights in {folder} are not all there",
            why=f"{len(missing)} of them would be random, {missing[0]} for one",
        )
    return unet


def _scheduler(folder: Path) -> Any:
    diffusers = _library()
    config = description(folder, "scheduler_config.json")
    if "beta_schedule" not in config:
        raise CheckpointError(
            f"the scheduler {config.get('_class_name')} in {folder} cannot be used",
            why="it knows no noise schedule of discrete steps (beta_schedule), and DDIM needs one",
        )
    try:
        return diffusers.DDIMScheduler.from_config({name: value for name, value in config.items() if name[:1] != "_"})
    except (ValueError, TypeError, NotImplementedError) as problem:
        raise CheckpointError(f"the scheduler in {folder} cannot be used", why=short(problem)) from problem


def _known(unet: Any, folder: Path) -> int:
    """How many classes a network can be asked for; if it does not say, as many as `classes.json` names."""
    if unet.class_embedding is None:
        raise _unconditional()
    if isinstance(unet.class_embedding, nn.Embedding):
        return int(unet.class_embedding.num_embeddings)
    if not (folder / CLASSES).is_file():
        kind = unet.config.class_embed_type
        raise CheckpointError(
            f"the network in {folder} does not say how many classes it knows",
            why=f"its class_embed_type is {kind!r}, which has no table of them",
            fix=f"write their names beside it, a JSON list in {CLASSES}",
        )
    # The vector itself is what an "identity" network is told; a "timestep" network takes any number.
    return int(unet.time_embedding.linear_2.out_features) if unet.config.class_embed_type == "identity" else 10**6


@torch.no_grad()
def _table(unet: Any, classes: int) -> Tensor:
    """What the network adds to the embedding of the time step for each class, [k, d]."""
    told = unet.class_embedding
    if told is None:
        raise _unconditional()
    if isinstance(told, nn.Embedding):
        return told.weight[:classes].detach().clone()
    if isinstance(told, MixedEmbedding):  # it was made a generator before
        return told.table[:classes]
    device = next(unet.parameters()).device
    if unet.config.class_embed_type == "timestep":
        numbers = unet.time_proj(torch.arange(classes, device=device))  # [k, t]
        table: Tensor = told(numbers)
        return table
    return torch.eye(classes, unet.time_embedding.linear_2.out_features, device=device)


def _unconditional() -> CheckpointError:
    return CheckpointError(
        "this diffusion model draws images of no class that is asked for",
        why="its UNet has no class embedding",
        fix="name one that was trained with classes (num_class_embeds)",
    )


def _size(sample_size: int | list[int] | tuple[int, int] | None) -> tuple[int, int]:
    if not sample_size:
        raise CheckpointError("the UNet does not say the size of its images", fix="set sample_size in its config.json")
    height, width = (sample_size, sample_size) if isinstance(sample_size, int) else sample_size
    return height, width


def _library() -> Any:
    try:
        import diffusers
    except ImportError as problem:
        raise SettingsError(
            [f"diffusion pipelines need the diffusers library: {short(problem)}"], fix=INSTALL
        ) from None
    return diffusers
