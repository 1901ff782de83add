"""A study: runs on the same data that differ in a few settings, and what they say together.

Each variant is a *cell* with a run folder of its own under `cells/`. A finished cell is read and not run again, one
that was interrupted goes on where it was: a study is resumed cell by cell, and widened by asking for more and resuming.
"""

from __future__ import annotations

import shutil
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from hundredfold import atomic
from hundredfold.errors import DivergedError, Interrupted, OutputError, SettingsError
from hundredfold.evaluate.task_health import task_ills
from hundredfold.evaluate.verdict import worth
from hundredfold.records import Interval, RunResult, from_json, to_json
from hundredfold.report.page import write_study_report
from hundredfold.settings import Table, differences, merge, nested, overlay, toml_text
from hundredfold.studies.claim import claimed, free_name
from hundredfold.studies.estimate import estimate
from hundredfold.studies.few_labels import run
from hundredfold.studies.job import Request, Surroundings, resume_command
from hundredfold.studies.prepare import fingerprint, prepare
from hundredfold.studies.pretraining import check_trainable
from hundredfold.studies.run_folder import DataFacts, RunFolder
from hundredfold.studies.run_settings import RunSettings, gather
from hundredfold.study_records import StudyCell, StudyResult

READERS = ("linear_probe", "knn")  # what each cell is judged by: they read features and add little time
REFERENCES = ("pixels", "random_encoder")  # models that no pre-training changes: one cell has them for all
REFERENCE = "reference"


@dataclass(frozen=True, kw_only=True)
class Variant:
    """What makes one cell of a study.

    Attributes:
        name: of its folder.
        settings: what it has of its own, by the settings' dotted names.
    """

    name: str
    settings: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Design:
    """What a study does beside what all studies do.

    Attributes:
        name: "methods", "batch-size".
        parameters: the lists it was asked to go through, by name; None where the default is meant. A resumed study
            takes those that are not given again from its folder.
        variants: the cells, from the parameters and the common settings.
        verdict: sentences on all cells together.
    """

    name: str
    parameters: Mapping[str, Any]
    variants: Callable[[Mapping[str, Any], Table], Sequence[Variant]]
    verdict: Callable[[StudyResult], tuple[str, ...]] = field(default=lambda _: ())


@dataclass(frozen=True, kw_only=True, eq=False)
class Place:
    """Where a study works and on what.

    Attributes:
        folder: the study's.
        source: as the caller gave it.
        given: the settings of all cells.
        data: SHA-256 of what was read, see `prepare.fingerprint`.
        talk: how to talk.
    """

    folder: RunFolder
    source: Any
    given: Table
    data: str
    talk: Surroundings


class Done(NamedTuple):
    """A cell and the run behind it; None if it failed."""

    cell: StudyCell
    result: RunResult | None


@dataclass(frozen=True, kw_only=True)
class StudyEstimate:
    """What `--dry-run` says of a study.

    Attributes:
        cells: names in the order in which they would run.
        seconds: of pre-training, each cell.
        disk_bytes: of what stays.
    """

    cells: tuple[str, ...]
    seconds: tuple[float, ...]
    disk_bytes: int


def estimate_study(design: Design, source: Any, request: Request) -> StudyEstimate:
    """Checks everything the study would, takes a few steps of each cell in memory, and writes nothing.

    Raises:
        UserError: what the study would raise before training.
    """
    given = gather(request.config, request.overrides, request.settings)
    given = overlay(_common(given), given)
    variants = design.variants(design.parameters, given)
    _check(variants, source, given)
    found = [estimate(source, **common_settings(given, variant)) for variant in variants]
    return StudyEstimate(
        cells=tuple(variant.name for variant in variants),
        seconds=tuple(one.pretrain_seconds for one in found),
        disk_bytes=sum(one.disk_bytes for one in found) // 2,  # a finished cell keeps no checkpoints
    )


def carry_out_study(design: Design, source: Any, request: Request) -> StudyResult:
    """Runs every cell that is not finished, and writes `results.json` and `report.html` after each.

    Args:
        design: which study.
        source: as `few_labels.run`.
        request: common settings and folder, as for a run.

    Raises:
        SettingsError, DataError, OutputError: before any training.
        Interrupted: a signal came; finished cells and the checkpoint of the one under way are kept.
        ResourceError: disk, memory or a device gave out.
    """
    path = _path(design, source, request)
    with claimed(path, resume=request.resume, overwrite=request.overwrite) as folder:
        before = folder.read_asked() if request.resume else {}
        if before and before.get("study") != design.name:
            raise OutputError(f"{path} holds no study {design.name!r}", fix="choose another --out")
        given = _as_written(gather(request.config, request.overrides, request.settings))
        _check_same(path, before.get("settings", {}), given)
        given = overlay(dict(before.get("settings", {})), given)
        given = overlay(_common(given), given)
        source = source if source is not None else given.get("source")
        asked = {name: value for name, value in design.parameters.items() if value is not None}
        parameters = {**dict.fromkeys(design.parameters), **before.get("parameters", {}), **asked}
        variants = design.variants(parameters, given)
        data = _check(variants, source, given)
        if request.overwrite:
            folder.clear()
        named = str(source) if isinstance(source, str | Path) else "data in memory"
        kept = {"study": design.name, "parameters": parameters, "settings": {**given, "source": named}}
        atomic.write_text(folder.asked, toml_text(kept))
        given["source"] = named
        here = Place(folder=folder, source=source, given=given, data=data, talk=request.surroundings or Surroundings())
        return _conduct(design, variants, here)


def common_settings(given: Table, variant: Variant) -> Table:
    """All settings of a cell: those of the study with its own over them."""
    table = overlay({}, given)
    for name, value in variant.settings.items():
        overlay(table, nested(name, value))
    return table


def _conduct(design: Design, variants: Sequence[Variant], here: Place) -> StudyResult:
    began = time.monotonic()
    baseline = Variant(name=REFERENCE, settings={"plan.epochs": 0, "models": list(REFERENCES)})
    reference = _cell(baseline, here)
    done: list[Done] = []
    result = None
    for number, variant in enumerate(variants, 1):
        here.talk.tell(f"cell {number} of {len(variants)}: {variant.name}")
        done.append(_cell(variant, here))
        here.talk.tell(_line(done[-1].cell))
        result = _written(design, done, reference, here.folder)
    here.talk.tell(f"{len(variants)} cells in {time.monotonic() - began:.0f} s")
    assert result is not None  # there is at least one cell
    return result


def _cell(variant: Variant, here: Place) -> Done:
    """The cell, read if it is finished and run or gone on with if not."""
    path = here.folder.cells / variant.name
    table = common_settings(here.given, variant)
    result = _known(path, table, here.data)
    begun = RunFolder(path).settings.exists()
    quiet = replace(here.talk, tell=lambda _: None)
    given = {name: value for name, value in table.items() if name != "source"}
    try:
        if result is None:
            result = run(here.source, out=path, resume=begun, overwrite=not begun, surroundings=quiet, **given)
    except DivergedError as problem:
        return Done(StudyCell(name=variant.name, settings=dict(variant.settings), failure=problem.what), None)
    except (Interrupted, KeyboardInterrupt) as stopped:
        raise _explained(stopped, here) from None
    shutil.rmtree(RunFolder(path).checkpoints, ignore_errors=True)  # the result is there: nothing to go on with
    cell = StudyCell(
        name=variant.name,
        settings=dict(variant.settings),
        training=result.training,
        similarity=result.similarity,
        task=result.task,
        summary=result.summary,
        verdict=result.verdict,
        healthy=not result.illnesses if result.similarity or result.task else None,
        seconds=result.seconds["total"],
    )
    return Done(cell, result)


def _known(path: Path, table: Table, data: str) -> RunResult | None:
    """What a finished cell found, if it had these settings and these data."""
    folder = RunFolder(path)
    try:
        if folder.read_asked() != table or from_json(DataFacts, folder.data.read_text()).sha256 != data:
            return None
        return from_json(RunResult, folder.results.read_text())
    except (OSError, ValueError, SettingsError):
        return None


def _written(design: Design, done: Sequence[Done], reference: Done, folder: RunFolder) -> StudyResult:
    found = reference.result
    assert found is not None  # without training nothing diverges
    labels = max(score.labels for score in found.records)
    cells = tuple(_beside(one.cell, reference.cell, labels) for one in done)
    scores = [
        replace(score, settings=dict(one.cell.settings)) for one in done if one.result for score in one.result.records
    ]
    seconds = {"cells": sum(cell.seconds for cell in cells), "reference": reference.cell.seconds}
    result = StudyResult(
        study=design.name,
        source=found.source,
        encoder=found.encoder,
        seconds={**seconds, "total": sum(seconds.values())},
        data=found.data,
        labels=labels,
        cells=cells,
        records=(*found.records, *scores),
        reference=reference.cell.summary,
        notes=found.notes,
    )
    result = replace(result, verdict=design.verdict(result))
    atomic.write_text(folder.results, to_json(result))
    write_study_report(folder.path)
    return replace(result, folder=str(folder.path))


def _beside(cell: StudyCell, reference: StudyCell, labels: int) -> StudyCell:
    """The cell with what only the reference models show: a task that was solved and taught nothing."""
    found = worth({**reference.summary, **cell.summary}, labels)
    ills = [ill for ill in task_ills(cell.task, found) if ill.sentence not in cell.verdict]
    if not ills:
        return cell
    return replace(cell, verdict=(*(ill.sentence for ill in ills), *cell.verdict), healthy=False)


def accuracy(summary: Mapping[str, Mapping[str, Interval]], model: str, labels: int) -> float | None:
    """The mean accuracy of a model at a number of labels, 0..1, or None."""
    interval = summary.get(model, {}).get(str(labels))
    return interval.mean if interval else None


def _as_written(given: Table) -> Table:
    """The settings as a file would give them back, where tuples are lists: so they compare with those of a folder."""
    return tomllib.loads(toml_text(given))


def _common(given: Table) -> Table:
    """What every cell has unless somebody asks for something else."""
    labels = given.get("labels", 100)
    return {"models": list(READERS), **({"label_counts": [labels]} if labels else {})}


def _path(design: Design, source: Any, request: Request) -> Path:
    if request.resume and request.overwrite:
        raise SettingsError(["--resume and --overwrite exclude each other"])
    if request.out is not None:
        return Path(request.out)
    if request.resume:
        raise SettingsError(["--resume needs --out: which study should go on?"])
    named = source if isinstance(source, str | Path) else request.settings.get("source") or "study"
    return free_name(str(named)[:200], f"study-{design.name}")


def _check_same(path: Path, before: Table, given: Table) -> None:
    """Raises SettingsError if settings that all cells have are not those that the study began with."""
    if not before:
        return
    old = merge(RunSettings(), before)
    changed = differences(old, merge(old, given))
    if changed:
        raise SettingsError(
            [f"{path} holds a study with other settings: {'; '.join(changed)}"],
            fix="resume with the settings of that study, or choose another --out",
        )


def _check(variants: Sequence[Variant], source: Any, given: Table) -> str:
    """Raises what the cells would raise, all problems of all cells together; returns the data's fingerprint."""
    problems: dict[str, None] = {}
    if not variants:
        problems["there is no cell to run: give at least one value to each list"] = None
    for variant in variants:
        try:
            gather(None, (), common_settings(given, variant))
        except SettingsError as found:
            problems |= dict.fromkeys(found.problems)
    if problems:
        raise SettingsError(list(problems))
    largest = max(variants, key=lambda variant: variant.settings.get("plan.batch_size", 0))  # it asks most of the data
    prepared = prepare(source, common_settings(given, largest), needs_labels=True)
    check_trainable([common_settings(given, variant) for variant in variants], prepared)
    return fingerprint(prepared.source)


def _line(cell: StudyCell) -> str:
    if cell.failure:
        return f"  {cell.failure}"
    figures = [
        f"{model} {100 * interval.mean:.1f} %"
        for model, by_count in cell.summary.items()
        for interval in list(by_count.values())[-1:]
    ]
    return f"  {', '.join(figures)}, {cell.seconds:.0f} s"


def _explained(stopped: Interrupted | KeyboardInterrupt, here: Place) -> Interrupted:
    talk, folder = here.talk, here.folder
    how = (
        resume_command(talk.command, folder.path)
        if talk.is_shell_command
        else f"call it again with resume=True and out={str(folder.path)!r}"
    )
    what, number = ("stopped", 2)
    if isinstance(stopped, Interrupted):
        what, number = stopped.what, stopped.exit_status - 128
    return Interrupted(what, why="finished cells are kept", fix=f"go on with: {how}", signal_number=number)
