"""Points on the sphere without a network: constructions whose similarities are known, and descent on them.

Letters: n images, d dimensions, u and v [n, d] the two views, rows of length 1, float64.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

Pair = tuple[Tensor, Tensor]
Loss = Callable[[Tensor, Tensor], Tensor]


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def scattered(n: int, d: int, rng: torch.Generator) -> Pair:
    """Two views [n, d] that know nothing of each other."""
    u, v = functional.normalize(torch.randn(2, n, d, generator=rng, dtype=torch.float64), dim=2)
    return u, v


def simplex(n: int) -> Tensor:
    """[n, n - 1]: n points as far from each other as can be, every product -1/(n - 1)."""
    rows = torch.tril(torch.ones(n, n, dtype=torch.float64))[:-1]  # [n - 1, n]: Helmert's contrasts
    rows -= torch.diag(torch.arange(1, n, dtype=torch.float64), 1)[:-1]
    return functional.normalize(functional.normalize(rows, dim=1).T, dim=1)


def axes_both_ways(axes: int = 3) -> Tensor:
    """[2 axes, axes]: e_1, -e_1, e_2, ...; the mean product is that of the simplex, the products are 0 and -1."""
    return torch.eye(axes, dtype=torch.float64).repeat_interleave(2, 0) * torch.tensor([1, -1]).repeat(axes)[:, None]


def in_dimensions(points: Tensor, d: int) -> Tensor:
    """The same points [n, d], the dimensions that are new at zero."""
    return functional.pad(points, (0, d - points.shape[1]))


def turned(points: Tensor, rng: torch.Generator) -> Tensor:
    """The same points after a random rotation (or reflection) of their space."""
    d = points.shape[1]
    turn, triangle = torch.linalg.qr(torch.randn(d, d, generator=rng, dtype=torch.float64))
    return points @ (turn * triangle.diagonal().sign())  # the signs make all rotations equally likely


def torn(points: Tensor, height: float) -> Pair:
    """u = (a w, height), v = (a w, -height): the views of all images part along one new axis. [n, d + 1] each."""
    flat = (1 - height**2) ** 0.5 * points
    axis = points.new_full((len(points), 1), height)
    return torch.cat([flat, axis], 1), torch.cat([flat, -axis], 1)


def positives(u: Tensor, v: Tensor) -> Tensor:
    """[n] similarities of the views of the same image."""
    return (u * v).sum(1)


def negatives(u: Tensor, v: Tensor) -> Tensor:
    """[n (n - 1)] products of different rows; across the views for (u, v), within one for (u, u)."""
    return (u @ v.T)[~torch.eye(len(u), dtype=torch.bool)]


def descend(loss: Loss, u: Tensor, v: Tensor, *, steps: int = 250) -> Pair:
    """Where L-BFGS ends. Losses take rows of any length, so that the sphere is no constraint."""
    points = torch.stack([u, v]).requires_grad_()
    optimizer = torch.optim.LBFGS(
        [points], max_iter=steps, tolerance_grad=1e-12, tolerance_change=1e-18, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss(*points)
        value.backward()
        return value

    optimizer.step(closure)
    u, v = functional.normalize(points.detach(), dim=2)
    return u, v


def descend_in_batches(loss: Loss, u: Tensor, v: Tensor, m: int, rng: torch.Generator, *, epochs: int = 200) -> Pair:
    """Where stochastic descent ends that draws batches of m images anew in each epoch, its rate going to zero."""
    points = torch.stack([u, v]).requires_grad_()
    for epoch in range(epochs):
        rate = 0.1 * (1 - epoch / epochs)
        for batch in torch.randperm(points.shape[1], generator=rng).split(m):
            (slope,) = torch.autograd.grad(loss(*points[:, batch]), points)
            with torch.no_grad():  # m: the loss is a mean over the batch, and each image is in one a epoch
                points.copy_(functional.normalize(points - rate * m * slope, dim=2))
    u, v = points.detach()
    return u, v
