"""Taking noise off images with an autoencoder, and how much more that is than what a filter does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hundredfold.errors import SettingsError
from hundredfold.evaluate.denoising import BestFilter, best_filter, psnr
from hundredfold.exhibit_records import Exhibit, PictureRow, Table
from hundredfold.random import generator
from hundredfold.studies.exhibits import show
from hundredfold.studies.generator import Generator, able_to, load_generator
from hundredfold.studies.picture_files import check_target, write_images
from hundredfold.studies.run_images import Part, asked_for, evenly
from hundredfold.train.engine import Engine, choose_engine

SHOWN = 12
MEASURED = 2_000  # images at most on which the filters are compared


@dataclass(frozen=True, kw_only=True, eq=False)
class Denoised:
    """Images without their noise.

    Attributes:
        images: [n, c, h, w] in 0..1.
        noise: standard deviation of what was added to them first, 0 if nothing was.
        psnr: mean over images in dB, against the images before noise was added; None if none was.
        filters: what Gaussian and median filters reach on the same noisy images, or None.
        shown: before, with noise, and after, [2 or 3, k, c, h, w].
        report: the page that shows them, or None.
    """

    images: Tensor
    noise: float
    shown: Tensor
    psnr: float | None = None
    filters: BestFilter | None = None
    report: Path | None = None

    def sentences(self) -> tuple[str, ...]:
        """The figures, for people."""
        if self.psnr is None or self.filters is None:
            return (f"{len(self.images):,} images went through the model as they are.",)
        best = self.filters.best
        return (
            f"Noise of {self.noise:g} added to {self.filters.images:,} images leaves {self.filters.noisy:.1f} dB. The "
            f"model brings them to {self.psnr:.1f} dB, {self.psnr - best.psnr:+.1f} against the best filter "
            f"({best.kind}, {best.strength:g} pixels: {best.psnr:.1f} dB; chosen with the clean images at hand).",
        )


def denoise(
    run: str | Path,
    source: Any = None,
    *,
    noise: float = 0.0,
    to: str | Path | None = None,
    seed: int = 0,
    accelerator: str = "auto",
) -> Denoised:
    """Takes the noise off images, and shows some in the report.

    Args:
        run: a run of `denoising_autoencoder` (or of another generative method, which was not trained for it).
        source: a SOURCE or arrays; None takes the images that the run held out.
        noise: standard deviation of Gaussian noise to add first, values in 0..1, so that what is taken off can be
            measured; 0 takes the images for noisy as they are.
        to: a .png, .npz, .npy or a folder for all cleaned images, or None.
        seed: of the noise.
        accelerator: see `run`.

    Raises:
        CheckpointError: no generative model in `run`. DataError: images that do not fit. SettingsError: a negative
            noise, or a file type that is none of these.
    """
    target = Path(to) if to is not None else None
    check_target(target)
    if not 0 <= noise < 100:
        raise SettingsError([f"noise is a standard deviation of values in 0..1: it must be >= 0, got {noise}"])
    kept = load_generator(Path(run))
    able_to(kept, "take noise off images", "decode", Path(run))
    engine = choose_engine(accelerator=accelerator)
    engine.place(kept.model)
    found = cleaned(kept, asked_for(Path(run), source, kept.model.encoder.spec), engine, noise=noise, seed=seed)
    if target:
        write_images(target, found.images)
    return replace(found, report=show(run, exhibit(found), _pictures(found)))


@torch.no_grad()
def cleaned(kept: Generator, parts: Sequence[Part], engine: Engine, *, noise: float, seed: int) -> Denoised:
    """All images of these parts without their noise, and what filters do of it."""
    images = torch.cat(
        [
            kept.coder.reconstruct(engine.images(_spoilt(block, noise, seed, place))).float().cpu()
            for place, block in enumerate(block for part in parts for block in part.blocks())
        ]
    )
    clean, _ = evenly(parts, MEASURED)
    clean = clean.cpu()
    noisy = _spoilt(clean, noise, seed, -1)
    after = torch.cat([kept.coder.reconstruct(engine.images(part)).float().cpu() for part in noisy.split(500)])
    rows = torch.arange(min(SHOWN, len(clean))) * len(clean) // min(SHOWN, len(clean))
    if not noise:
        return Denoised(images=images, noise=0.0, shown=torch.stack([clean[rows], after[rows]]))
    return Denoised(
        images=images,
        noise=noise,
        psnr=float(psnr(clean, after).mean()),
        filters=best_filter(clean, noisy),
        shown=torch.stack([clean[rows], noisy[rows], after[rows]]),
    )


def exhibit(found: Denoised) -> Exhibit:
    """The section of the report."""
    titles = ["before", "with noise", "without it"] if found.noise else ["as they are", "through the model"]
    return Exhibit(
        name="denoise",
        title="Noise taken off",
        sentences=found.sentences(),
        rows=tuple(PictureRow(title=title, key=f"row_{row}") for row, title in enumerate(titles)),
        tables=(_table(found),) if found.filters else (),
        command="hundredfold denoise RUN",
    )


def _table(found: Denoised) -> Table:
    assert found.filters is not None and found.psnr is not None
    best = {one.kind: one for one in sorted(found.filters.tried, key=lambda one: one.psnr)}  # the last of each kind
    rows = [("the model", f"{found.psnr:.1f}")]
    rows += [(f"{one.kind} filter, {one.strength:g} pixels", f"{one.psnr:.1f}") for one in best.values()]
    return Table(header=("what cleans", "PSNR, dB"), rows=(*rows, ("nothing", f"{found.filters.noisy:.1f}")))


def _pictures(found: Denoised) -> dict[str, Tensor]:
    return {f"row_{row}": images for row, images in enumerate(found.shown)}


def _spoilt(images: Tensor, noise: float, seed: int, place: int) -> Tensor:
    """The images with Gaussian noise, cut to 0..1 as the values of any image file are."""
    if not noise:
        return images
    drawn = torch.randn(images.shape, generator=generator(seed, "noise", place)).to(images.device)
    return (images + noise * drawn).clamp(0, 1)
