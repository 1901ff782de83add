"""Diffusion: noise is added to images step by step, and a U-Net that is told the class learns to take it away again.

Source: Ho, Jain & Abbeel, "Denoising Diffusion Probabilistic Models", NeurIPS 2020 (arXiv 2006.11239), equation 14;
the cosine schedule of Nichol & Dhariwal, "Improved Denoising Diffusion Probabilistic Models", ICML 2021 (arXiv
2102.09672), equation 17; sampling: Song, Meng & Ermon, "Denoising Diffusion Implicit Models", ICLR 2021 (arXiv
2010.02502), equation 12 with eta 0; conditions and guidance: Ho & Salimans, "Classifier-Free Diffusion Guidance", 2022
(arXiv 2207.12598), algorithms 1 and 2.

Hypothesis: to see the noise in an image at every strength is to know what images look like, so repeated removal draws
new ones. When to use it: to draw images of a class, or of a mixture of classes, that are sharper and more varied than
those of a conditional VAE. When not: for features alone, where other methods are faster; to reconstruct or to go from
one image to another, for it has no codes; with little time, for it learns and draws slowly.

Trivial solutions: none known. An answer of zero has a loss of 1. A condition can be ignored: see `transfer.generator`.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from hundredfold.data.images import as_float
from hundredfold.encoders._base import Encoder
from hundredfold.encoders.unet import STEPS, ContractingPath, ExpandingPath, padded
from hundredfold.errors import SettingsError
from hundredfold.methods._base import Method
from hundredfold.types import ImageBatch, Progress, Step
from hundredfold.views.chain import Chain


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of the diffusion model.

    Attributes:
        classes: how many there are, >= 0; 0 where none is known, and every image counts as unlabelled.
        unknown: share of the labels that are hidden in training, 0..1; guidance needs some.
        guidance: w >= 0: noise is taken to be (1 + w) times what the class says less w times what no class says. 0
            samples what was learnt; more makes images surer of their class and more alike.
        sampling_steps: from noise to image, 1..1000; each is a pass of the network, or two with guidance.
        average: momentum of the moving average of the weights that samples are drawn with, 0 <= average < 1; less in
            the first steps.
        augment: learn from views of images, not from the images; then samples look like views.
    """

    classes: int = 0
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
    """The noise in images: a U-Net whose blocks are told the time step and a mixture of classes.

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
        """The noise [b, c, h, w] in noisy images [b, c, h, w] at time steps [b] under conditions [b, q]."""
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
        self.noising, self.sampler = _schedules(config.sampling_steps)

    def condition(self, labels: Tensor) -> Tensor:
        """Conditions [b, q] of labels [b]: one-hot, and zeros where there is none.

        Raises:
            ValueError: a label that is not below `classes`.
        """
        if not self.config.classes:
            return torch.zeros(len(labels), self.conditions, device=labels.device)
        if len(labels) and int(labels.max()) >= self.config.classes:
            raise ValueError(f"labels must be below {self.config.classes}, the number of classes, got {labels.max()}")
        known = functional.one_hot(labels.clamp_min(0), self.conditions)  # [b, q]
        return (known * (labels >= 0)[:, None]).float()

    def views(self, batch: ImageBatch, rng: torch.Generator) -> DiffusionViews:
        """The images, their classes where those are known and not hidden, and a time step and noise for each."""
        images = self.chain(batch.images, rng) if self.config.augment else as_float(batch.images)
        hidden = torch.rand(len(images), 1, generator=rng) < self.config.unknown  # [b, 1]
        conditions = self.condition(batch.labels.cpu()) * ~hidden
        steps = torch.randint(STEPS, (len(images),), generator=rng)
        noise = torch.randn(images.shape, generator=rng)
        return DiffusionViews(images, *(drawn.to(images.device) for drawn in (noise, steps, conditions)))

    def forward(self, views: DiffusionViews) -> Step:
        """The mean squared error of the noise that is seen in the images."""
        images = self.encoder.normalise(views.images)  # in -1..1
        noisy = self.noising.add_noise(images, views.noise, views.steps)
        found = self.denoiser(self._contracting, noisy, views.steps, views.conditions)
        return Step((found - views.noise).square().mean(), {})

    def after_step(self, progress: Progress) -> None:
        """The average follows the weights."""
        self.average.follow(self._contracting, self.denoiser, progress.step)

    def levels(self, batch_size: int) -> tuple[float | None, float | None]:
        """Noise has a variance of 1, which is the loss of no answer; what cannot be known of it depends on the images.

        It is above 0: at small time steps the noise cannot be told from the image.
        """
        return 1.0, 0.0

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
            images = self.sampler.step(self._noise(images, step, told), step, images).prev_sample
        return ((images + 1) / 2).clamp(0, 1)

    def _noise(self, images: Tensor, step: int, conditions: Tensor) -> Tensor:
        """The noise [b, c, h, w] that is seen in images on their way, with guidance if there is some."""
        steps = torch.full((len(images),), step, device=images.device)
        found: Tensor = self.average(images, steps, conditions)
        if not self.config.guidance:
            return found
        plain = self.average(images, steps, torch.zeros_like(conditions))
        return (1 + self.config.guidance) * found - self.config.guidance * plain

    @property
    def _contracting(self) -> ContractingPath:
        return cast(ContractingPath, self.encoder.network)


def _schedules(sampling_steps: int) -> tuple[Any, Any]:
    """What adds noise to images, and what takes the noise that is seen in them away, in so many steps."""
    from diffusers import DDIMScheduler, DDPMScheduler  # there, or the encoder would not be

    cosine = {"num_train_timesteps": STEPS, "beta_schedule": "squaredcos_cap_v2", "prediction_type": "epsilon"}
    # Images are kept to -1..1 on the way, as in Ho et al.'s code: while there is little but noise, dividing by what
    # there is of an image would throw them far out.
    sampler: Any = DDIMScheduler(**cosine, clip_sample=True)
    sampler.set_timesteps(sampling_steps)
    return DDPMScheduler(**cosine), sampler
