"""The source's generator as a run of `diffusion` keeps it."""

from __future__ import annotations

import torch
from torch import Tensor

from hundredfold.methods.generative.diffusion import Diffusion
from hundredfold.train.engine import Engine
from hundredfold.transfer.generator import Generator


class DiffusionGenerator(Generator):
    """Noise, cleaned step by step under a condition.

    Slower than one pass of a decoder by the number of sampling steps: draw a fixed set where images are used again.

    Args:
        model: in evaluation mode.
        classes: k names, k >= 1, as many as the model knows.

    Raises:
        ValueError: the model knows another number of classes.
    """

    name = "diffusion"

    def __init__(self, model: Diffusion, classes: tuple[str, ...]) -> None:
        if model.config.classes != len(classes):
            raise ValueError(f"the model knows {model.config.classes} classes, got {len(classes)} names")
        self.model = model.eval()
        self.classes = classes
        spec = model.encoder.spec
        self.channels, self.size = spec.channels, (spec.height, spec.width)

    def draw(self, condition: Tensor, rng: torch.Generator) -> Tensor:
        """See `Generator.sample`."""
        return self.model.sample(condition, rng)

    def place(self, engine: Engine) -> None:
        """See `Generator.place`."""
        engine.place(self.model)
