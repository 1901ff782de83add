"""What data and views cost, and what the default precision gains: ratios measured within one run.

    python benchmarks/step_cost.py [--rounds 30] [--record FILE.json]

SimCLR on the convnet, batch of 256 grey 28x28 images, the default views. Three kinds of step take turns, so that
whatever else the machine does falls on all alike; medians are compared:

- *whole*: the loader's batch, its views, forward, backward, optimizer;
- *fixed*: the same step on views that are already in place;
- *plain*: as fixed, in float32 with contiguous filters.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from hundredfold.data.images import ImageSet, MemoryPixels
from hundredfold.data.loader import Loader
from hundredfold.encoders.build import encoder
from hundredfold.methods.contrastive.simclr import Config, SimCLR
from hundredfold.random import generator
from hundredfold.studies.run_folder import processor
from hundredfold.train.engine import Engine, choose_engine
from hundredfold.train.optimizer import optimizer
from hundredfold.train.plan import Plan
from hundredfold.views.recipe import build, default_views

BATCH, IMAGES = 256, 50_000


@dataclass(frozen=True, kw_only=True)
class StepCost:
    """Medians in milliseconds, and the two ratios."""

    whole_ms: float
    fixed_ms: float
    plain_float32_ms: float
    data_and_views_share: float
    precision_gain: float
    precision: str
    threads: int
    rounds: int
    machine: str


def measure(rounds: int) -> StepCost:
    """Takes turns for `rounds` rounds, after one that warms up."""
    engine = choose_engine()
    plain = Engine(device=engine.device, precision="float32")
    loader = _loader()
    whole, fixed, contiguous = _Trainer(engine, place=True), _Trainer(engine, place=True), _Trainer(plain, place=False)
    ready = fixed.method.views(next(loader.batches(0, 1)), generator(0, "views", 0))
    batches = loader.batches(0, rounds + 1)
    times: dict[str, list[float]] = {"whole": [], "fixed": [], "plain": []}
    for step in range(rounds + 1):
        kinds = {
            "whole": lambda step=step: whole.step(whole.method.views(next(batches), generator(0, "views", step))),
            "fixed": lambda: fixed.step(ready),
            "plain": lambda: contiguous.step(ready),
        }
        names = list(kinds)
        for name in names[step % 3 :] + names[: step % 3]:  # each comes first, second and third equally often
            times[name].append(_timed(kinds[name]))
    median = {name: 1000 * statistics.median(values[1:]) for name, values in times.items()}
    return StepCost(
        whole_ms=median["whole"],
        fixed_ms=median["fixed"],
        plain_float32_ms=median["plain"],
        data_and_views_share=median["whole"] / median["fixed"] - 1,
        precision_gain=median["plain"] / median["fixed"],
        precision=engine.precision,
        threads=torch.get_num_threads(),
        rounds=rounds,
        machine=processor(),
    )


class _Trainer:
    def __init__(self, engine: Engine, *, place: bool) -> None:
        start = encoder("convnet", channels=1, size=(28, 28), mean=[0.13], std=[0.31], seed=0)
        self.method = SimCLR(start, build(default_views(1, (28, 28))[0], 1, (28, 28)), Config())
        self.engine = engine
        if place:
            engine.place(self.method)
        self.optimizer = optimizer(self.method, Plan())

    def step(self, views: object) -> None:
        with self.engine.autocast():
            loss = self.method(views).loss
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        loss.item()


def _loader() -> Loader:
    grey = torch.randint(0, 256, (IMAGES, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    images = ImageSet(source="noise", pixels=MemoryPixels(grey), labels=torch.full((IMAGES,), -1))
    return Loader(images=images, index=torch.arange(IMAGES), batch_size=BATCH, seed=0)


def _timed(action: Callable[[], None]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def main() -> None:
    """Prints the figures and, if asked, records them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--record", type=Path)
    arguments = parser.parse_args()
    cost = measure(arguments.rounds)
    print(f"fixed batch {cost.fixed_ms:.0f} ms, with data and views {cost.whole_ms:.0f} ms a step ({cost.precision})")
    print(f"data and views cost {100 * cost.data_and_views_share:.1f} % of a step (at most 10 % wanted)")
    print(f"float32 contiguous {cost.plain_float32_ms:.0f} ms: the default is {cost.precision_gain:.2f} times as fast")
    if arguments.record:
        arguments.record.write_text(json.dumps(asdict(cost), indent=1) + "\n")


if __name__ == "__main__":
    main()
