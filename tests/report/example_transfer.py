"""Transfers as they are written, made up from a seed: a study of six arms and two oracles, and its exhibits."""

from __future__ import annotations

import dataclasses
import itertools
import statistics
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from hundredfold.evaluate.paired import paired_difference
from hundredfold.exhibit_records import Exhibit, PictureRow, Table
from hundredfold.records import ClassScore, DataSummary, Interval, Score, to_json
from hundredfold.transfer_records import (
    ArmChoice,
    ArmFacts,
    Comparison,
    GeneratorQuality,
    Recovered,
    TransferResult,
    Trial,
)

COUNTS = (20, 100)
SOURCE_CLASSES = ("0", "1", "2", "3", "4")
ARMS = {  # name -> (title, meaning, whether an oracle, accuracy at each label count)
    "scratch": ("from scratch", "random weights, the labels alone", False, (0.652, 0.858)),
    "long_scratch": (
        "from scratch, longer",
        "random weights, the labels alone, for as many steps as pre-training and learning take together",
        False,
        (0.655, 0.861),
    ),
    "soft_target": (
        "soft targets",
        "the labels, and the softened probabilities of the source classifier on the same images",
        False,
        (0.650, 0.862),
    ),
    "pseudo_pretraining": (
        "PP",
        "pre-trained to tell the source's classes in generated images, then the labels alone",
        False,
        (0.703, 0.881),
    ),
    "pseudo_semi_supervised": (
        "P-SSL",
        "random weights, the labels, and pseudo samples of the target images as unlabelled ones",
        False,
        (0.620, 0.842),
    ),
    "pseudo_both": ("PP + P-SSL", "pre-trained as PP, then the labels and pseudo samples", False, (0.709, 0.885)),
    "source_oracle": (
        "real source",
        "pre-trained on the source's real images, which a transfer does not have",
        True,
        (0.741, 0.893),
    ),
    "unlabelled_oracle": (
        "real unlabelled",
        "random weights, the labels, and the target's real unlabelled images",
        True,
        (0.698, 0.896),
    ),
}
AGAINST = {
    "soft_target": ("scratch",),
    "long_scratch": ("scratch",),
    "pseudo_pretraining": ("scratch", "long_scratch"),
    "pseudo_semi_supervised": ("scratch",),
    "pseudo_both": ("scratch", "long_scratch", "pseudo_pretraining"),
    "source_oracle": ("scratch", "long_scratch"),
    "unlabelled_oracle": ("scratch",),
}
RECOVERED = (
    ("pseudo_pretraining", "source_oracle"),
    ("pseudo_both", "source_oracle"),
    ("pseudo_semi_supervised", "unlabelled_oracle"),
    ("pseudo_both", "unlabelled_oracle"),
)


def study(*, draws: int = 5, seed: int = 0, **accuracy: tuple[float, float]) -> TransferResult:
    """All arms at both label counts; `accuracy` replaces that of arms, at the fewest labels and at the most."""
    rng = np.random.default_rng(seed)
    means = {name: accuracy.get(name, arm[3]) for name, arm in ARMS.items()}
    records: list[Score] = []
    for place, labels in enumerate(COUNTS):
        luck = rng.normal(size=draws) * 0.015
        for name, mean in means.items():
            noise = rng.normal(size=draws) * 0.007
            records += [score(name, labels, draw, mean[place] + luck[draw] + noise[draw]) for draw in range(draws)]
    return with_comparisons(
        TransferResult(
            source_classifier="/home/ada/sources/digits-0-4",
            generator="/home/ada/sources/digits-0-4-vae",
            source="mnist-5-9",
            encoder="convnet_small",
            seconds={"generator": 41.2, "pre-training": 210.5, "arms": 642.0, "total": 893.7},
            data=data(),
            quality=quality(),
            arms=tuple(
                ArmFacts(
                    name=name,
                    title=title,
                    meaning=meaning,
                    oracle=oracle,
                    pretrain_steps=1200 if name.startswith(("pseudo_p", "pseudo_b", "source")) else 0,
                    target_steps=1500 if name == "long_scratch" else 300,
                )
                for name, (title, meaning, oracle, _) in ARMS.items()
            ),
            label_counts=COUNTS,
            records=tuple(records),
            choices=tuple(itertools.starmap(choice, itertools.product(COUNTS, range(draws)))),
            logs={"pseudo_both": {"20": {"loss": 0.4123, "sure": 0.311}, "100": {"loss": 0.522, "sure": 0.452}}},
            verdict=(
                "Pre-training on generated images is worth it: it beats training from scratch for as many steps.",
                "Pseudo samples do not clearly add to it.",
            ),
            notes=("Images were read as grey ones.",),
            settings={"transfer": {"steps": 300, "weights": (0.0, 0.1, 1.0)}, "seed": 0},
        )
    )


def with_comparisons(result: TransferResult) -> TransferResult:
    """The result with summary, comparisons and shares that follow from its records."""
    found = {
        (name, labels): {one.draw: one.accuracy for one in result.records if (one.model, one.labels) == (name, labels)}
        for name in ARMS
        for labels in COUNTS
    }
    compared = tuple(
        comparison(arm, other, labels, found[arm, labels], found[other, labels])
        for labels in COUNTS
        for arm, others in AGAINST.items()
        for other in others
    )
    gain = {(one.arm, one.labels): one.mean for one in compared if one.against == "scratch"}
    shares = tuple(
        Recovered(arm=arm, oracle=oracle, labels=labels, share=_share(gain[arm, labels], gain[oracle, labels]))
        for labels in COUNTS
        for arm, oracle in RECOVERED
    )
    summary = {name: {str(labels): interval(list(found[name, labels].values())) for labels in COUNTS} for name in ARMS}
    return dataclasses.replace(result, summary=summary, comparisons=compared, recovered=shares)


def hand_over(*, tested: bool = True) -> TransferResult:
    """A transfer of a person: three arms, one label count, one draw, a model handed over; tested or not."""
    whole = study(draws=1)
    names, labels = ("scratch", "long_scratch", "pseudo_pretraining"), 20
    kept = dataclasses.replace(
        whole,
        arms=tuple(arm for arm in whole.arms if arm.name in names),
        label_counts=(labels,),
        records=tuple(one for one in whole.records if one.model in names and one.labels == labels),
        summary={name: {"20": whole.summary[name]["20"]} for name in names},
        comparisons=tuple(one for one in whole.comparisons if one.arm in names and one.labels == labels),
        recovered=(),
        choices=(),
        logs={},
        chosen="pseudo_pretraining",
        why="it predicts 71 % of the held-out halves of the labels, from scratch 64 %",
    )
    return kept if tested else dataclasses.replace(kept, records=(), summary={}, comparisons=())


def score(model: str, labels: int, draw: int, accuracy: float) -> Score:
    """One arm in one draw."""
    return Score(
        model=model,
        labels=labels,
        draw=draw,
        seed=0,
        accuracy=float(accuracy),
        macro_f1=float(accuracy) - 0.004,
        seconds=4.2,
        confusion=((1,),),
        per_class=(ClassScore(name="5", precision=0.9, recall=0.9, support=10),),
    )


def comparison(arm: str, other: str, labels: int, mine: dict[int, float], theirs: dict[int, float]) -> Comparison:
    """One arm against another, from their accuracies by draw."""
    found = paired_difference(list(theirs.values()), list(mine.values()))
    return Comparison(
        arm=arm,
        against=other,
        labels=labels,
        mean=found.mean,
        low=found.low,
        high=found.high,
        wins=sum(mine[draw] > theirs[draw] for draw in mine),
        draws=found.count,
    )


def interval(values: Sequence[float]) -> Interval:
    """Mean and spread of accuracies."""
    mean, std = statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0
    return Interval(mean=mean, std=std, low=mean - 2 * std, high=mean + 2 * std, draws=len(values))


def choice(labels: int, draw: int) -> ArmChoice:
    """What PP + P-SSL chose in one draw."""
    grid = [{"weight": weight, "temperature": tau} for weight in (0.0, 0.1, 1.0) for tau in (1.0, 4.0)]
    trials = tuple(Trial(settings=one, held_out=0.61 + 0.01 * place) for place, one in enumerate(grid))
    return ArmChoice(arm="pseudo_both", labels=labels, draw=draw, chosen=grid[2 + (draw == 0)], trials=trials)


def data() -> DataSummary:
    """Five classes of digits."""
    return DataSummary(
        source="mnist-5-9",
        images=29_404,
        test_images=4_861,
        channels=1,
        height=28,
        width=28,
        classes=("5", "6", "7", "8", "9"),
        labelled=29_404,
        class_counts=(5_421, 5_918, 6_265, 5_851, 5_949),
    )


def quality(**changes: object) -> GeneratorQuality:
    """A generator that is good enough, judged with real images of the source."""
    found = GeneratorQuality(
        generator="conditional_vae",
        classes=SOURCE_CLASSES,
        samples=2000,
        consistency=0.962,
        consistency_by_class=(0.991, 0.987, 0.942, 0.921, 0.969),
        hard_response=0.112,
        soft_response=0.031,
        classification_accuracy=0.874,
        real_accuracy=0.941,
        test_images=5139,
        frechet=26.41,
        frechet_real=1.23,
        frechet_features="the source classifier",
        memorised=0.008,
        nearest_ratio=1.12,
        sentences=("96.2 % of its samples are what was asked for.",),
    )
    return dataclasses.replace(found, **changes)


def write_transfer(folder: Path, result: TransferResult, *, exhibits: bool = True) -> Path:
    """The folder of a transfer."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(to_json(result), encoding="utf-8")
    if exhibits:
        hang(folder, result.quality)
    return folder


def hang(folder: Path, found: GeneratorQuality) -> None:
    """Samples by class, the cascade, and the closest training images."""
    rng = np.random.default_rng(1)
    place = folder / "exhibits"
    place.mkdir(exist_ok=True)
    by_class = {f"class_{k}": digits(rng, 8, k) for k in range(len(found.classes))}
    cascade = {key: digits(rng, 12, k) for k, key in enumerate(("target", "samples0", "samples1"))}
    copies = {"closest_samples": digits(rng, 8, 1), "closest_training": digits(rng, 8, 1)}
    rows = tuple(PictureRow(title=name, key=f"class_{k}") for k, name in enumerate(found.classes))
    table = Table(header=("figure", "value"), rows=(("consistency", "96.2 %"),))
    written = (
        (
            Exhibit(
                name="samples", title="What the generator draws", sentences=found.sentences, rows=rows, tables=(table,)
            ),
            by_class,
        ),
        (
            Exhibit(
                name="cascade",
                title="What the source makes of the target",
                sentences=("Above: labelled images of the target.",),
                rows=(
                    PictureRow(title="images of the target", key="target", captions=("7", "9") * 6),
                    PictureRow(title="at temperature 1", key="samples0", captions=("62 % 3, 30 % 2",) * 12),
                    PictureRow(title="at temperature 4", key="samples1", captions=("40 % 3, 35 % 0",) * 12),
                ),
            ),
            cascade,
        ),
        (
            Exhibit(
                name="memorised",
                title="Does the generator repeat its training images?",
                rows=(
                    PictureRow(title="samples", key="closest_samples"),
                    PictureRow(title="the training image nearest to each", key="closest_training"),
                ),
            ),
            copies,
        ),
    )
    for exhibit, pictures in written:
        (place / f"{exhibit.name}.json").write_text(to_json(exhibit), encoding="utf-8")
        save_file(pictures, place / f"{exhibit.name}.safetensors")


def digits(rng: np.random.Generator, count: int, kind: int) -> np.ndarray:
    """Strokes that look a little like digits, [count, 1, 28, 28] uint8."""
    y, x = np.mgrid[:28, :28]
    images = []
    for _ in range(count):
        slope, radius = 0.4 * kind + rng.normal() * 0.2, 7 + rng.normal()
        ring = np.exp(-((np.hypot(x - 14, y - 14) - radius) ** 2) / 4)
        bar = np.exp(-(((x - 14) * np.cos(slope) + (y - 14) * np.sin(slope)) ** 2) / 4) * (
            np.hypot(x - 14, y - 14) < 10
        )
        images.append(np.maximum(ring * (kind % 2 == 0), bar))
    return (np.stack(images)[:, None] * 255).astype(np.uint8)


def _share(gain: float, best: float) -> float | None:
    return gain / best if best > 0 else None
