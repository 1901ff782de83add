"""The source's artefacts as runs of this package keep them: a conditional model and a classifier."""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import Tensor

from hundredfold.encoders._base import Encoder
from hundredfold.evaluate.learner import Head
from hundredfold.evaluate.probe import Linear
from hundredfold.methods.generative.conditional_vae import ConditionalVAE
from hundredfold.train.engine import Engine
from hundredfold.transfer.generator import Generator
from hundredfold.transfer.source_classifier import SourceClassifier

LEAST = 1e-12  # probability whose logarithm is still taken


class ConditionalVAEGenerator(Generator):
    """Codes from the prior, decoded under a condition.

    Args:
        model: in evaluation mode.
        classes: k names, k >= 1.
    """

    name = "conditional_vae"

    def __init__(self, model: ConditionalVAE, classes: tuple[str, ...]) -> None:
        self.model = model.eval()
        self.classes = classes
        self._engine: Engine | None = None
        spec = model.encoder.spec
        self.channels, self.size = spec.channels, (spec.height, spec.width)

    def draw(self, condition: Tensor, rng: torch.Generator) -> Tensor:
        """See `Generator.sample`."""
        with self._engine.autocast() if self._engine else nullcontext():
            return self.model.sample(condition, rng)

    def place(self, engine: Engine) -> None:
        """See `Generator.place`; from then on it draws in the engine's precision."""
        self._engine = engine
        engine.place(self.model)


class RunClassifier(SourceClassifier):
    """An encoder and a head that reads its features.

    Args:
        encoder, head: of a run.
        classes: k names.
        temperature: what its logits are divided by, so that probabilities mean what they say (Guo et al. 2017).
    """

    def __init__(self, encoder: Encoder, head: Head, classes: tuple[str, ...], *, temperature: float = 1.0) -> None:
        self.encoder = encoder.eval()
        self.head = head
        self.classes = classes
        self.temperature = temperature
        self.channels, self.size = encoder.spec.channels, (encoder.spec.height, encoder.spec.width)

    @torch.no_grad()
    def logits(self, images: Tensor) -> Tensor:
        """See `SourceClassifier.logits`; those of a head that votes are the logarithms of its probabilities."""
        features = self.features(images).cpu()  # where the head is
        if isinstance(self.head, Linear):
            found = self.head.logits(features)
        else:
            found = self.head.probabilities(features).clamp_min(LEAST).log()
        return found.to(images.device) / self.temperature

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """See `SourceClassifier.features`."""
        return self.encoder(images).float()

    def place(self, engine: Engine) -> None:
        """See `SourceClassifier.place`."""
        engine.place(self.encoder)
