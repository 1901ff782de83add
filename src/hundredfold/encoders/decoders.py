"""Decoders: from a code back to an image, by transposed convolutions through the sizes and widths of the encoder.

An encoder file that can be mirrored defines `mirror(inputs, channels, size, config) -> network`, made of `Decoder`;
`encoders.build.decoder` finds it.

Source: Zeiler, Krishnan, Taylor & Fergus, "Deconvolutional Networks", CVPR 2010 (transposed convolutions); Radford,
Metz & Chintala, "Unsupervised Representation Learning with Deep Convolutional GANs", ICLR 2016 (arXiv 1511.06434),
section 3 (BatchNorm behind each but the last). Kernels of 4 at stride 2, so that each output pixel is reached by as
many inputs as its neighbour: Odena, Dumoulin & Olah, "Deconvolution and Checkerboard Artifacts", Distill 2016.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn


class Decoder(nn.Module):
    """Codes -> images, without an activation at the end: [b, inputs] -> [b, channels, h, w].

    Args:
        inputs: length of a code.
        hidden: length of the linear layer behind it, as wide as the encoder's features.
        widths: channels before each doubling, the innermost first.
        sizes: (height, width) from the innermost to that of the images, one more than `widths`; each is twice the one
            before it, give or take a pixel.
        channels: of the images.
    """

    def __init__(
        self, inputs: int, hidden: int, widths: Sequence[int], sizes: Sequence[tuple[int, int]], channels: int
    ) -> None:
        super().__init__()
        self.start = (widths[0], *sizes[0])
        flat = math.prod(self.start)
        self.linear = nn.Sequential(*_normalised(nn.Linear(inputs, hidden, bias=False), nn.BatchNorm1d(hidden)))
        self.unfold = nn.Sequential(*_normalised(nn.Linear(hidden, flat, bias=False), nn.BatchNorm1d(flat)))
        steps = zip(widths, (*widths[1:], widths[-1]), sizes[1:], strict=True)
        self.blocks = nn.Sequential(*(Doubling(before, after, size) for before, after, size in steps))
        self.last = nn.Conv2d(widths[-1], channels, 3, padding=1)

    def forward(self, codes: Tensor) -> Tensor:
        """The images [b, c, h, w]; of what range is for the loss to say."""
        inner = self.unfold(self.linear(codes)).unflatten(1, self.start)  # [b, widths[0], h0, w0]
        images: Tensor = self.last(self.blocks(inner))
        return images


class Doubling(nn.Module):
    """A transposed convolution to twice the size, and a convolution: [b, before, h, w] -> [b, after, *size].

    Args:
        before, after: channels.
        size: (height, width) that come out: 2h - 1 to 2h + 1 and likewise, so that a size that was odd on the way in
            is odd on the way out.
    """

    def __init__(self, before: int, after: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size
        odd = (size[0] % 2, size[1] % 2)  # a row or column more, which is cut off again where there is one too many
        transposed = nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, output_padding=odd, bias=False)
        convolution = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.larger = nn.Sequential(*_normalised(transposed, nn.BatchNorm2d(after)))
        self.smooth = nn.Sequential(*_normalised(convolution, nn.BatchNorm2d(after)))

    def forward(self, maps: Tensor) -> Tensor:
        """The larger maps."""
        height, width = self.size
        images: Tensor = self.smooth(self.larger(maps)[:, :, :height, :width])
        return images


def _normalised(layer: nn.Module, norm: nn.Module) -> tuple[nn.Module, ...]:
    return layer, norm, nn.ReLU(inplace=True)
