"""What the report of a run shows of a task that compares no two views: its questions and answers, or its images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from hundredfold.exhibit_records import Exhibit, PictureRow
from hundredfold.methods._base import Method
from hundredfold.methods.generative._generative import GenerativeMethod
from hundredfold.random import generator
from hundredfold.studies import generate, reconstruct
from hundredfold.studies.examination import held_out
from hundredfold.studies.exhibits import keep
from hundredfold.studies.generator import Generator
from hundredfold.studies.prepare import Prepared
from hundredfold.studies.run_folder import RunFolder
from hundredfold.studies.run_images import Part

SHOWN = 12
LOOKED_AT = 1000  # held-out images that the figures beside the pictures are of


@torch.no_grad()
def show_task(method: Method, prepared: Prepared, folder: RunFolder) -> None:
    """Writes the exhibits of a finished pre-training: of a task, or of a generative model."""
    method.eval()
    if isinstance(method, GenerativeMethod) or hasattr(method, "sample"):
        _show_generative(method, prepared, folder)
    elif (complete := getattr(method, "complete", None)) is not None:
        _show_completion(complete, method, prepared, folder)
    else:
        _show_answers(method, prepared, folder)


def _show_generative(method: Method, prepared: Prepared, folder: RunFolder) -> None:
    classes = prepared.classes if method.learns_from_labels else ()
    kept = Generator(model=method, name=prepared.settings.method, classes=classes)
    if isinstance(method, GenerativeMethod):
        index = held_out(prepared, LOOKED_AT).positions
        part = Part(images=prepared.images, index=index)
        found = reconstruct.measured(kept, [part], prepared.engine)
        keep(folder, reconstruct.exhibit(found), reconstruct.pictures(found))
    if hasattr(method, "sample"):
        labels = tuple(classes[row % len(classes)] for row in range(generate.COUNT)) if classes else ()
        images = generate.drawn(kept, labels, generate.COUNT, prepared.engine, seed=prepared.settings.seed)
        keep(folder, generate.exhibit(generate.Generated(images=images, labels=labels)), {"generated": images})


def _show_completion(complete: Callable[[Any], Any], method: Method, prepared: Prepared, folder: RunFolder) -> None:
    found = complete(_views(method, prepared))
    pictures = {"masked": found.masked, "completed": found.completed, "images": found.images}
    rows = (
        PictureRow(title="what the encoder saw", key="masked"),
        PictureRow(title="with the answers in place", key="completed"),
        PictureRow(title="the truth", key="images"),
    )
    keep(folder, Exhibit(name="task", title="The task, on held-out images", rows=rows), pictures)


def _show_answers(method: Method, prepared: Prepared, folder: RunFolder) -> None:
    views = _views(method, prepared)
    answered = method.answer(views)
    if answered is None:
        return
    images: Tensor = next(part for part in views if part.dim() == 4)
    rows = torch.linspace(0, len(images) - 1, min(SHOWN, len(images))).long()
    captions = tuple(
        f"{right}" if given == right else f"{right}, answered {given}"
        for given, right in zip(*(part[rows.to(part.device)].tolist() for part in answered))
    )
    row = PictureRow(title="what the encoder saw, and which transformation it was", key="asked", captions=captions)
    exhibit = Exhibit(name="task", title="The task, on held-out images", rows=(row,))
    keep(folder, exhibit, {"asked": images[rows.to(images.device)]})


def _views(method: Method, prepared: Prepared) -> Any:
    return method.views(held_out(prepared, SHOWN), generator(prepared.settings.seed, "shown task"))
