"""SigLIP: each pair of views on its own, same image or not? A logistic loss over all n^2 cross-view pairs.

Source: Zhai, Mustafa, Kolesnikov & Beyer, "Sigmoid Loss for Language Image Pre-Training", ICCV 2023 (arXiv
2303.15343), section 3.2 and algorithm 1. Where its optimum lies: Lee, Lim, Lee & Sohn, "On the Similarities of
Embeddings in Contrastive Learning", ICML 2025 (arXiv 2506.09781), theorem 5.3 and example 5.4; their b is -bias here.

    L = 1/n sum_i [ softplus(-(t s_ii + bias)) + sum_{j != i} softplus(t s_ij + bias) ],    s_ij = cosine(u_i, v_j).

As the negatives are those across the views alone, a small temperature or a large bias makes them repel more than the
positives attract: in the optimum the two views of an image then differ, and negatives lie beyond the simplex.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from hundredfold.losses._pair import check_pair, check_temperature, unit_length
from hundredfold.losses.tiled import is_large, siglip_tiled


def siglip(za: Tensor, zb: Tensor, *, temperature: float | Tensor = 10.0, bias: float | Tensor = -10.0) -> Tensor:
    """The logistic loss of two views of the same images: the mean over images of the sum over their n pairs.

    Args:
        za, zb: [n, d], row i of both from the same image; they need not be normalised. n >= 2.
        temperature: > 0; the logit of a pair is temperature * cosine + bias, so it *multiplies*, as the paper has it,
            where other losses divide. May be a tensor of no dimensions that learns; its sign is then not looked at.
        bias: of the logit; the log-odds of the n - 1 negatives against one positive make -ln(n - 1) a good start where
            unrelated images have similarity 0. May be a tensor of no dimensions.

    Returns:
        Scalar >= 0 in float32 (float64 for float64 inputs), at least `siglip_floor`.

    Raises:
        ValueError: the shapes differ or are not [n, d], n < 2, a temperature that is not positive, a temperature or
            bias of several numbers.

    >>> z = torch.eye(2)
    >>> round(float(siglip(z, z, temperature=1.0, bias=0.0)), 4)
    1.0064
    """
    check_pair(za, zb)
    _check_number("temperature", temperature)
    _check_number("bias", bias)
    if not isinstance(temperature, Tensor):
        check_temperature(temperature)
    n = za.shape[0]
    if is_large(n, n, za):
        return siglip_tiled(za, zb, temperature=temperature, bias=bias)
    with torch.autocast(za.device.type, enabled=False):
        logits = unit_length(za) @ unit_length(zb).T * temperature + bias  # [n, n]
        sign = 2 * torch.eye(n, dtype=logits.dtype, device=logits.device) - 1  # +1 for positives, -1 for negatives
        return functional.softplus(-sign * logits).sum() / n


def siglip_chance(n: int) -> float:
    """The loss when all similarities are equal, with the bias that suits them best: ln n + (n - 1) ln(n / (n - 1)).

    The logit is then -ln(n - 1) for every pair. Other biases are worse: this is what learning has to go below.
    """
    return math.log(n) + (n - 1) * math.log(n / (n - 1))


def siglip_floor(n: int, temperature: float, bias: float) -> float:
    """The lowest loss of n images at this temperature and bias.

    Where the positives have the mean similarity x, the negatives' mean is at least ((n - 2) x - n) / (2 (n - 1)) (Lee
    et al. 2025, lemma C.6), and both terms are convex: the loss is at least h(x), theirs of the proof of theorem 5.3,
    and its minimum over -1..1 is reached if d >= n. At x = 1 that is the simplex.
    """

    def negative(x: float) -> float:
        return ((n - 2) * x - n) / (2 * (n - 1))

    low, high = -1.0, 1.0
    for _ in range(60):  # h is convex: halve the interval by the sign of its slope
        x = (low + high) / 2
        slope = -_sigmoid(-temperature * x - bias) + (n - 2) / 2 * _sigmoid(temperature * negative(x) + bias)
        low, high = (x, high) if slope < 0 else (low, x)
    return _softplus(-temperature * high - bias) + (n - 1) * _softplus(temperature * negative(high) + bias)


class SigLIPLoss(nn.Module):
    """`siglip` with its temperature and bias kept; they learn unless `learnable` is False.

    The temperature learns as its logarithm, so that it stays positive.
    """

    def __init__(self, temperature: float = 10.0, bias: float = -10.0, learnable: bool = True) -> None:
        super().__init__()
        check_temperature(temperature)
        self.log_temperature = nn.Parameter(torch.tensor(math.log(temperature)), requires_grad=learnable)
        self.bias = nn.Parameter(torch.tensor(float(bias)), requires_grad=learnable)

    def forward(self, za: Tensor, zb: Tensor) -> Tensor:
        """The loss of two views [n, d] of the same n images."""
        return siglip(za, zb, temperature=self.log_temperature.exp(), bias=self.bias)


def _check_number(name: str, value: float | Tensor) -> None:
    if isinstance(value, Tensor) and value.dim() > 0:
        raise ValueError(f"{name} must be one number, got a tensor of the shape {tuple(value.shape)}")


def _sigmoid(x: float) -> float:
    return (1 + math.tanh(x / 2)) / 2  # does not overflow


def _softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))  # does not overflow
