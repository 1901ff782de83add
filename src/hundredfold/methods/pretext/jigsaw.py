"""Jigsaw: in which order were the patches put together? Whoever knows has learnt parts and their places.

Source: Noroozi & Favaro, "Unsupervised Learning of Visual Representations by Solving Jigsaw Puzzles", ECCV 2016
(arXiv 1603.09246), sections 3 and 4; the patches as one image for an encoder of whole images: Carlucci, D'Innocente,
Bucci, Caputo & Tommasi, "Domain Generalization by Solving Jigsaw Puzzles", CVPR 2019 (arXiv 1903.06864), section 3.

Hypothesis: parts have places. A head is above a body, a stroke goes on in the next quarter of a character.

Trivial solutions: edges that go on from patch to patch (a gap is left out of each cell, and the patch cut at a random
place of it); light and contrast that change across the image (each patch's channels get factors of their own); the
colour fringes of a lens, which grow towards the corners (turn images grey: views.grey_probability); empty margins.

When to use it: centred things of several parts. When not: textures and crowds, where any patch could be anywhere, and
images whose thing is small or anywhere.

Departures from the papers: an encoder of whole images sees the patches as one image, as in Carlucci et al., but cut and
stretched as a jigsaw for patches would cut them; there is no loss on labels beside it. Downstream images are whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from hundredfold.encoders._base import Encoder
from hundredfold.errors import SettingsError
from hundredfold.methods.pretext._permutations import distant_permutations, most_permutations
from hundredfold.methods.pretext._symmetry import symmetry
from hundredfold.methods.pretext._transformation import ClassifierConfig, TransformationMethod, Transformed
from hundredfold.views.chain import Chain

SMALLEST = 3  # pixels of a patch's side: what is smaller shows nothing


@dataclass(frozen=True, kw_only=True)
class Config(ClassifierConfig):
    """Settings of jigsaw.

    Attributes:
        grid: patches in a row and in a column, 2..8. On 10,000 images of MNIST (5 epochs, probe on 100 labels) 2 with
            all 24 orders gives 80.3 %, 3 with 30 orders 75.5 %: these lie so far apart that 96 % are answered rightly.
        permutations: orders to tell apart, >= 2, at most (grid x grid)! and 1,000; the image as it is is one.
        gap: share of a cell's side that its patch leaves out, 0 <= gap < 1, so that edges do not go on from patch to
            patch. The patch is stretched to its cell: a line between patches would never be seen again. On MNIST 0 and
            0.2 leave the same probe (80.3 %), 0.4 a worse one (77.5 %); without a gap 97 instead of 86 % are answered.
        jitter: cut each patch at a random place of its cell; otherwise from its middle.
        brightness: each patch's channels are multiplied by factors of 1 - brightness to 1 + brightness, 0..1, so that
            light and tint that change across the image tell no places.
    """

    grid: int = 2
    permutations: int = 24
    gap: float = 0.2
    jitter: bool = True
    brightness: float = 0.2

    def problems(self) -> list[str]:
        """What cannot be used, one sentence each."""
        found = super().problems()
        if not 2 <= self.grid <= 8:
            found.append(f"grid must be in 2..8, got {self.grid}")
        elif not 2 <= self.permutations <= most_permutations(self.grid**2):
            most = most_permutations(self.grid**2)
            found.append(f"permutations must be in 2..{most} for grid {self.grid}, got {self.permutations}")
        if not 0 <= self.gap < 1:
            found.append(f"gap is a share of a cell's side, at least 0 and below 1, got {self.gap}")
        if not 0 <= self.brightness <= 1:
            found.append(f"brightness must be in 0..1, got {self.brightness}")
        return found


class Jigsaw(TransformationMethod):
    """An encoder and a classifier of orders, for images that were cut up and put together again.

    Raises:
        SettingsError: patches of fewer than 3 x 3 pixels.
    """

    config: Config
    orders: Tensor  # [k, p]

    def __init__(self, encoder: Encoder, chain: Chain, config: Config) -> None:
        _check(encoder, config)
        super().__init__(encoder, chain, config, config.permutations)
        self.register_buffer(
            "orders", distant_permutations(config.grid**2, config.permutations).clone(), persistent=False
        )

    def transform(self, images: Tensor, rng: torch.Generator) -> Transformed:
        """The patches of each image in the order of its answer."""
        grid, size = self.config.grid, (images.shape[2], images.shape[3])
        patches = self._patches(images, rng)  # [b, p, c, y, x]
        answers = torch.randint(self.count, (len(images),), generator=rng).to(images.device)
        order = self.orders.to(images.device)[answers]  # [b, p]
        row = torch.arange(len(images), device=images.device)[:, None]
        return Transformed(assemble(patches[row, order], grid, _cell(images, grid), size), answers)

    def _patches(self, images: Tensor, rng: torch.Generator) -> Tensor:
        """Each image's patches in their order, cut and lit at random: [b, p, c, y, x] in 0..1."""
        config, cell = self.config, _cell(images, self.config.grid)
        patch = _patch(cell[0], config.gap), _patch(cell[1], config.gap)
        room = torch.tensor(cell) - torch.tensor(patch)  # [2]
        shape = (len(images), config.grid**2)
        place = torch.rand(*shape, 2, generator=rng) if config.jitter else torch.full((*shape, 2), 0.5)
        offsets = torch.minimum((place * (room + 1)).long(), room)  # [b, p, 2]
        factors = 1 + config.brightness * (2 * torch.rand(*shape, images.shape[1], generator=rng) - 1)  # [b, p, c]
        patches = cut(images, config.grid, patch, offsets.to(images.device))
        return (patches * factors.to(images.device)[..., None, None]).clamp(max=1)


def cut(images: Tensor, grid: int, patch: tuple[int, int], offsets: Tensor) -> Tensor:
    """Patches [b, p, c, y, x] of images [b, c, h, w], row by row; p = grid squared.

    Args:
        images: [b, c, h, w].
        grid: cells in a row and in a column; pixels that do not divide by it are left out, half of them on each side.
        patch: (y, x), height and width of a patch, at most those of a cell.
        offsets: [b, p, 2] int64, (down, right) in pixels, where in its cell a patch begins.
    """
    height, width = _cell(images, grid)
    place = torch.arange(grid, device=images.device)
    top = (images.shape[2] - grid * height) // 2 + place.repeat_interleave(grid) * height  # [p]
    left = (images.shape[3] - grid * width) // 2 + place.repeat(grid) * width  # [p]
    down, right = (torch.arange(side, device=images.device) for side in patch)  # [y], [x]
    rows = (top + offsets[..., 0])[..., None] + down  # [b, p, y]
    columns = (left + offsets[..., 1])[..., None] + right  # [b, p, x]
    of_image = torch.arange(len(images), device=images.device)[:, None, None, None]
    found = images.permute(0, 2, 3, 1)[of_image, rows[..., :, None], columns[..., None, :]]  # [b, p, y, x, c]
    return found.permute(0, 1, 4, 2, 3)


def assemble(patches: Tensor, grid: int, cell: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """Images [b, c, h, w] of patches [b, p, c, y, x], row by row, each stretched to its cell."""
    b, _, c = patches.shape[:3]
    height, width = cell
    flat = patches.flatten(0, 1)  # [bp, c, y, x]
    if flat.shape[2:] != cell:
        flat = functional.interpolate(flat, size=cell, mode="bilinear", align_corners=False)
    tiles = flat.view(b, grid, grid, c, height, width).permute(0, 3, 1, 4, 2, 5)
    images = tiles.reshape(b, c, grid * height, grid * width)
    rows, columns = size[0] - grid * height, size[1] - grid * width  # left over where the grid does not divide
    margins = (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)
    return functional.pad(images, margins, mode="replicate") if rows or columns else images


def doubts(images: Tensor) -> list[str]:
    """A sentence if images [n, c, h, w] with their patches in another order lie among these as they do themselves."""
    grid = 3 if min(images.shape[2:]) >= 3 * SMALLEST else 2
    if min(images.shape[2:]) < 2 * SMALLEST:
        return []  # which the method refuses
    whole, *moved = [_reordered(images, grid, order) for order in distant_permutations(grid**2, 6)]
    found = symmetry(whole, moved)
    if not found.closed:
        return []
    return [
        f"{found.share:.0%} of the images lie, with their patches in another order, as near to another image as whole "
        "(50% where parts have no places): jigsaw has little to learn from. Use --method simclr, with crops for views"
    ]


def _reordered(images: Tensor, grid: int, order: Tensor) -> Tensor:
    cell = _cell(images, grid)
    patches = cut(images, grid, cell, torch.zeros(len(images), grid**2, 2, dtype=torch.int64))
    return assemble(patches[:, order], grid, cell, (grid * cell[0], grid * cell[1]))


def _cell(images: Tensor, grid: int) -> tuple[int, int]:
    """(height, width) of a cell in pixels."""
    return images.shape[2] // grid, images.shape[3] // grid


def _patch(side: int, gap: float) -> int:
    """Side of a patch in a cell of this side."""
    return round(side * (1 - gap))


def _check(encoder: Encoder, config: Config) -> None:
    height, width = encoder.spec.height, encoder.spec.width
    least = min(height, width)
    smallest = _patch(least // config.grid, config.gap)
    if smallest >= SMALLEST:
        return
    fits = [grid for grid in range(2, 9) if _patch(least // grid, config.gap) >= SMALLEST]
    possible_grids = f"grid up to {max(fits)}" if fits else "images of more pixels, or a smaller gap"
    raise SettingsError(
        [
            f"jigsaw cuts images of {height}x{width} with grid {config.grid} and gap {config.gap:g} into patches of "
            f"{smallest} pixels: at least {SMALLEST} are needed. Possible: {possible_grids}"
        ]
    )
