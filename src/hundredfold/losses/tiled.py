"""Losses of all pairs without the matrix of all pairs: a tile of it at a time, forward and backward.

The matrix of similarities of n rows takes 4 n^2 bytes, several times over: 65,536 rows fill 17 GB and more. What a
loss needs of it are sums over its rows and columns. They are taken tile by tile; the backward pass computes each tile
again. The result is that of the plain formula up to rounding, the memory that of the vectors and one tile. Gradients
cannot be differentiated again.

When to use it: it need not be called. `nt_xent`, `dcl`, `info_nce` and `siglip` go over to it when the matrix is large
(see `is_large`), which depends on sizes alone, so that a result does not depend on the machine.

Letters: n images, d dimensions; two sets of rows x [p, d] and y [q, d], a similarity s_ij = x_i . y_j.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from hundredfold.losses._negatives import check_negatives
from hundredfold.losses._pair import check_pair, check_temperature, unit_length

# Measured on two CPU cores with d = 128: tiles, which stay in the cache, take half the time of the formula as it is
# written from about here on, and a third of it at 256 MiB (benchmarks/loss_memory.json). Below, either is as good.
LARGE = 2**24  # bytes of a matrix: 2,048 x 2,048 in float32 is not yet large
TILE_ON_CPU = 512  # rows and columns: a float32 tile is 1 MiB and stays in the cache of a core
TILE = 4096  # elsewhere: 64 MiB, large enough that starting the kernels does not count


def is_large(rows: int, columns: int, z: Tensor) -> bool:
    """Whether a matrix of rows x columns, computed from `z`, is large enough to be computed in tiles."""
    return rows * columns * max(4, z.element_size()) > LARGE  # losses compute in float32 at least


def nt_xent_tiled(
    za: Tensor, zb: Tensor, *, temperature: float = 0.5, negatives: str = "both", tile: int = 0
) -> Tensor:
    """What `nt_xent` computes, in tiles.

    Args:
        za, zb, temperature, negatives: as for `nt_xent`.
        tile: rows and columns of a tile; 0 takes `TILE_ON_CPU` or `TILE`.

    Raises:
        ValueError: as `nt_xent`.
    """
    of_a, of_b, positive = _told_apart(za, zb, temperature, negatives, tile)
    of_a, of_b = torch.logaddexp(of_a, positive), torch.logaddexp(of_b, positive)
    return ((of_a + of_b) / 2 - positive).mean()


def dcl_tiled(za: Tensor, zb: Tensor, *, temperature: float = 0.5, negatives: str = "both", tile: int = 0) -> Tensor:
    """What `dcl` computes, in tiles: NT-Xent without the positive among what it is told from.

    Args:
        za, zb, temperature, negatives: as for `dcl`.
        tile: rows and columns of a tile; 0 takes `TILE_ON_CPU` or `TILE`.

    Raises:
        ValueError: as `dcl`.
    """
    of_a, of_b, positive = _told_apart(za, zb, temperature, negatives, tile)
    return ((of_a + of_b) / 2 - positive).mean()


def info_nce_tiled(
    za: Tensor, zb: Tensor, *, temperature: float | Tensor = 0.5, symmetric: bool = True, tile: int = 0
) -> Tensor:
    """What `info_nce` computes, in tiles.

    Args:
        za, zb, temperature, symmetric: as for `info_nce`; a temperature that is a tensor gets its gradient.
        tile: rows and columns of a tile; 0 takes `TILE_ON_CPU` or `TILE`.

    Raises:
        ValueError: as `info_nce`.
    """
    check_pair(za, zb)
    if not isinstance(temperature, Tensor):
        check_temperature(temperature)
    with torch.autocast(za.device.type, enabled=False):
        a, b = unit_length(za) / temperature, unit_length(zb)  # [n, d]
        rows, columns = cross_logsumexp(a, b, columns=symmetric, tile=tile)
        total = (rows + columns) / 2 if symmetric else rows  # [n]
        return (total - (a * b).sum(1)).mean()


def siglip_tiled(
    za: Tensor, zb: Tensor, *, temperature: float | Tensor = 10.0, bias: float | Tensor = -10.0, tile: int = 0
) -> Tensor:
    """What `siglip` computes, in tiles.

    Args:
        za, zb, temperature, bias: as for `siglip`; those that are tensors get their gradients.
        tile: rows and columns of a tile; 0 takes `TILE_ON_CPU` or `TILE`.

    Raises:
        ValueError: as `siglip`.
    """
    check_pair(za, zb)
    if not isinstance(temperature, Tensor):
        check_temperature(temperature)
    with torch.autocast(za.device.type, enabled=False):
        a, b = unit_length(za) * temperature, unit_length(zb)  # [n, d]
        offset = torch.as_tensor(bias, dtype=a.dtype, device=a.device)
        total: Tensor = _PairwiseSoftplus.apply(a, b, offset, tile or _tile(a))
        return total / len(a)


def cross_logsumexp(
    x: Tensor, y: Tensor, *, diagonal: bool = True, columns: bool = True, tile: int = 0
) -> tuple[Tensor, Tensor]:
    """The log-sum-exp of each row and of each column of x y^T.

    Args:
        x, y: [p, d] and [q, d].
        diagonal: whether the similarities s_ii belong to them.
        columns: whether those of the columns are wanted.
        tile: rows and columns of a tile; 0 takes `TILE_ON_CPU` or `TILE`.

    Returns:
        [p] and [q]; minus infinity in place of columns that are not wanted.
    """
    rows, of_columns = _CrossLogSumExp.apply(x, y, diagonal, columns, tile or _tile(x))
    return rows, of_columns


def within_logsumexp(x: Tensor, *, tile: int = 0) -> Tensor:
    """The log-sum-exp of each row of x x^T without its diagonal.

    Args:
        x: [p, d].
        tile: rows and columns of a tile; 0 takes `TILE_ON_CPU` or `TILE`.

    Returns:
        [p]
    """
    rows: Tensor = _WithinLogSumExp.apply(x, tile or _tile(x))
    return rows


def _told_apart(za: Tensor, zb: Tensor, temperature: float, negatives: str, tile: int) -> tuple[Tensor, Tensor, Tensor]:
    """Of each a_i and b_i the log-sum-exp of its negatives, and of the pair its similarity; [n] each, over t."""
    check_pair(za, zb)
    check_temperature(temperature)
    check_negatives(negatives)
    with torch.autocast(za.device.type, enabled=False):
        a, b = (unit_length(z) / math.sqrt(temperature) for z in (za, zb))  # [n, d] each; a_i . b_j = cosine / t
        found = []
        if negatives != "within":
            found.append(cross_logsumexp(a, b, diagonal=False, tile=tile))
        if negatives != "cross":
            found.append((within_logsumexp(a, tile=tile), within_logsumexp(b, tile=tile)))
        of_a, of_b = (torch.stack(kinds).logsumexp(0) for kinds in zip(*found))
        return of_a, of_b, (a * b).sum(1)


def _tile(x: Tensor) -> int:
    return TILE_ON_CPU if x.device.type == "cpu" else TILE


def _tiles(rows: int, columns: int, tile: int) -> Iterator[tuple[slice, slice]]:
    """Every tile of a matrix, row of tiles by row of tiles."""
    return itertools.product(_parts(rows, tile), list(_parts(columns, tile)))


def _upper_tiles(side: int, tile: int) -> Iterator[tuple[slice, slice]]:
    """The tiles on and above the diagonal of a square matrix."""
    return itertools.combinations_with_replacement(_parts(side, tile), 2)


def _parts(count: int, tile: int) -> Iterator[slice]:
    return (slice(start, start + tile) for start in range(0, count, tile))


# A gradient g_i of the log-sum-exp r_i of a row is g_i exp(s_ij - r_i) for s_ij, and likewise for columns.
# W [tile, tile] holds the gradients of a tile's similarities; from them x_i gets W y and y_j gets W^T x.


class _CrossLogSumExp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, diagonal: bool, wanted: bool, tile: int) -> tuple[Tensor, Tensor]:
        rows, columns = x.new_full((len(x),), -math.inf), y.new_full((len(y),), -math.inf)
        for i, j in _tiles(len(x), len(y), tile):
            s = x[i] @ y[j].T  # [tile, tile]
            if i == j and not diagonal:
                s.fill_diagonal_(-math.inf)
            rows[i] = torch.logaddexp(rows[i], s.logsumexp(1))
            if wanted:
                columns[j] = torch.logaddexp(columns[j], s.logsumexp(0))
        if not wanted:
            ctx.mark_non_differentiable(columns)
        ctx.save_for_backward(x, y, rows, columns)
        ctx.diagonal, ctx.wanted, ctx.tile = diagonal, wanted, tile
        return rows, columns

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_rows: Tensor, of_columns: Tensor) -> tuple[Tensor | None, ...]:
        x, y, rows, columns = ctx.saved_tensors
        dx, dy = torch.zeros_like(x), torch.zeros_like(y)
        with torch.autocast(x.device.type, enabled=False):
            for i, j in _tiles(len(x), len(y), ctx.tile):
                s = x[i] @ y[j].T
                if i == j and not ctx.diagonal:
                    s.fill_diagonal_(-math.inf)
                w = _softmax(s, rows[i, None], of_rows[i, None], in_place=not ctx.wanted)
                if ctx.wanted:
                    w += _softmax(s, columns[j], of_columns[j], in_place=True)
                dx[i].addmm_(w, y[j])
                dy[j].addmm_(w.T, x[i])
        return dx, dy, None, None, None


class _WithinLogSumExp(torch.autograd.Function):
    # x x^T is symmetric: the tiles on and above the diagonal tell all, their columns are the rows below it.

    @staticmethod
    def forward(ctx: Any, x: Tensor, tile: int) -> Tensor:
        rows = x.new_full((len(x),), -math.inf)
        for i, j in _upper_tiles(len(x), tile):
            s = x[i] @ x[j].T
            if i == j:
                s.fill_diagonal_(-math.inf)
            else:
                rows[j] = torch.logaddexp(rows[j], s.logsumexp(0))
            rows[i] = torch.logaddexp(rows[i], s.logsumexp(1))
        ctx.save_for_backward(x, rows)
        ctx.tile = tile
        return rows

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_rows: Tensor) -> tuple[Tensor | None, ...]:
        x, rows = ctx.saved_tensors
        dx = torch.zeros_like(x)
        with torch.autocast(x.device.type, enabled=False):
            for i, j in _upper_tiles(len(x), ctx.tile):
                s = x[i] @ x[j].T
                if i == j:
                    s.fill_diagonal_(-math.inf)
                w = _softmax(s, rows[i, None], of_rows[i, None], in_place=i == j)
                if i != j:
                    w += _softmax(s, rows[j], of_rows[j], in_place=True)
                dx[i].addmm_(w, x[j])
                dx[j].addmm_(w.T, x[i])
        return dx, None


def _softmax(s: Tensor, logsumexp: Tensor, gradient: Tensor, *, in_place: bool) -> Tensor:
    return (s.sub_(logsumexp) if in_place else s - logsumexp).exp_().mul_(gradient)


class _PairwiseSoftplus(torch.autograd.Function):
    # sum over j != i of softplus(s_ij + bias), and over i of softplus(-(s_ii + bias)); its gradient needs no second
    # pass, since nothing is divided by a sum: it is computed beside the value.

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, bias: Tensor, tile: int) -> Tensor:
        wanted = any(ctx.needs_input_grad)
        dx, dy = (torch.zeros_like(x), torch.zeros_like(y)) if wanted else (None, None)
        rows, slopes = torch.zeros_like(x[:, 0]), torch.zeros_like(x[:, 0])  # [n]: sums of values, of d/d bias
        for i, j in _tiles(len(x), len(y), tile):
            s = torch.addmm(bias, x[i], y[j].T)  # [tile, tile]
            if i == j:
                s.diagonal().neg_()
            rows[i] += functional.softplus(s).sum(1)
            if dx is not None and dy is not None:
                w = s.sigmoid_()
                if i == j:
                    w.diagonal().neg_()
                dx[i].addmm_(w, y[j])
                dy[j].addmm_(w.T, x[i])
                slopes[i] += w.sum(1)
        ctx.save_for_backward(dx, dy, slopes.sum())
        return rows.sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_sum: Tensor) -> tuple[Tensor | None, ...]:
        dx, dy, slope = ctx.saved_tensors
        return of_sum * dx, of_sum * dy, of_sum * slope, None
