"""What well-chosen labels are worth: accuracy of a probe with labels that `hundredfold suggest` chose, and random ones.

    python benchmarks/part.py MNIST 10000 part.npz test.npz
    hundredfold pretrain part.npz --method simclr --epochs 40 --out RUN
    python benchmarks/label_next.py part.npz test.npz RUN --to benchmarks/label_next_mnist.json

Cold: 10, 20 and 100 labels at once, from no label. Warm: 20 at once, then rounds of 20, each chosen by a probe on the
labels so far. The labels of the part stand for a person who is asked. Test labels report, and chose nothing: strategies
were compared on other images of the training set in the place of test.npz. Seeds vary k-means, the random draws and
the folds of the probe's cross-validation; several RUNs vary the encoder too.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from hundredfold.data.read import read
from hundredfold.encoders.folder import load_encoder
from hundredfold.evaluate.features import features
from hundredfold.evaluate.probe import linear_probe
from hundredfold.evaluate.query_strategies import query
from hundredfold.evaluate.score import interval
from hundredfold.random import generator
from hundredfold.records import to_plain
from hundredfold.settings import read_toml
from hundredfold.studies.run_folder import processor, versions
from hundredfold.train.engine import choose_engine
from hundredfold.types import UNLABELLED

AT_ONCE, BEGINNINGS = (10, 20, 100), (10, 20, 40)
ROUND, ROUNDS = 20, 5


class Images(NamedTuple):
    """Features [n, d] and true labels [n]."""

    features: Tensor
    labels: Tensor


class Task(NamedTuple):
    """What is chosen from, what accuracy is measured on, and the number of classes."""

    pool: Images
    test: Images
    classes: int


Chooser = Callable[[Task, int, int], Tensor]  # task, count, seed -> positions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part")
    parser.add_argument("test")
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--to", type=Path, required=True)
    arguments = parser.parse_args()
    tasks = [task(run, arguments.part, arguments.test) for run in arguments.runs]
    places = [(one, seed) for one in tasks for seed in range(arguments.seeds)]
    many = [(one, seed) for one in tasks for seed in range(25)]  # five draws leave the mean open by two points
    choosers = {"suggest": cold, "stratified": stratified, "random": at_random}
    found: dict = {
        "cold": {name: at_once(places, name, chooser, AT_ONCE) for name, chooser in choosers.items()},
        "stratified_25_draws": at_once(many, "the same, 25 draws", stratified, AT_ONCE[1:2]),
        "first_of_100": at_once(places, "first of 100", first_of_100, BEGINNINGS),
        "warm": {strategy: rounds(places, strategy) for strategy in ("density", "badge", "typiclust", "random")},
    }
    arguments.to.write_text(json.dumps({**about(arguments, tasks), **found}, indent=1) + "\n")


def task(run: Path, part: str, test: str) -> Task:
    """Features of both sources by the encoder of a run."""
    encoder, engine = load_encoder(run), choose_engine(accelerator="cpu")
    sets = [read(source).train for source in (part, test)]
    assert sets[0].classes == sets[1].classes
    rows = [features(encoder, images, torch.arange(len(images)), engine) for images in sets]
    pool, held_out = (Images(row, images.labels) for row, images in zip(rows, sets))
    return Task(pool=pool, test=held_out, classes=len(sets[0].classes))


def accuracy(task: Task, chosen: Tensor, seed: int) -> float:
    """Share of the test images that a probe on the chosen labels gets right."""
    probe = linear_probe(task.pool.features[chosen], task.pool.labels[chosen], task.classes, seed=seed)
    return float((probe.logits(task.test.features).argmax(1) == task.test.labels).float().mean())


def at_once(places: list[tuple[Task, int]], name: str, chooser: Chooser, counts: tuple[int, ...]) -> dict:
    """The interval over places of the accuracy with so many labels, all chosen at once."""
    curves = [[accuracy(task, chooser(task, count, seed), seed) for count in counts] for task, seed in places]
    return told(name, counts, curves)


def told(name: str, counts: Sequence[int], curves: list[list[float]]) -> dict:
    """Intervals by label count, printed and returned."""
    row = {
        str(count): {**to_plain(interval(values)), "each": [round(value, 4) for value in values]}
        for count, values in zip(counts, zip(*curves))
    }
    figures = (f"{count}: {100 * one['mean']:.1f} ± {200 * one['std']:.1f}" for count, one in row.items())
    print(f"{name:<18}", *figures, sep="  ", flush=True)
    return row


def cold(task: Task, count: int, seed: int) -> Tensor:
    """As `hundredfold suggest` with no label."""
    none = torch.full_like(task.pool.labels, UNLABELLED)
    return query(task.pool.features, none, task.classes, count, seed=seed).positions


def first_of_100(task: Task, count: int, seed: int) -> Tensor:
    """The beginning of a longer list, for who stops early."""
    return cold(task, 100, seed)[:count]


def at_random(task: Task, count: int, seed: int) -> Tensor:
    """Any images."""
    return torch.randperm(len(task.pool.labels), generator=generator(seed, "random"))[:count]


def stratified(task: Task, count: int, seed: int) -> Tensor:
    """As many of each class, which takes somebody who knows the labels already."""
    order = at_random(task, len(task.pool.labels), seed)
    labels = task.pool.labels[order]
    each = count // task.classes
    return torch.cat([order[labels == label][:each] for label in range(task.classes)])


def rounds(places: list[tuple[Task, int]], strategy: str) -> dict:
    """The interval over places of the accuracy after each round; "random" asks for any images from the second on."""
    curves = [one_course(task, strategy, seed) for task, seed in places]
    return told(f"warm {strategy}", [ROUND * number for number in range(1, ROUNDS + 1)], curves)


def one_course(task: Task, strategy: str, seed: int) -> list[float]:
    """Accuracy after each round of one person's work."""
    chosen, curve = cold(task, ROUND, seed), []
    for number in range(ROUNDS):
        curve.append(accuracy(task, chosen, seed))
        if number + 1 < ROUNDS:
            chosen = torch.cat([chosen, next_round(task, chosen, strategy, seed)])
    return curve


def next_round(task: Task, chosen: Tensor, strategy: str, seed: int) -> Tensor:
    """As `hundredfold suggest --labelled` with the labels so far."""
    if strategy == "random":
        order = at_random(task, len(task.pool.labels), seed)
        return order[~torch.isin(order, chosen)][:ROUND]
    known = torch.full_like(task.pool.labels, UNLABELLED)
    known[chosen] = task.pool.labels[chosen]
    return query(task.pool.features, known, task.classes, ROUND, strategy=strategy, seed=seed).positions


def about(arguments: argparse.Namespace, tasks: list[Task]) -> dict:
    """What was measured on, without paths."""
    settings = [read_toml(run / "settings.toml") for run in arguments.runs]
    return {
        "name": arguments.to.stem,
        "images": len(tasks[0].pool.labels),
        "test_images": len(tasks[0].test.labels),
        "encoders": [{"method": one["method"], "plan": one["plan"], "seed": one["seed"]} for one in settings],
        "seeds": arguments.seeds,
        "seeds_vary": "k-means, random draws, folds of cross-validation; the encoder by run",
        "versions": versions(),
        "machine": {"processor": processor(), "threads": torch.get_num_threads()},
    }


if __name__ == "__main__":
    main()
