"""What a step of each method costs, as a multiple of SimCLR's, on images of MNIST's size.

    OMP_NUM_THREADS=1 python benchmarks/method_cost.py [--record]

Methods take turns, step by step, and the processor time of one thread is counted: what else the machine does matters
little, and only the ratios are kept.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import torch

from hundredfold.encoders.build import encoder
from hundredfold.methods import catalogue, names
from hundredfold.methods._base import Method
from hundredfold.random import generator
from hundredfold.studies.run_folder import processor, versions
from hundredfold.train.engine import Engine, choose_engine
from hundredfold.train.optimizer import optimizer as make_optimizer
from hundredfold.train.plan import Plan
from hundredfold.types import ImageBatch, Progress
from hundredfold.views import recipe as views

BATCH, ROUNDS = 256, 8
REFERENCE = "simclr"


def prepared(name: str, engine: Engine) -> tuple[Method, torch.optim.Optimizer]:
    """A method around a new convnet, or the encoder that it needs, and its optimizer."""
    kind = catalogue.info(name).encoder or "convnet"
    network = encoder(kind, channels=1, size=(28, 28), mean=[0.13], std=[0.3], settings={}, seed=0)
    settings, _ = views.default_views(1, (28, 28), ("0", "1"), background=0.8, border=0.0)
    chain = views.build(settings, 1, (28, 28))
    method = engine.place(catalogue.build(name, network, chain, {}, seed=0)).train()
    return method, make_optimizer(method, Plan(batch_size=BATCH))


def step(method: Method, optimizer: torch.optim.Optimizer, batch: ImageBatch, engine: Engine, number: int) -> float:
    """Seconds of processor time that one step takes."""
    began = time.process_time()
    made = method.views(batch, generator(0, "views", number))
    with engine.autocast():
        loss = method(made).loss
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    method.after_step(Progress(number + 1, 1000))
    return time.process_time() - began


def measure() -> dict[str, float]:
    """Method -> the median over rounds of its step's time over that of the reference in the same round."""
    engine = choose_engine()
    pixels = torch.randint(0, 256, (BATCH, 1, 28, 28), generator=generator(0, "images"), dtype=torch.uint8)
    batch = ImageBatch(pixels, torch.full((BATCH,), -1), torch.arange(BATCH))
    methods = {info.name: prepared(info.name, engine) for info in names() if not info.learns_from_labels}
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    for number in range(ROUNDS + 1):
        for name, (method, optimizer) in methods.items():
            seconds[name].append(step(method, optimizer, batch, engine, number))
    rounds = range(1, ROUNDS + 1)  # the first warms up
    return {
        name: round(statistics.median(seconds[name][i] / seconds[REFERENCE][i] for i in rounds), 2) for name in methods
    }


def main() -> None:
    """Prints the ratios and, if asked, keeps them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true")
    torch.set_num_threads(1)
    ratios = measure()
    for name, ratio in sorted(ratios.items(), key=lambda item: item[1]):
        print(f"{name:<21} {ratio:.2f}")
    if parser.parse_args().record:
        content = {
            "name": "method_cost",
            "step_over_simclr": ratios,
            "batch_size": BATCH,
            "rounds": ROUNDS,
            "precision": choose_engine().precision,
            "processor": processor(),
            "versions": versions(),
        }
        path = Path(__file__).with_name("method_cost.json")
        path.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
