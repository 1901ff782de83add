"""What a conditional generator is told of an image's class: a row of shares, or zeros where nothing is known."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def of_labels(labels: Tensor, classes: int) -> Tensor:
    """Conditions of labels: one-hot, and zeros where there is none.

    Args:
        labels: [b], below 0 where there is none.
        classes: how many there are; 0 where none is known.

    Returns:
        [b, classes] float32 on the device of `labels`, and [b, 1] of zeros where no class is known.

    Raises:
        ValueError: a label that is not below `classes`.

    >>> of_labels(torch.tensor([1, -1]), 3).tolist()
    [[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
    """
    if not classes:
        return torch.zeros(len(labels), 1, device=labels.device)
    if len(labels) and int(labels.max()) >= classes:
        raise ValueError(f"labels must be below {classes}, the number of classes, got {labels.max()}")
    known = functional.one_hot(labels.clamp_min(0), classes)  # [b, q]
    return (known * (labels >= 0)[:, None]).float()
