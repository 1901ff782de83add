"""Which images are unlike those a run learnt from: scores by several criteria, and pictures of the strangest."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from hundredfold.encoders._base import Encoder
from hundredfold.encoders.folder import load_encoder
from hundredfold.errors import DataError, SettingsError, unknown_name
from hundredfold.evaluate.anomaly import (
    auroc,
    combined,
    isolation_forest,
    mahalanobis,
    neighbour_distance,
    percentile,
    reconstruction_error,
)
from hundredfold.exhibit_records import Exhibit, PictureRow, Table
from hundredfold.methods.generative._generative import GenerativeMethod
from hundredfold.studies.exhibits import show
from hundredfold.studies.generator import load_generator
from hundredfold.studies.run_images import Part, asked_for, image_at, in_form, run_images
from hundredfold.studies.spreadsheet import check_csv, write_csv
from hundredfold.train.engine import Engine, choose_engine

SHOWN = 24
SIDE = 32  # pixels of the images that an Isolation Forest sees
LONGEST = 4_096  # numbers of an image's maps that are compared
KNOWN = 20_000  # images learnt from that others are compared with, at most
REFERENCE = "isolation_forest"  # scored beside ours, and no part of `score`


@dataclass(frozen=True, kw_only=True, eq=False)
class Anomalies:
    """How strange images are; higher is stranger.

    Attributes:
        names: [n] texts, in input order.
        scores: by criterion, [n] each: "local_distance" (to the nearest known images by the maps of the encoder, place
            by place; not of every encoder), "neighbour_distance" (by its features), "latent_distance" (from the middle
            of the known images, in their metric), "reconstruction_error" (of a generative model), and
            "isolation_forest" on pixels, for comparison.
        score: [n], the first of those that there are, in standard deviations above the known images.
        percentiles: [n], the share of known images that score lower, in percent.
        auroc: by criterion and for "score", how often a strange image scores above an ordinary one, 0..1; empty where
            it was not said which are ordinary.
        report: the page that shows them, or None.
    """

    names: tuple[str, ...]
    scores: dict[str, Tensor]
    score: Tensor
    percentiles: Tensor
    auroc: dict[str, float]
    report: Path | None = None

    def sentences(self) -> tuple[str, ...]:
        """The figures, for people."""
        beyond = int((self.percentiles >= 99).sum())
        found = [
            f"{beyond:,} of {len(self.names):,} images are stranger than 99 % of the images learnt from; as many as "
            f"{max(1, round(len(self.names) / 100)):,} would be by chance."
        ]
        if self.auroc:
            figures = ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in self.auroc.items())
            found.append(f"Area under the ROC curve: {figures}.")
        return tuple(found)


def anomalies(
    run: str | Path,
    source: Any = None,
    *,
    normal: Any = None,
    normal_classes: Sequence[str] = (),
    to: str | Path | None = None,
    seed: int = 0,
    accelerator: str = "auto",
) -> Anomalies:
    """Scores how unlike the images of `source` are to those that the run learnt from.

    Args:
        run: any run with an encoder; one of a method that reconstructs adds a criterion.
        source: a SOURCE or arrays; None takes the images that the run held out.
        normal: a SOURCE of ordinary images; None takes those that the run learnt from.
        normal_classes: classes of `source` that are ordinary, to measure how well the scores tell; none does not.
        to: a .csv file to write, or None.
        seed: of the Isolation Forest.
        accelerator: see `run`.

    Raises:
        CheckpointError: no encoder in `run`. DataError: images that do not fit, or a single kind where two are to be
            told apart. SettingsError: a class or file type that does not exist, or the images learnt from are gone.
    """
    target, folder = Path(to) if to is not None else None, Path(run)
    check_csv(target)
    encoder = load_encoder(folder)
    kept = load_generator(folder).model if (folder / "generator").is_dir() else None
    model = kept if isinstance(kept, GenerativeMethod) else None  # others have no codes and no reconstructions
    asked = asked_for(folder, source, encoder.spec)
    strange = _strange(asked, normal_classes)
    engine = choose_engine(accelerator=accelerator)
    known = _known(folder, normal, encoder)
    found = scored(encoder, model, known, asked, engine, strange=strange, seed=seed)
    if target:
        _write(target, found)
    return replace(found, report=show(folder, *_exhibit(found, asked)))


def scored(
    encoder: Encoder,
    model: GenerativeMethod | None,
    known: Part,
    asked: Sequence[Part],
    engine: Engine,
    *,
    strange: Tensor | None = None,
    seed: int = 0,
) -> Anomalies:
    """Scores images against known ones.

    Args:
        encoder: whose features are compared.
        model: a generative model around that encoder, or None.
        known: ordinary images.
        asked: images to score.
        engine: where to compute.
        strange: [n] booleans of the images asked about, for `auroc`; None leaves that out.
        seed: of the Isolation Forest.
    """
    before, rows = _seen(encoder, model, [known], engine), _seen(encoder, model, asked, engine)
    own, same = torch.arange(len(known)), places(known, asked)
    criteria = {
        f"{name}_distance": (
            neighbour_distance(before[what], before[what], own=own),
            neighbour_distance(before[what], rows[what], own=same),
        )
        for name, what in (("local", "maps"), ("neighbour", "features"))
        if what in before
    }
    codes = before["codes"]
    criteria["latent_distance"] = (mahalanobis(codes, codes), mahalanobis(codes, rows["codes"]))
    if model is not None:
        criteria["reconstruction_error"] = (before["errors"], rows["errors"])
    scores = {name: pair[1] for name, pair in criteria.items()}
    # The mean of all criteria was less than the first alone: see the trials in benchmarks/README.md.
    first, (ordinary, asked_scores) = next(iter(criteria.items()))
    score = combined({first: ordinary}, {first: asked_scores})
    scores[REFERENCE] = isolation_forest(before["pixels"], rows["pixels"], seed=seed)
    told = {} if strange is None else {name: auroc(one, strange) for name, one in {"score": score, **scores}.items()}
    return Anomalies(
        names=tuple(name for part in asked for name in part.names()),
        scores=scores,
        score=score,
        percentiles=percentile(ordinary, asked_scores),
        auroc=told,
    )


@torch.no_grad()
def _seen(
    encoder: Encoder, model: GenerativeMethod | None, parts: Sequence[Part], engine: Engine
) -> Mapping[str, Tensor]:
    """Of all images: `features` [n, d], `codes` [n, k], `pixels` [n, c h' w'] of at most 32 a side; and where there are
    such, `maps` [n, m] of the encoder and `errors` [n] of a generative model.
    """
    engine.place(encoder).eval()
    if model is not None:
        engine.place(model).eval()
    found: dict[str, list[Tensor]] = {"maps": [], "features": [], "codes": [], "pixels": [], "errors": []}
    for images in (block for part in parts for block in part.blocks()):
        here = engine.images(images)
        features = encoder(here).float().cpu()
        found["features"].append(features)
        found["pixels"].append(_small(images).flatten(1).cpu())
        maps = encoder.maps(here)
        if maps is not None:
            found["maps"].append(_short(maps).flatten(1).float().cpu())
        if model is None:
            found["codes"].append(features)
        else:
            codes = model.encode(here)
            found["codes"].append(codes.float().cpu())
            found["errors"].append(reconstruction_error(images.cpu(), model.decode(codes).float().cpu()))
    return {name: torch.cat(values) for name, values in found.items() if values}


def places(known: Part, asked: Sequence[Part]) -> Tensor:
    """[n] where the same image stands among known ones, pixel by pixel; -1 where it does not.

    Whoever asks about the pile that was learnt from would otherwise find each image at no distance from itself.
    """
    at = {digest: place for place, digest in enumerate(_digests(known))}
    return torch.tensor([at.get(digest, -1) for part in asked for digest in _digests(part)])


def _digests(part: Part) -> Iterator[bytes]:
    for images in part.blocks():
        for image in images.cpu().numpy():
            yield hashlib.blake2b(image.tobytes(), digest_size=16).digest()


def _small(images: Tensor) -> Tensor:
    """Images [b, c, h, w] of at most 32 pixels a side, by means: enough for trees that look at single pixels."""
    height, width = images.shape[2:]
    if max(height, width) <= SIDE:
        return images
    return functional.adaptive_avg_pool2d(images, (min(height, SIDE), min(width, SIDE)))


def _short(maps: Tensor) -> Tensor:
    """Maps [b, d, h, w] of so few places, by means over neighbouring ones, that an image has 4,096 numbers at most."""
    side = max(1, math.isqrt(LONGEST // maps.shape[1]))
    height, width = maps.shape[2:]
    if height * width <= side * side:
        return maps
    return functional.adaptive_avg_pool2d(maps, (min(height, side), min(width, side)))


def _known(run: Path, normal: Any, encoder: Encoder) -> Part:
    """Ordinary images, at most 20,000 of them at equal distances."""
    if normal is None:
        part = run_images(run).learnt
    else:
        images = next(iter(in_form(normal, encoder.spec)), None)
        if images is None:
            raise DataError(f"there are no images in {normal}", fix="name a SOURCE of ordinary images")
        part = Part(images=images, index=torch.arange(len(images)))
    count = min(len(part), KNOWN)
    if count < 2:
        raise DataError(f"{count} ordinary image: at least 2 are needed to compare with")
    return replace(part, index=part.index[torch.arange(count) * len(part) // count])


def _strange(asked: Sequence[Part], normal_classes: Sequence[str]) -> Tensor | None:
    """[n] which images are of no ordinary class; None where no class is named."""
    if not normal_classes:
        return None
    classes = asked[0].images.classes
    if not classes:
        raise DataError(
            f"no image of {asked[0].images.source} carries a label",
            why="whether they are strange is not known, so nothing can be measured",
            fix="leave --normal-class out, or give a SOURCE whose images are labelled",
        )
    unknown = [unknown_name("class", name, classes) for name in normal_classes if name not in classes]
    if unknown:
        raise SettingsError(unknown)
    labels = torch.cat([part.labels() for part in asked])
    if bool((labels < 0).any()):
        raise DataError(
            f"{int((labels < 0).sum())} of {len(labels)} images carry no label",
            why="whether they are strange is not known, so nothing can be measured",
            fix="leave --normal-class out, or give a SOURCE whose images are all labelled",
        )
    return ~torch.isin(labels, torch.tensor([classes.index(name) for name in normal_classes]))


def _write(to: Path, found: Anomalies) -> None:
    header = ["name", "score", "percentile", *found.scores]
    columns = [found.score, found.percentiles, *found.scores.values()]
    rows = ([name, *(f"{float(value):.6g}" for value in row)] for name, *row in zip(found.names, *columns, strict=True))
    write_csv(to, header, rows)


def _exhibit(found: Anomalies, asked: Sequence[Part]) -> tuple[Exhibit, dict[str, Tensor]]:
    """The section of the report and its pictures: the strangest images, and the most ordinary ones."""
    order = found.score.argsort(descending=True, stable=True)
    groups = {"strangest": order[:SHOWN], "ordinary": order.flip(0)[: SHOWN // 2]}
    titles = {"strangest": "the strangest", "ordinary": "the most ordinary"}
    rows = tuple(
        PictureRow(title=titles[key], key=key, captions=tuple(f"{found.score[row]:.1f}" for row in rows.tolist()))
        for key, rows in groups.items()
    )
    table = Table(
        header=("criterion", "area under the ROC curve"),
        rows=tuple((name.replace("_", " "), f"{value:.3f}") for name, value in found.auroc.items()),
    )
    exhibit = Exhibit(
        name="anomalies",
        title="Images unlike those learnt from",
        sentences=(
            *found.sentences(),
            "Under each image: its score, in standard deviations above the images learnt from.",
        ),
        rows=rows,
        tables=(table,) if found.auroc else (),
        command="hundredfold anomalies RUN SOURCE --to scores.csv",
    )
    return exhibit, {key: torch.cat([image_at(asked, int(row)) for row in rows]) for key, rows in groups.items()}
