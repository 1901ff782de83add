"""The main job: pre-train on the pool without labels, learn from few labels, compare, and write down the proof.

Source of the protocol: SimCLR on MNIST with 100 labels; baseline, linear probe and fine-tuning on the same draws,
learning curve over label counts, mean and two standard deviations.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hundredfold.data.streaming import read_failures
from hundredfold.encoders._base import Encoder
from hundredfold.encoders.folder import load_encoder
from hundredfold.evaluate.health import illnesses
from hundredfold.evaluate.pool import pool_sentences
from hundredfold.evaluate.score import summarise
from hundredfold.evaluate.verdict import verdict, worth
from hundredfold.methods import catalogue as methods
from hundredfold.methods._base import Method
from hundredfold.records import BadFile, Chosen, RunResult
from hundredfold.studies.choice import Choice, choose
from hundredfold.studies.claim import require_room
from hundredfold.studies.estimate import checkpoint_bytes
from hundredfold.studies.evaluation import Evaluation, all_cells, scores
from hundredfold.studies.examination import similarity_stage
from hundredfold.studies.findings import (
    about_pool,
    how_far_to_trust,
    predict_pool,
    reach_of_pool,
    suspects,
    worst_mistakes,
    write_predictions,
    write_suspects,
)
from hundredfold.studies.hand_over import save_classifier
from hundredfold.studies.job import Request, Surroundings, Work, carry_out
from hundredfold.studies.pictures import as_bytes, write_pictures
from hundredfold.studies.prepare import Prepared
from hundredfold.studies.pretraining import new_method, pretrain_stage
from hundredfold.studies.reuse import check_fit, settings_of
from hundredfold.studies.run_folder import RunFolder
from hundredfold.studies.task import task_stage
from hundredfold.studies.task_exhibits import show_task
from hundredfold.train.stop import StopRequest
from hundredfold.train.watch import TensorBoard, Watch

CHECKPOINTS = 4  # on disk at once while one is being written, encoder, generator and classifier included
NETWORKS_KEPT = 3  # those that learn from labels, for the one that may be handed over


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
    request = Request(
        out=out,
        config=config,
        overrides=overrides,
        resume=resume,
        overwrite=overwrite,
        surroundings=surroundings,
        settings=settings,
    )
    return carry_out(_run, source, request, needs_labels=True)


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
    request = Request(
        out=out,
        config=config,
        overrides=overrides,
        resume=resume,
        overwrite=overwrite,
        surroundings=surroundings,
        settings=settings,
    )
    return carry_out(_pretrain, source, request, needs_labels=False)


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
    request = Request(
        out=out or origin.with_name(f"{origin.resolve().name}-evaluated"),
        config=config,
        overrides=overrides,
        resume=resume,
        overwrite=overwrite,
        surroundings=surroundings,
        settings=settings,
    )

    def job(prepared: Prepared) -> Work:
        check_fit(encoder, prepared, origin)

        def work(folder: RunFolder, talk: Surroundings, stop: StopRequest) -> RunResult:
            notes = (f"encoder: the one of {origin}", *_seen_before(prepared), *_labels_seen(origin))
            result = _result(prepared, notes=notes)
            return _evaluated(result, encoder, prepared, folder, talk, stop)

        return work

    return carry_out(job, source, request, needs_labels=True, fixed=settings_of(encoder, origin))


def _run(prepared: Prepared) -> Work:
    method = new_method(prepared)
    kept = sum(parameter.numel() * parameter.element_size() for parameter in method.encoder.parameters())
    needed = CHECKPOINTS * checkpoint_bytes(method) + NETWORKS_KEPT * kept

    def work(folder: RunFolder, talk: Surroundings, stop: StopRequest) -> RunResult:
        require_room(folder.path, needed)
        result, method = _pretrained(prepared, folder, talk, stop)
        return _evaluated(result, method.encoder, prepared, folder, talk, stop)

    return work


def _pretrain(prepared: Prepared) -> Work:
    needed = CHECKPOINTS * checkpoint_bytes(new_method(prepared))

    def work(folder: RunFolder, talk: Surroundings, stop: StopRequest) -> RunResult:
        require_room(folder.path, needed)
        result, _ = _pretrained(prepared, folder, talk, stop)
        found = verdict(result.similarity, result.training, {}, 0, task=result.task)
        return replace(result, verdict=found, illnesses=illnesses(result.similarity, result.training, result.task))

    return work


def _pretrained(
    prepared: Prepared, folder: RunFolder, talk: Surroundings, stop: StopRequest
) -> tuple[RunResult, Method]:
    watches = [*talk.watches, *_tensorboard(folder)]
    method, training = pretrain_stage(prepared, folder, watches=watches, stop=stop)
    lost = read_failures(prepared.images)
    notes = (*training.notes, *_lost(lost))
    for note in notes:
        talk.tell(note)
    found, pictures = similarity_stage(method, prepared)
    write_pictures(folder, pictures)
    result = replace(_result(prepared, notes=notes), training=training, seconds={"pretrain": training.seconds})
    if found is None:
        result = replace(result, task=task_stage(method, prepared))
        show_task(method, prepared, folder)
    return replace(result, similarity=found), method


def _evaluated(
    result: RunResult, encoder: Encoder, prepared: Prepared, folder: RunFolder, talk: Surroundings, stop: StopRequest
) -> RunResult:
    held_out = prepared.held_out()
    if held_out is None:
        return result
    began = time.monotonic()
    evaluation = Evaluation(prepared, encoder, folder.cells, tell=talk.tell, stop=stop)
    outcomes = evaluation.learn(all_cells(prepared))
    choice = choose(evaluation)
    records = scores(prepared, outcomes, held_out.open())  # from here on nothing is learnt or chosen
    result = replace(result, records=records, summary=summarise(records))
    if choice:
        result = _handed_over(result, choice, evaluation, folder)
    labels = prepared.settings.labels
    found = verdict(result.similarity, result.training, result.summary, labels, task=result.task, tested=len(held_out))
    about = pool_sentences(result.pool, prepared.classes) if result.pool else ()
    spent = sum(outcome.seconds for outcome in evaluation.outcomes.values())  # before an interruption included
    return replace(
        result,
        verdict=(*found, *about),
        illnesses=illnesses(result.similarity, result.training, result.task, worth(result.summary, labels)),
        seconds={**result.seconds, "evaluate": max(spent, time.monotonic() - began)},
    )


def _handed_over(result: RunResult, choice: Choice, evaluation: Evaluation, folder: RunFolder) -> RunResult:
    """What follows from the choice: the classifier, its predictions, and how far to trust it."""
    prepared, labels = evaluation.prepared, evaluation.prepared.settings.labels
    found = how_far_to_trust(choice, evaluation)
    classifier = evaluation.classifier(choice.model, temperature=found.calibration.temperatures[0])
    save_classifier(classifier, folder.classifier)
    shares, reach = predict_pool(classifier, evaluation), reach_of_pool(evaluation)
    write_predictions(folder.predictions, shares, reach, prepared)
    doubted, positions = suspects(evaluation)
    write_suspects(folder.suspects, doubted)
    mistakes, wrong = worst_mistakes(prepared, evaluation.outcomes[evaluation.handed_over(choice.model)])
    held_out = prepared.held_out()
    assert held_out is not None
    taken = {"mistakes": held_out.images.take(wrong), "suspects": prepared.images.take(positions)}
    write_pictures(folder, {name: as_bytes(images) for name, images in taken.items()})
    on_test = result.summary[choice.model][str(labels)]
    chosen = Chosen(
        model=choice.model,
        why=choice.why,
        labels=labels,
        mean=on_test.mean,
        std=on_test.std,
        candidates=choice.candidates,
    )
    pool = about_pool(shares, reach, evaluation)
    return replace(result, chosen=chosen, trust=found, suspects=doubted, mistakes=mistakes, pool=pool)


def _result(prepared: Prepared, *, notes: tuple[str, ...]) -> RunResult:
    """What is known of a run before anything is learnt."""
    settings = prepared.settings
    return RunResult(
        source=settings.source,
        method=settings.method,
        encoder=settings.encoder,
        seconds={},
        data=prepared.source.summary(),
        notes=notes,
    )


def _seen_before(prepared: Prepared) -> tuple[str, ...]:
    if prepared.source.test is not None:
        return ()
    return (
        "test images were held out of this source: an encoder that was pre-trained on it has seen them, without labels",
    )


def _labels_seen(origin: Path) -> tuple[str, ...]:
    """A sentence if the encoder learnt from labels, of which a model of few must know nothing."""
    folder = RunFolder(origin)
    method = folder.read_settings().method if folder.settings.exists() else ""
    if not method or not methods.info(method).learns_from_labels:
        return ()
    return (f"the encoder of {origin} has learnt from labels ({method}): what it reaches with few of them is too good",)


def _tensorboard(folder: RunFolder) -> list[Watch]:
    return [TensorBoard(folder.tensorboard)] if importlib.util.find_spec("tensorboard") else []


def _lost(files: Sequence[BadFile]) -> list[str]:
    if not files:
        return []
    return [
        f"{len(files)} images could no longer be read while training and were left out of their batches; "
        f"the first: {files[0].path} ({files[0].reason})"
    ]
