"""Soft targets: a student learns the probabilities that a teacher gives to all classes, those of the wrong ones too.

Source: Hinton, Vinyals & Dean, "Distilling the Knowledge in a Neural Network", NIPS 2014 workshop (arXiv 1503.02531),
equation 1 and section 2. With p = softmax(teacher / T) and q = softmax(student / T),

    L = T^2 KL(p || q).

T^2 keeps the size of the gradient when T changes. The paper has the cross entropy of p and q; its gradient is the same,
and the divergence is 0 where the student agrees. For large T it becomes half the mean squared error of logits less
their mean (section 2.1).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from hundredfold.losses._pair import at_least_float32, check_temperature
from hundredfold.losses.logit_matching import check_logits


def soft_target(student: Tensor, teacher: Tensor, *, temperature: float) -> Tensor:
    """T^2 times the divergence of the student's probabilities from the teacher's, the mean over images.

    Args:
        student: [b, k] logits.
        teacher: [b, k] logits of the same images and classes; a constant, no gradient reaches it.
        temperature: T > 0; the larger, the more the classes that the teacher thinks unlikely count.

    Returns:
        Scalar >= 0 in nats, in float32 (float64 for float64 inputs).

    Raises:
        ValueError: the shapes differ or are not [b, k], there are no images, a temperature that is not positive.

    >>> float(soft_target(torch.eye(2), torch.eye(2), temperature=4.0))
    0.0
    """
    check_logits(student, teacher)
    check_temperature(temperature)
    with torch.autocast(student.device.type, enabled=False):
        predicted = (at_least_float32(student) / temperature).log_softmax(1)  # [b, k]
        wanted = (at_least_float32(teacher.detach()) / temperature).log_softmax(1)  # [b, k]
        return temperature**2 * functional.kl_div(predicted, wanted, reduction="batchmean", log_target=True)
