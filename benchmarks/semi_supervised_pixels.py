"""scikit-learn's semi-supervised classifiers on raw pixels, with the labels and the unlabelled images that a run had.

    OMP_WAIT_POLICY=passive python benchmarks/semi_supervised_pixels.py RUN SOURCE [--record NAME]

`LabelSpreading(kernel="knn")` and `SelfTrainingClassifier` around a logistic regression, both as they come but for what
the code says, on the draws in the run's `splits.json` and on the test images of SOURCE.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier

from hundredfold.data.read import read
from hundredfold.evaluate.features import pixels
from hundredfold.evaluate.score import interval
from hundredfold.records import to_plain
from hundredfold.studies.run_folder import processor, versions

HERE = Path(__file__).parent
MODELS: dict[str, Callable[[], Any]] = {
    "LabelSpreading": lambda: LabelSpreading(kernel="knn", n_neighbors=7, n_jobs=-1),
    "SelfTrainingClassifier": lambda: SelfTrainingClassifier(LogisticRegression(max_iter=50), threshold=0.9),
}


def measure(run: Path, source: str) -> dict[str, Any]:
    """Accuracy on the test images by model, over the draws of the run."""
    found = read(source)
    assert found.test is not None
    splits = json.loads((run / "splits.json").read_text())
    pool = torch.tensor(sorted({*splits["unlabelled"], *(row for draw in splits["labelled"] for row in draw)}))
    x, labels = pixels(found.train, pool).numpy(), found.train.labels[pool].numpy()
    test = pixels(found.test, torch.arange(len(found.test))).numpy()
    truth = found.test.labels.numpy()
    return {
        name: one_model(make, x, labels, [np.isin(pool.numpy(), draw) for draw in splits["labelled"]], test, truth)
        for name, make in MODELS.items()
    }


def one_model(make: Callable[[], Any], x: Any, labels: Any, draws: list[Any], test: Any, truth: Any) -> dict[str, Any]:
    """The interval over the draws, and what each took."""
    accuracies, seconds = [], []
    for known in draws:
        began = time.monotonic()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = make().fit(x, np.where(known, labels, -1))
        accuracies.append(float((model.predict(test) == truth).mean()))
        seconds.append(time.monotonic() - began)
        print(f"{accuracies[-1]:.4f} in {seconds[-1]:.0f} s", flush=True)
    return {**to_plain(interval(accuracies)), "accuracies": accuracies, "seconds": seconds}


def main() -> None:
    """Measures and, if asked, keeps the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("source")
    parser.add_argument("--record", metavar="NAME")
    arguments = parser.parse_args()
    found = {
        "models": measure(arguments.run, arguments.source),
        "versions": versions(),
        "machine": {"processor": processor(), "threads": torch.get_num_threads()},
    }
    print(json.dumps(found["models"], indent=1))
    if arguments.record:
        (HERE / f"{arguments.record}.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
