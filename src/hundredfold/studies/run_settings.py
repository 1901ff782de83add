"""Every setting of a run: the content of `settings.toml`, the options of the commands, the keywords of the calls."""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from hundredfold import settings as settings_file
from hundredfold.encoders import build as encoders
from hundredfold.encoders.huggingface import PREFIX
from hundredfold.errors import SettingsError, unknown_name
from hundredfold.evaluate.learner import MODELS
from hundredfold.evaluate.self_training import FixMatchSettings, StudentSettings
from hundredfold.evaluate.supervised import FinetuneSettings
from hundredfold.methods import catalogue as methods
from hundredfold.settings import Table, nested, overlay
from hundredfold.train.engine import ACCELERATORS, PRECISIONS
from hundredfold.train.plan import Plan
from hundredfold.views.recipe import ViewSettings

SHORT = {  # options that people type, and the tables that they stand for
    "epochs": "plan.epochs",
    "batch_size": "plan.batch_size",
    "lr": "plan.lr",
}


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """Settings of `run`, `pretrain` and `evaluate`. What is empty or 0 is chosen from the data.

    Attributes:
        source: the images to learn from (see the README for what it can be).
        labelled: a second source that holds the labelled images, or empty.
        test: a source of test images, or empty.
        image_size: side in pixels to which images are brought, 0 to leave them.
        method: how to pre-train; `hundredfold methods` lists them.
        encoder: "auto", "convnet", "resnet18" or "hf:NAME".
        labels: how many labels to learn from, 0 for all there are.
        label_counts: points of the learning curve; empty chooses up to six between the classes and `labels`.
        draws: how often the labelled images are drawn again.
        models: which models to compare.
        seed: of everything that is random.
        accelerator: "auto", "cpu", "cuda" or "mps".
        precision: "auto", "float32" or "bfloat16".
        devices: processes that train together.
        init_from: a run whose encoder's weights to start from, or empty.
        plan: pre-training, see `Plan`.
        views: see `ViewSettings`.
        method_settings: of the method's `Config`.
        variance_reduction: weight of the VRNS loss added to the method's own, 0 for none (see
            `losses.variance_reduction`).
        encoder_settings: of the encoder's `Config`.
        finetune: of `baseline` and `finetune`, see `FinetuneSettings`.
        pseudo_label: see `StudentSettings`.
        fixmatch: see `FixMatchSettings`.
    """

    source: str = ""
    labelled: str = ""
    test: str = ""
    image_size: int = 0
    method: str = "simclr"
    encoder: str = "auto"
    labels: int = 100
    label_counts: tuple[int, ...] = ()
    draws: int = 5
    models: tuple[str, ...] = MODELS
    seed: int = 0
    accelerator: str = "auto"
    precision: str = "auto"
    devices: int = 1
    init_from: str = ""
    plan: Plan = field(default_factory=Plan)
    views: ViewSettings = field(default_factory=ViewSettings)
    method_settings: dict[str, Any] = field(default_factory=dict)
    variance_reduction: float = 0.0
    encoder_settings: dict[str, Any] = field(default_factory=dict)
    finetune: FinetuneSettings = field(default_factory=FinetuneSettings)
    pseudo_label: StudentSettings = field(default_factory=StudentSettings)
    fixmatch: FixMatchSettings = field(default_factory=FixMatchSettings)

    def problems(self) -> list[str]:
        """What cannot be used, one sentence each."""
        rules = [
            (self.labels >= 0, f"labels must be >= 0, got {self.labels}"),
            (self.draws >= 1, f"draws must be >= 1, got {self.draws}"),
            (self.devices >= 1, f"devices must be >= 1, got {self.devices}"),
            (
                0 <= self.variance_reduction < math.inf,
                f"variance_reduction must be >= 0 and finite, got {self.variance_reduction}",
            ),
            (self.image_size >= 0, f"image_size must be >= 0, got {self.image_size}"),
            (
                all(count >= 2 for count in self.label_counts),
                f"label_counts must be >= 2, as one label shows one class, got {self.label_counts}",
            ),
            (len(self.models) > 0, f"models must name at least one of {', '.join(MODELS)}"),
        ]
        found = [sentence for kept, sentence in rules if not kept]
        found += [unknown_name("model", name, MODELS) for name in self.models if name not in MODELS]
        for kind, name, possible in (
            ("accelerator", self.accelerator, ACCELERATORS),
            ("precision", self.precision, PRECISIONS),
        ):
            if name not in possible:
                found.append(unknown_name(kind, name, possible))
        problems = methods.problems(self.method, self.method_settings)
        if self.variance_reduction and not problems and methods.info(self.method).family != "contrastive":
            found.append(f"variance_reduction is for methods that compare two views, {self.method} does not")
        return found + problems + self._encoder_problems()

    def _encoder_problems(self) -> list[str]:
        """Of the encoder's name and, where that says which they are, of its settings."""
        if self.encoder == "auto" or self.encoder.startswith(PREFIX):
            return []
        if self.encoder not in encoders.names():
            return [unknown_name("encoder", self.encoder, ["auto", *encoders.names(), f"{PREFIX}NAME"])]
        module = importlib.import_module(f"hundredfold.encoders.{self.encoder}")
        try:
            settings_file.merge(module.Config(), self.encoder_settings, where="encoder_settings.")
        except SettingsError as problem:
            return list(problem.problems)
        return []


def tables(keywords: Mapping[str, Any]) -> Table:
    """The nested tables of flat keywords such as `epochs=3`; None stands for "not given", a path for its text.

    >>> tables({"epochs": 3, "labels": 20, "lr": None})
    {'plan': {'epochs': 3}, 'labels': 20}
    """
    result: Table = {}
    for name, value in keywords.items():
        if value is not None:
            plain = str(value) if isinstance(value, Path) else value
            overlay(result, nested(SHORT.get(name, name), plain))
    return result


def gather(config: str | Path | None, overrides: Sequence[str], keywords: Mapping[str, Any]) -> Table:
    """What a person gave, weakest first: the settings file, then `--set`, then options.

    Raises:
        SettingsError: unknown names, wrong types, values out of range, all of them together.
    """
    given = settings_file.read_toml(Path(config)) if config else {}
    problems: list[str] = []
    for assignment in overrides:
        try:
            overlay(given, settings_file.parse_overrides([assignment]))
        except SettingsError as found:
            problems += found.problems
    possible = [*SHORT, *(field.name for field in fields(RunSettings))]
    problems += [unknown_name("setting", name, possible) for name in keywords if name not in possible]
    overlay(given, tables({name: value for name, value in keywords.items() if name in possible}))
    try:
        settings_file.merge(RunSettings(), given)  # the check; defaults come later, from the data
    except SettingsError as found:
        problems += found.problems
    if problems:
        raise SettingsError(problems)
    return given
