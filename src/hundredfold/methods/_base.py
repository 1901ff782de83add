"""The contract of a method: it holds an encoder, makes its own views, and its forward is its loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from hundredfold.encoders._base import Encoder
from hundredfold.types import ImageBatch, Progress, Step


class Method(nn.Module, ABC):
    """A way to train an encoder; what `fit` trains.

    Attributes:
        encoder: what training is for, and all that outlives it.
        needs_encoder: name of the only encoder that it can train, or empty.
        learns_from_labels: whether batches bring it the labels of images that have one. Only `pretrain` runs such a
            method: where few labels are to be learnt from, it must not have seen the others.
    """

    encoder: Encoder
    needs_encoder: str = ""
    learns_from_labels: bool = False

    @abstractmethod
    def views(self, batch: ImageBatch, rng: torch.Generator) -> Any:
        """What `forward` takes, made from a batch; all its randomness comes from `rng`."""

    @abstractmethod
    def forward(self, views: Any) -> Step:
        """The loss of these views and what to log. Runs under autocast and inside DDP."""

    def after_step(self, progress: Progress) -> None:
        """Moving averages, queues, centres: what changes after the optimizer's step. Nothing by default."""

    def project(self, views: Any) -> tuple[Tensor, Tensor] | None:
        """The two sets of vectors [b, d] that the loss compares, for diagnostics; None where it compares none."""
        return None

    def answer(self, views: Any) -> tuple[Tensor, Tensor] | None:
        """(answers, right answers), [m] int64 each, of a task that asks for one of some; None where it does not."""
        return None

    def levels(self, batch_size: int) -> tuple[float | None, float | None]:
        """(chance, floor): the loss of a representation that tells nothing apart, and the lowest reachable."""
        return None, None

    def softmax_temperature(self) -> float | None:
        """What similarities are divided by in a softmax over negatives, for the verdict; None where there is none."""
        return None
