"""Whether a model with a latent variable uses it, and what its reconstructions tell of the images.

Sources: Burda, Grosse & Salakhutdinov, "Importance Weighted Autoencoders", ICLR 2016 (arXiv 1509.00519), section 5.2
(active units); the share of variance explained is the coefficient of determination, over all pixels together.
When to use it: on held-out images after training. Few active units are posterior collapse: the decoder does without the
latent variable. A constant share near 0 says that every image is answered alike, whatever the loss looks like.

Shape letters: n images, k latent dimensions.
"""

from __future__ import annotations

from torch import Tensor

ACTIVE = 0.01  # variance of the posterior mean above which a dimension tells of the image


def active_units(means: Tensor, threshold: float = ACTIVE) -> int:
    """Latent dimensions that tell of the image: the variance over images of their posterior mean is above a threshold.

    The paper's threshold fits a prior of variance 1. It found two clear groups, so that its value hardly matters.

    Args:
        means: [n, k] posterior means, n >= 1.
        threshold: of the variance.

    Returns:
        0..k; 0 for a single image.
    """
    return int((means.double().var(0, correction=0) > threshold).sum())


def explained(images: Tensor, reconstructions: Tensor) -> float:
    """Share of the variance of the images that is reconstructed: 1 - squared error / squared distance from their mean.

    Args:
        images: [n, ...] floats, n >= 1.
        reconstructions: of the same shape.

    Returns:
        At most 1, which is perfect; 0 is what answering the mean image reaches, and less is worse than that. 0 where
        all images are the same, as there is nothing to tell.
    """
    _check(images, reconstructions)
    total = _scatter(images)
    return 1 - float((images.double() - reconstructions.double()).square().sum()) / total if total else 0.0


def constant_share(images: Tensor, reconstructions: Tensor) -> float:
    """Variance of the reconstructions over the images as a share of that of the images, both summed over the pixels.

    Args:
        images: [n, ...] floats, n >= 1.
        reconstructions: of the same shape.

    Returns:
        >= 0: 0 where every image is answered alike, about 1 where reconstructions differ as images do, more where they
        are noise. 1 where all images are the same, as the same answer is then right.
    """
    _check(images, reconstructions)
    total = _scatter(images)
    return _scatter(reconstructions) / total if total else 1.0


def _scatter(images: Tensor) -> float:
    rows = images.double().flatten(1)
    return float((rows - rows.mean(0)).square().sum())


def _check(images: Tensor, reconstructions: Tensor) -> None:
    if images.shape != reconstructions.shape:
        raise ValueError(
            f"images and reconstructions must have one shape, got {tuple(images.shape)} and "
            f"{tuple(reconstructions.shape)}"
        )
