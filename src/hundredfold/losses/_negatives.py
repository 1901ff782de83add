"""Which views an image is told apart from: those of other images across the two views, within one, or both."""

from __future__ import annotations

import torch
from torch import Tensor

NEGATIVES = ("both", "cross", "within")


def check_negatives(negatives: str) -> None:
    """Raises ValueError for a name that is not one of the three."""
    if negatives not in NEGATIVES:
        raise ValueError(f"negatives must be one of {', '.join(NEGATIVES)}, got {negatives!r}")


def count_negatives(n: int, negatives: str) -> int:
    """How many negatives a view has among those of n images."""
    return (2 if negatives == "both" else 1) * (n - 1)


def negative_pairs(n: int, negatives: str, device: torch.device) -> Tensor:
    """Which of the [2n, 2n] pairs of stacked views [za; zb] are negatives, bool."""
    row = torch.arange(2 * n, device=device)
    image, view = row % n, row // n  # [2n]
    other_image, same_view = image[:, None] != image, view[:, None] == view
    if negatives == "both":
        return other_image
    return other_image & (~same_view if negatives == "cross" else same_view)
