"""What losses of all pairs take in time and memory, as written and in tiles, and what a step takes in chunks.

    OMP_WAIT_POLICY=passive python benchmarks/loss_memory.py [--rounds 5] [--record FILE.json]

*Losses*: vectors of 128 dimensions, forward and backward. Times are medians of rounds in which both ways take turns,
so that whatever else the machine does falls on both alike; only their ratio means something. Memory is the highest
resident size of a fresh process beyond what it had before, the gradient of the vectors included.

*Steps*: SimCLR on the convnet, grey 28x28 images, two views each, forward and backward in float32. Memory twice: as
the C library deals with it by default, which keeps freed blocks of up to 32 MiB for later, and with
MALLOC_MMAP_THRESHOLD_=65536, which gives them back at once: what is in use, and some time lost.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from hundredfold.encoders._base import pass_in_chunks
from hundredfold.encoders.build import encoder
from hundredfold.losses import tiled
from hundredfold.losses.info_nce import info_nce
from hundredfold.losses.nt_xent import nt_xent
from hundredfold.losses.siglip import siglip
from hundredfold.methods.contrastive._two_views import TwoViews
from hundredfold.methods.contrastive.simclr import Config, SimCLR
from hundredfold.studies.run_folder import processor
from hundredfold.train.memory import PeakMemory
from hundredfold.views.chain import Chain

DIMENSIONS = 128
TIMED = (1024, 2048, 8192)  # rows of the matrix
LARGEST = 65_536
STEPS = ((256, 0), (1024, 0), (1024, 256), (4096, 256))  # images, chunk
PLAIN = {
    "nt_xent": nt_xent,
    "nt_xent, cross": partial(nt_xent, negatives="cross"),
    "info_nce": info_nce,
    "info_nce, one way": partial(info_nce, symmetric=False),
    "siglip": siglip,
}
IN_TILES = {
    "nt_xent": tiled.nt_xent_tiled,
    "nt_xent, cross": partial(tiled.nt_xent_tiled, negatives="cross"),
    "info_nce": tiled.info_nce_tiled,
    "info_nce, one way": partial(tiled.info_nce_tiled, symmetric=False),
    "siglip": tiled.siglip_tiled,
}


@dataclass(frozen=True, kw_only=True)
class LossCost:
    """One loss with a matrix of rows x rows; None for the matrix as a whole where it was not tried."""

    loss: str
    rows: int
    matrix_mib: float
    plain_ms: float | None
    tiled_ms: float
    ratio: float | None
    plain_peak_mib: float | None
    tiled_peak_mib: float


@dataclass(frozen=True, kw_only=True)
class StepCost:
    """One step of SimCLR."""

    images: int
    chunk: int
    seconds: float
    peak_mib: float
    in_use_mib: float


def take_turns(loss: str, rows: int, rounds: int) -> tuple[float, float]:
    """Median milliseconds, plain and in tiles, after a round that warms up."""
    times: dict[str, list[float]] = {"plain": [], "tiled": []}
    views = _vectors(loss, rows)
    for turn in range(rounds + 1):
        kinds = {"plain": partial(_plain, loss), "tiled": IN_TILES[loss]}
        for name in sorted(kinds, reverse=bool(turn % 2)):
            began = time.perf_counter()
            _forward_and_backward(kinds[name], views)
            times[name].append(time.perf_counter() - began)
    plain, in_tiles = (1000 * statistics.median(values[1:]) for values in times.values())
    return plain, in_tiles


def loss_alone(kind: str, loss: str, rows: int) -> tuple[float, float]:
    """Milliseconds and peak MiB of one pass; in a process of its own."""
    step = partial(_plain, loss) if kind == "plain" else IN_TILES[loss]
    _forward_and_backward(step, _vectors(loss, 64))  # what is loaded once is not counted
    views = _vectors(loss, rows)
    return _measure(lambda: _forward_and_backward(step, views))


def step_alone(images: int, chunk: int) -> tuple[float, float]:
    """Milliseconds and peak MiB of one step of SimCLR; in a process of its own."""
    start = encoder("convnet", channels=1, size=(28, 28), mean=[0.13], std=[0.31], seed=0)
    method = SimCLR(start, Chain(()), Config()).to(memory_format=torch.channels_last)
    pass_in_chunks(method, 4)
    method(_images(8)).loss.backward()
    pass_in_chunks(method, chunk)
    views = _images(images)
    return _measure(lambda: method(views).loss.backward())


def _measure(action: Callable[[], None]) -> tuple[float, float]:
    began = time.perf_counter()
    with PeakMemory(torch.device("cpu")) as peak:
        action()
    if peak.bytes is None:
        raise SystemExit("this system does not tell how much memory a process takes")
    return 1000 * (time.perf_counter() - began), peak.bytes / 2**20


def _plain(loss: str, za: Tensor, zb: Tensor) -> Tensor:
    chosen, tiled.LARGE = tiled.LARGE, math.inf
    try:
        return PLAIN[loss](za, zb)
    finally:
        tiled.LARGE = chosen


def _forward_and_backward(loss: Callable[[Tensor, Tensor], Tensor], views: list[Tensor]) -> None:
    for view in views:
        view.grad = None
    loss(*views).backward()


def _vectors(loss: str, rows: int) -> list[Tensor]:
    count = rows // 2 if loss.startswith("nt_xent") else rows  # NT-Xent stacks the views
    rng = torch.Generator().manual_seed(0)
    return [torch.randn(count, DIMENSIONS, generator=rng).requires_grad_() for _ in range(2)]


def _images(count: int) -> TwoViews:
    rng = torch.Generator().manual_seed(0)
    return TwoViews(*(torch.rand(count, 1, 28, 28, generator=rng) for _ in range(2)))


def _apart(*what: object, surroundings: dict[str, str] | None = None) -> tuple[float, float]:
    command = [sys.executable, __file__, "--alone", json.dumps(what)]
    done = subprocess.run(command, env={**os.environ, **(surroundings or {})}, stdout=subprocess.PIPE, check=True)
    milliseconds, peak = json.loads(done.stdout)
    return milliseconds, peak


def losses(rounds: int) -> list[LossCost]:
    """Every loss at every size."""
    found = []
    for loss in PLAIN:
        for rows in (*TIMED, LARGEST):
            alone, in_tiles = _apart("tiled", loss, rows)
            timed = take_turns(loss, rows, rounds) if rows < LARGEST else None
            whole = _apart("plain", loss, rows)[1] if rows < LARGEST else None
            found.append(
                LossCost(
                    loss=loss,
                    rows=rows,
                    matrix_mib=4 * rows**2 / 2**20,
                    plain_ms=timed[0] if timed else None,
                    tiled_ms=timed[1] if timed else alone,
                    ratio=timed[1] / timed[0] if timed else None,
                    plain_peak_mib=whole,
                    tiled_peak_mib=in_tiles,
                )
            )
            _show(found[-1])
    return found


def steps() -> list[StepCost]:
    """A step of SimCLR, whole and in chunks."""
    found = []
    for images, chunk in STEPS:
        milliseconds, peak = _apart("step", images, chunk)
        _, in_use = _apart("step", images, chunk, surroundings={"MALLOC_MMAP_THRESHOLD_": "65536"})
        found.append(
            StepCost(images=images, chunk=chunk, seconds=milliseconds / 1000, peak_mib=peak, in_use_mib=in_use)
        )
        one = found[-1]
        print(f"{images:6} images, chunk {chunk:4}: {one.seconds:6.1f} s, {peak:6.0f} MiB, {in_use:6.0f} in use")
    return found


def _show(cost: LossCost) -> None:
    plain = f"{cost.plain_ms:8.1f} ms {cost.plain_peak_mib:7.0f} MiB" if cost.plain_ms else f"{'-':>8}    {'-':>7}    "
    ratio = f"{cost.ratio:.2f} of the time" if cost.ratio else ""
    in_tiles = f"{cost.tiled_ms:8.1f} ms {cost.tiled_peak_mib:7.0f} MiB"
    print(f"{cost.loss:18} {cost.rows:6} rows: whole {plain}, in tiles {in_tiles}  {ratio}", flush=True)


def main() -> None:
    """Prints the figures and, if asked, records them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--record", type=Path)
    parser.add_argument("--alone", type=json.loads, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.alone:
        kind, *what = arguments.alone
        print(json.dumps(step_alone(*what) if kind == "step" else loss_alone(kind, *what)))
        return
    record = {
        "losses": [asdict(cost) for cost in losses(arguments.rounds)],
        "steps": [asdict(cost) for cost in steps()],
        "dimensions": DIMENSIONS,
        "rounds": arguments.rounds,
        "threads": torch.get_num_threads(),
        "machine": processor(),
    }
    if arguments.record:
        arguments.record.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
