"""What the library answers: frozen records, JSON both ways.

The names are those of `results.json`. `to_json` and `from_json` are each other's inverse for every record here.
"""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Annotated, Any, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter

from hundredfold.task_records import TaskFindings
from hundredfold.trust_records import Interval, Mistake, PoolFindings, Suspect, Trust

SCHEMA = 1
Record = TypeVar("Record")


@dataclasses.dataclass(frozen=True, kw_only=True)
class BadFile:
    """A file that was left out, and why."""

    path: str
    reason: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataSummary:
    """What was read.

    Attributes:
        source: as the user named it.
        images: number of images to learn from (labelled or not).
        test_images: number of held-out images, 0 if none.
        channels, height, width: of every image, after reading.
        classes: class names in label order, empty if nothing is labelled.
        labelled: number of images to learn from that carry a label.
        class_counts: labelled images by class, in the order of `classes`.
        in_memory: whether the pixels stay in memory.
        bad_files: files left out with their reasons.
        notes: what reading chose and why.
    """

    source: str
    images: int
    test_images: int
    channels: int
    height: int
    width: int
    classes: tuple[str, ...] = ()
    labelled: int = 0
    class_counts: tuple[int, ...] = ()
    in_memory: bool = True
    bad_files: tuple[BadFile, ...] = ()
    notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Histogram:
    """Counts between consecutive edges (one more edge than counts)."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Similarity:
    """How the projected views of held-out images lie on the sphere (cosine similarities).

    The two bounds are what the mean negative similarity leaves the positive one (Lee et al. 2025, theorem 5.2, and
    its sharper form that follows from their lemma C.6).

    Attributes:
        positive_mean, positive_variance: two views of the same image.
        negative_mean, negative_variance: views of different images, across the two views.
        alignment: mean squared distance of positives, lower is tighter (Wang & Isola 2020).
        uniformity: log mean Gaussian potential, lower is more even (Wang & Isola 2020).
        effective_rank: RankMe of the encoder's features (Garrido et al. 2023), at most `dimensions`.
        dimensions: of those features.
        images: n, how many images were compared; 0 in files of before it was kept.
        within_mean, within_variance: views of different images, in the same view.
        excess: -1/(n - 1) - negative_mean: how much further apart than in the optimum of the full batch; negative
            where they are closer.
        bound: 1 + negative_mean + 1/(n - 1), which positive_mean cannot exceed.
        sharp_bound: 1 + 2 (n - 1)/(n - 2) (negative_mean + 1/(n - 1)), which it cannot exceed either (n > 2).
        projection_rank: effective rank of the projections, at most `projection_dimensions`.
        projection_dimensions: of the projections.
        spread: standard deviation of a dimension of the unit-length projections, mean over dimensions, times the
            square root of their number: 0 if collapsed, 1 if spread evenly (Chen & He 2021, section 4.1).
        temperature: by which the loss divides similarities; None where it is no softmax over negatives.
        effective_negatives: share of the negatives that such a loss listens to, 0..1: the exponential of the entropy
            of their weights over their number.
        positives, negatives, withins: histograms over -1..1; None where only figures were kept.
    """

    positive_mean: float
    positive_variance: float
    negative_mean: float
    negative_variance: float
    alignment: float
    uniformity: float
    effective_rank: float
    dimensions: int
    images: int = 0
    within_mean: float | None = None
    within_variance: float | None = None
    excess: float | None = None
    bound: float | None = None
    sharp_bound: float | None = None
    projection_rank: float | None = None
    projection_dimensions: int | None = None
    spread: float | None = None
    temperature: float | None = None
    effective_negatives: float | None = None
    positives: Histogram | None = None
    negatives: Histogram | None = None
    withins: Histogram | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class EpochRecord:
    """One line of `metrics.jsonl`.

    Attributes:
        epoch: epochs done, from 1.
        step: steps done.
        loss: mean training loss of the epoch.
        val_loss: loss on held-out images under fixed views, or None if there are none.
        lr: learning rate of the last step.
        images_per_second: images through the training step, the wait for data included.
        data_wait: share of the epoch spent waiting for batches, 0..1.
        seconds: wall clock of the epoch, validation included.
        logs: means of what the method logged.
        similarity: figures on held-out images after the epoch, or None if there were none to look at.
    """

    epoch: int
    step: int
    loss: float
    val_loss: float | None = None
    lr: float
    images_per_second: float
    data_wait: float
    seconds: float
    logs: dict[str, float] = dataclasses.field(default_factory=dict)
    similarity: Similarity | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingResult:
    """What a call of `fit` did.

    Attributes:
        steps: steps done in all, resumed ones included.
        parameters: trainable parameters of the method.
        batch_size: images in a step.
        epochs: one record an epoch, resumed ones included.
        seconds: wall clock, summed over the runs that a resumed one went on from.
        precision: "float32" or "bfloat16".
        device: "cpu", "cuda", ...
        chance: the loss of a representation that tells nothing apart, or None if the method has no such level.
        floor: the lowest loss that can be reached, or None.
        peak_bytes: memory that training took at its peak beyond what was taken before it, or None if unknown or if
            nothing of the training is kept.
        notes: what happened on the way that the user should know.
    """

    steps: int
    parameters: int
    batch_size: int
    epochs: tuple[EpochRecord, ...]
    seconds: float
    precision: str
    device: str
    chance: float | None = None
    floor: float | None = None
    peak_bytes: int | None = None
    notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClassScore:
    """Precision and recall of one class, each in 0..1."""

    __pydantic_config__ = ConfigDict(populate_by_name=True)

    name: Annotated[str, Field(alias="class")]
    precision: float
    recall: float
    support: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Score:
    """One model, learnt from one draw of labels, on the test set.

    Attributes:
        model: `baseline`, `pixels`, `random_encoder`, `knn`, `linear_probe`, `finetune`.
        labels: how many labels it learnt from.
        draw: which draw of labels, from 0.
        seed: the run's seed.
        accuracy, macro_f1: on the test set, 0..1.
        seconds: to learn and to predict.
        confusion: rows are the true classes, columns the predicted ones, counts.
        per_class: precision and recall of each class.
        hyperparameters: what cross-validation on the labels chose.
        cross_validation: accuracy in that cross-validation, or None where nothing was chosen.
        settings: of the study's cell that it belongs to; empty outside of studies.
    """

    model: str
    labels: int
    draw: int
    seed: int
    accuracy: float
    macro_f1: float
    seconds: float
    confusion: tuple[tuple[int, ...], ...]
    per_class: tuple[ClassScore, ...]
    hyperparameters: dict[str, float] = dataclasses.field(default_factory=dict)
    cross_validation: float | None = None
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Candidate:
    """A model that could be handed over, learnt twice, each time from one half of the labels.

    Attributes:
        model: its name.
        held_out: share of the labels that the model of the other half gets right, 0..1.
        agreement: share of the unlabelled images that both models give the same class, 0..1.
    """

    model: str
    held_out: float
    agreement: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Chosen:
    """The model that a run hands over, chosen without the test set.

    Attributes:
        model: its name.
        why: a sentence.
        labels: how many it learnt from.
        mean, std: accuracy on the test images over the draws, told beside the choice and not used for it.
        candidates: what was compared; empty where there were too few labels for halves.
    """

    model: str
    why: str
    labels: int
    mean: float
    std: float
    candidates: tuple[Candidate, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunResult:
    """Everything a run found: the content of `results.json`.

    Attributes:
        source, method, encoder: as asked for.
        folder: where the run folder is; not part of the file.
        seconds: wall clock by stage, "total" among them.
        data: what was read.
        training: the pre-training, or None for a run that only evaluates.
        records: one for each model, label count and draw.
        summary: model -> label count (as text) -> interval over the draws.
        similarity: on held-out images, or None.
        task: how the task of pre-training was solved on held-out images, or None where it compares views instead.
        chosen: the model handed over, or None if nothing was labelled.
        mistakes: the chosen model's most confident errors.
        trust: how far to trust the chosen model, or None if there was nothing to test on.
        suspects: labelled images whose label looks wrong, the most suspicious first.
        pool: the images to learn from beside their labels, or None if nothing was chosen.
        verdict: sentences a person can act on.
        illnesses: names of what the verdict finds wrong with the representation or its training; none if healthy.
        notes: what was decided on the user's behalf, and why.
        schema: version of this layout.
    """

    source: str
    method: str
    encoder: str
    seconds: dict[str, float]
    data: DataSummary
    training: TrainingResult | None = None
    records: tuple[Score, ...] = ()
    summary: dict[str, dict[str, Interval]] = dataclasses.field(default_factory=dict)
    similarity: Similarity | None = None
    task: TaskFindings | None = None
    chosen: Chosen | None = None
    mistakes: tuple[Mistake, ...] = ()
    trust: Trust | None = None
    suspects: tuple[Suspect, ...] = ()
    pool: PoolFindings | None = None
    verdict: tuple[str, ...] = ()
    illnesses: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    schema: int = SCHEMA
    folder: Annotated[str, Field(exclude=True)] = ""


def to_json(record: object) -> str:
    """A record as indented JSON text; numbers that are not finite become null."""
    return json.dumps(_finite(to_plain(record)), indent=1, allow_nan=False, ensure_ascii=False)


def from_json(kind: type[Record], text: str) -> Record:
    """The record that `to_json` wrote.

    Raises:
        pydantic.ValidationError: a field is missing or of the wrong type.
    """
    return TypeAdapter(kind).validate_json(text)


def to_plain(record: object) -> Any:
    """A record as dicts, lists and numbers, with the names of `results.json`."""
    return TypeAdapter(type(record)).dump_python(record, mode="json", by_alias=True)


def _finite(plain: Any) -> Any:
    if isinstance(plain, dict):
        return {name: _finite(value) for name, value in plain.items()}
    if isinstance(plain, list):
        return [_finite(value) for value in plain]
    return None if isinstance(plain, float) and not math.isfinite(plain) else plain
