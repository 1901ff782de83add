"""Relational distillation: images lie to one another in the student's features as they do in the teacher's.

Source: Park, Kim, Lu & Cho, "Relational Knowledge Distillation", CVPR 2019 (arXiv 1904.05068), section 3.2, equations 4
to 9. For features t of the teacher and s of the student,

    d(t_i, t_j) = |t_i - t_j| / m,    m = mean over pairs of |t_i - t_j|,
    a(t_i, t_j, t_k) = cosine of the angle at t_j between t_i and t_k,
    L = distance_weight mean over pairs h(d(s) - d(t)) + angle_weight mean over triplets h(a(s) - a(t)),
    h(x) = x^2 / 2 where |x| <= 1, |x| - 1/2 elsewhere (Huber).

Neither depends on the length of the vectors, their place or their orientation, so teacher and student may have features
of different lengths and know different classes. Memory grows with b^2 d + b^3.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from hundredfold.losses._pair import at_least_float32

# In mean distances. Of vectors that lie closer, such as the views of an image that is twice in a batch, the direction
# from one to the other is rounding, and its gradient grows without bound.
COINCIDENT = 1e-3


def relational_distillation(
    student: Tensor, teacher: Tensor, *, distance_weight: float = 1.0, angle_weight: float = 2.0
) -> Tensor:
    """The mean Huber loss of all distances and all angles between images.

    Args:
        student: [b, d] features.
        teacher: [b, e] features of the same images; a constant, no gradient reaches it.
        distance_weight, angle_weight: >= 0; the paper's are as 1 to 2.

    Returns:
        Scalar >= 0 in float32 (float64 for float64 inputs); 0 of one image, which has no relations. Angles are counted
        whose two sides have a length in both networks.

    Raises:
        ValueError: the features are not [b, d] and [b, e] of the same b >= 1, a weight that is negative.

    >>> square = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, 0.0]])
    >>> float(relational_distillation(3 * square + 1, square)) < 1e-6
    True
    """
    check_features(student, teacher)
    check_weights(distance_weight, angle_weight)
    with torch.autocast(student.device.type, enabled=False):
        from_student = _differences(at_least_float32(student))  # [b, b, d]
        from_teacher = _differences(at_least_float32(teacher.detach()))  # [b, b, e]
        distances = _relative_lengths(from_student), _relative_lengths(from_teacher)  # [b, b] each
        loss = distance_weight * _distance_loss(*distances)
        if angle_weight:  # b^3 numbers
            loss = loss + angle_weight * _angle_loss(from_student, from_teacher, *distances)
        return loss


def check_features(student: Tensor, teacher: Tensor) -> None:
    """Raises ValueError, with both shapes, unless they are [b, d] and [b, e] with the same b >= 1, d >= 1, e >= 1."""
    matrices = student.dim() == teacher.dim() == 2
    if not matrices or len(student) != len(teacher) or not student.numel() or not teacher.numel():
        shapes = f"{tuple(student.shape)} and {tuple(teacher.shape)}"
        raise ValueError(f"student and teacher must be features [b, d] and [b, e], not empty, got {shapes}")


def check_weights(distance_weight: float, angle_weight: float) -> None:
    """Raises ValueError for a weight that is negative or not finite."""
    for name, weight in (("distance_weight", distance_weight), ("angle_weight", angle_weight)):
        if not 0 <= weight < math.inf:
            raise ValueError(f"{name} must be >= 0 and finite, got {weight}")


def _differences(features: Tensor) -> Tensor:
    """[b, b, d] whose entry j, i leads from image j to image i, exactly 0 between equal rows."""
    return features[None] - features[:, None]


def _relative_lengths(differences: Tensor) -> Tensor:
    """Distances [b, b] over the mean of those that are not 0, with a gradient of 0 where the distance is 0."""
    squares = differences.square().sum(2)  # [b, b]
    same = squares == 0
    lengths = squares.masked_fill(same, 1).sqrt().masked_fill(same, 0)  # the root's own gradient at 0 is infinite
    mean = lengths.sum() / (~same).sum().clamp_min(1)
    return lengths / mean.masked_fill(mean == 0, 1)


def _distance_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """The mean over ordered pairs of different rows; 0 for one row."""
    b = len(student)
    # The paper has a sum: the mean does not grow with the batch. Entries i, i are 0 and are not counted.
    return functional.smooth_l1_loss(student, teacher, reduction="sum") / max(b * (b - 1), 1)


def _angle_loss(from_student: Tensor, from_teacher: Tensor, student: Tensor, teacher: Tensor) -> Tensor:
    """The mean over ordered triplets whose first and last are apart from the one between; 0 if there are none."""
    apart = (student > COINCIDENT) & (teacher > COINCIDENT)  # [b, b]
    each = functional.smooth_l1_loss(_cosines(from_student, apart), _cosines(from_teacher, apart), reduction="none")
    others = ~torch.eye(len(apart), dtype=torch.bool, device=apart.device)  # i, k: i is not k
    counted = apart[:, :, None] & apart[:, None, :] & others  # [b, b, b]: j, i, k
    return (each * counted).sum() / counted.sum().clamp_min(1)


def _cosines(differences: Tensor, apart: Tensor) -> Tensor:
    """[b, b, b], of the angle at j between i and k; 0 where one of them is not apart from j."""
    directions = functional.normalize(differences.masked_fill(~apart[:, :, None], 0), dim=2)  # [b, b, d]
    return directions @ directions.transpose(1, 2)
