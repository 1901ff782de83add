"""A job in a run folder: everything is checked before anything is written, and whatever ends it, it can be resumed.

What the job is (pre-train, evaluate, both) comes from `studies.few_labels`.
"""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

from hundredfold import atomic
from hundredfold.errors import HundredfoldError, Interrupted, OutputError, SettingsError
from hundredfold.records import RunResult, from_json, to_json
from hundredfold.report.page import write_report
from hundredfold.settings import Table, overlay
from hundredfold.studies.claim import claimed, free_name
from hundredfold.studies.log import Log, LogEpochs
from hundredfold.studies.prepare import Prepared, fingerprint, prepare
from hundredfold.studies.run_folder import DataFacts, RunFolder
from hundredfold.studies.run_settings import gather
from hundredfold.train.stop import StopRequest
from hundredfold.train.watch import Watch


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """How a run talks and where it came from; nothing here changes a number.

    Attributes:
        tell: gets lines for a person.
        watches: of pre-training.
        command: the command line, for `environment.json` and for the hint on resuming.
        is_shell_command: whether a person can paste `command` into a shell; if not, the hint speaks Python.
    """

    tell: Callable[[str], None] = lambda _: None
    watches: Sequence[Watch] = ()
    command: Sequence[str] = field(default_factory=lambda: tuple(sys.argv))
    is_shell_command: bool = False


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the caller of a study asked for, as `few_labels.run` documents it."""

    out: str | Path | None = None
    config: str | Path | None = None
    overrides: Sequence[str] = ()
    resume: bool = False
    overwrite: bool = False
    surroundings: Surroundings | None = None
    settings: Table = field(default_factory=dict)


Work: TypeAlias = Callable[[RunFolder, Surroundings, StopRequest], RunResult]
Job: TypeAlias = Callable[[Prepared], Work]  # checks what can be checked without a folder, and says what to do in one


def carry_out(job: Job, source: Any, request: Request, *, needs_labels: bool, fixed: Table | None = None) -> RunResult:
    """Does a job in its run folder and returns what it found.

    Args:
        job: what to do.
        source: as `few_labels.run`.
        request: settings and folder.
        needs_labels: whether models will be learnt from labels.
        fixed: settings that the job itself decides.
    """
    given = gather(request.config, request.overrides, request.settings)
    problems = []
    if request.resume and request.overwrite:
        problems.append("--resume and --overwrite exclude each other")
    if request.resume and request.out is None:
        problems.append("--resume needs --out: which run should go on?")
    if problems:
        raise SettingsError(problems)
    path = Path(request.out) if request.out is not None else _free_name(source, given)
    with claimed(path, resume=request.resume, overwrite=request.overwrite) as folder:
        if request.resume:  # what is not said again stays as it was asked for
            given = overlay(folder.read_asked(), given)
        overlay(given, fixed or {})
        talk = request.surroundings or Surroundings()
        with Log(folder.log, talk.tell) as log:
            told = replace(talk, tell=log.tell, watches=[*talk.watches, LogEpochs(log)])
            try:
                return _carried_out(job, source, given, folder, told, needs_labels, request.overwrite)
            except KeyboardInterrupt:  # while preparing, or a second one
                if not folder.settings.exists():
                    raise
                stopped = Interrupted("stopped at once", signal_number=2)
                raise _explained(stopped, folder, talk, log) from None
            except Interrupted as stopped:
                raise _explained(stopped, folder, talk, log) from None
            except HundredfoldError as problem:
                if folder.settings.exists():
                    log.failure(problem)
                raise
            except Exception as problem:
                log.failure(problem)
                problem.add_note(f"the traceback is in {folder.log}")
                raise


def resume_command(command: Sequence[str], path: Path) -> str:
    """The command line that goes on with the run in `path`, as a shell takes it.

    >>> resume_command(["hundredfold", "run", "my photos", "--overwrite"], Path("demo"))
    "hundredfold run 'my photos' --resume --out demo"
    """
    end = list(command).index("--") if "--" in command else len(command)  # what follows is no option
    kept = [part for part in command[:end] if part not in ("--overwrite", "--resume")]
    named = any(part == "--out" or part.startswith("--out=") for part in kept)
    return shlex.join([*kept, "--resume", *([] if named else ["--out", str(path)]), *command[end:]])


def _carried_out(
    job: Job, source: Any, given: Table, folder: RunFolder, talk: Surroundings, needs_labels: bool, overwrite: bool
) -> RunResult:
    began = time.monotonic()
    prepared = prepare(source if source is not None else given.get("source"), given, needs_labels=needs_labels)
    work = job(prepared)
    if overwrite:
        _keep_origin(prepared, folder)
        folder.clear()
    notes = _written(prepared, given, folder, talk)  # from here on the folder holds a run
    finished = _finished(folder)
    if finished:
        talk.tell(f"{folder.path} is finished: nothing to do")
        write_report(folder.path)
        return finished
    for line in (f"run folder: {folder.path}", *notes):
        talk.tell(line)
    with StopRequest() as stop:
        result = work(folder, talk, stop)
    total = sum(result.seconds.values()) or time.monotonic() - began
    result = replace(result, seconds={**result.seconds, "total": total}, notes=(*notes, *result.notes))
    atomic.write_text(folder.results, to_json(result))
    write_report(folder.path)
    return replace(result, folder=str(folder.path))


def _written(prepared: Prepared, asked: Table, folder: RunFolder, talk: Surroundings) -> tuple[str, ...]:
    """Writes what is known before the work, or compares it when resuming; returns what to tell of it."""
    folder.write_settings(prepared.settings, {**asked, "source": prepared.settings.source})
    source = prepared.source
    facts = folder.write_data(
        DataFacts(
            sha256=fingerprint(source),
            images=len(source.train),
            test_images=len(source.test) if source.test else 0,
            notes=prepared.notes,
        )
    )
    moved = folder.write_environment(
        precision=prepared.engine.precision,
        device=prepared.engine.device.type,
        seed=prepared.settings.seed,
        command=list(talk.command),
    )
    folder.write_splits(prepared.split)
    return (*facts.notes, *moved)


def _finished(folder: RunFolder) -> RunResult | None:
    """The result of a run that was resumed though it had ended; None if it has to go on (a damaged file too)."""
    try:
        return replace(from_json(RunResult, folder.results.read_text()), folder=str(folder.path))
    except (OSError, ValueError):
        return None


def _keep_origin(prepared: Prepared, folder: RunFolder) -> None:
    origin = prepared.settings.init_from
    if origin and Path(origin).resolve() in (folder.path.resolve(), folder.encoder.resolve()):
        raise OutputError(
            f"--overwrite would remove {origin}, whose encoder this run starts from",
            fix="choose another --out",
        )


def _explained(stopped: Interrupted, folder: RunFolder, talk: Surroundings, log: Log) -> Interrupted:
    how = (
        resume_command(talk.command, folder.path)
        if talk.is_shell_command
        else f"call it again with resume=True and out={str(folder.path)!r}"
    )
    explained = Interrupted(
        stopped.what, why=stopped.why, fix=f"go on with: {how}", signal_number=stopped.exit_status - 128
    )
    log.failure(explained)
    return explained


def _free_name(source: Any, given: Table) -> Path:
    named = source if isinstance(source, str | Path) else given.get("source") or "run"
    return free_name(str(named)[:200], str(given.get("method", "simclr")))
