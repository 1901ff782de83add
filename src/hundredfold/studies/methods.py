"""Study: every method of pre-training, or those named, on the same data with the same encoder, epochs and draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hundredfold.methods import catalogue
from hundredfold.settings import Table
from hundredfold.studies.job import Request, Surroundings
from hundredfold.studies.study import REFERENCES, Design, Variant, accuracy, carry_out_study
from hundredfold.study_records import StudyResult

MODEL = "linear_probe"
CLEAR_GAIN = 5.0  # points over the better reference that a method should reach


def study_methods(
    source: Any,
    *,
    methods: Sequence[str] | None = None,
    out: str | Path | None = None,
    config: str | Path | None = None,
    overrides: Sequence[str] = (),
    resume: bool = False,
    overwrite: bool = False,
    surroundings: Surroundings | None = None,
    **settings: Any,
) -> StudyResult:
    """Pre-trains with each method and judges each by linear probe, neighbours, health, speed and memory.

    Args:
        source: a SOURCE, or arrays.
        methods: names from `hundredfold.methods.names()`; None takes all that learn without labels, and of those that
            need an encoder of their own, those whose encoder is asked for, if one is.
        out, config, overrides, resume, overwrite, surroundings, settings: as `run`; they hold for every cell. Settings
            of a method can be given only in a study of one.

    Raises:
        SettingsError: an unknown method, or what `run` raises; before any training.
    """
    request = Request(
        out=out,
        config=config,
        overrides=overrides,
        resume=resume,
        overwrite=overwrite,
        surroundings=surroundings,
        settings=settings,
    )
    return carry_out_study(design(methods=methods), source, request)


def design(*, methods: Sequence[str] | None = None) -> Design:
    """The study of these methods."""
    parameters = {"methods": None if methods is None else list(methods)}
    return Design(name="methods", parameters=parameters, variants=_variants, verdict=verdict)


def verdict(study: StudyResult) -> tuple[str, ...]:
    """Which method is first, how far all are above the references, and which are ill."""
    found = {cell.name: accuracy(cell.summary, MODEL, study.labels) for cell in study.cells}
    known = {name: 100 * value for name, value in found.items() if value is not None}
    if not known:
        return ("No method finished.",)
    best = max(known, key=lambda name: known[name])
    sentences = [f"With {study.labels} labels, the linear probe of {best} is first with {known[best]:.1f} %."]
    sentences += _against_references(study, known)
    sentences += [
        f"{cell.name}: {sentence}" for cell in study.cells if cell.healthy is False for sentence in cell.verdict
    ]
    sentences += [f"{cell.name} did not finish: {cell.failure}." for cell in study.cells if cell.failure]
    return tuple(sentences)


def _variants(parameters: Mapping[str, Any], given: Table) -> list[Variant]:
    chosen = parameters["methods"] if parameters["methods"] is not None else _comparable(given)
    return [Variant(name=name, settings={"method": name}) for name in dict.fromkeys(chosen)]


def _comparable(given: Table) -> list[str]:
    """The methods that learn without labels and can train the encoder that was asked for, if one was."""
    asked = given.get("encoder", "auto")
    settled = asked != "auto" or bool(given.get("encoder_settings"))
    return [
        info.name
        for info in catalogue.names()
        if not info.learns_from_labels and (not settled or info.encoder in ("", asked))
    ]


def _against_references(study: StudyResult, known: Mapping[str, float]) -> list[str]:
    levels = {model: accuracy(study.reference, model, study.labels) for model in REFERENCES}
    there = {model: 100 * level for model, level in levels.items() if level is not None}
    if not there:
        return []
    better = max(there, key=lambda model: there[model])
    low = [name for name, value in known.items() if value - there[better] < CLEAR_GAIN]
    what = {"pixels": "the raw pixels", "random_encoder": "a random encoder"}[better]
    if not low:
        least = min(value - there[better] for value in known.values())
        return [f"Every method is at least {least:.1f} points above {what} ({there[better]:.1f} %)."]
    return [f"Less than {CLEAR_GAIN:.0f} points above {what} ({there[better]:.1f} %): {', '.join(low)}."]
