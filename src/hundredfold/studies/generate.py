"""New images from a generative model, of any class or of one that is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from hundredfold.errors import CheckpointError, SettingsError, unknown_name
from hundredfold.exhibit_records import Exhibit, PictureRow
from hundredfold.random import generator
from hundredfold.studies.exhibits import show
from hundredfold.studies.generator import Generator, able_to, conditions, load_generator
from hundredfold.studies.picture_files import check_target, write_images
from hundredfold.train.engine import Engine, choose_engine

COUNT = 64
BLOCK = 500


@dataclass(frozen=True, kw_only=True, eq=False)
class Generated:
    """New images.

    Attributes:
        images: [count, c, h, w] in 0..1.
        labels: the class asked for of each, or none at all.
        report: the page that shows them, or None.
    """

    images: Tensor
    labels: tuple[str, ...] = ()
    report: Path | None = None


def generate(
    run: str | Path,
    *,
    count: int = COUNT,
    label: str | None = None,
    to: str | Path | None = None,
    seed: int = 0,
    accelerator: str = "auto",
) -> Generated:
    """Draws new images, and shows them in the report.

    Args:
        run: a run of `vae`, `conditional_vae` or `diffusion`.
        count: how many, >= 1.
        label: the class that all shall be of, for a conditional model; None takes all classes in turn.
        to: a .png, .npz, .npy or a folder to write, or None.
        seed: of the random numbers that images are made of.
        accelerator: see `run`.

    Raises:
        CheckpointError: `run` has no model that can draw new images. SettingsError: a class it does not know, or one
            asked of a model that knows none; a file type that is none of these.
    """
    target = Path(to) if to is not None else None
    check_target(target)
    if count < 1:
        raise SettingsError([f"count must be >= 1, got {count}"])
    kept = load_generator(Path(run), wanted="sample")
    able_to(kept, "generate images", "sample", Path(run))
    labels = _labels(kept, label, count, Path(run))
    engine = choose_engine(accelerator=accelerator)
    engine.place(kept.model)
    images = drawn(kept, labels, count, engine, seed=seed)
    if target:
        write_images(target, images)
    found = Generated(images=images, labels=labels)
    return Generated(images=images, labels=labels, report=show(run, exhibit(found), {"generated": images[:COUNT]}))


@torch.no_grad()
def drawn(kept: Generator, labels: tuple[str, ...], count: int, engine: Engine, *, seed: int) -> Tensor:
    """The images [count, c, h, w]; image i follows from the seed, its block and its label alone."""
    sample = able_to(kept, "generate images", "sample", Path())
    parts = []
    for block, rows in enumerate(torch.arange(count).split(BLOCK)):
        rng = generator(seed, "generate", block)
        told = conditions(kept, [labels[row] if labels else "" for row in rows.tolist()])
        parts.append(sample(*(told or (len(rows),)), rng).float().cpu())
    return torch.cat(parts)


def exhibit(found: Generated) -> Exhibit:
    """The section of the report."""
    shown = min(COUNT, len(found.images))
    of = f" of {found.labels[0]}" if len(set(found.labels)) == 1 else ""
    return Exhibit(
        name="generate",
        title="New images",
        sentences=(
            f"{shown} {'image' if shown == 1 else 'images'}{of} that nobody took: random numbers, made into images.",
        ),
        rows=(PictureRow(title="", key="generated", captions=found.labels[:COUNT]),),
        command="hundredfold generate RUN",
    )


def _labels(kept: Generator, label: str | None, count: int, run: Path) -> tuple[str, ...]:
    """The class of each image that is to be drawn; none for a model without classes."""
    if label is None:
        return tuple(kept.classes[row % len(kept.classes)] for row in range(count)) if kept.classes else ()
    if not kept.classes:
        raise CheckpointError(
            f"the run {run} cannot generate images of a class",
            why=f"{kept.name} learnt without labels, it knows no classes",
            fix="pre-train with --method conditional_vae or diffusion on labelled images, or leave --class out",
        )
    if label not in kept.classes:
        raise SettingsError([unknown_name("class", label, kept.classes)])
    return (label,) * count
