"""The plan of a training run: how long, how large, how fast."""

from __future__ import annotations

import math
from dataclasses import dataclass

OPTIMIZERS = ("adamw", "lars", "sgd")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Settings of `fit`.

    Attributes:
        epochs: passes over the images, >= 0.
        batch_size: images in a step, over all processes.
        optimizer: "adamw", "sgd" (Nesterov momentum 0.9) or "lars" (for batches of thousands).
        lr: peak learning rate.
        weight_decay: pull of the weights towards 0; biases and normalisation are exempt.
        warmup: share of the steps in which the learning rate rises from 0, in 0..1; the rest is a cosine to 0.
        clip_norm: largest gradient norm, 0 for none.
        validate: compute the loss on held-out images after each epoch.
        checkpoint_seconds: save at least this often (and after each epoch).
        keep: how many checkpoints stay on disk, >= 2 so that a damaged one has a predecessor.
        chunk: images that pass the encoder at once, 0 for the whole batch. A batch of thousands then takes the memory
            of a chunk, and a third more time, as each chunk is computed twice. Two views are two images. BatchNorm
            normalises by each chunk: at least 3, and hundreds are better.
    """

    epochs: int = 10
    batch_size: int = 256
    optimizer: str = "adamw"
    lr: float = 2e-3
    weight_decay: float = 1e-2
    warmup: float = 0.1
    clip_norm: float = 0.0
    validate: bool = True
    checkpoint_seconds: float = 60.0
    keep: int = 2
    chunk: int = 0

    def problems(self) -> list[str]:
        """What cannot be used, one sentence each."""
        rules = [
            (self.epochs >= 0, f"epochs must be >= 0, got {self.epochs}"),
            (self.batch_size >= 2, f"batch_size must be >= 2, got {self.batch_size}"),
            (self.optimizer in OPTIMIZERS, f"optimizer must be one of {', '.join(OPTIMIZERS)}, got {self.optimizer!r}"),
            (0 < self.lr < math.inf, f"lr must be > 0 and finite, got {self.lr}"),
            (0 <= self.weight_decay < math.inf, f"weight_decay must be >= 0 and finite, got {self.weight_decay}"),
            (0 <= self.warmup <= 1, f"warmup is a share of the steps, in 0..1, got {self.warmup}"),
            (0 <= self.clip_norm < math.inf, f"clip_norm must be >= 0 and finite, got {self.clip_norm}"),
            (self.checkpoint_seconds >= 0, f"checkpoint_seconds must be >= 0, got {self.checkpoint_seconds}"),
            (self.keep >= 2, f"keep must be >= 2, got {self.keep}"),
            (self.chunk == 0 or self.chunk >= 3, f"chunk must be 0 (the whole batch) or >= 3, got {self.chunk}"),
        ]
        return [sentence for kept, sentence in rules if not kept]
