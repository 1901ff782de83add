"""What a study answers: frozen records, JSON both ways as those of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import Field

from hundredfold.records import SCHEMA, DataSummary, Interval, Score, Similarity, TrainingResult
from hundredfold.task_records import TaskFindings


@dataclass(frozen=True, kw_only=True)
class StudyCell:
    """One run of a study.

    Attributes:
        name: of its folder under `cells/`.
        settings: what makes it different from the others, by the settings' names ("method", "plan.batch_size", ...).
        training: the pre-training, or None where nothing was pre-trained.
        similarity: on held-out images at the end of it, or None.
        task: how the task of pre-training was solved on held-out images, or None where it compares views instead.
        summary: model -> label count (as text) -> interval over the draws.
        verdict: sentences on this cell's representation and training.
        healthy: whether they name no illness; None where nothing could be looked at.
        seconds: wall clock of pre-training and evaluation.
        failure: why it has no figures (training diverged), or empty.
    """

    name: str
    settings: dict[str, Any]
    training: TrainingResult | None = None
    similarity: Similarity | None = None
    task: TaskFindings | None = None
    summary: dict[str, dict[str, Interval]] = field(default_factory=dict)
    verdict: tuple[str, ...] = ()
    healthy: bool | None = None
    seconds: float = 0.0
    failure: str = ""


@dataclass(frozen=True, kw_only=True)
class StudyResult:
    """Everything a study found: the content of its `results.json`.

    Attributes:
        study: "methods" or "batch-size".
        source, encoder: as asked for.
        folder: where the study's folder is; not part of the file.
        seconds: wall clock by stage, "total" among them, summed over the cells.
        data: what was read.
        labels: the label count that its tables speak of.
        cells: in the order of the study.
        records: of all cells, each with its cell's settings.
        reference: models that do not depend on pre-training (`pixels`, `random_encoder`), as in `RunResult.summary`.
        verdict: sentences a person can act on.
        notes: what was decided on the user's behalf, and why.
        schema: version of this layout.
    """

    study: str
    source: str
    encoder: str
    seconds: dict[str, float]
    data: DataSummary
    labels: int
    cells: tuple[StudyCell, ...]
    records: tuple[Score, ...] = ()
    reference: dict[str, dict[str, Interval]] = field(default_factory=dict)
    verdict: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    schema: int = SCHEMA
    folder: Annotated[str, Field(exclude=True)] = ""
