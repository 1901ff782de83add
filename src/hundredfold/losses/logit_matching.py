"""Logit matching: a student's logits are regressed on a teacher's, whose small differences a softmax would hide.

Source: Ba & Caruana, "Do Deep Nets Really Need to be Deep?", NIPS 2014 (arXiv 1312.6184), section 2.2:

    L = 1 / (2 b) sum over images of |student - teacher|^2.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from hundredfold.losses._pair import at_least_float32


def logit_matching(student: Tensor, teacher: Tensor) -> Tensor:
    """The mean squared error between the logits of two networks.

    Args:
        student: [b, k] logits.
        teacher: [b, k] logits of the same images and classes; a constant, no gradient reaches it.

    Returns:
        Scalar >= 0 in float32 (float64 for float64 inputs).

    Raises:
        ValueError: the shapes differ or are not [b, k], or there are no images.

    >>> float(logit_matching(torch.zeros(1, 2), torch.tensor([[1.0, 3.0]])))
    5.0
    """
    check_logits(student, teacher)
    with torch.autocast(student.device.type, enabled=False):
        # The mean over logits, where the paper has half their sum: a weight then means the same for 2 classes and 1000.
        return functional.mse_loss(at_least_float32(student), at_least_float32(teacher.detach()))


def check_logits(student: Tensor, teacher: Tensor) -> None:
    """Raises ValueError, with both shapes, unless both are [b, k] with b >= 1 and k >= 1."""
    if student.dim() != 2 or student.shape != teacher.shape or not student.numel():
        shapes = f"{tuple(student.shape)} and {tuple(teacher.shape)}"
        raise ValueError(f"student and teacher must have the same shape [b, k], not empty, got {shapes}")
