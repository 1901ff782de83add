"""MAE: a transformer sees a quarter of an image's patches, and a light decoder predicts the pixels of all others.

Source: He, Chen, Xie, Li, Dollar & Girshick, "Masked Autoencoders Are Scalable Vision Learners", CVPR 2022
(arXiv 2111.06377), section 3 and appendix A.1; pixels normalised in each patch: section 3, "Reconstruction target".

The hypothesis: patches of an image depend on each other through what the image shows. Trivial solutions: interpolating
from the nearest visible pixels, which small patches or a small share of hidden ones reward; the mean colour, where most
patches are empty.

When to use it: many images and a Vision Transformer; the encoder never spends time on what is hidden. When not:
textures and noise, whose parts do not depend on each other, and images that are mostly background (`run` warns of
both); a convolutional network, which cannot leave out a patch: `masked_patch`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from hundredfold.encoders._base import Encoder
from hundredfold.encoders.vit import Block, ViT, initialise, sine_cosine_positions
from hundredfold.errors import SettingsError
from hundredfold.methods._base import Method
from hundredfold.methods.pretext._masked import (
    Completion,
    doubt_context,
    doubt_empty,
    explained,
    from_patches,
    hidden_of,
    lowest,
    mask_problems,
    painted,
    patches_to_pixels,
    to_patches,
)
from hundredfold.types import ImageBatch, Step
from hundredfold.views.chain import Chain

HEAD = 32  # width of one head of the decoder's attention
LEAST_VARIANCE = 1e-6  # added to a patch's variance, as in the authors' code


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of MAE.

    Attributes:
        mask: share of the patches that are hidden, above 0 and below 1; 0.75 in the paper.
        normalise: predict the pixels of each patch less their mean, over their deviation.
        decoder_width: length of a patch's vector in the decoder, a multiple of 32.
        decoder_depth: blocks of the decoder, >= 1.
    """

    mask: float = 0.75
    normalise: bool = False
    decoder_width: int = 64
    decoder_depth: int = 1

    def problems(self) -> list[str]:
        """What cannot be used, one sentence each."""
        found = mask_problems(self.mask)
        if self.decoder_width < HEAD or self.decoder_width % HEAD:
            found.append(f"decoder_width must be a multiple of {HEAD}, got {self.decoder_width}")
        if self.decoder_depth < 1:
            found.append(f"decoder_depth must be >= 1, got {self.decoder_depth}")
        return found


class Shuffled(NamedTuple):
    """Images and an order of their patches.

    Attributes:
        images: [b, c, h, w] in 0..1, whole.
        scores: [b, n] in 0..1, one for each patch; those with the lowest are hidden.
    """

    images: Tensor
    scores: Tensor


class MAE(Method):
    """A Vision Transformer that sees some patches, and a decoder that answers the others.

    Raises:
        SettingsError: the encoder is no `vit`.
    """

    needs_encoder = "vit"

    def __init__(self, encoder: Encoder, chain: Chain, config: Config) -> None:
        if encoder.spec.name != self.needs_encoder:
            raise SettingsError(
                [f"mae needs the encoder vit, which can leave out patches: {encoder.spec.name} cannot"],
                fix=f"use --encoder vit, or the method masked_patch with {encoder.spec.name}",
            )
        super().__init__()
        self.config = config
        self.chain = chain
        self.encoder = encoder
        vit = self._vit
        self.decoder = Decoder(vit, encoder.features, config, pixels=encoder.spec.channels * vit.patch**2)

    def views(self, batch: ImageBatch, rng: torch.Generator) -> Shuffled:
        """One view of each image of the batch, and which of its patches are hidden."""
        images = self.chain(batch.images, rng)
        scores = torch.rand(len(images), len(self._vit.positions), generator=rng)
        return Shuffled(images, scores.to(images.device, non_blocking=True))

    def forward(self, views: Shuffled) -> Step:
        """The mean squared error over the pixels of hidden patches."""
        hidden = self._hidden(views).unsqueeze(2)  # [b, n, 1]
        answers = self._answers(views)  # [b, n, c p p]
        targets = self._targets(views.images)
        loss = (hidden * (answers - targets).square()).sum() / (hidden.sum() * targets.shape[2])
        return Step(loss, {"explained": explained(answers.detach(), targets, hidden)})

    def levels(self, batch_size: int) -> tuple[float | None, float | None]:
        """The loss of a constant answer depends on the images; no loss is below 0."""
        return None, 0.0

    @torch.no_grad()
    def complete(self, views: Shuffled) -> Completion:
        """The task as pictures: what was seen, what was answered, and the truth.

        With `normalise`, an answer has neither brightness nor contrast; it is shown with those of the true patch.
        """
        images, hidden = views.images, self._hidden(views)
        missing = patches_to_pixels(hidden, self._vit.patch, self._vit.size)
        answers = self._answers(views)  # [b, n, c p p]
        if self.config.normalise:
            mean, deviation = _of_each_patch(self._patches(images))
            answers = answers * deviation + mean
        pixels = from_patches(answers, self._vit.patch, self._vit.size)
        pixels = (pixels * self.encoder.std + self.encoder.mean).clamp(0, 1)
        return Completion(
            painted(images, missing, self.encoder.mean), torch.where(missing, pixels, images), images, missing
        )

    @property
    def _vit(self) -> ViT:
        return cast(ViT, self.encoder.network)

    def _hidden(self, views: Shuffled) -> Tensor:
        return lowest(views.scores, hidden_of(views.scores.shape[1], self.config.mask))

    def _answers(self, views: Shuffled) -> Tensor:
        seen = views.scores.argsort(dim=1, stable=True)[
            :, hidden_of(views.scores.shape[1], self.config.mask) :
        ]  # [b, m]
        tokens = self._vit.tokens(self.encoder.normalise(views.images))  # [b, n, width]
        visible = tokens.gather(1, seen.unsqueeze(2).expand(-1, -1, tokens.shape[2]))  # [b, m, width]
        answers: Tensor = self.decoder(self._vit.forward_tokens(visible), seen)
        return answers.float()

    def _targets(self, images: Tensor) -> Tensor:
        patches = self._patches(images)
        if not self.config.normalise:
            return patches
        mean, deviation = _of_each_patch(patches)
        return (patches - mean) / deviation

    def _patches(self, images: Tensor) -> Tensor:
        return to_patches(self.encoder.normalise(images), self._vit.patch)  # [b, n, c p p]


class Decoder(nn.Module):
    """What was seen of an image -> the pixels of all its patches; thrown away after training.

    Args:
        vit: whose patches these are.
        features: length of the encoder's vectors.
        config: the settings.
        pixels: values in a patch.

    Shapes: [b, m, features] and [b, m] int64, the places of the patches that were seen -> [b, n, pixels].
    """

    positions: Tensor  # [n, width]

    def __init__(self, vit: ViT, features: int, config: Config, *, pixels: int) -> None:
        super().__init__()
        width = config.decoder_width
        self.narrow = nn.Linear(features, width)
        self.hidden_token = nn.Parameter(0.02 * torch.randn(width))
        self.blocks = nn.Sequential(*(Block(width, width // HEAD, 4) for _ in range(config.decoder_depth)))
        self.norm = nn.LayerNorm(width)
        self.pixels = nn.Linear(width, pixels)
        self.register_buffer("positions", sine_cosine_positions(vit.grid, width), persistent=False)
        initialise(self)

    def forward(self, vectors: Tensor, seen: Tensor) -> Tensor:
        """The answers, in the order of the patches, also for those that were seen."""
        narrow = self.narrow(vectors)  # [b, m, width]
        # The paper's hidden tokens know nothing but their place. Ours begin at the mean of what was seen: the mean is
        # what is kept of an image, and it is to be shaped from the first step, not once attention has been learnt.
        hidden = self.hidden_token + narrow.mean(1, keepdim=True)  # [b, 1, width]
        tokens = hidden.to(narrow.dtype).repeat(1, len(self.positions), 1)  # [b, n, width]
        tokens = tokens.scatter(1, seen.unsqueeze(2).expand_as(narrow), narrow)
        answers: Tensor = self.pixels(self.norm(self.blocks(tokens + self.positions)))
        return answers


def doubts(images: Tensor) -> list[str]:
    """Sentences if patches of the images [n, c, h, w] in 0..1 do not depend on each other, or most are empty."""
    return [*doubt_context(images), *doubt_empty(images)]


def _of_each_patch(patches: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation [b, n, 1] of the pixels of each patch [b, n, c p p]."""
    mean = patches.mean(2, keepdim=True)
    variance = patches.var(2, keepdim=True)
    return mean, (variance + LEAST_VARIANCE).sqrt()
