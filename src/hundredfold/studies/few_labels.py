"""The main job: pre-train on the pool without labels, learn from few labels, compare, and write down the proof.

Source of the protocol: SimCLR on MNIST with 100 labels; baseline, linear probe and fine-tuning on the same draws,
learning curve over label counts, mean and two standard deviations.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hundredfold import atomic
from hundredfold.encoders.folder import load_encoder
from hundredfold.errors import CheckpointError, Interrupted, SettingsError
from hundredfold.evaluate.health import verdict
from hundredfold.evaluate.score import summarise
from hundredfold.records import RunResult, from_json, to_json
from hundredfold.report.page import write_report
from hundredfold.settings import Table
from hundredfold.studies.evaluation import Cell, Outcome, evaluation_stage
from hundredfold.studies.hand_over import choose, hand_over, worst_mistakes
from hundredfold.studies.prepare import Prepared, prepare
from hundredfold.studies.pretraining import as_bytes, pretrain_stage, similarity_stage, write_pictures
from hundredfold.studies.run_folder import RunFolder, claimed, free_name, require_room
from hundredfold.studies.run_settings import gather
from hundredfold.train.stop import StopRequest
from hundredfold.train.watch import Watch

CHECKPOINTS = 4  # on disk at once while one is being written, encoder and classifier included


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """How a run talks and where it came from; nothing here changes a number.

    Attributes:
        tell: gets lines for a person.
        watches: of pre-training.
        command: the command line, for `environment.json` and for the hint on resuming.
    """

    tell: Callable[[str], None] = lambda _: None
    watches: Sequence[Watch] = ()
    command: Sequence[str] = field(default_factory=lambda: tuple(sys.argv))


def run(
    source: Any,
    *,
    out: str | Path | None = None,
    config: str | Path | None = None,
    overrides: Sequence[str] = (),
    resume: bool = False,
    overwrite: bool = False,
    surroundings: Surroundings | None = None,
    **settings: Any,
) -> RunResult:
    """Pre-trains on `source` without its labels, learns from a few of them, compares, and writes the report.

    Args:
        source: a SOURCE (embedded set, folder, file), or arrays.
        out: the run folder; None takes a new one under `runs/`.
        config: a settings file to start from.
        overrides: texts such as "plan.lr=0.001".
        resume: go on with the run in `out`.
        overwrite: replace the run in `out`.
        surroundings: how to talk; silent if None.
        settings: any field of `RunSettings`, and `epochs`, `batch_size`, `lr`.

    Returns:
        What `results.json` holds, with the folder.

    Raises:
        UserError: settings, data or folder that cannot be used, before any training.
        DivergedError, ResourceError, Interrupted: on the way; the last good checkpoint stays.
    """
    return _in_folder(_run, source, out, config, overrides, resume, overwrite, surroundings, settings, labels=True)


def pretrain(
    source: Any,
    *,
    out: str | Path | None = None,
    config: str | Path | None = None,
    overrides: Sequence[str] = (),
    resume: bool = False,
    overwrite: bool = False,
    surroundings: Surroundings | None = None,
    **settings: Any,
) -> RunResult:
    """Pre-trains an encoder on `source`, whose labels are not looked at. Arguments and errors as `run`."""
    return _in_folder(_pretrain, source, out, config, overrides, resume, overwrite, surroundings, settings, labels=False)


def evaluate(
    run_folder: str | Path,
    source: Any,
    *,
    out: str | Path | None = None,
    config: str | Path | None = None,
    overrides: Sequence[str] = (),
    resume: bool = False,
    overwrite: bool = False,
    surroundings: Surroundings | None = None,
    **settings: Any,
) -> RunResult:
    """Compares models on the encoder of an existing run. Writes a run folder of its own; arguments as `run`.

    Args:
        run_folder: a run that holds an encoder.

    Raises:
        CheckpointError: it holds none, or a damaged one.
    """
    origin = Path(run_folder)
    encoder = load_encoder(origin)
    settings = {"encoder": encoder.spec.name, "encoder_settings": encoder.spec.settings, **settings}
    settings.setdefault("init_from", str(origin))
    if encoder.spec.height == encoder.spec.width:
        settings.setdefault("image_size", encoder.spec.height)

    def job(prepared: Prepared, folder: RunFolder, talk: Surroundings, stop: StopRequest) -> RunResult:
        _check_fit(encoder.spec.channels, encoder.spec.height, encoder.spec.width, prepared, origin)
        result = RunResult(
            source=prepared.settings.source,
            method=prepared.settings.method,
            encoder=prepared.settings.encoder,
            seconds={},
            data=prepared.source.summary(),
            notes=(*prepared.notes, f"encoder: the one of {origin}"),
        )
        return _evaluated(result, encoder, prepared, folder, talk, stop)

    target = out or origin.with_name(f"{origin.name}-evaluated")
    return _in_folder(job, source, target, config, overrides, resume, overwrite, surroundings, settings, labels=True)


def _run(prepared: Prepared, folder: RunFolder, talk: Surroundings, stop: StopRequest) -> RunResult:
    result, encoder = _pretrained(prepared, folder, talk, stop)
    return _evaluated(result, encoder, prepared, folder, talk, stop)


def _pretrain(prepared: Prepared, folder: RunFolder, talk: Surroundings, stop: StopRequest) -> RunResult:
    result, _ = _pretrained(prepared, folder, talk, stop)
    return replace(result, verdict=verdict(result.similarity, result.training, {}, 0))


def _in_folder(
    job: Callable[[Prepared, RunFolder, Surroundings, StopRequest], RunResult],
    source: Any,
    out: str | Path | None,
    config: str | Path | None,
    overrides: Sequence[str],
    resume: bool,
    overwrite: bool,
    surroundings: Surroundings | None,
    settings: Table,
    *,
    labels: bool,
) -> RunResult:
    """Checks everything that can be checked, claims the folder, does the job, writes results and report."""
    talk = surroundings or Surroundings()
    given = gather(config, list(overrides), settings)
    if resume and out is None:
        raise SettingsError(["--resume needs --out: which run should go on?"])
    source = source if source is not None else given.get("source")
    with ExitStack() as stack:
        method = str(given.get("method", "simclr"))
        path = Path(out) if out is not None else free_name(str(given.get("source", source))[:200], method)
        folder = stack.enter_context(claimed(path, resume=resume, overwrite=overwrite))
        began = time.monotonic()
        prepared = prepare(source, given, needs_labels=labels)
        folder.write_settings(prepared.settings)
        if resume and folder.results.exists():
            talk.tell(f"{path} is finished: nothing to do")
            write_report(path)
            return replace(from_json(RunResult, folder.results.read_text()), folder=str(path))
        engine = prepared.engine
        folder.write_environment(
            precision=engine.precision,
            device=engine.device.type,
            seed=prepared.settings.seed,
            command=list(talk.command),
        )
        folder.write_splits(prepared.split)
        for note in prepared.notes:
            talk.tell(note)
        stop = stack.enter_context(StopRequest())
        try:
            result = job(prepared, folder, talk, stop)
        except Interrupted as interrupted:
            hint = f"go on with the same command and --resume --out {path}"
            raise Interrupted(
                interrupted.what, why=interrupted.why, fix=hint, signal_number=interrupted.exit_status - 128
            ) from None
        total = sum(result.seconds.values()) or time.monotonic() - began
        result = replace(result, seconds={**result.seconds, "total": total})
        atomic.write_text(folder.results, to_json(result))
        write_report(path)
        return replace(result, folder=str(path))


def _pretrained(
    prepared: Prepared, folder: RunFolder, talk: Surroundings, stop: StopRequest
) -> tuple[RunResult, Any]:
    from hundredfold.studies.estimate import checkpoint_bytes

    require_room(folder.path, CHECKPOINTS * checkpoint_bytes(prepared))
    method, training = pretrain_stage(
        prepared, folder, watches=talk.watches, stop=stop
    )
    for note in training.notes:
        talk.tell(note)
    found, pictures = similarity_stage(method, prepared)
    write_pictures(folder, pictures)
    result = RunResult(
        source=prepared.settings.source,
        method=prepared.settings.method,
        encoder=prepared.settings.encoder,
        seconds={"pretrain": training.seconds},
        data=prepared.source.summary(),
        training=training,
        similarity=found,
        notes=(*prepared.notes, *training.notes),
    )
    return result, method.encoder


def _evaluated(
    result: RunResult, encoder: Any, prepared: Prepared, folder: RunFolder, talk: Surroundings, stop: StopRequest
) -> RunResult:
    began = time.monotonic()
    labels = prepared.settings.labels
    scores, outcomes = evaluation_stage(prepared, encoder, folder.cells, tell=talk.tell, stop=stop)
    summary = summarise(scores)
    chosen = choose(outcomes, summary, labels) if outcomes else None
    result = replace(result, records=scores, summary=summary, chosen=chosen)
    if chosen:
        hand_over(prepared, encoder, folder.classifier)
        result = replace(result, mistakes=_mistakes(prepared, outcomes, chosen.model, folder))
    spent = sum(outcome.seconds for outcome in outcomes.values())  # cells done before an interruption included
    return replace(
        result,
        verdict=verdict(result.similarity, result.training, summary, labels),
        seconds={**result.seconds, "evaluate": max(spent, time.monotonic() - began)},
    )


def _mistakes(prepared: Prepared, outcomes: dict[Cell, Outcome], model: str, folder: RunFolder) -> Any:
    outcome = outcomes[Cell(model=model, labels=prepared.settings.labels, draw=0)]
    mistakes, positions = worst_mistakes(prepared, outcome)
    held_out = prepared.held_out()
    if held_out is not None:
        write_pictures(folder, {"mistakes": as_bytes(held_out.images.take(positions))})
    return mistakes


def _check_fit(channels: int, height: int, width: int, prepared: Prepared, origin: Path) -> None:
    images = prepared.images
    if (channels, height, width) != (images.channels, *images.size):
        raise CheckpointError(
            f"the encoder of {origin} takes {channels}x{height}x{width} images",
            why=f"{prepared.settings.source} holds {images.channels}x{images.size[0]}x{images.size[1]}",
            fix="evaluate on the kind of images it was trained on, or bring them to its size with --set image_size",
        )


def read_result(folder: str | Path) -> RunResult:
    """The result of a finished run.

    Raises:
        CheckpointError: the folder holds none.
    """
    path = Path(folder) / "results.json"
    try:
        return replace(from_json(RunResult, path.read_text()), folder=str(folder))
    except (OSError, ValueError, json.JSONDecodeError) as problem:
        raise CheckpointError(f"{folder} is not a finished run", why=str(problem).splitlines()[0]) from problem
