"""What variational autoencoders share: the distribution of a code, a draw from it, and the bound on log p(image).

Source: Kingma & Welling, "Auto-Encoding Variational Bayes", ICLR 2014 (arXiv 1312.6114), equations 3, 4 and 10; the
weight of the KL: Higgins et al., "beta-VAE", ICLR 2017; its warm-up: Bowman et al., "Generating Sentences from a
Continuous Space", CoNLL 2016 (arXiv 1511.06349), section 3.1, and Sønderby et al., NeurIPS 2016 (arXiv 1602.02282).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hundredfold.losses.bernoulli import bernoulli
from hundredfold.losses.free_bits import free_bits
from hundredfold.losses.gaussian import gaussian
from hundredfold.losses.gaussian_kl import gaussian_kl, gaussian_kl_per_dimension
from hundredfold.methods.generative._generative import check_code
from hundredfold.types import Progress, Step

LARGEST = 10.0  # of |log variance|: exp of it is far from the ends of float32, and no useful code is beyond


@dataclass(frozen=True, kw_only=True)
class VariationalConfig:
    """Settings of a variational autoencoder, which each method's `Config` begins with.

    Attributes:
        latent: length of a code, >= 1.
        likelihood: "bernoulli", each pixel a coin, or "mse", each pixel normal with standard deviation `sigma`.
        sigma: of "mse", > 0 and fixed: the smaller, the sharper the images and the more a code tells.
        beta: weight of the KL, >= 0. 1 is the bound; more makes codes simpler, and images vaguer.
        warm_up: share of the steps, 0..1, in which the weight of the KL rises from 0, linearly; against posterior
            collapse. MNIST needs none: after two epochs all 20 dimensions told something, at 101.5 nats an image.
        free_bits: nats that each dimension of a code may have at no cost, >= 0.
        augment: whether the training images are changed by the views first: a density of the views, not of the data.
    """

    latent: int = 20
    likelihood: str = "bernoulli"
    sigma: float = 0.1
    beta: float = 1.0
    warm_up: float = 0.0
    free_bits: float = 0.0
    augment: bool = False

    def problems(self) -> list[str]:
        """What cannot be used, one sentence each."""
        rules = [
            (0 < self.sigma < math.inf, f"sigma must be > 0 and finite, got {self.sigma}"),
            (0 <= self.beta < math.inf, f"beta must be >= 0 and finite, got {self.beta}"),
            (0 <= self.warm_up <= 1, f"warm_up is a share of the steps, in 0..1, got {self.warm_up}"),
            (0 <= self.free_bits < math.inf, f"free_bits must be >= 0 and finite, got {self.free_bits}"),
        ]
        return check_code(self.latent, self.likelihood) + [sentence for kept, sentence in rules if not kept]


class Posterior(NamedTuple):
    """The distributions of b codes, normal and independent in each dimension; each [b, k] in float32."""

    mean: Tensor
    log_variance: Tensor

    def draw(self, epsilon: Tensor) -> Tensor:
        """Codes [b, k] from standard normal numbers [b, k], so that gradients reach both (section 2.4)."""
        return self.mean + (self.log_variance / 2).exp() * epsilon


class PosteriorHead(nn.Module):
    """Features [b, d] -> the distribution of the code."""

    def __init__(self, features: int, latent: int) -> None:
        super().__init__()
        self.mean = nn.Linear(features, latent)
        self.log_variance = nn.Linear(features, latent)

    def forward(self, features: Tensor) -> Posterior:
        """The posterior; log variances are bent, not cut, to stay within `LARGEST`: a cut would have no gradient."""
        log_variance = LARGEST * torch.tanh(self.log_variance(features).float() / LARGEST)
        return Posterior(self.mean(features).float(), log_variance)


class Bound(nn.Module):
    """The negative evidence lower bound: what the image costs given the code, and what the code costs.

    Args:
        config: see `VariationalConfig`.

    Attributes:
        weight: of the KL at this step, a buffer, so that a resumed run goes on with it.
    """

    weight: Tensor  # []

    def __init__(self, config: VariationalConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("weight", torch.tensor(0.0 if config.warm_up else config.beta))

    def reconstruction(self, outputs: Tensor, images: Tensor) -> Tensor:
        """-log p(image | code), [b] in nats, of a decoder's outputs [b, c, h, w]."""
        if self.config.likelihood == "bernoulli":
            return bernoulli(outputs, images)
        return gaussian(outputs, images, sigma=self.config.sigma)

    def negative_elbo(self, outputs: Tensor, images: Tensor, posterior: Posterior) -> Tensor:
        """-log p(image | code) + KL, [b] in nats, whatever the weight, warm-up and free bits of training are."""
        return self.reconstruction(outputs, images) + gaussian_kl(*posterior)

    def forward(self, outputs: Tensor, images: Tensor, posterior: Posterior) -> Step:
        """The loss in nats an image, and its terms."""
        reconstruction = self.reconstruction(outputs, images).mean()
        divergences = gaussian_kl_per_dimension(*posterior)  # [b, k]
        loss = reconstruction + self.weight * free_bits(divergences, nats=self.config.free_bits)
        kl = divergences.detach().sum(1).mean()
        seen = reconstruction.detach()
        return Step(loss, {"reconstruction": seen, "kl": kl, "negative_elbo": seen + kl})

    def after_step(self, progress: Progress) -> None:
        """The weight of the KL rises."""
        rise = self.config.warm_up * progress.steps
        self.weight.fill_(self.config.beta * min(1.0, progress.step / rise if rise else 1.0))
