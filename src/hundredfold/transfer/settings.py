"""Every setting of a transfer beside those of its data: what the arms train, how long, and what they may choose."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from hundredfold.methods.labelled import uda
from hundredfold.transfer.pseudo_pretraining import POSITIVES
from hundredfold.transfer.pseudo_semi_supervised import CascadeSettings
from hundredfold.transfer.samples import SampleSettings

ALGORITHMS = ("uda", "fixmatch")


@dataclass(frozen=True, kw_only=True)
class TransferSettings:
    """The table `[transfer]`.

    Attributes:
        pretrain_steps: of pseudo pre-training, and of the oracle that has the real source.
        pretrain_batch: images in such a step.
        pretrain_lr: peak learning rate there.
        pretrain_views: whether images are seen through random views there.
        samples: how many generated images to learn from; 0 draws new ones in each step.
        sampling: which images are drawn, see `SampleSettings`.
        positive: of contrastive pseudo pre-training, see `PseudoPretraining`.
        steps: of learning the target, the same in every arm.
        batch: labelled images in such a step, in every arm; of fewer labels each comes several times, in other views.
        lr: peak learning rate there.
        weight_decay: see `Plan`.
        views: whether labelled target images are seen through random views.
        algorithm: of semi-supervised learning: "uda" or "fixmatch".
        unlabelled_batch: pseudo samples in a step.
        cascade: how a target image becomes a pseudo sample; its temperature is chosen among `temperatures`.
        uda: of UDA; its weight is chosen among `weights`.
        weights: lambdas to choose among, of P-SSL and of distillation; 0 leaves the extra loss out.
        temperatures: taus to choose among.
        distillation_temperature: of soft targets.
    """

    pretrain_steps: int = 600
    pretrain_batch: int = 128
    pretrain_lr: float = 2e-3
    pretrain_views: bool = True
    samples: int = 0
    sampling: SampleSettings = field(default_factory=SampleSettings)
    positive: str = "view"
    steps: int = 200
    batch: int = 64
    lr: float = 1e-3
    weight_decay: float = 1e-2
    views: bool = True
    algorithm: str = "uda"
    unlabelled_batch: int = 64
    cascade: CascadeSettings = field(default_factory=CascadeSettings)
    uda: uda.Config = field(default_factory=uda.Config)
    weights: tuple[float, ...] = (0.0, 1.0)
    temperatures: tuple[float, ...] = (4.0,)
    distillation_temperature: float = 4.0

    def problems(self) -> list[str]:
        """What cannot be used, one sentence each."""
        least = {"pretrain_steps": 1, "pretrain_batch": 2, "samples": 0, "steps": 1, "batch": 2, "unlabelled_batch": 2}
        found = [
            f"{name} must be >= {lowest}, got {getattr(self, name)}"
            for name, lowest in least.items()
            if getattr(self, name) < lowest
        ]
        if not 0 <= self.weight_decay < math.inf:
            found.append(f"weight_decay must be >= 0 and finite, got {self.weight_decay}")
        for name in ("pretrain_lr", "lr", "distillation_temperature"):
            if not 0 < getattr(self, name) < math.inf:
                found.append(f"{name} must be > 0 and finite, got {getattr(self, name)}")
        if not self.weights or not all(0 <= weight < math.inf for weight in self.weights):
            found.append(f"weights must be one or more numbers >= 0, got {list(self.weights)}")
        if not self.temperatures or not all(0 < temperature < math.inf for temperature in self.temperatures):
            found.append(f"temperatures must be one or more numbers > 0, got {list(self.temperatures)}")
        if self.algorithm not in ALGORITHMS:
            found.append(f"algorithm must be one of {', '.join(ALGORITHMS)}, got {self.algorithm!r}")
        if self.positive not in POSITIVES:
            found.append(f"positive must be one of {', '.join(POSITIVES)}, got {self.positive!r}")
        return found
