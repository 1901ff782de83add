"""How a method's own task goes on held-out images, for methods that compare no two views.

No label is looked at, but for a method that learns from labels: it is told them as in training.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from hundredfold.data.images import as_float
from hundredfold.evaluate.features import features
from hundredfold.evaluate.posterior import active_units, constant_share, explained
from hundredfold.evaluate.similarity import effective_rank
from hundredfold.losses.gaussian_kl import gaussian_kl
from hundredfold.methods._base import Method
from hundredfold.methods.generative._generative import GenerativeMethod
from hundredfold.methods.generative._with_posterior import WithPosterior
from hundredfold.random import generator
from hundredfold.studies.examination import COMPARED, FEWEST, held_out
from hundredfold.studies.generator import Generator, conditions
from hundredfold.studies.prepare import Prepared
from hundredfold.task_records import TaskFindings
from hundredfold.types import ImageBatch


class SaidAgain(NamedTuple):
    """Of reconstructions: the share of the images' variance that they explain, and that they have themselves."""

    explained: float
    constant: float


class Code(NamedTuple):
    """Of a posterior: see `TaskFindings`."""

    active_units: int
    kl: float
    negative_elbo: float


@torch.no_grad()
def task_stage(method: Method, prepared: Prepared) -> TaskFindings:
    """What up to a thousand held-out images say of the task and of the features."""
    prepared.engine.place(method).eval()
    batch = held_out(prepared, COMPARED)
    plain = features(method.encoder, prepared.images, batch.positions, prepared.engine)
    answered = _answered(method, batch, prepared)
    told = _told(method, batch, prepared)
    said, code = _said_again(method, batch, told), _code(method, batch, told, prepared)
    chance, _ = method.levels(prepared.settings.plan.batch_size)
    return TaskFindings(
        images=len(plain),
        effective_rank=effective_rank(plain),
        dimensions=plain.shape[1],
        accuracy=answered.get("accuracy"),
        chance=math.exp(-chance) if "accuracy" in answered and chance is not None else None,
        explained=said.explained if said else answered.get("explained"),
        constant=said.constant if said else None,
        latent=getattr(method, "latent", None),
        active_units=code.active_units if code else None,
        kl=code.kl if code else None,
        negative_elbo=code.negative_elbo if code else None,
    )


def _answered(method: Method, batch: ImageBatch, prepared: Prepared) -> dict[str, float]:
    """Mean over held-out images of what the method logs of its task."""
    rng = generator(prepared.settings.seed, "task")
    found: dict[str, list[Tensor]] = {}
    sizes: list[int] = []
    for part in _parts(batch, prepared):
        logs = method(method.views(part, rng)).logs
        sizes.append(len(part.images))
        for name, value in logs.items():
            found.setdefault(name, []).append(value.float().cpu())
    weights = torch.tensor(sizes, dtype=torch.float32)
    return {name: float((torch.stack(values) * weights).sum() / weights.sum()) for name, values in found.items()}


def _told(method: Method, batch: ImageBatch, prepared: Prepared) -> tuple[Tensor, ...]:
    """What a model that learns from labels is told of these images; nothing for others."""
    if not isinstance(method, GenerativeMethod):
        return ()
    classes = prepared.classes if method.learns_from_labels else ()
    labels = prepared.images.labels[batch.positions].tolist()
    names = [classes[label] if classes and label >= 0 else "" for label in labels]
    return conditions(Generator(model=method, name=prepared.settings.method, classes=classes), names)


def _said_again(method: Method, batch: ImageBatch, told: tuple[Tensor, ...]) -> SaidAgain | None:
    if not isinstance(method, GenerativeMethod):
        return None
    images = as_float(batch.images)
    blocks = zip(*(part.split(500) for part in (images, *told)))
    again = torch.cat([method.reconstruct(*block) for block in blocks]).float().cpu()
    return SaidAgain(explained(images.cpu(), again), constant_share(images.cpu(), again))


def _code(method: Method, batch: ImageBatch, told: tuple[Tensor, ...], prepared: Prepared) -> Code | None:
    if not isinstance(method, WithPosterior):
        return None
    images = as_float(batch.images)
    mean, log_variance = method.posterior(images, *told)  # [n, k]
    noise = torch.randn(mean.shape, generator=generator(prepared.settings.seed, "posterior")).to(mean.device)
    return Code(
        active_units=active_units(mean.cpu()),
        kl=float(gaussian_kl(mean, log_variance).mean()),
        negative_elbo=float(method.negative_elbo(images, noise, *told).mean()),
    )


def _parts(batch: ImageBatch, prepared: Prepared) -> Iterator[ImageBatch]:
    for rows in torch.arange(len(batch.images)).split(max(FEWEST, prepared.settings.plan.batch_size)):
        yield ImageBatch(*(part[rows] for part in batch))
