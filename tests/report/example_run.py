"""Runs as the commands write them, made up from a seed: full ones, and ones with almost nothing in them."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
from pathlib import Path

import numpy as np
import tomli_w
import torch
from PIL import Image
from safetensors.numpy import save_file

from hundredfold.evaluate.out_of_fold import OutOfFold
from hundredfold.evaluate.trust import trust
from hundredfold.records import (
    BadFile,
    Chosen,
    ClassScore,
    DataSummary,
    EpochRecord,
    Histogram,
    Interval,
    Mistake,
    RunResult,
    Score,
    Similarity,
    Suspect,
    TrainingResult,
    Trust,
    to_json,
)

COUNTS = (10, 20, 40, 60, 80, 100)
MODELS = {  # model -> (error at 10 labels, error at 100 labels, spread over draws)
    "baseline": (0.52, 0.171, 0.016),
    "pixels": (0.55, 0.245, 0.012),
    "random_encoder": (0.50, 0.212, 0.013),
    "knn": (0.17, 0.049, 0.006),
    "linear_probe": (0.14, 0.039, 0.003),
    "finetune": (0.19, 0.045, 0.005),
}


def full_run(*, classes: int = 10, draws: int = 5, tested: int = 10_000, seed: int = 0) -> RunResult:
    """Six models, six label counts, everything filled in."""
    rng = np.random.default_rng(seed)
    names = tuple(str(number) for number in range(classes))
    records = []
    for model, (first, last, spread) in MODELS.items():
        for labels in COUNTS:
            progress = math.log(labels / 10) / math.log(10)
            error = first * (last / first) ** progress
            for draw in range(draws):
                noise = rng.normal() * spread * (1 + 3 * (1 - progress))
                confusion = _confusion(rng, classes, tested, float(np.clip(error + noise, 0.001, 0.95)))
                records.append(_score(model, labels, draw, names, confusion, seconds=0.3 + rng.random()))
    summary = summarize(records)
    best = summary["linear_probe"]["100"]
    return RunResult(
        source="data/mnist",
        method="simclr",
        encoder="convnet",
        seconds={"read": 1.3, "pretrain": 642.0, "embed": 21.4, "evaluate": 155.2, "similarity": 2.2, "total": 822.1},
        data=DataSummary(
            source="data/mnist",
            images=60_000,
            test_images=tested,
            channels=1,
            height=28,
            width=28,
            classes=names,
            labelled=60_000,
            class_counts=tuple(int(n) for n in rng.integers(5_400, 6_700, classes)),
            bad_files=(
                BadFile(path="train/7/broken.png", reason="truncated: 113 of 410 bytes"),
                BadFile(path="train/notes.txt", reason="not an image"),
            ),
            notes=("Pixels stay in memory: 45 MB.",),
        ),
        training=training_result(epochs=20),
        records=tuple(records),
        summary=summary,
        similarity=similarity_record(rng),
        chosen=Chosen(
            model="linear_probe",
            why="best accuracy in cross-validation on the labels (95.4 %)",
            labels=100,
            mean=best.mean,
            std=best.std,
        ),
        mistakes=tuple(
            Mistake(
                index=int(rng.integers(tested)),
                name=f"t10k-images {int(rng.integers(tested))}",
                true=names[int(rng.integers(classes))],
                predicted=names[int(rng.integers(classes))],
                confidence=float(0.999 - 0.01 * rank),
            )
            for rank in range(24)
        ),
        trust=trust_record(names, draws),
        suspects=tuple(
            Suspect(
                index=int(rng.integers(60_000)),
                name=f"train-images {int(rng.integers(60_000))}",
                given=names[rank % classes],
                suggested=names[(rank + 3) % classes],
                score=0.998 - 0.08 * rank,
            )
            for rank in range(9)
        ),
        verdict=(
            "Pre-training is worth about 13 points at 100 labels.",
            "4 and 9 are confused most: a few more labels of these two would help first.",
            "The curve still rises at 100 labels: labelling more is worth it.",
        ),
        notes=("The probe's penalty was chosen by 5-fold cross-validation on the labels alone.",),
    )


@functools.cache
def trust_record(names: tuple[str, ...], draws: int, missing: int = 0) -> Trust:
    """What 2,000 test images say of a probe that is right for 96 % of them and not sure enough."""
    rng = torch.Generator().manual_seed(3)

    def logits(truth: torch.Tensor) -> torch.Tensor:
        noise = torch.randn(len(truth), len(names), generator=rng, dtype=torch.float64)
        return 4 * (4 * torch.nn.functional.one_hot(truth, len(names)) + noise)  # as sure as they should be

    truth = torch.randint(len(names), (2_000,), generator=rng)
    known = torch.randint(len(names), (100,), generator=rng)
    return trust(
        [(logits(truth) * 0.45).softmax(1) for _ in range(draws)],
        truth,
        [OutOfFold(positions=torch.arange(100), logits=logits(known) * 0.45, labels=known)] * draws,
        classes=names,
        labelled=[0] * missing + [10] * (len(names) - missing),
        model="linear_probe",
        labels=100,
        seed=0,
    )


def training_result(epochs: int) -> TrainingResult:
    """A pre-training whose loss falls from 5.78 to 5.17."""
    floor, chance = 4.98, math.log(511)
    lines = tuple(
        EpochRecord(
            epoch=epoch,
            step=195 * epoch,
            loss=5.16 + 0.62 * math.exp(-(epoch - 1) / 3.2) + 0.004 * math.sin(epoch * 1.7),
            val_loss=5.17 + 0.64 * math.exp(-(epoch - 1) / 3.0) + 0.006 * math.sin(epoch * 2.3),
            lr=2e-3 * math.sin(math.pi * epoch / (epochs + 1)),
            images_per_second=1_850 + 30 * math.sin(epoch),
            data_wait=0.012,
            seconds=32.0,
            logs={"accuracy": 0.4 + 0.02 * epoch},
            similarity=similarity_after(epoch),
        )
        for epoch in range(1, epochs + 1)
    )
    return TrainingResult(
        steps=195 * epochs,
        parameters=1_804_224,
        batch_size=256,
        epochs=lines,
        seconds=642.0,
        precision="bfloat16",
        device="cpu",
        chance=chance,
        floor=floor,
    )


def similarity_after(epoch: int) -> Similarity:
    """The figures of an epoch: different images part, and the features unfold."""
    parted = 1 - math.exp(-epoch / 3)
    return Similarity(
        positive_mean=0.95 - 0.13 * parted,
        positive_variance=0.02,
        negative_mean=0.9 * (1 - parted),
        negative_variance=0.058 * parted,
        alignment=0.1 + 0.26 * parted,
        uniformity=-2.9 * parted,
        effective_rank=12 + 170 * parted,
        dimensions=512,
        images=833,
        projection_rank=8 + 60 * parted,
        projection_dimensions=128,
    )


def similarity_record(rng: np.random.Generator) -> Similarity:
    """Two hills: views of the same image, and of different ones."""
    edges = np.linspace(-1, 1, 81)
    positives = np.clip(1 - rng.gamma(2.0, 0.09, 5_000), -1, 1)
    negatives = np.clip(rng.normal(0.02, 0.24, 100_000), -1, 1)
    withins = np.clip(rng.normal(0.02, 0.24, 100_000), -1, 1)
    mean = float(negatives.mean())
    return Similarity(
        images=1000,
        within_mean=float(withins.mean()),
        within_variance=float(withins.var()),
        excess=-1 / 999 - mean,
        bound=1 + mean + 1 / 999,
        sharp_bound=1 + 2 * 999 / 998 * (mean + 1 / 999),
        projection_rank=61.2,
        projection_dimensions=128,
        spread=0.97,
        temperature=0.2,
        effective_negatives=0.41,
        withins=_histogram(withins, edges),
        positive_mean=float(positives.mean()),
        positive_variance=float(positives.var()),
        negative_mean=float(negatives.mean()),
        negative_variance=float(negatives.var()),
        alignment=float(2 - 2 * positives.mean()),
        uniformity=-2.91,
        effective_rank=187.3,
        dimensions=512,
        positives=_histogram(positives, edges),
        negatives=_histogram(negatives, edges),
    )


def summarize(records: list[Score]) -> dict[str, dict[str, Interval]]:
    """The summary of `results.json`, with loops."""
    groups: dict[str, dict[str, list[float]]] = {}
    for record in records:
        groups.setdefault(record.model, {}).setdefault(str(record.labels), []).append(record.accuracy)
    return {model: {count: _interval(values) for count, values in by.items()} for model, by in groups.items()}


def write_run(folder: Path, result: RunResult, *, pictures: bool = True, channels: int = 1) -> Path:
    """A run folder as the commands leave it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(to_json(result), encoding="utf-8")
    settings = {
        "method": {"name": result.method, "temperature": 0.2},
        "train": {"epochs": 20, "batch_size": 256, "lr": 0.002},
        "views": {"names": ["rotation", "crop", "blur"], "degrees": 45.0},
        "labels": 100,
        "draws": 5,
        "seed": 0,
        "source": "/home/ada/photos/mnist",
    }
    (folder / "settings.toml").write_text(tomli_w.dumps(settings), encoding="utf-8")
    environment = {
        "python": "3.11.7",
        "torch": "2.13.0",
        "hundredfold": "0.1.0",
        "platform": "Linux-6.1-x86_64",
        "hostname": "ada-laptop",
        "threads": 2,
        "precision": "bfloat16",
        "seed": 0,
        "command": ["hundredfold", "run", "/home/ada/photos/mnist", "--labels", "100"],
    }
    (folder / "environment.json").write_text(json.dumps(environment), encoding="utf-8")
    splits = {"unlabelled": list(range(50_000)), "labelled": [[1, 2]], "validation": [], "test": []}
    (folder / "splits.json").write_text(json.dumps(splits), encoding="utf-8")
    if pictures:
        arrays = picture_arrays(len(result.mistakes), channels, suspects=len(result.suspects))
        save_file(arrays, folder / "pictures.safetensors")
    return folder


def picture_arrays(mistakes: int, channels: int = 1, suspects: int = 0) -> dict[str, np.ndarray]:
    """Digits as 28 x 28 pictures, with two rotated and cropped views."""
    from sklearn.datasets import load_digits

    grey = [Image.fromarray((image * 255 / 16).astype(np.uint8)).resize((28, 28), 3) for image in load_digits().images]
    tenth = grey[:10]
    stacks = {
        "originals": tenth,
        "view_a": [image.rotate(30 - 7 * k, 3).resize((28, 28), 3, (3, 2, 26, 25)) for k, image in enumerate(tenth)],
        "view_b": [image.rotate(8 * k - 40, 3).resize((28, 28), 3, (1, 4, 24, 27)) for k, image in enumerate(tenth)],
        "mistakes": grey[100 : 100 + mistakes],
        "suspects": grey[200 : 200 + suspects],
    }
    return {
        name: np.stack([np.stack([np.asarray(image)] * channels) for image in images])
        for name, images in stacks.items()
        if images
    }


def replace(result: RunResult, **changes: object) -> RunResult:
    """The same run with some fields changed."""
    return dataclasses.replace(result, **changes)


def _confusion(rng: np.random.Generator, classes: int, tested: int, error: float) -> np.ndarray:
    affinity = np.random.default_rng(7).gamma(0.25, 1.0, (classes, classes)) + 0.02  # which classes look alike
    np.fill_diagonal(affinity, 0)
    shares = affinity / affinity.sum(1, keepdims=True) * error
    np.fill_diagonal(shares, 1 - error)
    sizes = rng.multinomial(tested, np.full(classes, 1 / classes))
    return np.stack([rng.multinomial(size, row / row.sum()) for size, row in zip(sizes, shares)])


def _score(model: str, labels: int, draw: int, names: tuple[str, ...], confusion: np.ndarray, seconds: float) -> Score:
    correct, true, predicted = np.diag(confusion), confusion.sum(1), confusion.sum(0)
    recall = correct / np.maximum(true, 1)
    precision = correct / np.maximum(predicted, 1)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-9)
    return Score(
        model=model,
        labels=labels,
        draw=draw,
        seed=0,
        accuracy=float(correct.sum() / confusion.sum()),
        macro_f1=float(f1.mean()),
        seconds=seconds,
        confusion=tuple(tuple(int(n) for n in row) for row in confusion),
        per_class=tuple(
            ClassScore(name=name, precision=float(p), recall=float(r), support=int(n))
            for name, p, r, n in zip(names, precision, recall, true)
        ),
        hyperparameters={"C": 0.1} if model == "linear_probe" else {},
        cross_validation=0.95 if model == "linear_probe" else None,
    )


def _interval(values: list[float]) -> Interval:
    mean = sum(values) / len(values)
    std = math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1)) if len(values) > 1 else 0.0
    return Interval(mean=mean, std=std, low=mean - 2 * std, high=mean + 2 * std, draws=len(values))


def _histogram(values: np.ndarray, edges: np.ndarray) -> Histogram:
    counts, _ = np.histogram(values, edges)
    return Histogram(edges=tuple(float(edge) for edge in edges), counts=tuple(int(count) for count in counts))
