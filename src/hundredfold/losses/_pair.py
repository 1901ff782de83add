"""What every loss of two views asks of its inputs."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional


def check_pair(za: Tensor, zb: Tensor, *, least: int = 2) -> None:
    """Raises ValueError, with both shapes, unless both are [n, d] with n >= `least`."""
    if za.dim() != 2 or za.shape != zb.shape:
        raise ValueError(f"the two views must have the same shape [n, d], got {tuple(za.shape)} and {tuple(zb.shape)}")
    if za.shape[0] < least:
        raise ValueError(f"this loss compares images: it needs at least {least}, got {za.shape[0]}")


def check_temperature(temperature: float) -> None:
    """Raises ValueError unless the temperature is positive and finite."""
    if not 0 < temperature < math.inf:
        raise ValueError(f"temperature must be > 0 and finite, got {temperature}: 0.1 to 1 is usual")


def unit_length(z: Tensor) -> Tensor:
    """Rows [n, d] of length 1, in `at_least_float32`; a row of zeros stays one."""
    return functional.normalize(at_least_float32(z), dim=1)


def at_least_float32(z: Tensor) -> Tensor:
    """float16 and bfloat16 as float32, which keeps the small differences of exp; the others as they are."""
    return z.float() if z.dtype in (torch.float16, torch.bfloat16) else z
