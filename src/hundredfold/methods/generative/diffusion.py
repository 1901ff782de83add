"""Diffusion: noise is added to images step by step, and a U-Net that is told the class learns to take it away again.

Source: Ho, Jain & Abbeel, "Denoising Diffusion Probabilistic Models", NeurIPS 2020 (arXiv 2006.11239), equation 14;
asked for the velocity: Salimans & Ho, "Progressive Distillation for Fast Sampling of Diffusion Models", ICLR 2022
(arXiv 2202.00512), appendix D; the cosine schedule of Nichol & Dhariwal, "Improved Denoising Diffusion Probabilistic
Models", ICML 2021 (arXiv 2102.09672), equation 17; sampling: Song, Meng & Ermon, "Denoising Diffusion Implicit Models",
ICLR 2021 (arXiv 2010.02502), equation 12 with eta 0; conditions and guidance: Ho & Salimans, "Classifier-Free Diffusion
Guidance", 2022 (arXiv 2207.12598), algorithms 1 and 2.

Hypothesis: to see the noise in an image at every strength is to know what images look like, so repeated removal draws
new ones. When to use it: to draw images of a class, or of a mixture of classes, that are sharper and more varied than
those of a conditional VAE. When not: for features alone, where other methods are faster; to reconstruct or to go from
one image to another, for it has no codes; with little time, for it learns and draws slowly.

Trivial solutions: none known. A condition can be ignored: see `transfer.generator`.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from hundredfold.data.images import as_float
from hundredfold.encoders._base import Encoder
from hundredfold.encoders.unet import STEPS, ContractingPath, ExpandingPath, padded
from hundredfold.errors import SettingsError
from hundredfold.methods._base import Method
from hundredfold.methods.generative._conditions import of_labels
from hundredfold.types import ImageBatch, Progress, Step
from hundredfold.views.chain import Chain

TARGETS = {"velocity": "v_prediction", "noise": "epsilon"}  # and what diffusers calls them


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of the diffusion model.

    Attributes:
        classes: how many there are, >= 0; 0 where none is known, and every image counts as unlabelled.
        target: what the network answers, "velocity" or "noise". Ho et al. ask for the noise; where there is hardly
            anything else, a small error of that is a large one of the image: on MNIST (digits 0 to 4, batches of 128)
            it draws swollen digits on grey after 560 steps, mean pixel 0.36 where images have 0.13, against 0.17 after
            200 steps with the velocity.
        unknown: share of the labels that are hidden in training, 0..1; guidance needs some.
        guidance: w >= 0: the answer is (1 + w) times that under the class less w times that under no class. 0
            samples what was learnt; more makes images surer of their class and more alike.
        sampling_steps: from noise to image, 1..1000; each is a pass of the network, or two with guidance.
        average: momentum of the moving average of the weights that samples are drawn with, 0 <= average < 1; less in
            the first steps.
        augment: learn from views of images, not from the images; then samples look like views.
    """

    classes: int = 0
    target: str = "velocity"
    unknown: float = 0.1
    guidance: float = 0.0
    sampling_steps: int = 20
    average: float = 0.999
    augment: bool = False

    def problems(self) -> list[str]:
        """What cannot be used, one sentence each."""
        found = []
        if self.classes < 0:
            found.append(f"classes must be >= 0, got {self.classes}")
        if self.target not in TARGETS:
            found.append(f"target must be one of {', '.join(TARGETS)}, got {self.target!r}")
        if not 0 <= self.unknown <= 1:
            found.append(f"unknown is a share of the labels, in 0..1, got {self.unknown}")
        if not 0 <= self.guidance < float("inf"):
            found.append(f"guidance must be >= 0, got {self.guidance}")
        if not 1 <= self.sampling_steps <= STEPS:
            found.append(f"sampling_steps must be in 1..{STEPS}, got {self.sampling_steps}")
        if not 0 <= self.average < 1:
            found.append(f"average must be at least 0 and below 1, got {self.average}")
        return found


class DiffusionViews(NamedTuple):
    """Images, and what is drawn for each.

    Attributes:
        images: [b, c, h, w] in 0..1.
        noise: [b, c, h, w] standard normal.
        steps: [b] int64 in 0..999.
        conditions: [b, q].
    """

    images: Tensor
    noise: Tensor
    steps: Tensor
    conditions: Tensor


class Denoiser(nn.Module):
    """What noise did to images: a U-Net whose blocks are told the time step and a mixture of classes.

    Args:
        contracting: the encoder's network.
        channels: of the images.
        conditions: q.
    """

    def __init__(self, contracting: ContractingPath, channels: int, conditions: int) -> None:
        super().__init__()
        self.expanding = ExpandingPath(channels, contracting.config)
        # Linear in the condition, so that a mixture of classes is told as the mixture of what they are told as. Zeros
        # tell nothing: they are the empty condition of Ho & Salimans.
        self.classes = nn.Linear(conditions, contracting.embedding, bias=False)

    def forward(self, contracting: ContractingPath, noisy: Tensor, steps: Tensor, conditions: Tensor) -> Tensor:
        """[b, c, h, w] of noisy images [b, c, h, w], time steps [b] and conditions [b, q]."""
        height, width = noisy.shape[2:]
        told = contracting.tell(steps) + self.classes(conditions)  # [b, e]
        middle, left = contracting.contract(padded(noisy, contracting.config), told)
        found: Tensor = self.expanding(middle, left, told)
        return found[:, :, :height, :width]


class Average(nn.Module):
    """The exponential moving average of a network and what it is denoised with; samples are drawn with it.

    Source: Ho, Jain & Abbeel 2020, appendix B. In the first steps it is over the last tenth of them, so that a short
    run does not remember its start.

    Args:
        contracting, denoiser: what to follow; copied.
        momentum: of the average, 0..1.
    """

    def __init__(self, contracting: ContractingPath, denoiser: Denoiser, momentum: float) -> None:
        super().__init__()
        self.contracting = copy.deepcopy(contracting).requires_grad_(False)
        self.denoiser = copy.deepcopy(denoiser).requires_grad_(False)
        self.momentum = momentum

    @torch.no_grad()
    def follow(self, contracting: ContractingPath, denoiser: Denoiser, step: int) -> None:
        """Moves towards them after step `step`, counted from 1."""
        momentum = min(self.momentum, (1 + step) / (10 + step))
        for mine, theirs in ((self.contracting, contracting), (self.denoiser, denoiser)):
            for weight, target in zip(mine.parameters(), theirs.parameters(), strict=True):
                weight.lerp_(target, 1 - momentum)

    def forward(self, noisy: Tensor, steps: Tensor, conditions: Tensor) -> Tensor:
        """The answer [b, c, h, w] for noisy images [b, c, h, w] at time steps [b] under conditions [b, q]."""
        found: Tensor = self.denoiser(self.contracting, noisy, steps, conditions)
        return found


class Diffusion(Method):
    """A U-Net that takes noise out of images, and draws new ones out of nothing but noise.

    A condition is a point of the simplex over classes, or zeros where the class is unknown, as for the conditional VAE.

    Args:
        encoder: what is trained, a `unet`: the first half of the network.
        chain: changes the training images, if that is asked for.
        config: see `Config`.

    Attributes:
        conditions: q, the length of a condition: the number of classes, and 1 (always 0) where none is known.

    Raises:
        SettingsError: the encoder is no `unet`.
    """

    needs_encoder = "unet"
    learns_from_labels = True

    def __init__(self, encoder: Encoder, chain: Chain, config: Config) -> None:
        if encoder.spec.name != self.needs_encoder:
            raise SettingsError(
                [f"diffusion needs the encoder unet, which can be told a time step: {encoder.spec.name} cannot"],
                fix=f"use --encoder unet, or the method conditional_vae with {encoder.spec.name}",
            )
        super().__init__()
        self.encoder = encoder
        self.chain = chain
        self.config = config
        self.conditions = max(1, config.classes)
        self.denoiser = Denoiser(self._contracting, encoder.spec.channels, self.conditions)
        self.average = Average(self._contracting, self.denoiser, config.average)
        self.noising, self.sampler = _schedules(config)

    def condition(self, labels: Tensor) -> Tensor:
        """Conditions [b, q] of labels [b]: one-hot, and zeros where there is none.

        Raises:
            ValueError: a label that is not below `classes`.
        """
        return of_labels(labels, self.config.classes)

    def views(self, batch: ImageBatch, rng: torch.Generator) -> DiffusionViews:
        """The images, their classes where those are known and not hidden, and a time step and noise for each."""
        images = self.chain(batch.images, rng) if self.config.augment else as_float(batch.images)
        hidden = torch.rand(len(images), 1, generator=rng) < self.config.unknown  # [b, 1]
        conditions = self.condition(batch.labels.cpu()) * ~hidden
        steps = torch.randint(STEPS, (len(images),), generator=rng)
        noise = torch.randn(images.shape, generator=rng)
        return DiffusionViews(images, *(drawn.to(images.device) for drawn in (noise, steps, conditions)))

    def forward(self, views: DiffusionViews) -> Step:
        """The mean squared error of what is seen of the noise in the images."""
        images = self.encoder.normalise(views.images)  # in -1..1
        noisy = self.noising.add_noise(images, views.noise, views.steps)
        found = self.denoiser(self._contracting, noisy, views.steps, views.conditions)
        velocity = self.config.target == "velocity"
        right = self.noising.get_velocity(images, views.noise, views.steps) if velocity else views.noise
        return Step((found - right).square().mean(), {})

    def after_step(self, progress: Progress) -> None:
        """The average follows the weights."""
        self.average.follow(self._contracting, self.denoiser, progress.step)

    def levels(self, batch_size: int) -> tuple[float | None, float | None]:
        """The loss of no answer: noise has a variance of 1, that of a velocity depends on the images.

        No loss is below 0, and none reaches it: small noise cannot be told from the image.
        """
        return 1.0 if self.config.target == "noise" else None, 0.0

    @torch.no_grad()
    def sample(self, conditions: Tensor, rng: torch.Generator) -> Tensor:
        """A new image for each condition [b, q], [b, c, h, w] in 0..1: one noise and one condition give one image.

        Args:
            conditions: shares of classes, or zeros.
            rng: of the noise that images begin as, on the CPU; nothing else is drawn.
        """
        spec = self.encoder.spec
        images = torch.randn(len(conditions), spec.channels, spec.height, spec.width, generator=rng)
        images, told = images.to(self.encoder.mean.device), conditions.to(self.encoder.mean.device)
        for step in self.sampler.timesteps.tolist():
            images = self.sampler.step(self._answer(images, step, told), step, images).prev_sample
        return ((images + 1) / 2).clamp(0, 1)

    def _answer(self, images: Tensor, step: int, conditions: Tensor) -> Tensor:
        """What is seen of the noise in images [b, c, h, w] on their way, with guidance if there is some."""
        steps = torch.full((len(images),), step, device=images.device)
        found: Tensor = self.average(images, steps, conditions)
        if not self.config.guidance:
            return found
        plain = self.average(images, steps, torch.zeros_like(conditions))
        return (1 + self.config.guidance) * found - self.config.guidance * plain

    @property
    def _contracting(self) -> ContractingPath:
        return cast(ContractingPath, self.encoder.network)


def _schedules(config: Config) -> tuple[Any, Any]:
    """What adds noise to images, and what takes away what is seen of it."""
    from diffusers import DDIMScheduler, DDPMScheduler  # there, or the encoder would not be

    answer = TARGETS[config.target]
    cosine = {"num_train_timesteps": STEPS, "beta_schedule": "squaredcos_cap_v2", "prediction_type": answer}
    # Images are kept to -1..1 on the way, as in Ho et al.'s code: while there is little but noise, dividing by what
    # there is of an image would throw them far out.
    sampler: Any = DDIMScheduler(**cosine, clip_sample=True)
    sampler.set_timesteps(config.sampling_steps)
    return DDPMScheduler(**cosine), sampler
