"""The images of a run once more: those it learnt from, those it held out, or those of any SOURCE in their form."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hundredfold.data.images import ImageSet, as_float
from hundredfold.data.match import matched, pixel_type
from hundredfold.data.options import ReadOptions
from hundredfold.data.read import read
from hundredfold.encoders._base import EncoderSpec
from hundredfold.errors import DataError, SettingsError
from hundredfold.records import from_json
from hundredfold.studies.prepare import fingerprint, prepare
from hundredfold.studies.run_folder import DataFacts, RunFolder

BLOCK = 500  # images at a time


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """Some images of a set.

    Attributes:
        images: the set.
        index: [n] positions in it.
    """

    images: ImageSet
    index: Tensor

    def __len__(self) -> int:
        return len(self.index)

    def take(self, rows: Tensor) -> Tensor:
        """The images at these rows of the part, [b, c, h, w] float32 in 0..1."""
        return as_float(self.images.take(self.index[rows])).float()

    def blocks(self) -> Iterator[Tensor]:
        """All images, 500 at a time."""
        for rows in torch.arange(len(self)).split(BLOCK):
            yield self.take(rows)

    def names(self) -> list[str]:
        """What to call each."""
        return [self.images.name(position) for position in self.index.tolist()]

    def labels(self) -> Tensor:
        """[n] int64, -1 where there is none."""
        return self.images.labels[self.index]

    def class_names(self, rows: Tensor) -> list[str]:
        """The classes of the images at these rows, empty texts where there is none."""
        return [self.images.classes[label] if label >= 0 else "" for label in self.labels()[rows].tolist()]


@dataclass(frozen=True, kw_only=True, eq=False)
class RunImages:
    """The images of a run.

    Attributes:
        source: how it named them.
        learnt: those that pre-training learnt from.
        held_out: those of its test set, or, where there is none, those kept for validation.
    """

    source: str
    learnt: Part
    held_out: Part


def run_images(run: Path) -> RunImages:
    """The images of a run, read again from where they were.

    Raises:
        SettingsError: the run learnt from data in memory.
        DataError: they are gone, or are no longer what they were.
    """
    folder = RunFolder(run)
    settings = folder.read_settings()
    facts, parts = _read(folder)
    if settings.source == "data in memory":
        raise SettingsError([f"{run} learnt from data in memory, which are gone"], fix="name a SOURCE")
    # Where it was trained has nothing to do with where its images are looked at.
    here = {**folder.read_asked(), "accelerator": "cpu", "precision": "auto", "devices": 1}
    try:
        prepared = prepare(settings.source, here, needs_labels=False)
    except DataError as problem:
        fix = f"name a SOURCE, or call this from the folder in which {run} was made"
        raise DataError(problem.what, why=problem.why, fix=fix) from problem
    if fingerprint(prepared.source) != facts.sha256:
        raise DataError(
            f"the images of {settings.source} are not those that the run in {run} learnt from",
            why="images, labels or names changed",
            fix="name another SOURCE, or pre-train again",
        )
    images, test = prepared.images, prepared.source.test
    indices = {name: torch.tensor(positions, dtype=torch.int64) for name, positions in parts.items()}
    if test is not None:
        held_out = Part(images=test, index=torch.arange(len(test)))
    else:
        held_out = Part(images=images, index=indices["test"] if len(indices["test"]) else indices["validation"])
    return RunImages(source=settings.source, learnt=Part(images=images, index=indices["unlabelled"]), held_out=held_out)


def _read(folder: RunFolder) -> tuple[DataFacts, dict[str, list[int]]]:
    """What the run learnt from, and who served for what."""
    try:
        facts = from_json(DataFacts, folder.data.read_text())
        parts = json.loads(folder.splits.read_text())
        return facts, {name: parts[name] for name in ("unlabelled", "validation", "test")}
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise DataError(
            f"what the run in {folder.path} learnt from is not known",
            why=f"{folder.data.name} or {folder.splits.name} is missing or damaged",
            fix="name a SOURCE",
        ) from problem


def in_form(source: Any, spec: EncoderSpec) -> list[ImageSet]:
    """The parts of a source in the form that an encoder takes; resized and recoloured as reading would have done."""
    found = read(source, ReadOptions())
    size = (spec.height, spec.width)
    return [
        matched(part, channels=spec.channels, size=size, dtype=pixel_type(part.pixels))
        for part in (found.train, found.test)
        if part is not None and len(part)
    ]


def asked_for(run: Path, source: Any, spec: EncoderSpec) -> list[Part]:
    """All images of `source` in the form of the run's encoder; without a source those that the run held out.

    Raises:
        DataError: images that do not fit, or none. SettingsError: as `run_images`.
    """
    if source is None:
        parts = [run_images(run).held_out]
    else:
        parts = [Part(images=images, index=torch.arange(len(images))) for images in in_form(source, spec)]
    if not sum(map(len, parts)):
        raise DataError(f"no image was held out by {run}", fix="name a SOURCE")
    return parts


def image_at(parts: Sequence[Part], row: int) -> Tensor:
    """The image at a row over all parts, [1, c, h, w] float32 in 0..1 on the CPU."""
    for part in parts:
        if row < len(part):
            return part.take(torch.tensor([row])).cpu()
        row -= len(part)
    raise IndexError(row)


def evenly(parts: Sequence[Part], most: int) -> tuple[Tensor, list[str]]:
    """At most so many images at equal distances over all parts: [k, c, h, w] float32 in 0..1, and their classes."""
    total = sum(map(len, parts))
    wanted = torch.arange(min(most, total)) * total // max(1, min(most, total))
    images: list[Tensor] = []
    classes: list[str] = []
    before = 0
    for part in parts:
        rows = wanted[(wanted >= before) & (wanted < before + len(part))] - before
        images.append(part.take(rows))
        classes += part.class_names(rows)
        before += len(part)
    return torch.cat(images), classes
