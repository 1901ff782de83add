"""Groups of images by what an encoder makes of them, and whether they are the classes where classes are known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from hundredfold.encoders.folder import load_encoder
from hundredfold.evaluate import clustering
from hundredfold.evaluate.clustering import Agreement, Clustering, agreement
from hundredfold.evaluate.features import features
from hundredfold.evaluate.low_dimensions import PCA, reduce
from hundredfold.exhibit_records import Exhibit, PictureRow, ScatterPlot, Table
from hundredfold.studies.exhibits import show
from hundredfold.studies.run_images import Part, asked_for, image_at
from hundredfold.studies.spreadsheet import check_csv, write_csv
from hundredfold.train.engine import choose_engine

SHOWN, EACH = 12, 12  # groups with pictures, and pictures of each
DRAWN = 2_000  # points on the map
NOISE = -1


@dataclass(frozen=True, kw_only=True, eq=False)
class Clusters:
    """Images in groups.

    Attributes:
        names: [n] texts, in input order.
        clustering: the groups.
        how: "kmeans", "mixture", "dbscan" or "hdbscan".
        chosen: whether the number of groups was chosen, and not asked for.
        agreement: with the labels that the source has, which the groups were made without; None without labels.
        report: the page that shows them, or None.
    """

    names: tuple[str, ...]
    clustering: Clustering
    how: str
    chosen: bool = False
    agreement: Agreement | None = None
    report: Path | None = None

    def sentences(self) -> tuple[str, ...]:
        """The figures, for people."""
        found, chosen = self.clustering, " (their number was chosen here)" if self.chosen else ""
        left = f"; {found.noise:,} belong to none" if found.noise else ""
        said = [f"{len(self.names):,} images in {found.number} groups by {self.how}{chosen}{left}."]
        if self.agreement:
            said.append(
                f"Against {self.agreement.images:,} labels: NMI {self.agreement.nmi:.3f}, "
                f"adjusted Rand index {self.agreement.ari:.3f}."
            )
        return tuple(said)


def cluster(
    run: str | Path,
    source: Any = None,
    *,
    how: str = "kmeans",
    clusters: int | None = None,
    eps: float | None = None,
    to: str | Path | None = None,
    seed: int = 0,
    accelerator: str = "auto",
) -> Clusters:
    """Puts images into groups by their features, and shows some of each group in the report.

    Args:
        run: any run with an encoder.
        source: a SOURCE or arrays; None takes the images that the run held out.
        how: "kmeans", "mixture", "dbscan" or "hdbscan".
        clusters: groups, for the first two; None chooses.
        eps: how near is near, for "dbscan"; None chooses.
        to: a .csv file to write, or None.
        seed: of starts.
        accelerator: see `run`.

    Raises:
        CheckpointError: no encoder in `run`. DataError: images that do not fit. SettingsError: a name, number or file
            type that cannot be used.
    """
    target, folder = Path(to) if to is not None else None, Path(run)
    check_csv(target)
    encoder = load_encoder(folder)
    engine = choose_engine(accelerator=accelerator)
    parts = asked_for(folder, source, encoder.spec)
    rows = torch.cat([features(encoder, part.images, part.index, engine) for part in parts])  # [n, d]
    made = clustering.cluster(rows, how, clusters=clusters, eps=eps, seed=seed)
    labels = torch.cat([part.labels() for part in parts])
    found = Clusters(
        names=tuple(name for part in parts for name in part.names()),
        clustering=made,
        how=how,
        chosen=clusters is None,
        agreement=agreement(made.labels, labels) if bool((labels >= 0).any()) else None,
    )
    if target:
        write_csv(
            target, ["name", "cluster"], ([name, str(group)] for name, group in zip(found.names, made.labels.tolist()))
        )
    return replace(found, report=show(folder, *_exhibit(found, rows, parts)))


def _exhibit(found: Clusters, rows: Tensor, parts: list[Part]) -> tuple[Exhibit, dict[str, Tensor]]:
    """The section of the report: a map, and pictures of the largest groups."""
    unit = functional.normalize(rows, dim=1)
    thin = torch.arange(min(len(rows), DRAWN)) * len(rows) // min(len(rows), DRAWN)
    points = reduce(unit[thin], PCA, seed=0)
    groups = tuple("none" if group == NOISE else f"group {group}" for group in found.clustering.labels[thin].tolist())
    plot = ScatterPlot(
        title="Groups, by principal components",
        x=tuple(points[:, 0].tolist()),
        y=tuple(points[:, 1].tolist()),
        groups=groups,
    )
    shown = range(min(SHOWN, found.clustering.number))
    pictures = {f"group_{group}": _typical(found.clustering.labels, group, unit, parts) for group in shown}
    exhibit = Exhibit(
        name="cluster",
        title="Groups of images",
        sentences=(*found.sentences(), "The images nearest to the middle of each group come first."),
        rows=tuple(
            PictureRow(title=f"group {group}: {found.clustering.sizes[group]:,} images", key=f"group_{group}")
            for group in shown
        ),
        plots=(plot,),
        tables=(_table(found.agreement),) if found.agreement else (),
        command=f"hundredfold cluster RUN SOURCE --how {found.how}",
    )
    return exhibit, pictures


def _typical(groups: Tensor, group: int, unit: Tensor, parts: list[Part]) -> Tensor:
    """[k, c, h, w]: the images of a group that are nearest to its mean direction."""
    members = (groups == group).nonzero().squeeze(1)
    near = (unit[members] @ unit[members].mean(0)).argsort(descending=True, stable=True)[:EACH]
    return torch.cat([image_at(parts, row) for row in members[near].tolist()])


def _table(found: Agreement) -> Table:
    return Table(
        header=("agreement with the labels", ""),
        rows=(
            ("normalised mutual information", f"{found.nmi:.3f}"),
            ("adjusted Rand index", f"{found.ari:.3f}"),
        ),
    )
