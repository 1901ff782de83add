"""The arms of a transfer: each way to learn the target from few labels, on the same draws and for as many steps.

Every arm is one of three starts (random weights, pre-trained on generated images, pre-trained on the real source) and
one of a few ways to learn the target from there (labels alone, a source classifier's answers beside them, pseudo
samples beside them, real unlabelled images beside them). So an arm differs from another in what its name says alone.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from hundredfold.data.images import ImageSet
from hundredfold.encoders._base import Encoder, EncoderSpec
from hundredfold.encoders.build import rebuild
from hundredfold.evaluate.features import features
from hundredfold.evaluate.learner import Learnt, of_network
from hundredfold.methods._base import Method
from hundredfold.methods.contrastive import simclr
from hundredfold.methods.labelled import distillation, fixmatch
from hundredfold.methods.labelled._classifier import ClassifierMethod
from hundredfold.methods.labelled.distillation import Distillation
from hundredfold.methods.labelled.finetune import Finetune
from hundredfold.methods.labelled.fixmatch import FixMatch
from hundredfold.methods.labelled.uda import UDA
from hundredfold.random import derive, seeded
from hundredfold.train.engine import Engine
from hundredfold.train.stop import StopRequest
from hundredfold.transfer.fit_steps import fit_steps
from hundredfold.transfer.generator import Generator
from hundredfold.transfer.pseudo_pretraining import PseudoPretraining, nothing
from hundredfold.transfer.pseudo_semi_supervised import Cascade, PseudoSemiSupervised
from hundredfold.transfer.samples import Samples
from hundredfold.transfer.settings import TransferSettings
from hundredfold.transfer.source_classifier import SourceClassifier
from hundredfold.views.chain import Chain


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One way to learn the target.

    Attributes:
        name: "scratch", "pseudo_pretraining", ...
        title: as a person calls it.
        meaning: a sentence.
        start: where weights come from: "random", "samples", "contrastive_samples" or "real_source".
        lesson: what is learnt from beside labels: "" for nothing, "logits", "soft_target" or "relational" for the
            source classifier's answers, "pseudo_samples", or "real_unlabelled".
        longer: whether the target is learnt for as many steps more as pre-training takes.
        against: the arm that it goes on from, or empty.
    """

    name: str
    title: str
    meaning: str
    start: str = "random"
    lesson: str = ""
    longer: bool = False
    against: str = ""

    @property
    def oracle(self) -> bool:
        """Whether it uses data that a transfer does not have."""
        return self.start == "real_source" or self.lesson == "real_unlabelled"

    @property
    def pretrained(self) -> bool:
        """Whether its weights are not random."""
        return self.start != "random"


ARMS = (
    Arm(name="scratch", title="from scratch", meaning="random weights, the labels alone"),
    Arm(
        name="long_scratch",
        title="from scratch, longer",
        meaning="random weights, the labels alone, for as many steps as pre-training and learning take together",
        longer=True,
    ),
    Arm(
        name="logit_matching",
        title="logit matching",
        meaning="the labels, and the logits of the source classifier on the same images",
        lesson="logits",
        against="scratch",
    ),
    Arm(
        name="soft_target",
        title="soft targets",
        meaning="the labels, and the softened probabilities of the source classifier on the same images",
        lesson="soft_target",
        against="scratch",
    ),
    Arm(
        name="relational",
        title="relational distillation",
        meaning="the labels, and distances and angles between the source classifier's features of the same images",
        lesson="relational",
        against="scratch",
    ),
    Arm(
        name="pseudo_pretraining",
        title="PP",
        meaning="pre-trained to tell the source's classes in generated images, then the labels alone",
        start="samples",
    ),
    Arm(
        name="contrastive_pretraining",
        title="PP, contrastive",
        meaning="pre-trained by SimCLR on generated images, then the labels alone",
        start="contrastive_samples",
    ),
    Arm(
        name="pseudo_semi_supervised",
        title="P-SSL",
        meaning="random weights, the labels, and pseudo samples of the target images as unlabelled ones",
        lesson="pseudo_samples",
        against="scratch",
    ),
    Arm(
        name="pseudo_both",
        title="PP + P-SSL",
        meaning="pre-trained as PP, then the labels and pseudo samples",
        start="samples",
        lesson="pseudo_samples",
        against="pseudo_pretraining",
    ),
    Arm(
        name="source_oracle",
        title="real source",
        meaning="pre-trained on the source's real images, which a transfer does not have",
        start="real_source",
    ),
    Arm(
        name="unlabelled_oracle",
        title="real unlabelled",
        meaning="random weights, the labels, and the target's real unlabelled images",
        lesson="real_unlabelled",
        against="scratch",
    ),
)
BY_NAME = {arm.name: arm for arm in ARMS}


@dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """The target, and what the source left.

    Attributes:
        images: the target's set; only the labels that an arm is given are read.
        classes: number of target classes.
        encoder: the target architecture.
        classifier, generator: of the source, in the target's form.
        views: strong views of the target's images.
        engine: where to compute.
        seed: of weights, batches, views and samples.
        settings: see `TransferSettings`.
        unlabelled: positions of real unlabelled images, for an oracle; may be none.
        source: real labelled source images, for an oracle, or None.
        stop: passed on to `fit`.
    """

    images: ImageSet
    classes: int
    encoder: EncoderSpec
    classifier: SourceClassifier
    generator: Generator
    views: Chain
    engine: Engine
    seed: int
    settings: TransferSettings
    unlabelled: Tensor
    source: ImageSet | None = None
    stop: StopRequest | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """What an arm learnt, and means of what its last epoch logged: the only one, but for the smallest sets."""

    learnt: Learnt
    logs: Mapping[str, float]


class Workshop:
    """Trains arms of one draw; what several start from is pre-trained once.

    Args:
        task: see `Task`.

    Attributes:
        plain_answers: which held-out labels the labels alone predict, by start, length and labels (see `choice`).
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.plain_answers: dict[tuple[str, bool, tuple[int, ...]], Tensor] = {}
        self._starts: dict[str, Encoder] = {}

    def learn(self, arm: Arm, taught: Tensor, chosen: Mapping[str, float]) -> Outcome:
        """The arm, learnt from the labels at `taught` [l].

        Args:
            arm: one of `ARMS`.
            taught: positions in the target's images.
            chosen: "weight" of the extra loss and "temperature" of the cascade, where the arm has them.

        Raises:
            Interrupted, DivergedError: as `fit`.
        """
        task, settings = self.task, self.task.settings
        weight = chosen.get("weight", 0.0)
        encoder = copy.deepcopy(self.start(arm.start))
        with seeded(derive(task.seed, "head")):
            method = self._method(arm, encoder, taught, weight, chosen.get("temperature", 1.0))
        real = arm.lesson == "real_unlabelled" and bool(weight)
        extra = bool(weight) and arm.lesson in ("pseudo_samples", "real_unlabelled")
        steps = settings.steps + (settings.pretrain_steps if arm.longer else 0)
        done = fit_steps(
            method,
            task.images.without_labels() if extra else task.images,
            task.unlabelled if real else taught,
            steps=steps,
            batch=settings.unlabelled_batch if extra else settings.batch,
            lr=settings.lr,
            weight_decay=settings.weight_decay,
            engine=task.engine,
            stop=task.stop,
            seed=derive(task.seed, "target"),
        )
        return Outcome(learnt=of_network(method), logs=done.epochs[-1].logs if done.epochs else {})

    def start(self, name: str) -> Encoder:
        """The encoder that an arm starts from; trained when it is first asked for, and not to be changed."""
        if name not in self._starts:
            encoder = rebuild(self.task.encoder, seed=self.task.seed)
            if name != "random":
                self._pretrain(name, encoder)
            self._starts[name] = encoder
        return self._starts[name]

    def probabilities(self, learnt: Learnt, images: ImageSet, index: Tensor) -> Tensor:
        """[n, classes] of the images at `index` [n]; rows sum to 1."""
        assert learnt.encoder is not None  # every arm trains one
        return learnt.head.probabilities(features(learnt.encoder, images, index, self.task.engine))

    def _pretrain(self, name: str, encoder: Encoder) -> None:
        task, settings = self.task, self.task.settings
        samples = Samples(task.generator, task.classifier, settings.sampling)
        with seeded(derive(task.seed, "pretraining head")):
            inner = self._pretraining(name, encoder)
        method: Method = inner
        positive = settings.positive if name == "contrastive_samples" else "view"
        if name == "real_source":
            assert task.source is not None  # or the arm would not have been asked for
            images = task.source
        elif settings.samples and positive == "view":
            images = samples.image_set(settings.samples, seed=derive(task.seed, "samples"))
        else:
            method = PseudoPretraining(inner, samples, positive=positive)
            images = nothing(settings.pretrain_steps * settings.pretrain_batch, task.images.channels)
        index = torch.arange(len(images)) if method is not inner else images.labelled()
        fit_steps(
            method,
            images,
            index,
            steps=settings.pretrain_steps,
            batch=settings.pretrain_batch,
            lr=settings.pretrain_lr,
            weight_decay=settings.weight_decay,
            engine=task.engine,
            stop=task.stop,
            seed=derive(task.seed, "pretraining"),
        )

    def _pretraining(self, name: str, encoder: Encoder) -> Method:
        task = self.task
        if name == "contrastive_samples":
            return simclr.SimCLR(encoder, task.views, simclr.Config())
        classes = task.source.classes if name == "real_source" and task.source else task.generator.classes
        return Finetune(encoder, len(classes), task.views if task.settings.pretrain_views else Chain(()))

    def _method(
        self, arm: Arm, encoder: Encoder, taught: Tensor, weight: float, temperature: float
    ) -> ClassifierMethod:
        task, settings = self.task, self.task.settings
        if not arm.lesson or not weight:
            return Finetune(encoder, task.classes, self._labelled())
        if arm.lesson in distillation.KINDS:
            config = distillation.Config(kind=arm.lesson, weight=weight, temperature=settings.distillation_temperature)
            return Distillation(encoder, task.classes, self._labelled(), task.classifier, config)
        inner = self._semi_supervised(encoder, taught, weight)
        if arm.lesson == "real_unlabelled":
            return inner
        cascade = Cascade(task.classifier, task.generator, replace(settings.cascade, temperature=temperature))
        return PseudoSemiSupervised(inner, cascade)

    def _semi_supervised(self, encoder: Encoder, taught: Tensor, weight: float) -> ClassifierMethod:
        task, settings = self.task, self.task.settings
        images, labels = task.engine.images(task.images.take(taught)), task.images.labels[taught]
        if settings.algorithm == "fixmatch":
            config = fixmatch.Config(labelled=settings.batch, unlabelled_weight=weight)
            return FixMatch(encoder, images, labels, task.classes, weak=Chain(()), strong=task.views, config=config)
        return UDA(
            encoder,
            images,
            labels,
            task.classes,
            weak=Chain(()),
            strong=task.views,
            labelled=self._labelled(),
            config=replace(settings.uda, labelled=settings.batch, unlabelled_weight=weight),
        )

    def _labelled(self) -> Chain:
        return self.task.views if self.task.settings.views else Chain(())
