"""Pre-training as the command line does it, on images in memory, with nothing told and nothing written."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch

from hundredfold.data.channel_statistics import channel_statistics
from hundredfold.data.images import ImageSet, Source
from hundredfold.data.split import Split
from hundredfold.encoders._base import Encoder
from hundredfold.errors import SettingsError
from hundredfold.records import TrainingResult
from hundredfold.settings import Table, merge, overlay
from hundredfold.studies import recipe
from hundredfold.studies.prepare import Prepared
from hundredfold.studies.pretraining import loaders, new_method
from hundredfold.studies.run_settings import RunSettings
from hundredfold.train.engine import choose_engine
from hundredfold.train.loop import fit
from hundredfold.views import recipe as views
from hundredfold.views.recipe import ViewSettings

# Numbers in a row have no neighbours: nothing is moved, some are hidden and all change their scale.
ROW_VIEWS = ViewSettings(jitter=0.5, erasing_probability=1.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class Pretrained:
    """What pre-training leaves.

    Attributes:
        encoder: in evaluation mode, on the CPU.
        training: how it went.
        views: that it saw.
    """

    encoder: Encoder
    training: TrainingResult
    views: ViewSettings


def pretrain(images: ImageSet, given: Table, *, rows: bool = False) -> Pretrained:
    """Learns an encoder from all of these images.

    Args:
        images: in memory; their labels are not looked at.
        given: nested tables of `RunSettings`; what is left out is chosen from the images.
        rows: whether the images are rows of numbers, laid out.

    Raises:
        SettingsError: settings that cannot be used, all of them.
        DivergedError: the loss is not a number any more.
    """
    prepared = _prepared(images, _tables(images, given, rows))
    method = new_method(prepared)
    train, _ = loaders(prepared)
    training = fit(method, train, prepared.settings.plan, prepared.engine)
    return Pretrained(encoder=method.encoder.cpu().eval(), training=training, views=prepared.settings.views)


def _tables(images: ImageSet, given: Table, rows: bool) -> Table:
    tables = overlay({"views": dataclasses.asdict(ROW_VIEWS)} if rows else {}, given)
    asked = merge(RunSettings(), tables)  # the check too, before anything rests on the values
    overlay(tables, {"plan": {"validate": False}})
    if "batch_size" in tables["plan"]:
        tables["plan"]["batch_size"] = min(asked.plan.batch_size, len(images))
    return tables


def _prepared(images: ImageSet, tables: Table) -> Prepared:
    """All images are in the pool: there is no test, and nothing is held out for a loss that nobody looks at."""
    count, nothing = len(images), torch.empty(0, dtype=torch.int64)
    settings, notes = recipe.recommend(tables, images, pool=count, validation=count)
    problems = views.problems(settings.views, images.channels)
    if problems:
        raise SettingsError(problems)
    pool = torch.arange(count)
    mean, std = channel_statistics(images, pool, seed=settings.seed)
    return Prepared(
        settings=settings,
        source=Source(train=images),
        split=Split(pool=pool, validation=nothing, test=nothing, draws=()),
        engine=choose_engine(accelerator=settings.accelerator, precision=settings.precision),
        mean=mean,
        std=std,
        notes=notes,
    )
