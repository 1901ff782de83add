"""What the tasks that hide a part of each image share: the picture of the task, how well it is solved, and doubts.

Letters: b images, c channels, h height, w width, n patches in an image, p the side of a patch in pixels.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from hundredfold.encoders import build
from hundredfold.encoders._base import Encoder
from hundredfold.encoders.vit import patch_for, patches_of
from hundredfold.methods._base import Method
from hundredfold.types import ImageBatch, Step
from hundredfold.views.chain import Chain

SHRUNK = 16  # pixels a side: enough to ask whether the middle of an image follows from what surrounds it
PENALTIES = (10.0, 100.0, 1000.0, 10_000.0)  # of the ridge regressions that ask it
PREDICTABLE = 0.05  # below this share of the variance, the middle is taken not to follow from what surrounds it
FLAT = 0.02  # a patch whose values all lie within this of each other shows nothing
EMPTY = 0.7  # share of flat patches above which most questions are trivial: 0.63 on MNIST, 0.36 on Fashion-MNIST


class Masked(NamedTuple):
    """Images and what the encoder must not see of them.

    Attributes:
        images: [b, c, h, w] in 0..1, whole.
        missing: [b, 1, h, w] booleans, true where a pixel is taken away.
    """

    images: Tensor
    missing: Tensor


class Completion(NamedTuple):
    """A task that hides a part, as pictures; each [b, c, h, w] in 0..1, but for `missing`.

    Attributes:
        masked: what the method saw.
        completed: the images with its answers in place of what was missing.
        images: the truth.
        missing: [b, 1, h, w] booleans, true where it was asked.
    """

    masked: Tensor
    completed: Tensor
    images: Tensor
    missing: Tensor


class MissingPartMethod(Method):
    """An encoder that sees an image with a part painted over, and its mirror image that answers the whole.

    Args:
        encoder: what is trained; it must have a mirror image.
        chain: draws the views.
        augment: hide a part of a view of each image, not of the image itself.

    Raises:
        SettingsError: the encoder cannot be mirrored.
    """

    def __init__(self, encoder: Encoder, chain: Chain, *, augment: bool) -> None:
        super().__init__()
        self.chain = chain if augment else unchanged(chain)
        self.encoder = encoder
        self.decoder = build.decoder(encoder, inputs=encoder.features)

    @abstractmethod
    def hide(self, count: int, size: tuple[int, int], rng: torch.Generator) -> Tensor:
        """[count, 1, h, w] booleans: what is taken away of so many images of `size`; drawn from `rng` alone."""

    def weights(self, missing: Tensor) -> Tensor:
        """[b, 1, h, w]: how much each pixel counts in the loss."""
        return missing.float()

    def views(self, batch: ImageBatch, rng: torch.Generator) -> Masked:
        """The images of the batch or views of them, and what is hidden of each."""
        images = self.chain(batch.images, rng)
        missing = self.hide(len(images), (images.shape[2], images.shape[3]), rng)
        return Masked(images, missing.to(images.device, non_blocking=True))

    def forward(self, views: Masked) -> Step:
        """The mean squared error over what counts."""
        answers = self._answers(views)
        weights = self.weights(views.missing).expand_as(answers)
        loss = (weights * (answers - views.images).square()).sum() / weights.sum()
        return Step(loss, {"explained": explained(answers.detach(), views.images, views.missing)})

    def levels(self, batch_size: int) -> tuple[float | None, float | None]:
        """The loss of a constant answer depends on the images; no loss is below 0."""
        return None, 0.0

    @torch.no_grad()
    def complete(self, views: Masked) -> Completion:
        """The task as pictures: what was seen, what was answered, and the truth."""
        completed = torch.where(views.missing, self._answers(views).clamp(0, 1), views.images)
        return Completion(self._painted(views), completed, views.images, views.missing)

    def _answers(self, views: Masked) -> Tensor:
        # Squares of differences of values in 0..1 are small numbers: they are taken in float32.
        answers: Tensor = self.decoder(self.encoder(self._painted(views))).float()  # [b, c, h, w]
        return answers

    def _painted(self, views: Masked) -> Tensor:
        return painted(views.images, views.missing, self.encoder.mean)


def unchanged(chain: Chain) -> Chain:
    """A chain to the same size that shows images as they are."""
    return Chain((), padding=chain.padding, output_size=chain.output_size)


def painted(images: Tensor, missing: Tensor, colour: Tensor) -> Tensor:
    """The images [b, c, h, w] with a colour [1, c, 1, 1] where `missing` [b, 1, h, w] is true."""
    return torch.where(missing, colour, images)


def explained(answers: Tensor, truth: Tensor, missing: Tensor) -> Tensor:
    """Share of the variance of the missing pixels that is predicted: 1 is perfect, 0 no better than the mean image.

    Args:
        answers, truth: [b, c, h, w].
        missing: [b, 1, h, w] booleans, where it was asked.

    Returns:
        A scalar, below 0 for answers that are worse than the mean image of `truth`; 0 where nothing varies.
    """
    error = (missing * (answers - truth).square()).sum()
    variance = (missing * (truth - truth.mean(0)).square()).sum()
    return torch.where(variance > 0, 1 - error / variance.clamp_min(1e-12), torch.zeros_like(error))


def to_patches(images: Tensor, side: int) -> Tensor:
    """[b, c, h, w] -> [b, n, c p p], row by row; p = `side` divides h and w."""
    return functional.unfold(images, side, stride=side).transpose(1, 2)


def from_patches(patches: Tensor, side: int, size: tuple[int, int]) -> Tensor:
    """[b, n, c p p] -> [b, c, h, w] of `size` (h, w): the inverse of `to_patches`."""
    return functional.fold(patches.transpose(1, 2), size, side, stride=side)


def patches_to_pixels(patches: Tensor, side: int, size: tuple[int, int]) -> Tensor:
    """One value a patch [b, n] -> [b, 1, h, w] of `size` (h, w), the same for all of its pixels."""
    grid = patches.unflatten(1, (1, size[0] // side, size[1] // side))  # [b, 1, rows, columns]
    return grid.repeat_interleave(side, 2).repeat_interleave(side, 3)


def hidden_of(patches: int, share: float) -> int:
    """How many patches a share of them is, at least one, and leaving at least one."""
    return min(max(round(share * patches), 1), patches - 1)


def lowest(scores: Tensor, count: int) -> Tensor:
    """[b, n] booleans, true for the `count` lowest scores of each row of [b, n]; of equal ones, the first."""
    first = scores.argsort(dim=1, stable=True)[:, :count]
    return torch.zeros_like(scores, dtype=torch.bool).scatter(1, first, True)


def mask_problems(share: float) -> list[str]:
    """A sentence if no such share of the patches can be hidden."""
    if 0 < share < 1:
        return []
    return [f"mask is the share of the patches that are hidden, above 0 and below 1, got {share:g}"]


def patch_problems(side: int) -> list[str]:
    """A sentence if there are no patches of this side."""
    if side == 0 or side >= 2:
        return []
    return [f"patch must be 0 (chosen for the size) or at least 2 pixels, got {side}"]


def predictable(images: Tensor) -> float:
    """Share of the variance of the images' middle that a linear rule tells from what surrounds it, on held-out images.

    The images [n, c, h, w] are shrunk to 16x16 shades of grey and the middle 8x8 is predicted by ridge regression from
    the first half of the images for the second; the best of a few penalties counts. Images that are all alike give 1.
    """
    small = functional.adaptive_avg_pool2d(images.mean(1, keepdim=True), SHRUNK).flatten(1).double()  # [n, 256]
    middle = _middle()
    around, hidden = small[:, ~middle], small[:, middle]
    half = len(images) // 2
    around, hidden = around - around[:half].mean(0), hidden - hidden[:half].mean(0)
    variance = hidden[half:].square().sum()
    if half < 1 or variance <= 1e-9 * hidden[half:].numel():
        return 1.0
    around = around / around[:half].square().mean().sqrt().clamp_min(1e-9)
    kernel = around[:half] @ around[:half].T  # the dual form: there are fewer images than pixels
    shares = []
    for penalty in PENALTIES:
        dual = torch.linalg.solve(kernel + penalty * torch.eye(half, dtype=kernel.dtype), hidden[:half])
        answers = around[half:] @ (around[:half].T @ dual)
        shares.append(1 - float((answers - hidden[half:]).square().sum() / variance))
    return max(shares)


def empty(images: Tensor, side: int) -> float:
    """Share of the patches of this side that show one flat colour."""
    height, width = (images.shape[2] // side * side, images.shape[3] // side * side)
    patches = to_patches(images[:, :, :height, :width], side).unflatten(2, (images.shape[1], -1))  # [n, m, c, p p]
    spread = (patches.amax(3) - patches.amin(3)).amax(2)  # [n, m]
    return float((spread < FLAT).float().mean())


def doubt_context(images: Tensor) -> list[str]:
    """A sentence if the middle of the images does not follow from what surrounds it."""
    share = predictable(images)
    if share >= PREDICTABLE:
        return []
    return [
        f"what surrounds the middle of an image predicts {max(share, 0):.0%} of its variance, so a missing part can "
        "hardly be told from the rest: textures and noise teach this task nothing. Try simclr, with views that leave "
        "the meaning as it is"
    ]


def doubt_empty(images: Tensor, grid: int) -> list[str]:
    """A sentence if most patches are empty, of the side that leaves `grid` along images of this size (`patch_for`)."""
    size = (images.shape[2], images.shape[3])
    side = patch_for(0, size, grid=grid) if patches_of(size) else 0
    share = empty(images, side) if side else 0.0
    if share <= EMPTY:
        return []
    return [
        f"{share:.0%} of the patches of {side}x{side} pixels show one flat colour, so most of what is asked can be "
        "answered without looking. Use larger patches, or inpainting, which asks for one large part"
    ]


def _middle() -> Tensor:
    """[256] booleans: the middle 8x8 of 16x16."""
    middle = torch.zeros(SHRUNK, SHRUNK, dtype=torch.bool)
    middle[SHRUNK // 4 : -SHRUNK // 4, SHRUNK // 4 : -SHRUNK // 4] = True
    return middle.flatten()
