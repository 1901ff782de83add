"""Stage one: learn an encoder from the pool, without its labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import hundredfold.methods.catalogue as methods
from hundredfold import distributed
from hundredfold.data.loader import Loader
from hundredfold.encoders import build as encoders
from hundredfold.encoders._base import Encoder
from hundredfold.encoders.folder import load_encoder, save_encoder
from hundredfold.errors import CheckpointError, SettingsError
from hundredfold.methods._base import Method
from hundredfold.methods.variance_reduced import VarianceReduced
from hundredfold.random import derive
from hundredfold.records import TrainingResult
from hundredfold.settings import Table
from hundredfold.studies.examination import examination
from hundredfold.studies.generator import save_generator
from hundredfold.studies.prepare import Prepared
from hundredfold.studies.recipe import recommend
from hundredfold.studies.run_folder import RunFolder
from hundredfold.studies.several import train_together
from hundredfold.train.loop import fit
from hundredfold.train.stop import StopRequest
from hundredfold.train.watch import MetricsFile, Watch
from hundredfold.views import recipe as views


def new_encoder(prepared: Prepared) -> Encoder:
    """The encoder of the settings at its random (or `hf:` pre-trained) start."""
    settings = prepared.settings
    return encoders.encoder(
        settings.encoder,
        channels=prepared.images.channels,
        size=prepared.images.size,
        mean=prepared.mean,
        std=prepared.std,
        settings=settings.encoder_settings,
        seed=settings.seed,
    )


def new_method(prepared: Prepared) -> Method:
    """The method of the settings around a new encoder, or around the one of `init_from`."""
    settings = prepared.settings
    encoder = new_encoder(prepared)
    if settings.init_from:
        _take_weights(encoder, load_encoder(Path(settings.init_from)), settings.init_from)
    chain = views.build(settings.views, prepared.images.channels, prepared.images.size)
    method = methods.build(settings.method, encoder, chain, settings.method_settings, seed=settings.seed)
    if settings.variance_reduction:
        return VarianceReduced(method, weight=settings.variance_reduction, images=len(prepared.split.pool))
    return method


def check_trainable(tables: Sequence[Table], prepared: Prepared) -> None:
    """Raises SettingsError if a method cannot train its encoder, or not on such images; all problems together.

    Args:
        tables: the settings of several runs on the same data.
        prepared: one of those runs.
    """
    problems: dict[str, None] = {}
    pool, validation = len(prepared.split.pool), len(prepared.split.validation)
    for table in tables:
        settings, _ = recommend(table, prepared.images, pool, validation)
        try:
            new_method(replace(prepared, settings=settings))
        except SettingsError as found:
            problems |= dict.fromkeys(found.problems)
    if problems:
        raise SettingsError(list(problems), fix="leave out what cannot be trained: name the others with --methods A,B")


def pretrain_stage(
    prepared: Prepared,
    folder: RunFolder,
    *,
    watches: Sequence[Watch] = (),
    stop: StopRequest | None = None,
) -> tuple[Method, TrainingResult]:
    """Trains, going on from the folder's checkpoints, and writes `metrics.jsonl` and `encoder/`.

    With several devices other processes do the steps, and this one takes up their last checkpoint.
    """
    if prepared.settings.devices > 1:
        train_together(folder, prepared.settings.devices, stop)
    method, result = train_alone(prepared, folder, watches, stop)
    save_encoder(method.encoder, folder.encoder)
    save_generator(
        method,
        folder.generator,
        name=prepared.settings.method,
        settings=prepared.settings.method_settings,
        classes=prepared.classes,
    )
    return method, result


def train_alone(
    prepared: Prepared, folder: RunFolder, watches: Sequence[Watch], stop: StopRequest | None
) -> tuple[Method, TrainingResult]:
    """Trains in this process: all of each batch, or its share where the process belongs to a group."""
    method = new_method(prepared)
    train, validation = loaders(prepared)
    result = fit(
        method,
        train,
        prepared.settings.plan,
        prepared.engine,
        validation=validation,
        examine=examination(method, prepared) if distributed.is_main() else None,
        watches=[MetricsFile(folder.metrics), *watches] if distributed.is_main() else (),
        folder=folder.checkpoints,
        stop=stop,
    )
    return method, result


def loaders(prepared: Prepared) -> tuple[Loader, Loader | None]:
    """Batches to learn from and, unless there are too few images, batches for the validation loss.

    Without labels, but for a method that takes them.
    """
    settings, parts = prepared.settings, prepared.split
    labelled = methods.info(settings.method).learns_from_labels
    images = (prepared.images if labelled else prepared.images.without_labels()).to(prepared.engine.device)
    seed = derive(settings.seed, "loader")
    share = {"rank": distributed.rank(), "world": distributed.world(), "batch_size": settings.plan.batch_size}
    train = Loader(images=images, index=parts.pool, seed=seed, **share)
    if not settings.plan.validate:
        return train, None
    return train, Loader(images=images, index=parts.validation, seed=derive(seed, "validation"), **share)


def _take_weights(encoder: Encoder, start: Encoder, name: str) -> None:
    try:
        encoder.network.load_state_dict(start.network.state_dict())
    except RuntimeError as problem:
        raise CheckpointError(
            f"the encoder of {name} does not fit: it is a {start.spec.name} for "
            f"{start.spec.channels}x{start.spec.height}x{start.spec.width} images",
            why=f"this run builds a {encoder.spec.name} for "
            f"{encoder.spec.channels}x{encoder.spec.height}x{encoder.spec.width}",
            fix="use the same --encoder and --set image_size as that run",
        ) from problem
