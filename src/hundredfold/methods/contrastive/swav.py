"""SwAV: from one view of an image predict the group of the other view, where groups are learnt and equally full.

Source: Caron, Misra, Mairal, Goyal, Bojanowski & Joulin, "Unsupervised Learning of Visual Features by Contrasting
Cluster Assignments", NeurIPS 2020 (arXiv 2006.09882), section 3.

When to use it: images that fall into groups of like size, each with many images. When not: groups of very unlike
size, which the equal filling cuts up and mixes.

Left out: the small extra crops (multi-crop), which help any method of two views, and the queue of earlier projections,
which serves batches smaller than the number of prototypes.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from hundredfold.encoders._base import Encoder
from hundredfold.encoders.heads import prediction_head
from hundredfold.losses.swapped_prediction import swapped_prediction, swapped_prediction_chance
from hundredfold.methods.contrastive._prototypes import Prototypes, check_prototypes, perplexity
from hundredfold.methods.contrastive._two_views import HeadConfig, TwoViewMethod, positive
from hundredfold.types import Progress, Step
from hundredfold.views.chain import Chain


@dataclass(frozen=True, kw_only=True)
class Config(HeadConfig):
    """Settings of SwAV.

    Attributes:
        prototypes: number of groups, >= 2: some times the number of classes, at most about the batch size.
        temperature: of the predictions, > 0.
        epsilon: of the codes, > 0; the smaller, the harder the groups.
        iterations: rounds of Sinkhorn-Knopp, >= 1.
        frozen: share of the steps, in 0..1, in which the prototypes stay at their random start.
        hidden: width of the projection head's hidden layer.
        projection: dimensions in which views are compared with prototypes.
    """

    prototypes: int = 128
    temperature: float = 0.1
    epsilon: float = 0.05
    iterations: int = 3
    frozen: float = 0.05

    def problems(self) -> list[str]:
        """What cannot be used, one sentence each."""
        found = [*positive("temperature", self.temperature), *positive("epsilon", self.epsilon), *super().problems()]
        if self.iterations < 1:
            found.append(f"iterations must be >= 1, got {self.iterations}")
        return found + check_prototypes(self.prototypes, self.frozen)


class SwAV(TwoViewMethod):
    """An encoder, a head, and prototypes to which the views of an image are assigned alike.

    Args:
        encoder: what is trained.
        chain: draws the views.
        config: see `Config`.
    """

    config: Config

    def __init__(self, encoder: Encoder, chain: Chain, config: Config) -> None:
        head = prediction_head(encoder.features, config.hidden, config.projection)
        super().__init__(encoder, chain, config, head)
        self.prototypes = Prototypes(config.prototypes, config.projection, frozen=config.frozen)

    def compare(self, za: Tensor, zb: Tensor) -> Step:
        """Swapped prediction, with codes over the images of all processes."""
        config = self.config
        scores_a, scores_b = self.prototypes(za), self.prototypes(zb)  # [n, k]
        loss = swapped_prediction(
            scores_a, scores_b, temperature=config.temperature, epsilon=config.epsilon, iterations=config.iterations
        )
        used = perplexity((scores_a.detach() / config.temperature).softmax(1).mean(0))
        return Step(loss, {"prototypes_used": used})

    def after_step(self, progress: Progress) -> None:
        """The prototypes begin to learn when their time has come, and keep their length."""
        self.prototypes.after_step(progress)

    def levels(self, batch_size: int) -> tuple[float | None, float | None]:
        """ln k; how low the loss can get depends on how hard the codes are."""
        return swapped_prediction_chance(self.config.prototypes), None
