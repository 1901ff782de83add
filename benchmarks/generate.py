"""Whether new images are taken for real ones, and whether the way between two images leaves the images behind.

    hundredfold pretrain MNIST --method vae --epochs 5 --out RUN
    python benchmarks/generate.py RUN MNIST --to benchmarks/generate_mnist.json

An independent classifier, trained here on the real training images and their labels, says how sure it is of new images
beside real ones that it never saw: its mean top probability. Frames of interpolations between random pairs of test
images are compared with the training images: distance to the nearest, against the 99th percentile of the same distance
of training images to each other.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from torch import Tensor

import hundredfold
from hundredfold.data.images import ImageSet, as_float
from hundredfold.data.loader import Loader
from hundredfold.data.read import read
from hundredfold.encoders.build import encoder
from hundredfold.evaluate.interpolation import nearest_distances, own_percentile
from hundredfold.random import generator
from hundredfold.studies.generator import load_generator
from hundredfold.studies.interpolate import frames_between
from hundredfold.studies.run_folder import processor, versions
from hundredfold.train.engine import choose_engine

PAIRS, STEPS, SAMPLES, KNOWN = 100, 9, 2000, 20_000
EPOCHS, BATCH, RATE = 5, 256, 2e-3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("source")
    parser.add_argument("--to", type=Path, help="a .json file")
    asked = parser.parse_args()
    found = read(asked.source)
    assert found.test is not None, f"{asked.source} has no test images"
    content = {**recognised(asked.run, found.train, found.test), **on_the_way(asked.run, found.train, found.test)}
    loss = hundredfold.reconstruct(asked.run)
    content |= {"negative_elbo": loss.negative_elbo, "kl": loss.kl, "active_units": loss.active_units}
    print(json.dumps(content, indent=1))
    if asked.to:
        machine = {"processor": processor(), "threads": torch.get_num_threads()}
        seconds = json.loads((asked.run / "results.json").read_text())["seconds"]
        content |= {"name": "generate", "seconds": seconds, "versions": versions(), "machine": machine}
        asked.to.write_text(json.dumps(content, indent=1) + "\n")


def recognised(run: Path, train: ImageSet, test: ImageSet) -> dict[str, float]:
    """How sure a classifier of real images is of new ones and of real ones, and how right of the latter."""
    model = classifier(train)
    real = as_float(test.take(torch.arange(len(test))))
    new = hundredfold.generate(run, count=SAMPLES).images
    with torch.no_grad():
        sure, said = (
            torch.cat([model(part) for part in images.split(500)]).softmax(1).max(1) for images in (real, new)
        )
    mean_real, mean_new = float(sure.values.mean()), float(said.values.mean())
    return {
        "classifier_accuracy": float((sure.indices == test.labels).float().mean()),
        "confidence_real": mean_real,
        "confidence_new": mean_new,
        "ratio": mean_new / mean_real,
        "classes_drawn": len(said.indices.unique()),
    }


def classifier(train: ImageSet) -> torch.nn.Module:
    """A convnet with a linear head, trained on all labels; it shares nothing with the run."""
    body = encoder("convnet", channels=train.channels, size=train.size, mean=[0.5], std=[0.5], seed=1)
    model = torch.nn.Sequential(body, torch.nn.Linear(body.features, len(train.classes)))
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    loader = Loader(images=train, index=torch.arange(len(train)), batch_size=BATCH, seed=1)
    engine = choose_engine()
    steps = EPOCHS * loader.steps_per_epoch
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    for batch in loader.batches(0, steps):
        with engine.autocast():
            loss = torch.nn.functional.cross_entropy(model(as_float(batch.images)).float(), batch.labels)
        loss.backward()
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    return model.eval()


def on_the_way(run: Path, train: ImageSet, test: ImageSet) -> dict[str, float]:
    """How many frames of linear interpolations are farther from all training images than 99 % of these from others."""
    kept = load_generator(run)
    engine = choose_engine()
    real = as_float(train.take(torch.arange(KNOWN)))
    pairs = torch.randint(len(test), (PAIRS, 2), generator=generator(0, "pairs"))
    frames = [
        frames_between(kept, as_float(test.take(pair)), engine, steps=STEPS) for pair in pairs
    ]  # each [steps, c, h, w]
    distances = nearest_distances(torch.cat(frames), real)
    limit = own_percentile(real)
    return {
        "frames": len(distances),
        "frames_beyond": int((distances > limit).sum()),
        "farthest": float(distances.max()),
        "limit": limit,
        "ends_beyond": beyond(as_float(test.take(pairs.flatten())), real, limit),
    }


def beyond(images: Tensor, real: Tensor, limit: float) -> int:
    """How many of the images themselves are beyond it."""
    return int((nearest_distances(images, real) > limit).sum())


if __name__ == "__main__":
    main()
