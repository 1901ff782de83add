"""What a transfer answers: frozen records, JSON both ways as those of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import Field

from hundredfold.records import SCHEMA, DataSummary, Interval, Score


@dataclass(frozen=True, kw_only=True)
class GeneratorQuality:
    """Whether a generator's images may stand for the source's data.

    Attributes:
        generator: its name ("conditional_vae", "diffusion", ...).
        classes: names in the order of its conditions.
        samples: images that were drawn to judge it, of all classes alike.
        consistency: share of them that the source classifier takes for the class asked for, 0..1.
        consistency_by_class: the same of each class.
        hard_response: mean absolute change of a pixel from one class to the next at the same noise, 0..1; 0 where the
            generator ignores its condition.
        soft_response: the same from a mixture of two classes to the likelier of them; 0 where a soft condition is
            silently taken for its likeliest class.
        classification_accuracy: of a network that learnt from samples alone, on real test images of the source, 0..1
            (Ravuri & Vinyals 2019); None without such images.
        real_accuracy: of the same network that learnt from as many real images; None without them.
        test_images: real test images of the source, 0 if there are none.
        frechet: distance between features of samples and of real images; None without real ones.
        frechet_real: the same between two halves of the real images: what no generator can beat.
        frechet_features: whose features these are, or the empty text.
        memorised: share of samples that lie nearer to an image of the source's training set, for how densely such
            images lie around it, than all but 1 % of real held-out images do, 0..1; None without those sets. By chance
            it is 0.01.
        nearest_ratio: median, over samples, of the distance to the nearest training image, over the same median of
            held-out real images; below 1 samples lie nearer, as blurred ones do too. None without those sets.
        trusted: whether the samples may be learnt from without a word.
        sentences: what was found, for people; what speaks against the generator first.
    """

    generator: str
    classes: tuple[str, ...]
    samples: int
    consistency: float
    consistency_by_class: tuple[float, ...]
    hard_response: float
    soft_response: float
    classification_accuracy: float | None = None
    real_accuracy: float | None = None
    test_images: int = 0
    frechet: float | None = None
    frechet_real: float | None = None
    frechet_features: str = ""
    memorised: float | None = None
    nearest_ratio: float | None = None
    trusted: bool = True
    sentences: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One arm against another on the same draws, seeds and numbers of steps.

    Attributes:
        arm, against: names of arms.
        labels: how many both learnt from.
        mean: of arm - against over the draws, in accuracy (0.01 is a point).
        low, high: ends of the 95 % t interval; None for one draw.
        wins: draws in which the arm was better.
        draws: pairs.
    """

    arm: str
    against: str
    labels: int
    mean: float
    low: float | None
    high: float | None
    wins: int
    draws: int

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out "no difference"."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high


@dataclass(frozen=True, kw_only=True)
class Recovered:
    """How much of what an oracle gains over scratch an arm gains without the oracle's data.

    Attributes:
        arm, oracle: names of arms.
        labels: how many both learnt from.
        share: mean gain of the arm over mean gain of the oracle, 1 for all of it; None where the oracle gains nothing.
    """

    arm: str
    oracle: str
    labels: int
    share: float | None


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One setting of an arm, tried on halves of the labels of a draw: each half is predicted by the model of the other.

    Attributes:
        settings: by name ("weight", "temperature", ...).
        held_out: share of the labels that were predicted rightly, 0..1.
    """

    settings: dict[str, float]
    held_out: float


@dataclass(frozen=True, kw_only=True)
class ArmChoice:
    """How an arm's settings were chosen in one draw, without the test set.

    Attributes:
        arm: its name.
        labels, draw: of which draw.
        chosen: the settings.
        trials: what was compared.
    """

    arm: str
    labels: int
    draw: int
    chosen: dict[str, float]
    trials: tuple[Trial, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ArmFacts:
    """What an arm is.

    Attributes:
        name: "scratch", "pseudo_pretraining", ...
        title: as a person calls it.
        meaning: a sentence.
        oracle: whether it uses data that a transfer does not have.
        pretrain_steps, target_steps: of training.
    """

    name: str
    title: str
    meaning: str
    oracle: bool
    pretrain_steps: int
    target_steps: int


@dataclass(frozen=True, kw_only=True)
class TransferCell:
    """What is kept of one arm, learnt from one draw of labels, beside its predictions: a file under `cells/`.

    Attributes:
        choice: of its settings, or None where there was none to make.
        logs: means of what its training logged.
    """

    choice: ArmChoice | None = None
    logs: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TransferResult:
    """Everything a transfer found: the content of its `results.json`.

    Attributes:
        study: "transfer".
        source_classifier, generator, source: as asked for; `source` is the target's SOURCE.
        encoder: name of the target architecture.
        folder: where the folder is; not part of the file.
        seconds: wall clock by stage, "total" among them.
        data: what was read of the target.
        quality: of the generator.
        arms: in the order of the tables.
        label_counts: rising.
        records: one for each arm, label count and draw; `model` is the arm's name.
        summary: arm -> label count (as text) -> interval over the draws.
        comparisons: against scratch, long scratch and whatever an arm goes on from.
        recovered: of the oracles' gains.
        choices: of settings, by draw.
        logs: arm -> label count (as text) -> means over the draws of what its training logged ("sure", ...).
        chosen: name of the arm whose model is handed over, without oracles; empty in a study.
        why: a sentence on that choice.
        verdict: sentences a person can act on.
        notes: what was decided on the user's behalf, and why.
        settings: of the transfer, as given and resolved.
        schema: version of this layout.
    """

    study: str = "transfer"
    source_classifier: str
    generator: str
    source: str
    encoder: str
    seconds: dict[str, float]
    data: DataSummary
    quality: GeneratorQuality
    arms: tuple[ArmFacts, ...]
    label_counts: tuple[int, ...]
    records: tuple[Score, ...] = ()
    summary: dict[str, dict[str, Interval]] = field(default_factory=dict)
    comparisons: tuple[Comparison, ...] = ()
    recovered: tuple[Recovered, ...] = ()
    choices: tuple[ArmChoice, ...] = ()
    logs: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    chosen: str = ""
    why: str = ""
    verdict: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    schema: int = SCHEMA
    folder: Annotated[str, Field(exclude=True)] = ""
