"""What denoising is worth: PSNR, beside the best that a filter without learning reaches.

The filters are those of every textbook (Gonzalez & Woods, "Digital Image Processing", chapters 3 and 5): a Gaussian
blur, best against noise that is added to every pixel, and a median, best against single wrong pixels.
When to use it: beside any model that removes noise. The strength of the filter is chosen with the clean images at hand,
which the model never has: the comparison favours the filter.

Shape letters: n images, c channels, h height, w width.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from hundredfold.errors import DataError, SettingsError
from hundredfold.evaluate.anomaly import reconstruction_error

MOST = 100.0  # dB
SIGMAS = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0)
SIZES = (3, 5, 7, 9)
GAUSSIAN, MEDIAN = "gaussian", "median"


@dataclass(frozen=True, kw_only=True)
class Filter:
    """A filter and what it reaches.

    Attributes:
        kind: "gaussian" or "median".
        strength: standard deviation of the Gaussian, or the side of the median's square, in pixels.
        psnr: mean over the images, in dB.
    """

    kind: str
    strength: float
    psnr: float


@dataclass(frozen=True, kw_only=True)
class BestFilter:
    """The filter with the highest mean PSNR, chosen with the clean images at hand.

    Attributes:
        best: that filter; of equals the first that was tried.
        tried: all of them.
        noisy: mean PSNR of the noisy images as they are, in dB.
        images: n.
    """

    best: Filter
    tried: tuple[Filter, ...]
    noisy: float
    images: int


def psnr(clean: Tensor, noisy: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each image: -10 log10 of its mean squared error.

    Of equal images it is infinite; here no image counts for more than 100 dB (an error of 0.00001 in every pixel), so
    that means stay finite and one perfect image does not hide the others.

    Args:
        clean: [n, c, h, w] floats in 0..1.
        noisy: of the same shape; values outside 0..1 are errors like any other.

    Returns:
        [n] in dB, at most 100; 0 is the error of black for white.
    """
    return -10 * reconstruction_error(clean, noisy).double().clamp_min(10 ** (-MOST / 10)).log10()


def gaussian_filter(images: Tensor, sigma: float) -> Tensor:
    """Each channel of the images [n, c, h, w] blurred with a Gaussian; beyond the border they are mirrored.

    Args:
        images: floats.
        sigma: standard deviation in pixels, >= 0; 0 changes nothing.
    """
    from scipy import ndimage  # type: ignore[import-untyped]

    if sigma < 0:
        raise SettingsError([f"sigma must be 0 or more, got {sigma}"])
    return torch.from_numpy(ndimage.gaussian_filter(images.numpy(), (0, 0, sigma, sigma)))


def median_filter(images: Tensor, size: int) -> Tensor:
    """Each pixel of the images [n, c, h, w] as the median of the square around it; beyond the border mirrored.

    Args:
        images: floats.
        size: side of the square in pixels, odd; 1 changes nothing.
    """
    from scipy import ndimage

    if size < 1 or size % 2 == 0:
        raise SettingsError([f"the size of a median filter must be odd, got {size}"])
    return torch.from_numpy(ndimage.median_filter(images.numpy(), (1, 1, size, size)))


def best_filter(
    clean: Tensor, noisy: Tensor, *, sigmas: Sequence[float] = SIGMAS, sizes: Sequence[int] = SIZES
) -> BestFilter:
    """The Gaussian or median filter that brings the noisy images nearest to the clean ones.

    What a filter gives is cut off at 0 and 1, which never makes it worse.

    Args:
        clean: [n, c, h, w] floats in 0..1, n >= 1.
        noisy: of the same shape.
        sigmas: of the Gaussians.
        sizes: of the medians.

    Raises:
        DataError: there are no images; SettingsError: there are no filters.
    """
    if not len(clean):
        raise DataError("filters are compared on images", why="there are none")
    if not sigmas and not sizes:
        raise SettingsError(["no filter to compare: neither sigmas nor sizes"])
    tried = tuple(
        Filter(kind=kind, strength=float(strength), psnr=float(psnr(clean, filtered.clamp(0, 1)).mean()))
        for kind, strength, filtered in _filtered(noisy, sigmas, sizes)
    )
    return BestFilter(
        best=max(tried, key=lambda one: one.psnr),
        tried=tried,
        noisy=float(psnr(clean, noisy).mean()),
        images=len(clean),
    )


def _filtered(images: Tensor, sigmas: Iterable[float], sizes: Iterable[int]) -> Iterator[tuple[str, float, Tensor]]:
    for sigma in sigmas:
        yield GAUSSIAN, sigma, gaussian_filter(images, sigma)
    for size in sizes:
        yield MEDIAN, size, median_filter(images, size)
