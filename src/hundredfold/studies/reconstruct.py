"""What becomes of images on the way through the codes of a generative model: pictures, and how much is lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hundredfold.errors import SettingsError
from hundredfold.evaluate.anomaly import reconstruction_error
from hundredfold.evaluate.denoising import psnr
from hundredfold.evaluate.posterior import active_units
from hundredfold.exhibit_records import Exhibit, PictureRow
from hundredfold.losses.gaussian_kl import gaussian_kl
from hundredfold.methods.generative._generative import GenerativeMethod
from hundredfold.methods.generative._with_posterior import WithPosterior
from hundredfold.random import generator
from hundredfold.studies.exhibits import show
from hundredfold.studies.generator import Generator, able_to, conditions, load_generator
from hundredfold.studies.picture_files import check_target, write_images
from hundredfold.studies.run_images import BLOCK, Part, asked_for, evenly
from hundredfold.train.engine import Engine, choose_engine

SHOWN = 12
ROUNDING = 1e-9  # share of the squares of all pixels below which a variance is none


@dataclass(frozen=True, kw_only=True, eq=False)
class Reconstruction:
    """How well images are said again.

    Attributes:
        images: how many.
        error: mean squared error of a pixel, values in 0..1.
        psnr: peak signal-to-noise ratio in dB, mean over images.
        explained: share of the variance of the pixels that is kept, at most 1; 0 where all images are the same.
        negative_elbo: mean bound on -log p(x) in nats, by one sample of the posterior each; None without a posterior.
        kl: of it, the divergence of posterior from prior.
        active_units: dimensions of the code that tell of the image (Burda et al. 2016); None without a posterior.
        latent: dimensions of the code.
        told: images whose class the model was told, as in training.
        shown: some images and below them their reconstructions, [2, k, c, h, w] in 0..1.
        report: the page that shows them, or None.
    """

    images: int
    error: float
    psnr: float
    explained: float
    latent: int
    shown: Tensor
    told: int = 0
    negative_elbo: float | None = None
    kl: float | None = None
    active_units: int | None = None
    report: Path | None = None

    def sentences(self) -> tuple[str, ...]:
        """The figures, for people."""
        through = f"{self.latent} numbers{' and the class' if self.told else ''}"
        found = [
            f"Through {through}, {self.images:,} images keep {100 * self.explained:.1f} % of the variance of their "
            f"pixels (mean squared error {self.error:.4f}, {self.psnr:.1f} dB)."
        ]
        if self.negative_elbo is not None and self.kl is not None:
            found.append(
                f"Negative ELBO {self.negative_elbo:.1f} nats an image, of which {self.kl:.1f} are the divergence from "
                f"the prior; {self.active_units} of {self.latent} dimensions of the code are in use."
            )
        return tuple(found)


def reconstruct(
    run: str | Path,
    source: Any = None,
    *,
    count: int = SHOWN,
    to: str | Path | None = None,
    accelerator: str = "auto",
) -> Reconstruction:
    """Sends images through the codes of a generative model and back, and shows some in the report.

    Args:
        run: a run of a generative method.
        source: a SOURCE or arrays; None takes the images that the run held out.
        count: how many to show, >= 1.
        to: a .png, .npz, .npy or a folder for what is shown (originals, then reconstructions), or None.
        accelerator: see `run`.

    Raises:
        CheckpointError: no generative model in `run`. DataError: images that do not fit. SettingsError: a count or
            file type that cannot be.
    """
    target = Path(to) if to is not None else None
    check_target(target)
    if count < 1:
        raise SettingsError([f"count must be >= 1, got {count}"])
    kept = load_generator(Path(run))
    able_to(kept, "reconstruct images", "decode", Path(run))
    engine = choose_engine(accelerator=accelerator)
    engine.place(kept.model)
    parts = asked_for(Path(run), source, kept.model.encoder.spec)
    found = measured(kept, parts, engine, count=count)
    if target:
        write_images(target, found.shown.flatten(0, 1))
    return Reconstruction(**{**vars(found), "report": show(run, exhibit(found), pictures(found))})


@torch.no_grad()
def measured(kept: Generator, parts: Sequence[Part], engine: Engine, *, count: int = SHOWN) -> Reconstruction:
    """The figures over all images of these parts, and some of them before and after."""
    model = kept.coder
    errors, ratios, codes, bounds = [], [], [], []
    total = squares = torch.zeros(())
    number = told = 0
    for part in parts:
        for rows in torch.arange(len(part)).split(BLOCK):
            images, classes = part.take(rows), part.class_names(rows)
            asked = conditions(kept, classes)
            code = model.encode(engine.images(images), *asked)  # [b, k]
            again = model.decode(code, *asked).float().cpu()  # [b, c, h, w]
            errors.append(reconstruction_error(images, again))
            ratios.append(psnr(images, again))
            codes.append(code.float().cpu())
            bounds.append(_bounds(model, engine.images(images), asked, number))
            told += sum(name in kept.classes for name in classes) if asked else 0
            total = total + images.double().sum(0)  # [c, h, w]
            squares = squares + images.double().square().sum()
            number += len(images)
    spread = float(squares - total.square().sum() / number)  # about the mean image
    varied = spread > ROUNDING * float(squares)
    error = torch.cat(errors)
    shown, classes = evenly(parts, count)
    again = model.reconstruct(engine.images(shown), *conditions(kept, classes)).float().cpu()
    posterior = torch.cat(bounds).mean(0) if isinstance(model, WithPosterior) else None  # [2]
    return Reconstruction(
        images=number,
        error=float(error.mean()),
        psnr=float(torch.cat(ratios).mean()),
        explained=1 - float(error.double().sum()) * shown[0].numel() / spread if varied else 0.0,
        latent=model.latent,
        shown=torch.stack([shown, again]),
        told=told,
        negative_elbo=None if posterior is None else float(posterior[0]),
        kl=None if posterior is None else float(posterior[1]),
        active_units=None if posterior is None else active_units(torch.cat(codes)),
    )


def exhibit(found: Reconstruction) -> Exhibit:
    """The section of the report."""
    return Exhibit(
        name="reconstruct",
        title="Reconstructions",
        sentences=found.sentences(),
        rows=(
            PictureRow(title="the images", key="originals"),
            PictureRow(title="what the model makes of them", key="reconstructions"),
        ),
        command="hundredfold reconstruct RUN",
    )


def pictures(found: Reconstruction) -> dict[str, Tensor]:
    """The pictures of the section."""
    return {"originals": found.shown[0], "reconstructions": found.shown[1]}


def _bounds(model: GenerativeMethod, images: Tensor, asked: tuple[Tensor, ...], position: int) -> Tensor:
    """[b, 2]: negative ELBO and its divergence, in nats; nothing for a model without a posterior."""
    if not isinstance(model, WithPosterior):
        return torch.empty(0, 2)
    posterior = model.posterior(images, *asked)
    noise = torch.randn(posterior.mean.shape, generator=generator(0, "posterior", position)).to(images.device)
    bound = model.negative_elbo(images, noise, *asked)  # [b]
    return torch.stack([bound, gaussian_kl(*posterior)], dim=1).float().cpu()
