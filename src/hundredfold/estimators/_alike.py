"""What a network says of an image must not depend on which others it is asked about with it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

ALIKE = 4  # fewer rows at once take other instructions, whose last digits differ: measured with torch on x86


def of_all(count: int, read: Callable[[Tensor], Tensor]) -> Tensor:
    """What `read` makes of the images 0 to `count` - 1: [count, ...].

    It is asked for a multiple of four, the last image filling up, so that one image alone gets the numbers that it gets
    among many.

    Args:
        count: >= 1.
        read: from positions [m] int64 to rows [m, ...].
    """
    filled = -(-count // ALIKE) * ALIKE
    return read(torch.arange(filled).clamp_max(count - 1))[:count]
