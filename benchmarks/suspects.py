"""How many wrong labels the list of suspects finds: labels are changed on purpose, and looked for.

    OMP_NUM_THREADS=1 python benchmarks/suspects.py RUN SOURCE [--labels 100] [--wrong 10] [--seeds 5] [--record FILE]

For each seed as many labelled images of each class are drawn, some labels are changed to another class at random, and
the list is made from the features of the run's encoder. Only images to learn from are used, no test image. A draw in
which nothing is changed says how long the list is when there is nothing to find.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from hundredfold.data.read import read
from hundredfold.encoders.folder import load_encoder
from hundredfold.evaluate.confident_learning import suspects
from hundredfold.evaluate.features import features
from hundredfold.random import derive, generator
from hundredfold.studies.run_folder import processor, versions
from hundredfold.train.engine import choose_engine


@dataclass(frozen=True, kw_only=True)
class Found:
    """One draw: how many were wrong, on the list, and both; and the processor time of the list."""

    seed: int
    wrong: int
    listed: int
    right: int
    seconds: float


def draw(labels: Tensor, classes: int, count: int, seed: int) -> Tensor:
    """Positions of `count` labelled images, as many of each class as it goes."""
    shuffled = torch.randperm(len(labels), generator=generator(seed, "draw"))
    members = [shuffled[labels[shuffled] == label] for label in range(classes)]
    return torch.cat([own[: count // classes + (label < count % classes)] for label, own in enumerate(members)])


def changed(labels: Tensor, classes: int, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """The labels with `count` of them moved to another class, and which they are."""
    rng = generator(seed, "wrong labels")
    positions = torch.randperm(len(labels), generator=rng)[:count]
    moved = labels.clone()
    moved[positions] = (labels[positions] + torch.randint(1, classes, (count,), generator=rng)) % classes
    return moved, moved != labels


def measure(read_features: Tensor, labels: Tensor, classes: int, wrong: int, seed: int) -> Found:
    """Changes labels of one draw and looks for them."""
    given, is_wrong = changed(labels, classes, wrong, seed)
    began = time.process_time()
    listed = suspects(read_features, given, classes, seed=derive(seed, "suspects"))
    seconds = time.process_time() - began
    right = sum(bool(is_wrong[one.position]) for one in listed)
    return Found(seed=seed, wrong=wrong, listed=len(listed), right=right, seconds=round(seconds, 2))


def summary(found: list[Found]) -> dict[str, float]:
    """Mean recall and precision over the draws; without wrong labels, the mean length of the list."""
    length = {"mean_listed": statistics.fmean(one.listed for one in found)}
    if not found[0].wrong:
        return length
    return {
        "mean_recall": round(statistics.fmean(one.right / one.wrong for one in found), 3),
        "mean_precision": round(statistics.fmean(one.right / max(1, one.listed) for one in found), 3),
        **length,
    }


def main() -> None:
    """Prints the figures and, if asked, records them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("source")
    parser.add_argument("--labels", type=int, default=100)
    parser.add_argument("--wrong", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--record", type=Path)
    arguments = parser.parse_args()
    images, encoder = read(arguments.source).train, load_encoder(arguments.run)
    known, classes = images.labelled(), len(images.classes)
    draws = [known[draw(images.labels[known], classes, arguments.labels, seed)] for seed in range(arguments.seeds)]
    represented = [features(encoder, images, positions, choose_engine()) for positions in draws]
    content: dict[str, object] = {"labels": arguments.labels, "versions": versions(), "machine": processor()}
    content["system"] = platform.system()
    for name, wrong in (("changed", arguments.wrong), ("unchanged", 0)):
        found = [
            measure(represented[seed], images.labels[draws[seed]], classes, wrong, seed)
            for seed in range(arguments.seeds)
        ]
        content[name] = {**summary(found), "draws": [asdict(one) for one in found]}
        print(name, json.dumps(summary(found)))
    if arguments.record:
        arguments.record.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
