"""From one image to another through the codes of a generative model, and whether the way leaves the images behind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from hundredfold.data.decode import BadImage, decode_as_is
from hundredfold.data.images import as_float
from hundredfold.data.match import convert
from hundredfold.data.options import ReadOptions
from hundredfold.encoders._base import EncoderSpec
from hundredfold.errors import DataError, SettingsError
from hundredfold.evaluate.interpolation import LINEAR, between, nearest_distances, own_percentile
from hundredfold.exhibit_records import Exhibit, PictureRow
from hundredfold.studies.exhibits import show
from hundredfold.studies.generator import Generator, able_to, load_generator
from hundredfold.studies.picture_files import check_target, write_images
from hundredfold.studies.run_images import Part, run_images
from hundredfold.train.engine import Engine, choose_engine

STEPS = 9
PERCENTILE = 99.0
COMPARED = 20_000  # images learnt from that frames are compared with, at most
NUMBERS = 1 << 28  # of all of them together: a gigabyte


@dataclass(frozen=True, kw_only=True, eq=False)
class Interpolation:
    """The way from one image to another.

    Attributes:
        frames: [steps, c, h, w] in 0..1, the reconstructions of both ends among them.
        ends: [2, c, h, w] the images themselves.
        distances: [steps] of each frame to the nearest image learnt from, Euclidean over pixels; None where those
            are gone.
        limit: the 99th percentile of the same distance of images learnt from to each other, or None.
        report: the page that shows it, or None.
    """

    frames: Tensor
    ends: Tensor
    distances: Tensor | None = None
    limit: float | None = None
    report: Path | None = None

    @property
    def strange(self) -> int:
        """Frames that are farther from all images than 99 % of these are from each other."""
        return 0 if self.distances is None else int((self.distances > (self.limit or 0.0)).sum())

    def sentences(self) -> tuple[str, ...]:
        """The figures, for people."""
        if self.distances is None or self.limit is None:
            return ("The images learnt from are gone: how near the frames are to them is not known.",)
        nearest = f"farthest {float(self.distances.max()):.2f}, limit {self.limit:.2f}"
        said = "None" if not self.strange else f"{self.strange}"
        return (
            f"{said} of the {len(self.frames)} frames {'is' if self.strange < 2 else 'are'} farther from the nearest "
            f"image learnt from than {PERCENTILE:.0f} % of those are from each other ({nearest}).",
        )


def interpolate(
    run: str | Path,
    a: int | str | Path,
    b: int | str | Path,
    *,
    steps: int = STEPS,
    how: str = LINEAR,
    to: str | Path | None = None,
    accelerator: str = "auto",
) -> Interpolation:
    """Goes from image `a` to image `b` through the codes of a generative model, and shows the way in the report.

    Args:
        run: a run of a generative method.
        a, b: each an image file, or the position of an image among those that the run held out.
        steps: frames, both ends among them, >= 2.
        how: "linear" or "spherical".
        to: a .png, .npz, .npy or a folder for the frames, or None.
        accelerator: see `run`.

    Raises:
        CheckpointError: no generative model in `run`. DataError: an image that cannot be read or does not exist.
        SettingsError: steps, way or file type that do not exist.
    """
    target, folder = Path(to) if to is not None else None, Path(run)
    check_target(target)
    kept = load_generator(folder)
    able_to(kept, "go from one image to another", "decode", folder)
    spec = kept.model.encoder.spec
    ends = torch.cat([_image(one, folder, spec) for one in (a, b)])  # [2, c, h, w]
    engine = choose_engine(accelerator=accelerator)
    engine.place(kept.model)
    frames = frames_between(kept, ends, engine, steps=steps, how=how)
    distances, limit = _compared(frames, folder)
    if target:
        write_images(target, frames)
    found = Interpolation(frames=frames, ends=ends, distances=distances, limit=limit)
    page = show(folder, exhibit(found), {"frames": frames, "ends": ends})
    return Interpolation(frames=frames, ends=ends, distances=distances, limit=limit, report=page)


@torch.no_grad()
def frames_between(kept: Generator, ends: Tensor, engine: Engine, *, steps: int, how: str = LINEAR) -> Tensor:
    """The images [steps, c, h, w] that codes on the way between two images [2, c, h, w] become."""
    codes = kept.coder.encode(engine.images(ends)).float().cpu()  # [2, k]
    return kept.coder.decode(engine.images(between(codes[0], codes[1], steps, how))).float().cpu()


def exhibit(found: Interpolation) -> Exhibit:
    """The section of the report."""
    return Exhibit(
        name="interpolate",
        title="From one image to another",
        sentences=found.sentences(),
        rows=(PictureRow(title="the two images", key="ends"), PictureRow(title="the way between", key="frames")),
        command="hundredfold interpolate RUN A B",
    )


def _image(one: int | str | Path, run: Path, spec: EncoderSpec) -> Tensor:
    """[1, c, h, w] float32 in 0..1 in the form of the encoder."""
    if isinstance(one, int) or (isinstance(one, str) and one.isdecimal() and not _is_file(one)):
        part, position = run_images(run).held_out, int(one)
        if not len(part):
            raise DataError(f"there is no image {one}: the run {run} held out none", fix="name image files")
        if not 0 <= position < len(part):
            raise DataError(f"there is no image {one}: the run {run} held out {len(part)}, from 0 to {len(part) - 1}")
        return part.take(torch.tensor([position]))
    if not _is_file(one):
        raise DataError(f"there is no image {one}", fix="name a file, or the position of an image that was held out")
    try:
        _, image = decode_as_is(Path(one), ReadOptions().largest_pixels)
    except BadImage as problem:
        raise DataError(f"{one} cannot be read", why=str(problem)) from problem
    if image.shape[0] != spec.channels and {image.shape[0], spec.channels} != {1, 3}:
        raise DataError(f"{one} has {image.shape[0]} channels, the run {run} takes {spec.channels}")
    return as_float(convert(image[None], spec.channels, (spec.height, spec.width), image.dtype))


def _is_file(name: str | Path) -> bool:
    try:
        return Path(name).is_file()
    except (OSError, ValueError):  # no name of a file on this system
        return False


def _compared(frames: Tensor, run: Path) -> tuple[Tensor | None, float | None]:
    """How far each frame is from the images learnt from, and how far those are from each other."""
    try:
        known = run_images(run).learnt
    except (SettingsError, DataError):
        return None, None
    return compared(frames, known)


def compared(frames: Tensor, known: Part) -> tuple[Tensor, float]:
    """As `Interpolation` has them: distances [steps] of frames to known images, and the limit."""
    count = min(len(known), COMPARED, max(2, NUMBERS // frames[0].numel()))
    real = known.take(torch.arange(count) * len(known) // count).cpu()
    return nearest_distances(frames, real), own_percentile(real, q=PERCENTILE)
