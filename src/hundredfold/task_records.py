"""What held-out images say of a pretext task or a generative model; a part of the content of `results.json`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class TaskFindings:
    """How a task without labels was solved on held-out images. None: not of this method.

    Attributes:
        images: n, how many were looked at.
        effective_rank: of the encoder's features (RankMe, Garrido et al. 2023), at most `dimensions`.
        dimensions: of those features.
        accuracy: share of the task's questions that are answered rightly, 0..1, where it asks for one of some answers.
        chance: that of guessing.
        explained: share of the variance of the pixels asked for that is predicted: 1 is perfect, 0 no better than the
            mean image, which is what a constant answer reaches at best.
        constant: variance of the answers over the images, as a share of that of the images themselves: 0 where every
            image is answered alike.
        latent: dimensions of the latent variable.
        active_units: dimensions of it that tell of the image: the variance over images of their posterior mean is above
            0.01 (Burda et al. 2016, section 5.2).
        kl: mean divergence of posterior from prior, in nats.
        negative_elbo: mean bound on -log p(x), in nats.
    """

    images: int
    effective_rank: float
    dimensions: int
    accuracy: float | None = None
    chance: float | None = None
    explained: float | None = None
    constant: float | None = None
    latent: int | None = None
    active_units: int | None = None
    kl: float | None = None
    negative_elbo: float | None = None
