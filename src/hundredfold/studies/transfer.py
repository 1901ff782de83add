"""Transfer without the source's data: all arms on the same draws, what each is worth, and one model to hand over.

`transfer` is for a person with a target; `study_transfer` compares everything there is, oracles included. Both judge
the generator first, and neither learns from one that should not be trusted unless told to.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hundredfold import atomic
from hundredfold.errors import HundredfoldError, Interrupted, OutputError, SettingsError
from hundredfold.evaluate.score import summarise
from hundredfold.records import to_json
from hundredfold.report.page import write_transfer_report
from hundredfold.settings import Table, differences, merge, toml_text
from hundredfold.studies.claim import claimed, free_name
from hundredfold.studies.exhibits import keep
from hundredfold.studies.job import Request, Surroundings, resume_command
from hundredfold.studies.log import Log
from hundredfold.studies.prepare import fingerprint
from hundredfold.studies.run_folder import DataFacts, RunFolder
from hundredfold.studies.run_settings import RunSettings
from hundredfold.studies.transfer_cells import Done, TransferCells
from hundredfold.studies.transfer_exhibits import cascade_exhibit
from hundredfold.studies.transfer_hand_over import choose_arm, hand_over_arm
from hundredfold.studies.transfer_prepare import Ready, facts, get_ready
from hundredfold.studies.transfer_quality import judged, keep_quality, known_quality
from hundredfold.studies.transfer_request import TransferRequest, gathered
from hundredfold.studies.transfer_verdict import comparisons, recovered, verdict
from hundredfold.train.stop import StopRequest
from hundredfold.transfer.arms import ARMS, Arm
from hundredfold.transfer_records import ArmFacts, GeneratorQuality, TransferResult

TRANSFER_ARMS = ("scratch", "long_scratch", "pseudo_pretraining", "pseudo_both")
STUDY_ARMS = tuple(arm.name for arm in ARMS)


def transfer(
    target: Any = None,
    *,
    out: str | Path | None = None,
    config: str | Path | None = None,
    overrides: Sequence[str] = (),
    resume: bool = False,
    overwrite: bool = False,
    surroundings: Surroundings | None = None,
    **settings: Any,
) -> TransferResult:
    """Learns a target from few labels with what a source left: a classifier and a conditional generator.

    The generator is judged, networks are pre-trained on its images, the target is learnt from each draw of labels, with
    and without that, and one model is handed over.

    Args:
        target: a SOURCE or arrays, as for `run`.
        out: the folder; None makes a new one in `runs/`.
        config: a settings file (TOML), with a table `[transfer]`.
        overrides: assignments such as "transfer.steps=500".
        resume: go on with the transfer in `out`.
        overwrite: replace it.
        surroundings: how to talk.
        settings: `source_classifier` and `generator` (folders), `source_data` and `source_test` (SOURCEs of the
            source's real images, to judge the generator by), `resize`, `use_anyway`, `arms`, and those of a run that
            speak of data and labels (`labels`, `label_counts`, `draws`, `test`, `labelled`, `encoder`, `seed`, ...).

    Raises:
        SettingsError, DataError, OutputError: before any training.
        CheckpointError: the artefacts cannot be used, or the generator should not be trusted.
        Interrupted: a signal came; finished arms are kept. DivergedError: as `fit`.
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
    return carry_out(target, request, arms=TRANSFER_ARMS, hand_over=True)


def study_transfer(
    target: Any = None,
    *,
    out: str | Path | None = None,
    config: str | Path | None = None,
    overrides: Sequence[str] = (),
    resume: bool = False,
    overwrite: bool = False,
    surroundings: Surroundings | None = None,
    **settings: Any,
) -> TransferResult:
    """Every arm on the same draws: baselines, pseudo pre-training, pseudo samples, and oracles where their data are.

    Arguments and errors as `transfer`; no model is handed over.
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
    return carry_out(target, request, arms=STUDY_ARMS, hand_over=False)


def carry_out(target: Any, request: Request, *, arms: Sequence[str], hand_over: bool) -> TransferResult:
    """Does a transfer in its folder and returns what it found.

    Args:
        target: as `transfer`.
        request: settings and folder.
        arms: names, unless the request says others.
        hand_over: whether one model is chosen and kept.
    """
    talk = request.surroundings or Surroundings()
    if request.resume and (request.overwrite or request.out is None):
        raise SettingsError(
            ["--resume and --overwrite exclude each other" if request.overwrite else "--resume needs --out"]
        )
    path = Path(request.out) if request.out is not None else free_name(str(target)[:200], "transfer")
    with claimed(path, resume=request.resume, overwrite=request.overwrite) as folder:
        before = folder.read_asked() if request.resume else {}
        if before and "transfer" not in before:
            raise OutputError(f"{path} holds no transfer", fix="choose another --out")
        asked = asked_for(request, before, arms)
        _check_same(path, before, asked)
        source = target_of(target, asked)
        ready = get_ready(source, asked)
        if request.overwrite:
            _spare_artefacts(asked, path)
            folder.clear()
        with Log(folder.log, talk.tell) as log, StopRequest() as stop:
            told = replace(talk, tell=log.tell)
            try:
                return _carried_out(ready, folder, told, stop, hand_over=hand_over)
            except Interrupted as stopped:
                explained = _explained(stopped, talk, folder)
                log.failure(explained)
                raise explained from None
            except HundredfoldError as problem:
                log.failure(problem)
                raise


def _carried_out(
    ready: Ready, folder: RunFolder, talk: Surroundings, stop: StopRequest, *, hand_over: bool
) -> TransferResult:
    began = time.monotonic()
    known = known_quality(ready, folder)
    found = None if known else judged(ready, talk, stop)
    looked = time.monotonic() - began
    _write_asked(ready, folder, talk)  # from here on the folder holds a transfer
    if found:
        keep_quality(found, ready, folder)
    quality = found.quality if found else known
    assert quality is not None
    for note in ready.notes:
        talk.tell(note)
    keep(folder, *cascade_exhibit(ready))
    cells = TransferCells(ready, folder.cells, tell=talk.tell, stop=stop)
    done = cells.learn()
    chosen, why = choose_arm(cells, done) if hand_over else ("", "")
    if chosen:
        hand_over_arm(cells, done, chosen, folder)
    result = _result(cells, done, quality, looked)  # from here on nothing is learnt or chosen
    result = replace(result, chosen=chosen, why=why)
    result = replace(result, verdict=verdict(result))
    atomic.write_text(folder.results, to_json(result))
    write_transfer_report(folder.path)
    return replace(result, folder=str(folder.path))


def _result(cells: TransferCells, done: Sequence[Done], quality: GeneratorQuality, looked: float) -> TransferResult:
    """What all cells say together; opens the test labels. `looked` is the seconds that judging the generator took."""
    ready = cells.ready
    records = cells.scores(done)
    spent = sum(one.outcome.seconds for one in done)
    return TransferResult(
        source_classifier=ready.request.source_classifier,
        generator=ready.request.generator,
        source=ready.prepared.settings.source,
        encoder=ready.prepared.settings.encoder,
        seconds={"quality": looked, "arms": spent, "total": looked + spent},
        data=ready.prepared.source.summary(),
        quality=quality,
        arms=tuple(_facts(arm, ready.request) for arm in ready.arms),
        label_counts=ready.prepared.settings.label_counts,
        records=records,
        summary=summarise(records),
        comparisons=comparisons(records, ready.arms),
        recovered=recovered(records, ready.arms),
        choices=tuple(one.beside.choice for one in done if one.beside.choice),
        logs=_mean_logs(done),
        notes=ready.notes,
        settings=_asked_table(ready),
    )


def _mean_logs(done: Sequence[Done]) -> dict[str, dict[str, dict[str, float]]]:
    """arm -> labels -> what its training logged, meant over the draws."""
    found: dict[str, dict[str, dict[str, list[float]]]] = {}
    for one in done:
        for name, value in one.beside.logs.items():
            by_count = found.setdefault(one.cell.model, {}).setdefault(str(one.cell.labels), {})
            by_count.setdefault(name, []).append(value)
    return {
        arm: {
            count: {name: sum(values) / len(values) for name, values in logs.items()}
            for count, logs in by_count.items()
        }
        for arm, by_count in found.items()
    }


def _facts(arm: Arm, request: TransferRequest) -> ArmFacts:
    return ArmFacts(name=arm.name, title=arm.title, meaning=arm.meaning, oracle=arm.oracle, **facts(arm, request))


def asked_for(request: Request, before: Table, arms: Sequence[str]) -> TransferRequest:
    """The request in full; errors as `gathered`.

    Args:
        request: as it was made.
        before: what the folder began with, or an empty table.
        arms: those that are meant where it names none.
    """
    asked = gathered(request.config, request.overrides, request.settings, before)
    return asked if asked.arms else replace(asked, arms=tuple(arms))


def target_of(target: Any, asked: TransferRequest) -> Any:
    """The target's SOURCE or data; raises SettingsError where nobody named one."""
    found = target if target is not None else asked.common.get("source")
    if found is None:
        raise SettingsError(["no target was given"], fix="name the target's images with --target SOURCE")
    return found


def _check_same(path: Path, before: Table, asked: TransferRequest) -> None:
    """Raises SettingsError if a transfer would go on with other settings than it began with."""
    if not before:
        return
    old = gathered(None, (), {}, before)
    deciding = ("arms", "resize", "use_anyway", "source_data", "source_test")
    changed = [name for name in deciding if getattr(old, name) != getattr(asked, name)]
    changed += differences(old.settings, asked.settings, "transfer.")
    before_that, now = (merge(RunSettings(), {**one.common, "source": ""}) for one in (old, asked))
    changed += differences(before_that, now)
    if changed:
        raise SettingsError(
            [f"{path} holds a transfer with other settings: {'; '.join(changed)}"],
            fix="resume with the settings of that transfer, or choose another --out",
        )


def _spare_artefacts(asked: TransferRequest, path: Path) -> None:
    """Raises OutputError if what is replaced holds the source's classifier or generator."""
    for artefact in (asked.source_classifier, asked.generator):
        place = Path(artefact).resolve()
        if path.resolve() in (place, *place.parents):
            raise OutputError(f"--overwrite would remove {artefact}, which is needed", fix="choose another --out")


def _asked_table(ready: Ready) -> Table:
    """What was asked for, with the target's SOURCE: the same where a transfer goes on and nobody names it again."""
    return {**ready.request.table(), "source": ready.prepared.settings.source}


def _write_asked(ready: Ready, folder: RunFolder, talk: Surroundings) -> None:
    """What was asked for, and of which data: so that a transfer goes on with the same."""
    prepared = ready.prepared
    atomic.write_text(folder.asked, toml_text(_asked_table(ready)))
    source = prepared.source
    folder.write_data(
        DataFacts(
            sha256=fingerprint(source),
            images=len(source.train),
            test_images=len(source.test) if source.test else 0,
            notes=ready.notes,
        )
    )
    folder.write_environment(
        precision=prepared.engine.precision,
        device=prepared.engine.device.type,
        seed=prepared.settings.seed,
        command=list(talk.command),
    )
    folder.write_splits(prepared.split)


def _explained(stopped: Interrupted, talk: Surroundings, folder: RunFolder) -> Interrupted:
    how = (
        resume_command(talk.command, folder.path)
        if talk.is_shell_command
        else f"call it again with resume=True and out={str(folder.path)!r}"
    )
    begun = folder.asked.exists()
    fix = f"go on with: {how}" if begun else "start it again: nothing had been learnt"
    return Interrupted(stopped.what, fix=fix, signal_number=stopped.exit_status - 128)
