"""Several views one after the other, with one interpolation for all that move pixels.

Each resampling blurs a little and costs a pass over the images. The matrices of the geometric views are multiplied
instead, on the CPU where they are a few numbers an image, and the images are sampled once. The pixel views follow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from hundredfold.views._base import DisplacementView, Drawn, GeometricView, PixelView, View


@dataclass(frozen=True)
class Chain:
    """Applies views to a batch of images, each image with random numbers of its own.

    Geometric views act in the order given, displacements after them (on output coordinates), pixel views last, in
    the order given. Two calls with equal generators give equal images.

    Attributes:
        views: in order.
        padding: what lies outside an image: "zeros" (black), "border" (its edge, drawn out) or "reflection".
        output_size: (height, width) of the views, or None for that of the images. Sampling is bilinear, without a
            low-pass filter: an output of less than half the size should be resized beforehand.

    >>> from hundredfold.views.rotation import Rotation
    >>> chain = Chain((Rotation(degrees=45),))
    >>> chain(torch.zeros(2, 1, 28, 28), torch.Generator().manual_seed(0)).shape
    torch.Size([2, 1, 28, 28])
    """

    views: tuple[View, ...]
    _: KW_ONLY
    padding: str = "zeros"
    output_size: tuple[int, int] | None = None

    def __call__(self, images: Tensor, rng: torch.Generator) -> Tensor:
        """One view of each image: draw, then apply."""
        return self.apply(images, self.draw(len(images), _size(images), rng))

    def draw(self, batch: int, size: tuple[int, int], rng: torch.Generator) -> tuple[Drawn, ...]:
        """The random numbers of each view, in order, for `batch` images of `size` (height, width)."""
        return tuple(view.draw(batch, size, rng) for view in self.views)

    def apply(self, images: Tensor, drawn: Sequence[Drawn]) -> Tensor:
        """The views that these numbers give.

        Args:
            images: [b, c, h, w] uint8 in 0..255 or float32 in 0..1, on any device; left as they are.
            drawn: what `draw` returned for b images of this size.

        Returns:
            [b, c, h', w'] float32 in 0..1, h' and w' being `output_size` or h and w.

        Raises:
            ValueError: the images have another shape or type, or the numbers are for another batch size.
        """
        self._check(images, drawn)
        result = images.float().div_(255) if images.dtype == torch.uint8 else images
        # Views may be made while autocast is on; coordinates rounded to bfloat16 would be half a pixel off.
        with torch.autocast(images.device.type, enabled=False):
            grid = self.grid(drawn, _size(images), images.device)
            if grid is not None:
                grid = grid.expand(len(images), -1, -1, -1)
                result = F.grid_sample(result, grid, mode="bilinear", padding_mode=self.padding, align_corners=False)
            for view, numbers in zip(self.views, drawn, strict=True):
                if isinstance(view, PixelView):
                    result = view.apply(result, numbers)
        return result

    def matrix(self, drawn: Sequence[Drawn], size: tuple[int, int]) -> Tensor | None:
        """[b, 3, 3]: output -> input coordinates of all geometric views together, or None if there are none."""
        product: Tensor | None = None
        for view, numbers in zip(self.views, drawn, strict=True):
            if isinstance(view, GeometricView):
                # The last view's output comes first: first view @ ... @ last view takes a point back to the image.
                matrix = view.matrix(numbers, size)
                product = matrix if product is None else product @ matrix
        return product

    def grid(self, drawn: Sequence[Drawn], size: tuple[int, int], device: torch.device) -> Tensor | None:
        """[b, h', w', 2]: where in the image each output pixel is sampled, or None if nothing moves.

        [1, h', w', 2] if nothing moves but the size.
        """
        height, width = self.output_size or size
        matrix = self.matrix(drawn, size)
        shift = self._displacement(drawn, (height, width), device)
        if matrix is None and shift is None and (height, width) == size:
            return None
        if matrix is None:
            matrix = torch.eye(3).expand(1 if shift is None else len(shift), 3, 3)
        rows = matrix[:, :2].to(device, non_blocking=True)  # [b, 2, 3]
        # One product for all images and pixels; `affine_grid` does the same in ten times the time (a product each).
        points = rows.reshape(-1, 3) @ _base_points(height, width, device)  # [2b, h'w']
        points = points.view(-1, 2, height * width)
        if shift is not None:
            points = torch.baddbmm(points, rows[:, :, :2], shift.flatten(2))  # M (p + d) = M p + (its linear part) d
        return points.view(-1, 2, height, width).permute(0, 2, 3, 1)

    def _displacement(self, drawn: Sequence[Drawn], size: tuple[int, int], device: torch.device) -> Tensor | None:
        total: Tensor | None = None  # [b, 2, h', w']
        for view, numbers in zip(self.views, drawn, strict=True):
            if isinstance(view, DisplacementView):
                shift = view.displacement(numbers, size, device)
                total = shift if total is None else total + shift
        return total

    def _check(self, images: Tensor, drawn: Sequence[Drawn]) -> None:
        if images.dim() != 4 or images.dtype not in (torch.uint8, torch.float32):
            got = f"{tuple(images.shape)} of {images.dtype}"
            raise ValueError(f"views are made of images [b, c, h, w] of uint8 or float32, got {got}")
        for view, numbers in zip(self.views, drawn, strict=True):
            for name, number in numbers.items():
                if len(number) != len(images):
                    kind = type(view).__name__
                    raise ValueError(f"{kind}: {name} was drawn for {len(number)} images, there are {len(images)}")


def _size(images: Tensor) -> tuple[int, int]:
    return images.shape[-2], images.shape[-1]


@lru_cache(maxsize=16)
def _base_points(height: int, width: int, device: torch.device) -> Tensor:
    """[3, h w]: homogeneous coordinates (x, y, 1) of the pixel centres, row by row."""
    x = (torch.arange(width, dtype=torch.float32) * 2 + 1) / width - 1
    y = (torch.arange(height, dtype=torch.float32) * 2 + 1) / height - 1
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([columns, rows, torch.ones_like(rows)]).flatten(1).to(device)
