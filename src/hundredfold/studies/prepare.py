"""From what was asked to what will be done: data read and split, settings resolved, engine chosen. Nothing written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import hundredfold.methods.catalogue as methods
from hundredfold.data.channel_statistics import channel_statistics
from hundredfold.data.images import ImageSet, Source, as_float
from hundredfold.data.join import with_test
from hundredfold.data.options import ReadOptions
from hundredfold.data.read import read, with_labels
from hundredfold.data.split import Split, split
from hundredfold.errors import DataError, SettingsError
from hundredfold.evaluate.held_out import HeldOut
from hundredfold.random import generator
from hundredfold.settings import Table, merge
from hundredfold.studies import recipe
from hundredfold.studies.run_settings import RunSettings
from hundredfold.train.engine import Engine, choose_engine
from hundredfold.views.recipe import problems as view_problems

FINGERPRINTED = 1_000  # images whose pixels tell whether the data are the same as before
DOUBTED = 500  # images that are asked whether they bear a method's hypothesis out
ALL_TAKEN = 1_000  # labels of a table up to which a draw takes all of them, if `labels` is not given


@dataclass(frozen=True, kw_only=True, eq=False)
class Prepared:
    """All that a run needs to start.

    Attributes:
        settings: resolved.
        source: what was read.
        split: who serves for what.
        engine: where to compute.
        mean, std: of each channel over the pool, in 0..1.
        notes: what was chosen and why.
    """

    settings: RunSettings
    source: Source
    split: Split
    engine: Engine
    mean: tuple[float, ...]
    std: tuple[float, ...]
    notes: tuple[str, ...]

    @property
    def images(self) -> ImageSet:
        """The images to learn from."""
        return self.source.train

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in label order."""
        return self.source.train.classes

    def held_out(self) -> HeldOut | None:
        """The sealed test set, or None if nothing is labelled there."""
        if self.source.test is not None:
            labelled = self.source.test.labelled()
            return HeldOut(self.source.test, labelled) if len(labelled) else None
        return HeldOut(self.images, self.split.test) if len(self.split.test) else None


def prepare(source: Any, given: Table, *, needs_labels: bool) -> Prepared:
    """Reads, splits and resolves.

    Args:
        source: a SOURCE, or data in memory.
        given: nested tables of settings, already checked for names and types.
        needs_labels: whether models will be learnt from labels; if not, none are looked at.

    Raises:
        DataError: nothing usable, too few labels, a single class.
        SettingsError: values that the data do not allow.
    """
    if source is None:
        raise SettingsError(["no SOURCE was given"], fix="name an embedded set (digits), a folder or a file")
    named = {**given, "source": _describe(source)}
    asked = merge(RunSettings(), named)
    engine = choose_engine(accelerator=asked.accelerator, precision=asked.precision)
    if asked.devices > 1 and not isinstance(source, str | Path):
        raise SettingsError(
            ["devices > 1 needs a source that other processes can read: a name, a folder or a file"],
            fix="save the arrays as .npz and give its path",
        )
    found, from_table = _read(source, asked)
    if len(found.train) < 2:
        raise DataError(f"{len(found.train)} usable image in {asked.source}: at least 2 are needed")
    if from_table and "labels" not in given and len(found.train.labelled()) <= ALL_TAKEN:
        named["labels"] = 0  # whoever wrote so few down wants them learnt from
        asked = merge(RunSettings(), named)
    parts = _split(found, asked, needs_labels)
    settings, reasons = recipe.recommend(named, found.train, len(parts.pool), len(parts.validation))
    settings, more = _resolve(settings, found, parts, needs_labels)
    mean, std = channel_statistics(found.train, parts.pool, seed=settings.seed)
    return Prepared(
        settings=settings,
        source=found,
        split=parts,
        engine=engine,
        mean=mean,
        std=std,
        notes=(
            *found.summary().notes,
            *_left_out(found),
            *reasons,
            *more,
            *_doubts(settings.method, found.train, parts.pool, seed=settings.seed),
            f"precision: {engine.precision} on {engine.device.type}",
        ),
    )


def fingerprint(source: Source) -> str:
    """SHA-256 of the labels, names and form of all images and of the pixels of a thousand of them, spread evenly."""
    digest = hashlib.sha256()
    for images in (source.train, source.test):
        if images is None:
            continue
        described = (tuple(images.pixels.shape), images.classes, images.names)
        digest.update(json.dumps(described).encode())
        digest.update(images.labels.numpy().tobytes())
        index = torch.linspace(0, max(0, len(images) - 1), min(len(images), FINGERPRINTED)).long()
        for part in index.split(100):
            digest.update(images.take(part).cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _read(source: Any, asked: RunSettings) -> tuple[Source, bool]:
    """What was asked for, and whether its labels are from a table about the images of `source` themselves."""
    options = ReadOptions(image_size=asked.image_size or None)
    pool = read(source, options)
    found = with_labels(pool, asked.labelled, options) if asked.labelled else pool
    from_table = bool(asked.labelled) and found.train.pixels is pool.train.pixels
    if asked.test:
        test = read(asked.test, options, like=found.train)
        found = with_test(found, test.test or test.train)
    return found, from_table


def _split(found: Source, asked: RunSettings, needs_labels: bool) -> Split:
    has_test = found.test is not None and len(found.test.labelled()) > 0
    parts = split(
        found.train.labels,
        len(found.train.classes),
        labels_per_draw=_labels_per_draw(asked.labels, found) if needs_labels else 0,
        draws=asked.draws,
        seed=asked.seed,
        has_test=has_test,
    )
    if needs_labels and not has_test and not len(parts.test):
        raise DataError(
            "no labelled image is left to test on",
            why=f"each class of {asked.source} has a single labelled one",
            fix="label at least two images of a class, or give a test set with --test SOURCE",
        )
    return _one_draw_of_all(parts, asked.label_counts)


def _one_draw_of_all(parts: Split, label_counts: tuple[int, ...]) -> Split:
    """A single draw where each would be the same set: all labels are taken, and no smaller count was asked for."""
    same = bool(parts.draws) and len(parts.draws[0]) == parts.available <= min(label_counts, default=parts.available)
    return replace(parts, draws=parts.draws[:1]) if same else parts


def _labels_per_draw(wanted: int, found: Source) -> int:
    """At least one, so that a set without any label is told so."""
    labelled = len(found.train.labelled())
    return max(1, min(wanted or labelled, labelled) if labelled else wanted)


def _resolve(
    settings: RunSettings, found: Source, parts: Split, needs_labels: bool
) -> tuple[RunSettings, tuple[str, ...]]:
    """The settings that depend on the split, and the problems that only the data show."""
    notes: list[str] = []
    problems = view_problems(settings.views, found.train.channels)
    if settings.plan.batch_size > len(parts.pool):
        problems.append(
            f"plan.batch_size {settings.plan.batch_size} is larger than the pool of {len(parts.pool)} images"
        )
    if settings.plan.batch_size % settings.devices:
        problems.append(f"plan.batch_size {settings.plan.batch_size} does not divide by devices {settings.devices}")
    if settings.plan.validate and settings.plan.batch_size > len(parts.validation):
        settings = replace(settings, plan=replace(settings.plan, validate=False))
        notes.append(
            f"no validation loss: {len(parts.validation)} held-out images do not fill a batch, "
            "and the loss of a smaller one would not compare"
        )
    if needs_labels:
        labels = len(parts.draws[0])
        counts = settings.label_counts or recipe.curve(labels, len(found.train.classes))
        if max(counts) > labels:
            problems.append(f"label_counts go up to {max(counts)}, but a draw has {labels} labels")
        notes += _label_notes(settings, found.train, parts, min(counts))
        settings = replace(
            settings, labels=labels, label_counts=tuple(sorted({*counts, labels})), draws=len(parts.draws)
        )
    problems += _class_problems(settings, found.train)
    settings = replace(settings, method_settings=_method_settings(settings, found.train))
    if needs_labels and methods.info(settings.method).learns_from_labels:
        problems.append(
            f"{settings.method} learns from all labels there are, so that nothing can be learnt from a few of them "
            "afterwards: it can only be pre-trained (`hundredfold pretrain`)"
        )
    if problems:
        raise SettingsError(problems)
    return settings, tuple(notes)


def _method_settings(settings: RunSettings, images: ImageSet) -> dict[str, Any]:
    """All settings of the method; one that learns from labels is told how many classes there are."""
    found = methods.resolved(settings.method, settings.method_settings)
    told = methods.info(settings.method).learns_from_labels and not found.get("classes")
    return {**found, "classes": len(images.classes)} if told else found


def _class_problems(settings: RunSettings, images: ImageSet) -> list[str]:
    """A sentence if a method that learns from labels was told of other classes than there are."""
    asked = settings.method_settings.get("classes")
    if not asked or not methods.info(settings.method).learns_from_labels or asked == len(images.classes):
        return []
    return [f"method_settings.classes is {asked}, but {images.source} has {len(images.classes)}: leave it out"]


def _doubts(method: str, images: ImageSet, pool: Tensor, *, seed: int) -> tuple[str, ...]:
    """What speaks against the method's hypothesis in a few hundred images."""
    order = torch.randperm(len(pool), generator=generator(seed, "doubts"))[:DOUBTED]
    shown = as_float(images.take(pool[order].sort().values)).cpu()
    return tuple(f"{method}: {sentence}" for sentence in methods.doubts(method, shown))


def _label_notes(settings: RunSettings, images: ImageSet, parts: Split, fewest: int) -> Iterator[str]:
    """What became of the labels that were asked for: how many, how often drawn, and the classes that draws miss."""
    known, taken = images.labelled(), len(parts.draws[0])
    if settings.labelled and taken < parts.available:
        yield f"{taken:,} of {parts.available:,} labels a draw: --labels 0 learns from all of them"
    kept_back = _kept_back(known, parts)
    if taken < settings.labels:  # 0 asks for all of them
        yield (
            f"{taken:,} labels a draw, not {settings.labels:,}: of {len(images):,} images {len(known):,} carry a label"
            f"{f', of which {kept_back} are kept back' if kept_back else ''}"
        )
    if len(parts.draws) < settings.draws:
        beside = f" beside {kept_back}" if kept_back else ""
        yield f"all {taken:,} labels{beside} are taken: there is one way to draw them, so there is one draw"
    classes = len(images.labels[known].unique())
    if fewest < classes:
        yield f"{fewest} labels cannot hold all {classes} classes: those that a draw misses are never predicted there"
    untested = set(images.labels[known].tolist()) - set(images.labels[parts.test].tolist())
    if len(parts.test) and untested:
        names = ", ".join(images.classes[label] for label in sorted(untested)[:5])
        more = f" and {len(untested) - 5} more" if len(untested) > 5 else ""
        yield f"classes with a single label, which is learnt from, so that they are not tested: {names}{more}"


def _kept_back(known: Tensor, parts: Split) -> str:
    """Where labels went that no draw can take."""
    tested = len(parts.test)
    kept = {"testing": tested, "validation": len(known) - tested - parts.available}
    return " and ".join(f"{count:,} for {name}" for name, count in kept.items() if count)


def _left_out(found: Source) -> list[str]:
    bad = found.summary().bad_files
    if not bad:
        return []
    if len(bad) == 1:
        return [f"1 file could not be used and was left out: {bad[0].path} ({bad[0].reason})"]
    return [f"{len(bad)} files could not be used and were left out; the first: {bad[0].path} ({bad[0].reason})"]


def _describe(source: Any) -> str:
    return str(source) if isinstance(source, str | Path) else "data in memory"
