"""What few-label models make of pools as they are: uneven ones, uneven labels, images of no known class.

    OMP_WAIT_POLICY=passive python benchmarks/reality.py RUN DIGITS STRANGERS [--draws 3] [--record NAME]

RUN holds an encoder that was pre-trained on DIGITS; STRANGERS is a source of the same form (MNIST and Fashion-MNIST).
Five pools of 10,000 digits, or fewer, with 100 labels: as they are; with a tail (the last class has a hundredth of the
first one's images) and labels drawn as evenly as it allows; as they are with labels as uneven as that tail; with 2,500
strangers among them; and with these left among what students learn from (which matters to students alone). Accuracy
and macro F1 on all test images.
"""

from __future__ import annotations

import argparse
import importlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hundredfold.data.images import ImageSet, MemoryPixels
from hundredfold.data.read import read
from hundredfold.encoders.folder import load_encoder
from hundredfold.evaluate.learner import Learner, LearnerSettings
from hundredfold.evaluate.score import class_scores, confusion_matrix, macro_f1
from hundredfold.random import generator
from hundredfold.settings import merge, read_toml
from hundredfold.studies.run_folder import processor, versions
from hundredfold.studies.run_settings import RunSettings
from hundredfold.train.engine import choose_engine

HERE = Path(__file__).parent
IMAGES, STRANGERS, LABELS, TAIL = 10_000, 2_500, 100, 100
MODELS = ("linear_probe", "label_propagation")  # name others with --models; students take minutes a pool


@dataclass(frozen=True, kw_only=True, eq=False)
class Pool:
    """Images, the true class of each (-1: a stranger), and positions of the labelled ones."""

    images: ImageSet
    truth: Tensor
    taught: Tensor


def pools(digits: ImageSet, strangers: ImageSet, draw: int) -> dict[str, Pool]:
    """The pools of one draw."""
    rng = generator(draw, "reality")
    order = torch.randperm(len(digits), generator=rng)
    classes = len(digits.classes)
    share = TAIL ** (-torch.arange(classes) / (classes - 1))  # of the first class's images
    plain = order[:IMAGES]
    tail = torch.cat(_first(digits.labels, order, (IMAGES / classes * share).int().tolist()))
    even = [LABELS // classes] * classes
    uneven = (40 * share).int().clamp_min(1).tolist()
    foreign = torch.randperm(len(strangers), generator=rng)[:STRANGERS]
    pixels = torch.cat([digits.take(plain), strangers.take(foreign)])
    truth = torch.cat([digits.labels[plain], torch.full((STRANGERS,), -1)])
    mixed = Pool(
        images=replace(digits, pixels=MemoryPixels(pixels), labels=truth), truth=truth, taught=_taught(truth, even)
    )
    return {
        "as they are": _pool(digits, plain, even),
        "a tail": _pool(digits, tail, even),
        "uneven labels": _pool(digits, plain, uneven),
        "strangers": mixed,
        "strangers, learnt from": mixed,
    }


def learn(
    name: str, pool: Pool, run: Path, test: ImageSet, draw: int, models: Sequence[str] = MODELS
) -> dict[str, Any]:
    """Accuracy and macro F1 of each model on the test images, and how many images are apart."""
    propagation = importlib.import_module("hundredfold.evaluate.label_propagation")
    limit, propagation.APART = propagation.APART, 0.0 if name.endswith("learnt from") else propagation.APART
    settings = merge(RunSettings(), read_toml(run / "settings.toml"))
    learner = Learner(
        load_encoder(run),
        replace(pool.images, labels=pool.truth),
        pool=torch.arange(len(pool.images)),
        known=pool.taught.sort().values,
        classes=len(test.classes),
        settings=LearnerSettings(views=settings.views),
        engine=choose_engine(accelerator="cpu"),
        seed=draw,
    )
    found: dict[str, Any] = {}
    for model in models:
        learnt = learner.learn(model, pool.taught, seed=draw)
        said = learner.probabilities(learnt, test, torch.arange(len(test))).argmax(1)
        confusion = confusion_matrix(test.labels, said, len(test.classes))
        scores = class_scores(confusion, test.classes)
        found[model] = {"accuracy": float((said == test.labels).float().mean()), "macro_f1": macro_f1(scores)}
    propagation.APART = limit
    apart = learner.propagation(pool.taught, seed=draw).apart()
    found["apart"] = {"strangers": int(apart[pool.truth < 0].sum()), "digits": int(apart[pool.truth >= 0].sum())}
    print(draw, name, json.dumps(found), flush=True)
    return found


def _pool(digits: ImageSet, rows: Tensor, counts: list[int]) -> Pool:
    truth = digits.labels[rows]
    images = replace(digits, pixels=MemoryPixels(digits.take(rows)), labels=truth, names=())
    return Pool(images=images, truth=truth, taught=_taught(truth, counts))


def _taught(truth: Tensor, counts: list[int]) -> Tensor:
    return torch.cat(_first(truth, torch.arange(len(truth)), counts))


def _first(labels: Tensor, order: Tensor, counts: list[int]) -> list[Tensor]:
    """The first so many of each class, in this order."""
    return [order[labels[order] == label][:count] for label, count in enumerate(counts)]


def main() -> None:
    """Measures and, if asked, keeps the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("digits")
    parser.add_argument("strangers")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--record", metavar="NAME")
    arguments = parser.parse_args()
    digits, strangers = read(arguments.digits), read(arguments.strangers).train
    assert digits.test is not None
    found = [
        {
            name: learn(name, pool, arguments.run, digits.test, draw, arguments.models)
            for name, pool in pools(digits.train, strangers, draw).items()
        }
        for draw in range(arguments.draws)
    ]
    if arguments.record:
        facts = {"draws": found, "versions": versions(), "machine": {"processor": processor()}}
        (HERE / f"{arguments.record}.json").write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
