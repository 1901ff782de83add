"""One class ordinary, all others strange: area under the ROC curve of our scores, and of two that need no training.

    python benchmarks/anomalies.py MNIST --method autoencoder --to benchmarks/anomalies_mnist.json

For each class, an encoder is pre-trained on the training images of that class alone (their labels only say which these
are), and every test image is scored by how unlike it is to them. `--judge train` keeps the last sixth of the training
images for judging instead of the test images: methods, criteria and settings were compared that way.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from torch import Tensor

import hundredfold
from hundredfold.data.images import ImageSet, as_float
from hundredfold.data.read import read
from hundredfold.evaluate.anomaly import auroc, one_class_svm
from hundredfold.studies.run_folder import processor, versions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("--method", default="autoencoder")
    parser.add_argument("--judge", choices=("test", "train"), default="test")
    parser.add_argument("--classes", help="names of the classes to take for ordinary, by commas; all")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="a.b=c")
    parser.add_argument("--to", type=Path, help="a .json file")
    asked = parser.parse_args()
    known, judged = sets(asked.source, asked.judge)
    names = asked.classes.split(",") if asked.classes else known.classes
    began = time.monotonic()
    found = {name: one_class(known, judged, name, asked) for name in names}
    means = {criterion: fmean(one[criterion] for one in found.values()) for criterion in next(iter(found.values()))}
    print("mean " + told(means))
    if asked.to:
        content = {
            "name": "anomalies",
            "method": asked.method,
            "settings": {"epochs": asked.epochs, "overrides": asked.overrides},
            "judge": asked.judge,
            "auroc": {"mean": means, **found},
            "seconds": time.monotonic() - began,
            "versions": versions(),
            "machine": {"processor": processor(), "threads": torch.get_num_threads()},
        }
        asked.to.write_text(json.dumps(content, indent=1) + "\n")


def sets(source: str, judge: str) -> tuple[ImageSet, tuple[ImageSet, Tensor]]:
    """The images that ordinary ones are taken from, and those that are judged with their positions."""
    found = read(source)
    if judge == "test":
        assert found.test is not None, f"{source} has no test images"
        return found.train, (found.test, torch.arange(len(found.test)))
    kept = len(found.train) * 5 // 6
    return found.train, (found.train, torch.arange(kept, len(found.train)))


def one_class(known: ImageSet, judged: tuple[ImageSet, Tensor], name: str, asked: argparse.Namespace) -> dict[str, Any]:
    """The areas of all criteria with one class ordinary."""
    label = known.classes.index(name)
    limit = int(judged[1][0]) if judged[0] is known else len(known)
    ordinary = (known.labels[:limit] == label).nonzero().squeeze(1)
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        write(known, ordinary, here / "ordinary.npz")
        write(*judged, here / "judged.npz")
        settings = {} if asked.epochs is None else {"epochs": asked.epochs}
        hundredfold.pretrain(
            here / "ordinary.npz", method=asked.method, out=here / "run", overrides=asked.overrides, **settings
        )
        found = hundredfold.anomalies(here / "run", here / "judged.npz", normal_classes=[name])
    rows = as_float(judged[0].take(judged[1])).flatten(1)
    strange = judged[0].labels[judged[1]] != label
    svm = one_class_svm(as_float(known.take(ordinary)).flatten(1), rows, seed=0)
    areas = {**found.auroc, "one_class_svm": auroc(svm, strange)}
    print(f"{name}: " + told(areas), flush=True)
    return areas


def told(areas: dict[str, float]) -> str:
    return ", ".join(f"{criterion} {value:.4f}" for criterion, value in areas.items())


def write(images: ImageSet, index: Tensor, target: Path) -> None:
    """Images [n, h, w, c] and their labels by name."""
    names = np.array(images.classes)[images.labels[index].numpy()]
    np.savez(target, images=images.take(index).permute(0, 2, 3, 1).numpy(), labels=names)


if __name__ == "__main__":
    main()
