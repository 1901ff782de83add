"""What few-label models make of pools as they are: uneven ones, uneven labels, images of no known class.

    OMP_WAIT_POLICY=passive python benchmarks/reality.py DIGITS STRANGERS --out FOLDER [--record NAME]

DIGITS and STRANGERS are sources of the same form (MNIST and Fashion-MNIST). Four pools of 10,000 digits, or fewer: as
they are; with a tail (the k-th class has 100^(-k/9) of the first one's images); with labels as uneven as that tail; and
with 2,500 strangers among them, once more with these left among what students learn from. Tested on the digits' test
images. Each pool is a run in FOLDER, and its verdict is part of the record.
"""

from __future__ import annotations

import argparse
import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np

import hundredfold
from hundredfold.data.images import ImageSet
from hundredfold.data.read import read
from hundredfold.random import numpy_generator
from hundredfold.records import RunResult, to_plain
from hundredfold.studies.run_folder import processor, versions

HERE = Path(__file__).parent
IMAGES, STRANGERS, LABELS, TAIL = 10_000, 2_500, 100, 100
SETTINGS: dict[str, Any] = {
    "labels": LABELS,
    "draws": 2,
    "epochs": 10,
    "models": ["linear_probe", "label_propagation", "pseudo_label", "fixmatch"],
    "label_counts": [LABELS],
    "pseudo_label": {"steps": 200},
    "fixmatch": {"steps": 200},
}


def pools(digits: ImageSet, strangers: ImageSet) -> dict[str, tuple[Any, Any]]:
    """Images [n, h, w] and labels [n] of each pool, -1 for what has no label."""
    rng = numpy_generator(0, "reality")
    order = rng.permutation(len(digits))
    labels = digits.labels.numpy()
    share = TAIL ** (-np.arange(len(digits.classes)) / (len(digits.classes) - 1))  # of the first class's images
    plain = order[:IMAGES]
    tailed = np.concatenate([order[labels[order] == c][: int(IMAGES / 10 * share[c])] for c in range(len(share))])
    given = np.concatenate([plain[labels[plain] == c][: max(2, int(40 * share[c]))] for c in range(len(share))])
    foreign = strangers.pixels.take(_tensor(rng.permutation(len(strangers))[:STRANGERS]))[:, 0].numpy()

    def images(rows: Any) -> Any:
        return digits.pixels.take(_tensor(rows))[:, 0].numpy()

    return {
        "as they are": (images(plain), labels[plain]),
        "a tail": (images(tailed), labels[tailed]),
        "uneven labels": (images(plain), np.where(np.isin(plain, given), labels[plain], -1)),
        "strangers": (
            np.concatenate([images(plain), foreign]),
            np.concatenate([labels[plain], np.full(STRANGERS, -1)]),
        ),
    }


def measure(digits: str, strangers: str, out: Path) -> dict[str, Any]:
    """The runs."""
    found = read(digits)
    assert found.test is not None
    test = out / "test.npz"
    np.savez(
        test, images=found.test.pixels.take(_tensor(range(len(found.test))))[:, 0].numpy(), labels=found.test.labels
    )
    results = {}
    for name, (images, labels) in pools(found.train, read(strangers).train).items():
        source = out / f"{name.replace(' ', '-')}.npz"
        np.savez(source, images=images, labels=labels)
        results[name] = summary(hundredfold.run(source, test=test, out=source.with_suffix(""), **SETTINGS))
        print(name, json.dumps(results[name]["accuracy"]), *results[name]["verdict"], sep="\n  ", flush=True)
    propagation = importlib.import_module("hundredfold.evaluate.label_propagation")
    propagation.APART = 0.0  # nothing counts as a stranger
    source = out / "strangers.npz"
    settings = {**SETTINGS, "models": ["pseudo_label", "fixmatch"], "epochs": None}
    again = hundredfold.evaluate(out / "strangers", source, test=test, out=out / "strangers-kept", **settings)
    results["strangers, learnt from"] = summary(again)
    return results


def summary(result: RunResult) -> dict[str, Any]:
    """What is kept of a run."""
    return {
        "accuracy": {model: to_plain(by[str(max(map(int, by)))]) for model, by in result.summary.items()},
        "macro_f1": {score.model: score.macro_f1 for score in result.records if score.draw == 0},
        "chosen": result.chosen.model if result.chosen else None,
        "pool": to_plain(result.pool) if result.pool else None,
        "verdict": result.verdict,
        "seconds": result.seconds,
    }


def _tensor(rows: Any) -> Any:
    import torch

    return torch.as_tensor(np.asarray(rows), dtype=torch.int64)


def main() -> None:
    """Measures and, if asked, keeps the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("digits")
    parser.add_argument("strangers")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--record", metavar="NAME")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    found = {
        "pools": measure(arguments.digits, arguments.strangers, arguments.out),
        "settings": SETTINGS,
        "versions": versions(),
        "machine": {"processor": processor()},
    }
    if arguments.record:
        (HERE / f"{arguments.record}.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
