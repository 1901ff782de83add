"""Any method of two views with the loss that reduces the variance of negative similarities (VRNS) added to its own.

Source: Lee, Lim, Lee & Sohn, "On the Similarities of Embeddings in Contrastive Learning", ICML 2025 (arXiv
2506.09781), section 5.3: L + weight * L_VRNS, on the projections that the method compares.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from hundredfold import distributed
from hundredfold.encoders._base import Encoder
from hundredfold.losses.variance_reduction import variance_reduction
from hundredfold.methods._base import Method
from hundredfold.types import ImageBatch, Progress, Step


class PlacedViews(NamedTuple):
    """The views of the method, and where their images stand in the data set, [b] int64."""

    views: Any
    positions: Tensor


class VarianceReduced(Method):
    """A method and the term added to its loss.

    Args:
        method: any whose `Step` carries a pair of projections.
        weight: of the added term, > 0.
        images: how many images there are to learn from.

    Raises:
        ValueError: a weight that is not positive, fewer than two images, or (when called) a method without a pair.
    """

    def __init__(self, method: Method, *, weight: float, images: int) -> None:
        super().__init__()
        if weight <= 0:
            raise ValueError(f"the weight of variance reduction must be > 0, got {weight}")
        if images < 2:
            raise ValueError(f"variance reduction needs at least two images, got {images}")
        self.method = method
        self.weight = weight
        self.images = images

    @property
    def encoder(self) -> Encoder:  # type: ignore[override]  # the method's own: held once, saved once
        """The encoder of the method."""
        return self.method.encoder

    def views(self, batch: ImageBatch, rng: torch.Generator) -> PlacedViews:
        """The views of the method, with the images' positions."""
        return PlacedViews(self.method.views(batch, rng), batch.positions)

    def forward(self, views: PlacedViews) -> Step:
        """The loss of the method and the term, logged as `base_loss` and `variance_reduction`."""
        step: Step = self.method(views.views)
        if step.pair is None:
            raise ValueError(f"{type(self.method).__name__} compares no two views: variance reduction has no use")
        za, zb = (distributed.gather(z) for z in step.pair)
        positions = distributed.gather(views.positions.to(za.device))
        term = variance_reduction(za, zb, images=self.images, positions=positions)
        logs = {**step.logs, "base_loss": step.loss.detach(), "variance_reduction": term.detach()}
        return Step(step.loss + self.weight * term, logs, step.pair)

    def after_step(self, progress: Progress) -> None:
        """What the method does."""
        self.method.after_step(progress)

    def project(self, views: PlacedViews) -> tuple[Tensor, Tensor] | None:
        """The projections of the method."""
        return self.method.project(views.views)

    def levels(self, batch_size: int) -> tuple[float | None, float | None]:
        """None and None: the sum has neither a fixed chance nor a known floor."""
        return None, None

    def softmax_temperature(self) -> float | None:
        """That of the method."""
        return self.method.softmax_temperature()
