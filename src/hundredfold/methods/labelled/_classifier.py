"""What every method that learns from labels is: an encoder with one linear layer on top, and the logits of images."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

from hundredfold.encoders._base import Encoder
from hundredfold.methods._base import Method


class Head(nn.Module):
    """One linear layer on features.

    Args:
        features: d, the length of a feature vector.
        classes: number of classes.
        dropout: before the layer, 0..1.
        unit_length: bring features to length 1 first, as the linear probe does.

    Shapes: [b, d] -> [b, classes].
    """

    def __init__(self, features: int, classes: int, *, dropout: float = 0.0, unit_length: bool = False) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(features, classes)
        self.unit_length = unit_length

    def forward(self, features: Tensor) -> Tensor:
        """[b, classes] of features [b, d]."""
        read = functional.normalize(features.float(), dim=1) if self.unit_length else features
        out: Tensor = self.linear(self.dropout(read))
        return out

    @torch.no_grad()
    def start_from(self, weight: Tensor, bias: Tensor) -> None:
        """Takes over a linear classifier: weight [classes, d], bias [classes], -inf for a class without a label."""
        self.linear.weight.copy_(weight)
        self.linear.bias.copy_(bias.clamp_min(-1e4))


class ClassifierMethod(Method):
    """A way to train an encoder and a head on it.

    Args:
        encoder: pre-trained or random; trained in place.
        head: on its features.
    """

    def __init__(self, encoder: Encoder, head: Head) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head

    def logits(self, images: Tensor) -> Tensor:
        """[b, classes] of images [b, c, h, w] in 0..1."""
        out: Tensor = self.head(self.encoder(images))
        return out

    def start_from(self, weight: Tensor, bias: Tensor) -> None:
        """Takes over a linear classifier, as `Head.start_from`."""
        self.head.start_from(weight, bias)

    def learnt(self) -> tuple[Encoder, Head]:
        """What to keep once training is done."""
        return self.encoder, self.head


class Average(nn.Module):
    """The exponential moving average of an encoder and its head, and of their running statistics.

    Source: Tarvainen & Valpola, "Mean teachers are better role models", NeurIPS 2017 (arXiv 1703.01780); in the first
    steps the average is over fewer, as in their code.

    Args:
        encoder, head: what to follow; copied.
        momentum: of the average, 0..1.
    """

    def __init__(self, encoder: Encoder, head: Head, momentum: float) -> None:
        super().__init__()
        self.encoder = copy.deepcopy(encoder).requires_grad_(False)
        self.head = copy.deepcopy(head).requires_grad_(False)
        self.momentum = momentum

    @torch.no_grad()
    def follow(self, encoder: Encoder, head: Head, step: int) -> None:
        """Moves towards them after step `step`, counted from 1."""
        momentum = min(self.momentum, 1 - 1 / (step + 1))
        for mine, theirs in ((self.encoder, encoder), (self.head, head)):
            for weight, target in zip(mine.parameters(), theirs.parameters(), strict=True):
                weight.lerp_(target, 1 - momentum)
            for statistic, current in zip(mine.buffers(), theirs.buffers(), strict=True):
                if statistic.is_floating_point():
                    statistic.lerp_(current, 1 - momentum)
                else:
                    statistic.copy_(current)

    @torch.no_grad()
    def logits(self, images: Tensor) -> Tensor:
        """[b, classes] float32 of images [b, c, h, w] in 0..1, in evaluation mode."""
        self.eval()
        out: Tensor = self.head(self.encoder(images))
        return out.float()
