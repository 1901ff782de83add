"""UDA: what the model says of an unlabelled image is what it should say of the image strongly augmented.

Source: Xie, Dai, Hovy, Luong & Le, "Unsupervised Data Augmentation for Consistency Training", NeurIPS 2020 (arXiv
1904.12848), equation 1, confidence-based masking, sharpening of predictions and training signal annealing, and its
authors' code where the text is silent: only the side that is not augmented is sharpened; the threshold looks at the
unsharpened probability; the loss is the mean over the whole batch, kept or not; labelled, plain and augmented images
pass in one batch, so that batch statistics are those of all.
When to use it: few labels and unlabelled images that need not be of the same classes to the last one. When not: views
strong enough to change a class.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from hundredfold.encoders._base import Encoder
from hundredfold.methods.labelled._classifier import ClassifierMethod, Head
from hundredfold.types import ImageBatch, Progress, Step
from hundredfold.views.chain import Chain

ANNEALINGS = ("", "linear", "log", "exp")
SHARPNESS = 5.0  # of the logarithmic and exponential schedules, as in the authors' code


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of UDA.

    Attributes:
        labelled: labelled images in a step.
        unlabelled_weight: lambda, of the loss on unlabelled images; 0 leaves them out of the batch altogether.
        temperature: of the sharpened side, > 0; 1 does not sharpen.
        threshold: the loss counts where the model is surer than this, 0..1; 0 counts all.
        annealing: of the training signal: "linear", "log" or "exp" leave labelled images out that are predicted surely
            already, up to a threshold that rises from 1 / classes to 1; empty counts all.
    """

    labelled: int = 64
    unlabelled_weight: float = 1.0
    temperature: float = 1.0
    threshold: float = 0.0
    annealing: str = ""

    def problems(self) -> list[str]:
        """What cannot be used, one sentence each."""
        rules = [
            (self.labelled >= 1, f"labelled must be >= 1, got {self.labelled}"),
            (0 <= self.unlabelled_weight < math.inf, f"unlabelled_weight must be >= 0, got {self.unlabelled_weight}"),
            (0 < self.temperature < math.inf, f"temperature must be > 0, got {self.temperature}"),
            (0 <= self.threshold < 1, f"threshold must be at least 0 and below 1, got {self.threshold}"),
            (self.annealing in ANNEALINGS, f"annealing must be empty, linear, log or exp, got {self.annealing!r}"),
        ]
        return [sentence for kept, sentence in rules if not kept]


class UDAViews(NamedTuple):
    """Labelled images [l, c, h, w] with labels [l]; a plain and an augmented view of each unlabelled one."""

    labelled: Tensor
    labels: Tensor
    plain: Tensor  # [b, c, h, w]
    augmented: Tensor  # [b, c, h, w]


class UDA(ClassifierMethod):
    """UDA on an encoder that may be pre-trained.

    Args:
        encoder: where to start; trained in place.
        images: [l, c, h, w] the labelled images, as stored.
        labels: [l] in 0..classes - 1.
        classes: number of classes.
        weak, strong: the view of plain images, and that of augmented ones.
        labelled: the view of labelled images; None takes that of plain ones, as the authors do.
        config: see `Config`.
    """

    images: Tensor
    labels: Tensor
    share: Tensor  # [] of the plan's steps that are done

    def __init__(
        self,
        encoder: Encoder,
        images: Tensor,
        labels: Tensor,
        classes: int,
        *,
        weak: Chain,
        strong: Chain,
        labelled: Chain | None = None,
        config: Config | None = None,
    ) -> None:
        super().__init__(encoder, Head(encoder.features, classes))
        self.config = config or Config()
        self.weak, self.strong, self.labelled = weak, strong, labelled or weak
        self.register_buffer("images", images, persistent=False)
        self.register_buffer("labels", labels, persistent=False)
        self.register_buffer("share", torch.tensor(0.0))

    def views(self, batch: ImageBatch, rng: torch.Generator) -> UDAViews:
        """Labelled images drawn anew, and two views of each image of the batch."""
        drawn = torch.randint(len(self.labels), (self.config.labelled,), generator=rng).to(self.labels.device)
        return UDAViews(
            labelled=self.labelled(self.images[drawn], rng),
            labels=self.labels[drawn],
            plain=self.weak(batch.images, rng),
            augmented=self.strong(batch.images, rng),
        )

    def forward(self, views: UDAViews) -> Step:
        """Cross entropy of the labels, and the divergence of the augmented views' predictions from the plain ones'."""
        if not self.config.unlabelled_weight:
            loss = self.supervised(self.logits(views.labelled).float(), views.labels)
            return Step(loss, {"supervised": loss.detach()})
        sizes = [len(views.labelled), len(views.plain), len(views.augmented)]
        logits = self.logits(torch.cat([views.labelled, views.plain, views.augmented])).float()  # [l + 2b, classes]
        known, plain, augmented = logits.split(sizes)
        supervised = self.supervised(known, views.labels)
        unsupervised, kept = consistency(
            plain, augmented, temperature=self.config.temperature, threshold=self.config.threshold
        )
        loss = supervised + self.config.unlabelled_weight * unsupervised
        logs = {"supervised": supervised.detach(), "unsupervised": unsupervised.detach(), "sure": kept}
        return Step(loss, logs)

    def supervised(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Cross entropy of logits [l, classes] and labels [l], of those that training signal annealing lets pass."""
        each = functional.cross_entropy(logits, labels, reduction="none")  # [l]
        if not self.config.annealing:
            return each.mean()
        sure = logits.detach().softmax(1).gather(1, labels[:, None]).squeeze(1)  # [l]
        passed = sure <= signal_threshold(float(self.share), logits.shape[1], self.config.annealing)
        return (each * passed).sum() / passed.sum().clamp_min(1)

    def after_step(self, progress: Progress) -> None:
        """The threshold of the annealing rises."""
        self.share.fill_(progress.step / progress.steps)


def consistency(plain: Tensor, augmented: Tensor, *, temperature: float, threshold: float) -> tuple[Tensor, Tensor]:
    """KL(p || q) of p, the sharpened prediction of plain images, and q, that of augmented ones; p is a constant.

    Args:
        plain, augmented: [b, classes] logits of two views of the same images.
        temperature: by which the plain logits alone are divided, > 0.
        threshold: images count whose largest unsharpened probability is above it.

    Returns:
        The sum over images that count, divided by b, and the share of those that do; the first with a gradient.

    Source: arXiv 1904.12848, equation 1, with its confidence-based masking and sharpening of predictions.
    """
    sharp = (plain.detach() / temperature).log_softmax(1)
    counts = plain.detach().softmax(1).amax(1) > threshold  # [b]
    each = functional.kl_div(augmented.log_softmax(1), sharp, reduction="none", log_target=True).sum(1)  # [b]
    return (each * counts).mean(), counts.float().mean()


def signal_threshold(share: float, classes: int, schedule: str) -> float:
    """eta of training signal annealing, rising from 1 / classes to 1 with the share of steps done.

    Args:
        share: 0..1.
        classes: number of classes.
        schedule: "linear", "log" or "exp".

    Source: arXiv 1904.12848, training signal annealing, with the scale of 5 of its authors' code.
    """
    rise = {
        "linear": share,
        "log": 1 - math.exp(-SHARPNESS * share),
        "exp": math.exp(SHARPNESS * (share - 1)),
    }[schedule]
    return rise * (1 - 1 / classes) + 1 / classes
