"""Studies as they are written, made up from a seed: seven methods and one that failed, batch sizes over seeds."""

from __future__ import annotations

import dataclasses
import itertools
import math
from pathlib import Path

import numpy as np

from hundredfold.records import (
    DataSummary,
    EpochRecord,
    Histogram,
    Interval,
    Score,
    Similarity,
    TrainingResult,
    to_json,
)
from hundredfold.study_records import StudyCell, StudyResult
from hundredfold.task_records import TaskFindings

LABELS = 100
METHODS = {  # method -> (probe's accuracy, mean and spread of negative similarities, images a second, MiB, seconds)
    "simclr": (0.881, 0.01, 0.21, 1_850.0, 412, 642.0),
    "dcl": (0.874, -0.002, 0.18, 1_832.0, 413, 650.0),
    "byol": (0.712, 0.951, 0.02, 1_120.0, 655, 1_020.0),
    "vicreg": (0.865, 0.03, 0.33, 1_790.0, 498, 661.0),
}
TASKS = {  # method without views -> (probe's accuracy, losses of its three epochs, how its task was solved)
    "rotation": (
        0.801,
        (1.21, 0.35, 0.118),
        TaskFindings(images=1000, effective_rank=88.6, dimensions=512, accuracy=0.9712, chance=0.25),
    ),
    "autoencoder": (
        0.812,
        (0.092, 0.061, 0.048),
        TaskFindings(images=1000, effective_rank=41.2, dimensions=512, explained=0.8234, constant=0.79),
    ),
    "vae": (
        0.836,
        (310.2, 262.4, 248.9),
        TaskFindings(
            images=1000,
            effective_rank=57.9,
            dimensions=512,
            explained=0.7118,
            constant=0.66,
            latent=20,
            active_units=14,
            kl=15.3,
            negative_elbo=248.1,
        ),
    ),
}
SIZES, WEIGHTS, TEMPERATURES, SEEDS = (16, 64, 256), (0.0, 30.0), (0.2, 1.0), (0, 1, 2)


def methods_study(*, draws: int = 5, seed: int = 0) -> StudyResult:
    """Four methods that compare views, one of them collapsed, three that do not, and one that diverged."""
    rng = np.random.default_rng(seed)
    cells, records = [], []
    for method, (accuracy, mean, spread, speed, memory, seconds) in METHODS.items():
        values = {
            "linear_probe": [float(accuracy + 0.006 * rng.normal()) for _ in range(draws)],
            "knn": [float(accuracy - 0.02 + 0.008 * rng.normal()) for _ in range(draws)],
        }
        settings = {"method": method}
        records += [score(m, d, v, settings) for m, each in values.items() for d, v in enumerate(each)]
        ill = mean > 0.9
        cells.append(
            StudyCell(
                name=method,
                settings=settings,
                training=training(speed, memory * 2**20, seconds),
                similarity=similarity(rng, mean, spread, rank=3.1 if ill else 187.3),
                summary={m: {str(LABELS): interval(each)} for m, each in values.items()},
                verdict=(
                    "The representation has collapsed, or has not unfolded yet: views of different images have a mean "
                    "cosine similarity of 0.95. Train longer; if it stays so, lower the learning rate."
                    if ill
                    else "The representation is healthy: views of different images have a mean similarity of 0.01.",
                    f"Pre-training adds {100 * (accuracy - 0.788):.1f} points over a random encoder (78.8 %).",
                ),
                healthy=not ill,
                seconds=seconds + 31,
            )
        )
    for method, (accuracy, losses, solved) in TASKS.items():
        values = {
            "linear_probe": [float(accuracy + 0.006 * rng.normal()) for _ in range(draws)],
            "knn": [float(accuracy - 0.05 + 0.008 * rng.normal()) for _ in range(draws)],
        }
        settings = {"method": method}
        records += [score(m, d, v, settings) for m, each in values.items() for d, v in enumerate(each)]
        cells.append(
            StudyCell(
                name=method,
                settings=settings,
                training=training(2_100.0, 350 * 2**20, 410.0, losses),
                task=solved,
                summary={m: {str(LABELS): interval(each)} for m, each in values.items()},
                verdict=(f"Pre-training adds {100 * (accuracy - 0.788):.1f} points over a random encoder (78.8 %).",),
                healthy=True,
                seconds=441.0,
            )
        )
    cells.append(
        StudyCell(
            name="siglip",
            settings={"method": "siglip"},
            seconds=12.0,
            failure="the loss is not a number any more: step 41, learning rate 0.8",
        )
    )
    return StudyResult(
        study="methods",
        source="data/fashion",
        encoder="convnet",
        seconds={"read": 1.3, "pretrain": 2_973.0, "evaluate": 155.2, "total": 3_129.5},
        data=data(),
        labels=LABELS,
        cells=tuple(cells),
        records=tuple(records),
        reference={
            "pixels": {str(LABELS): interval([0.75, 0.76, 0.755])},
            "random_encoder": {str(LABELS): interval([0.781, 0.79, 0.793])},
        },
        verdict=(
            "SimCLR and DCL cannot be told apart: 0.7 points, each with a spread of 1.2.",
            "BYOL collapsed: its learning rate is the first thing to lower.",
        ),
        notes=("Every method trained for 20 epochs of batches of 256.",),
    )


def batch_size_study(
    *,
    sizes: tuple[int, ...] = SIZES,
    weights: tuple[float, ...] = WEIGHTS,
    temperatures: tuple[float, ...] = TEMPERATURES,
    seeds: tuple[int, ...] = SEEDS,
    seed: int = 0,
) -> StudyResult:
    """A full grid, one probe accuracy and one similarity a cell."""
    rng = np.random.default_rng(seed)
    worth = {s: 0.02 * rng.normal() for s in seeds}
    cells = []
    for size, weight, temperature, s in itertools.product(sizes, weights, temperatures, seeds):
        settings = {
            "plan.batch_size": size,
            "variance_reduction": weight,
            "method_settings.temperature": temperature,
            "seed": s,
        }
        variance = (0.05 + 0.6 / size) * (0.6 if weight else 1.0) * (1 + 0.03 * rng.normal())
        accuracy = 0.84 + 0.01 * math.log2(size / 16) - 0.05 * (temperature - 0.2) * (0.3 if weight else 1.0)
        accuracy += 0.004 * rng.normal() + (0.015 if weight else 0.0) * 16 / size + worth[s]
        cells.append(
            StudyCell(
                name=f"batch-{size}-weight-{weight:g}-temperature-{temperature:g}-seed-{s}",
                settings=settings,
                training=training(900 + 3 * size, (200 + size) * 2**20, 120.0),
                similarity=dataclasses.replace(
                    similarity(rng, 0.01, 0.2), negative_variance=variance, positives=None, negatives=None
                ),
                summary={"linear_probe": {str(LABELS): interval([accuracy - 0.01, accuracy + 0.01])}},
                healthy=True,
                seconds=131.0,
            )
        )
    return StudyResult(
        study="batch-size",
        source="data/fashion",
        encoder="resnet18",
        seconds={"read": 1.3, "pretrain": 4_320.0, "evaluate": 396.0, "total": 4_717.3},
        data=data(),
        labels=LABELS,
        cells=tuple(cells),
        verdict=("Negatives vary less in larger batches, and less with variance reduction at every size.",),
        notes=("All sizes see the same number of images: small batches take more steps.",),
    )


def write_study(folder: Path, result: StudyResult) -> Path:
    """A study's folder as far as its page needs it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(to_json(result), encoding="utf-8")
    return folder


def data() -> DataSummary:
    """What was read."""
    return DataSummary(
        source="data/fashion",
        images=60_000,
        test_images=10_000,
        channels=1,
        height=28,
        width=28,
        classes=tuple("abcdefghij"),
        labelled=60_000,
        notes=("Pixels stay in memory: 45 MB.",),
    )


def training(speed: float, peak: float, seconds: float, losses: tuple[float, ...] = (4.9, 4.8, 4.7)) -> TrainingResult:
    """An epoch for each loss, of which the first is slow."""
    epochs = tuple(
        EpochRecord(
            epoch=epoch,
            step=234 * epoch,
            loss=loss,
            lr=1e-3,
            images_per_second=speed * (0.5 if epoch == 1 else 1.0),
            data_wait=0.01,
            seconds=30.0,
        )
        for epoch, loss in enumerate(losses, 1)
    )
    return TrainingResult(
        steps=234 * len(losses),
        parameters=1_804_224,
        batch_size=256,
        epochs=epochs,
        seconds=seconds,
        precision="bfloat16",
        device="cpu",
        peak_bytes=int(peak),
    )


def similarity(rng: np.random.Generator, mean: float, spread: float, rank: float = 187.3) -> Similarity:
    """Two hills, of the same image near 1 and of different ones around `mean`."""
    edges = np.linspace(-1, 1, 81)
    positives = np.clip(1 - rng.gamma(2.0, 0.4 * (1 - mean) * 0.2, 2_000), -1, 1)
    negatives = np.clip(rng.normal(mean, spread, 20_000), -1, 1)
    return Similarity(
        positive_mean=float(positives.mean()),
        positive_variance=float(positives.var()),
        negative_mean=float(negatives.mean()),
        negative_variance=float(negatives.var()),
        alignment=float(2 - 2 * positives.mean()),
        uniformity=-2.91,
        effective_rank=rank,
        dimensions=512,
        positives=_histogram(positives, edges),
        negatives=_histogram(negatives, edges),
    )


def score(model: str, draw: int, accuracy: float, settings: dict[str, object]) -> Score:
    """A record with nothing in it but its accuracy."""
    return Score(
        model=model,
        labels=LABELS,
        draw=draw,
        seed=0,
        accuracy=accuracy,
        macro_f1=accuracy,
        seconds=0.4,
        confusion=(),
        per_class=(),
        settings=settings,
    )


def interval(values: list[float]) -> Interval:
    """Over draws, with loops."""
    mean = sum(values) / len(values)
    std = math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1)) if len(values) > 1 else 0.0
    return Interval(mean=mean, std=std, low=mean - 2 * std, high=mean + 2 * std, draws=len(values))


def _histogram(values: np.ndarray, edges: np.ndarray) -> Histogram:
    counts, _ = np.histogram(values, edges)
    return Histogram(edges=tuple(float(edge) for edge in edges), counts=tuple(int(count) for count in counts))
