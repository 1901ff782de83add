"""MoCo: tells an image from a queue of earlier ones, not from its batch alone, so a small batch has many negatives.

Source: He, Fan, Wu, Xie & Girshick, "Momentum Contrast for Unsupervised Visual Representation Learning", CVPR 2020
(arXiv 1911.05722), section 3 and algorithm 1; head and temperature are those of version 2: Chen, Fan, Girshick & He
(arXiv 2003.04297).

When to use it: batches that have to be small (large images, little memory) and many images that differ. When not:
where batches of hundreds fit, for SimCLR needs one network and reads more easily.

Three departures from the paper, each said again at its line: both views are queries, as in version 3; the other
keys of the batch are negatives too; and the sum over negatives is scaled to the size of the queue.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from hundredfold import distributed
from hundredfold.encoders._base import Encoder
from hundredfold.encoders.heads import projection_head
from hundredfold.losses._pair import unit_length
from hundredfold.methods._base import Method
from hundredfold.methods.contrastive._momentum import MomentumCopy, check_momentum
from hundredfold.methods.contrastive._two_views import HeadConfig, positive, two_views
from hundredfold.types import ImageBatch, Progress, Step
from hundredfold.views.chain import Chain

EMPTY = -1  # the position of a row of the queue in which there is no key yet


@dataclass(frozen=True, kw_only=True)
class Config(HeadConfig):
    """Settings of MoCo.

    Attributes:
        temperature: of the loss, > 0.
        queue: rows of the queue, >= 1: how many earlier images a query is told from. More rows than there are images
            do no harm: each image is there several times then, and never a negative of itself.
        momentum: tau of the key encoder, in 0..1. The paper has 0.999 for runs of a million steps; the copy lags by
            about 1 / (1 - tau) steps, which has to be little of a run of a few thousand.
    """

    temperature: float = 0.2
    queue: int = 4096
    momentum: float = 0.99

    def problems(self) -> list[str]:
        """What cannot be used, one sentence each."""
        found = [*positive("temperature", self.temperature), *super().problems(), *check_momentum(self.momentum)]
        if self.queue < 1:
            found.append(f"queue must be >= 1, got {self.queue}")
        return found


class PlacedViews(NamedTuple):
    """Two views of the same images, each [b, c, h, w] in 0..1, and where these stand in the data set, [b] int64."""

    a: Tensor
    b: Tensor
    positions: Tensor


class Keys(NamedTuple):
    """Keys of length 1, [m, d], and where their images stand in the data set, [m] int64; `EMPTY`: no key yet."""

    vectors: Tensor
    positions: Tensor


class MoCo(Method):
    """An encoder and a projection head that find the key of an image's other view among those of many images.

    Args:
        encoder: what is trained.
        chain: draws the views.
        config: see `Config`.
    """

    def __init__(self, encoder: Encoder, chain: Chain, config: Config) -> None:
        super().__init__()
        self.config = config
        self.chain = chain
        self.encoder = encoder
        self.head = projection_head(encoder.features, config.hidden, config.projection)
        self.target = MomentumCopy(self.encoder, self.head)
        self.queue = Queue(config.queue, config.projection)
        self.arrived: Keys | None = None  # between forward and after_step only, where no checkpoint is written

    def views(self, batch: ImageBatch, rng: torch.Generator) -> PlacedViews:
        """Two independent views of each image of the batch."""
        return PlacedViews(*two_views(self.chain, batch, rng), batch.positions)

    def project(self, views: PlacedViews) -> tuple[Tensor, Tensor]:
        """The two projections [b, d] of the trained network; one pass, so that batch statistics are of all views."""
        za, zb = self.head(self.encoder(torch.cat([views.a, views.b]))).chunk(2)
        return za, zb

    def forward(self, views: PlacedViews) -> Step:
        """The loss of either view as queries against keys of the other one, halved.

        A mean over this process's queries: keys have no gradient, so the processes' mean is that of the joined batch.
        """
        za, zb = self.project(views)
        vectors = unit_length(self.target(torch.cat([views.a, views.b])))  # [2b, d]
        a, b = (Keys(half, views.positions.to(half.device)) for half in vectors.chunk(2))
        all_a, all_b = (Keys(*map(distributed.gather, keys)) for keys in (a, b))
        # The paper's queries are of one view alone. Those of the other cost little: it is projected anyway.
        loss = (self._one_way(za, b, all_b) + self._one_way(zb, a, all_a)) / 2
        if self.training:
            self.arrived = all_b
        return Step(loss, {}, pair=(za, zb))

    def after_step(self, progress: Progress) -> None:
        """The keys of one view join the queue, a key for each image, and the key encoder follows."""
        if self.arrived is not None:
            self.queue.push(self.arrived)
            self.arrived = None
        self.target.follow(self.encoder, self.head, momentum=self.config.momentum)

    def softmax_temperature(self) -> float:
        """That of the settings."""
        return self.config.temperature

    def levels(self, batch_size: int) -> tuple[float | None, float | None]:
        """ln(1 + queue), and the loss of the simplex of a batch, were the keys where the queries are."""
        queue, temperature = self.config.queue, self.config.temperature
        simplex = -1 / (batch_size - 1)  # the mean similarity of more images than a batch is not lower
        return math.log1p(queue), math.log1p(queue * math.exp((simplex - 1) / temperature))

    def _one_way(self, queries: Tensor, own: Keys, batch: Keys) -> Tensor:
        # The paper's negatives are of the queue alone, and its batches are shuffled between GPUs, lest a key be told
        # from the queue by the statistics of the batch that normalised it. On one GPU there is nobody to shuffle with.
        # The batch's other keys share those statistics: with them among the negatives, knowing the batch is not
        # knowing the key. (Measured after 234 steps on MNIST: queries have a mean similarity of 0.000 with the batch's
        # other keys and of 0.003 with the queue's.) They also are what there is while the queue is empty.
        others = Keys(*(torch.cat(pair) for pair in zip(batch, self.queue.rows())))
        config = self.config
        return queue_nce(queries, own, others, temperature=config.temperature, negatives=config.queue)


class Queue(nn.Module):
    """The latest keys, oldest first.

    Args:
        rows: how many it holds.
        dimensions: d, the length of a key.
    """

    vectors: Tensor  # [rows, d]
    positions: Tensor  # [rows]

    def __init__(self, rows: int, dimensions: int) -> None:
        super().__init__()
        self.register_buffer("vectors", torch.zeros(rows, dimensions))
        self.register_buffer("positions", torch.full((rows,), EMPTY))

    def rows(self) -> Keys:
        """All rows, those still empty among them."""
        return Keys(self.vectors, self.positions)

    def push(self, arrived: Keys) -> None:
        """Keys join at the end, and as many leave at the front; of more than fit the last stay."""
        for buffer, new in zip(self.rows(), arrived):
            buffer.copy_(torch.cat([buffer, new])[-len(buffer) :])


def queue_nce(queries: Tensor, own: Keys, others: Keys, *, temperature: float, negatives: int) -> Tensor:
    """InfoNCE of queries, each against its own key and the keys of other images.

    l(q) = -log( exp(q . k / t) / (exp(q . k / t) + N mean_j exp(q . k_j / t)) ),    equation 1 with N = `negatives`,

    where k_j runs over `others` without empty rows and keys of the query's own image. With exactly N of them this is
    the paper's sum. While a queue fills there are fewer: with the mean times N the loss means the same from the first
    step to the last, and does not rise only because there is more to be told from.

    Args:
        queries: [b, d], of any length.
        own: the key of each query's image, [b].
        others: keys to be told from, [m].
        temperature: t > 0.
        negatives: N >= 1.

    Returns:
        Scalar in float32 (float64 for float64 inputs); ln(1 + N) if all similarities are equal.
    """
    with torch.autocast(queries.device.type, enabled=False):  # half precision loses the small differences of exp
        queries = unit_length(queries)
        matching = (queries * own.vectors).sum(1, keepdim=True) / temperature  # [b, 1]
        differing = queries @ others.vectors.T / temperature  # [b, m]
        present = (others.positions != EMPTY) & (others.positions != own.positions[:, None])  # [b, m]
        count = present.sum(1, keepdim=True).clamp_min(1).to(queries.dtype)  # [b, 1]
        differing = (differing + (negatives / count).log()).masked_fill(~present, -math.inf)
        first = torch.zeros(len(queries), dtype=torch.long, device=queries.device)
        return functional.cross_entropy(torch.cat([matching, differing], 1), first)
