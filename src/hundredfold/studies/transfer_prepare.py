"""From what was asked of a transfer to what will be done: data, artefacts, architecture, all of them checked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from hundredfold.data.channel_statistics import channel_statistics
from hundredfold.data.images import ImageSet
from hundredfold.data.match import matched, pixel_type
from hundredfold.data.read import read
from hundredfold.encoders._base import EncoderSpec
from hundredfold.encoders.build import encoder as new_encoder
from hundredfold.errors import SettingsError
from hundredfold.random import derive
from hundredfold.settings import Table, overlay
from hundredfold.studies.prepare import Prepared, prepare
from hundredfold.studies.source_artefacts import load_source_classifier, load_source_generator
from hundredfold.studies.transfer_request import TransferRequest
from hundredfold.train.stop import StopRequest
from hundredfold.transfer.arms import BY_NAME, Arm, Task
from hundredfold.transfer.generator import Generator
from hundredfold.transfer.real_source import RealSource, in_order_of
from hundredfold.transfer.resized import check_match, match_notes
from hundredfold.transfer.source_classifier import SourceClassifier
from hundredfold.views.recipe import build as build_views

HELD_OUT = 5  # one in so many images of a source without a test set is kept to judge the generator by
ARTEFACTS = ("*.safetensors", "*.json")


@dataclass(frozen=True, kw_only=True, eq=False)
class Ready:
    """All that a transfer needs to start.

    Attributes:
        request: what was asked for.
        prepared: the target: data, draws, views, engine.
        classifier, generator: of the source, in the target's form.
        own: the same two, (classifier, generator), in the source's form, to be judged in.
        real: real images of the source in the source's form, or None.
        arms: those that can be had.
        notes: what was decided.
    """

    request: TransferRequest
    prepared: Prepared
    classifier: SourceClassifier
    generator: Generator
    own: tuple[SourceClassifier, Generator]
    real: RealSource | None
    arms: tuple[Arm, ...]
    notes: tuple[str, ...]

    def task(self, draw: int, stop: StopRequest | None = None) -> Task:
        """The target as draw `draw` sees it."""
        prepared, seed = self.prepared, derive(self.prepared.settings.seed, "transfer", draw)
        return Task(
            images=_only(prepared.images, prepared.split.draws[draw]),
            classes=len(prepared.classes),
            encoder=self._architecture(draw),
            classifier=self.classifier,
            generator=self.generator,
            views=build_views(prepared.settings.views, prepared.images.channels, prepared.images.size),
            engine=prepared.engine,
            seed=seed,
            settings=self.request.settings,
            unlabelled=prepared.split.pool,
            source=self._source(),
            stop=stop,
        )

    def identity(self) -> str:
        """SHA-256 of the artefacts and of the settings that decide an arm's numbers."""
        digest = hashlib.sha256(repr((self.request.settings, self.prepared.settings.views)).encode())
        digest.update(repr((self._architecture(0), self.prepared.settings.seed, self.request.resize)).encode())
        for folder in (self.request.source_classifier, self.request.generator):
            for path in sorted(file for kind in ARTEFACTS for file in Path(folder).rglob(kind)):
                if not {"exhibits", "cells", "checkpoints"} & set(path.relative_to(folder).parts):
                    digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()

    def _architecture(self, draw: int) -> EncoderSpec:
        """The target's network, which normalises by the labelled images alone."""
        settings, images = self.prepared.settings, self.prepared.images
        mean, std = channel_statistics(images, self.prepared.split.draws[draw], seed=settings.seed)
        return new_encoder(
            settings.encoder,
            channels=images.channels,
            size=images.size,
            mean=mean,
            std=std,
            settings=settings.encoder_settings,
            seed=settings.seed,
        ).spec

    def _source(self) -> ImageSet | None:
        """The real labelled source images that an oracle learns from, in the target's form."""
        if self.real is None:
            return None
        images, target = _only(self.real.train, self.real.train_index), self.prepared.images
        return matched(images, channels=target.channels, size=target.size, dtype=pixel_type(images.pixels))


def get_ready(source: object, request: TransferRequest) -> Ready:
    """Reads and checks everything; nothing is trained and nothing is written.

    Args:
        source: the target's SOURCE, or data in memory.
        request: what was asked for.

    Raises:
        SettingsError, DataError, CheckpointError: what cannot be used, and why.
    """
    generator = load_source_generator(Path(request.generator))
    classifier = load_source_classifier(Path(request.source_classifier))
    prepared = _prepared(source, request.common)
    images = prepared.images
    fitted, bridged = check_match(generator, classifier, images.channels, images.size, resize=request.resize)
    real, notes = _real(request, generator)
    for part in (fitted, bridged):
        part.place(prepared.engine)
    _check_prior(request, generator)
    arms, more = _arms(request, prepared, real)
    said = match_notes(generator, classifier, images.channels, images.size)
    return Ready(
        request=request,
        prepared=prepared,
        classifier=bridged,
        generator=fitted,
        own=(classifier, generator),
        real=real,
        arms=arms,
        notes=(*prepared.notes, *said, *notes, *more),
    )


def _prepared(source: object, common: Table) -> Prepared:
    """The target, at the numbers of labels that were named, or at all labels of a draw where none was."""
    given = overlay({"plan": {"epochs": 0, "validate": False}}, common)  # nothing learns from its images alone
    counts = given.get("label_counts")
    if counts and "labels" not in given:
        given["labels"] = max(counts)
    prepared = prepare(source, given, needs_labels=True)
    if counts:
        return prepared
    settings = prepared.settings  # of a run, with a learning curve: each point would be all arms again
    return replace(prepared, settings=replace(settings, label_counts=(settings.labels,)))


def _real(request: TransferRequest, generator: Generator) -> tuple[RealSource | None, tuple[str, ...]]:
    """Real images of the source, and what to tell of them."""
    if not request.source_data:
        if request.source_test:
            raise SettingsError(["--source-test needs --source-data, the images that the generator learnt from"])
        return None, (
            "no real images of the source were given (--source-data): whether the generator teaches what they would, "
            "and whether it copies them, was not measured",
        )
    found = read(request.source_data)
    other = read(request.source_test) if request.source_test else None
    test = (other.test or other.train) if other else found.test
    if test is not None:
        real = RealSource(train=found.train, train_index=found.train.labelled(), test=test, test_index=test.labelled())
        return in_order_of(real, generator), ()
    known = found.train.labelled()
    kept = torch.arange(len(known)) % HELD_OUT == 0
    real = RealSource(train=found.train, train_index=known[~kept], test=found.train, test_index=known[kept])
    note = (
        "the source's real images have no test set: a fifth of them serves to judge the generator, which may have "
        "learnt from them; --source-test gives others"
    )
    return in_order_of(real, generator), (note,)


def _check_prior(request: TransferRequest, generator: Generator) -> None:
    """Raises SettingsError if the classes of the prior are not as many as the generator's."""
    shares, classes = len(request.settings.sampling.class_prior), len(generator.classes)
    if shares and shares != classes:
        raise SettingsError(
            [f"transfer.sampling.class_prior has {shares} shares, the generator draws {classes} classes"]
        )


def _arms(
    request: TransferRequest, prepared: Prepared, real: RealSource | None
) -> tuple[tuple[Arm, ...], tuple[str, ...]]:
    """Those that were asked for and have their data, and a sentence for each that has not."""
    arms, notes = [], []
    needed = max(2, request.settings.unlabelled_batch)
    for arm in (BY_NAME[name] for name in request.arms):
        if arm.start == "real_source" and real is None:
            notes.append(f"{arm.title} is left out: it needs the source's real images (--source-data)")
        elif arm.lesson == "real_unlabelled" and len(prepared.split.pool) < needed:
            notes.append(f"{arm.title} is left out: it needs {needed} images of the target or more")
        else:
            arms.append(arm)
    return tuple(arms), tuple(notes)


def _only(images: ImageSet, index: Tensor) -> ImageSet:
    """The same images with labels at `index` alone: no arm can see another."""
    visible = torch.full_like(images.labels, -1)
    visible[index] = images.labels[index]
    return replace(images, labels=visible)


def facts(arm: Arm, request: TransferRequest) -> Mapping[str, int]:
    """Steps of training, by the names of `ArmFacts`."""
    settings = request.settings
    return {
        "pretrain_steps": settings.pretrain_steps if arm.pretrained else 0,
        "target_steps": settings.steps + (settings.pretrain_steps if arm.longer else 0),
    }
