"""Images as points of a plane, by what an encoder makes of them, and how far such a map can be trusted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from hundredfold.encoders.folder import load_encoder
from hundredfold.errors import CheckpointError, SettingsError, unknown_name
from hundredfold.evaluate.features import features
from hundredfold.evaluate.low_dimensions import NAMES, reduce, trustworthiness
from hundredfold.exhibit_records import Exhibit, ScatterPlot
from hundredfold.studies.exhibits import show
from hundredfold.studies.generator import able_to, load_generator
from hundredfold.studies.run_images import Part, asked_for
from hundredfold.studies.spreadsheet import check_csv, write_csv
from hundredfold.train.engine import Engine, choose_engine

LATENT = "latent"
TITLES = {"pca": "principal components", "tsne": "t-SNE", "umap": "UMAP", LATENT: "the code"}
MOST = 5_000  # images on a map
UNNAMED = "no label"


@dataclass(frozen=True, kw_only=True, eq=False)
class FeatureMap:
    """Images on a plane.

    Attributes:
        names: [n] texts.
        points: [n, 2].
        labels: [n] class names, empty texts where there is none.
        how: "pca", "tsne", "umap" or "latent".
        trustworthiness: how far neighbours on the plane are neighbours in the features, 0..1 (Venna & Kaski 2001); None
            for fewer than four images.
        dimensions: of the features.
        report: the page that shows it, or None.
    """

    names: tuple[str, ...]
    points: Tensor
    labels: tuple[str, ...]
    how: str
    trustworthiness: float | None
    dimensions: int
    report: Path | None = None

    def sentences(self) -> tuple[str, ...]:
        """The figures, for people."""
        said = f"{len(self.names):,} images by {TITLES[self.how]} of {self.dimensions} numbers each."
        if self.trustworthiness is None:
            return (said,)
        return (f"{said} Trustworthiness {self.trustworthiness:.3f}: 1 where all neighbours shown are true ones.",)


def map_features(
    run: str | Path,
    source: Any = None,
    *,
    how: str = "tsne",
    count: int = 2000,
    to: str | Path | None = None,
    seed: int = 0,
    accelerator: str = "auto",
) -> FeatureMap:
    """Lays images out on a plane by their features, and shows it in the report.

    Args:
        run: any run with an encoder.
        source: a SOURCE or arrays; None takes the images that the run held out.
        how: "tsne", "pca", "umap" (needs the extra `hundredfold[map]`), or "latent": the code itself, of a generative
            model with two dimensions.
        count: images at most, at equal distances over the source, 2..5,000.
        to: a .csv file of the points to write, or None.
        seed: of t-SNE and UMAP.
        accelerator: see `run`.

    Raises:
        CheckpointError: no encoder in `run`, or no code of two dimensions. DataError: images that do not fit.
        SettingsError: a name, number or file type that does not exist.
    """
    target, folder = Path(to) if to is not None else None, Path(run)
    _check(how, count, target)
    encoder = load_encoder(folder)
    engine = choose_engine(accelerator=accelerator)
    parts = _thinned(asked_for(folder, source, encoder.spec), count)
    rows = torch.cat([features(encoder, part.images, part.index, engine) for part in parts])  # [n, d]
    # Directions, as probes and neighbours compare them: lengths would spread the map by contrast.
    rows = functional.normalize(rows, dim=1)
    points = _codes(folder, parts, engine) if how == LATENT else reduce(rows, how, seed=seed)  # [n, 2]
    found = FeatureMap(
        names=tuple(name for part in parts for name in part.names()),
        points=points,
        labels=tuple(label for part in parts for label in part.class_names(torch.arange(len(part)))),
        how=how,
        trustworthiness=trustworthiness(rows, points) if len(rows) > 3 else None,
        dimensions=rows.shape[1],
    )
    if target:
        shown = zip(found.names, found.labels, points.tolist(), strict=True)
        write_csv(
            target, ["name", "label", "x", "y"], ([name, label, repr(x), repr(y)] for name, label, (x, y) in shown)
        )
    return replace(found, report=show(folder, exhibit(found), {}))


def exhibit(found: FeatureMap) -> Exhibit:
    """The section of the report."""
    groups = tuple(label or UNNAMED for label in found.labels) if any(found.labels) else ()
    plot = ScatterPlot(
        title=f"Images by {TITLES[found.how]}",
        x=tuple(found.points[:, 0].tolist()),
        y=tuple(found.points[:, 1].tolist()),
        groups=groups,
    )
    return Exhibit(
        name="map",
        title="The images on a map",
        sentences=found.sentences(),
        plots=(plot,),
        command=f"hundredfold map RUN SOURCE --how {found.how}",
    )


def _check(how: str, count: int, target: Path | None) -> None:
    problems = []
    if how not in (*NAMES, LATENT):
        problems.append(unknown_name("map", how, (*NAMES, LATENT)))
    if not 2 <= count <= MOST:
        problems.append(f"count must be in 2..{MOST:,}, got {count}: more points cannot be told apart")
    if problems:
        raise SettingsError(problems)
    check_csv(target)


def _codes(run: Path, parts: list[Part], engine: Engine) -> Tensor:
    kept = load_generator(run)
    able_to(kept, "lay images out by their codes", "decode", run)
    model = kept.coder
    if model.latent != 2:
        raise CheckpointError(
            f"the code of {run} is no plane",
            why=f"it has {model.latent} dimensions",
            fix="use --how tsne, or pre-train with --set method_settings.latent=2",
        )
    engine.place(model).eval()
    with torch.no_grad():
        blocks = [model.encode(engine.images(block)).float().cpu() for part in parts for block in part.blocks()]
    return torch.cat(blocks)


def _thinned(parts: list[Part], most: int) -> list[Part]:
    """At most so many images, at equal distances over each part."""
    total = sum(map(len, parts))
    if total <= most:
        return parts
    counts = [max(1, len(part) * most // total) for part in parts]
    return [
        replace(part, index=part.index[torch.arange(count) * len(part) // count]) for part, count in zip(parts, counts)
    ]
