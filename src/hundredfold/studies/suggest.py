"""Which images to label next, by the encoder of a run: a table to fill in, and a page that shows them.

Without labels these are typical images of groups that look alike; with some, images that a probe learnt from them
cannot tell (see `evaluate.query_strategies`). The table is what `--labelled` takes.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hundredfold.data.images import ImageSet, Source
from hundredfold.data.label_table import counted, is_table
from hundredfold.data.match import matched, pixel_type
from hundredfold.data.read import read, with_labels
from hundredfold.encoders._base import EncoderSpec
from hundredfold.encoders.folder import load_encoder
from hundredfold.errors import DataError, SettingsError, unknown_name
from hundredfold.evaluate.features import features
from hundredfold.evaluate.query_strategies import STRATEGIES, Query, query, resolved
from hundredfold.report.page import write_suggestions
from hundredfold.report.suggest import SHOWN, Card, suggestion_view
from hundredfold.studies.pictures import as_bytes
from hundredfold.studies.to_label import check_replaceable, known_labels, write_table
from hundredfold.train.engine import choose_engine

NO_TEST = (
    "there is no test set: a part of the labelled images becomes one, and images that were chosen are no fair sample; "
    "label some drawn at random too, and give them with --test"
)
SURE = 0.5  # lead of the likeliest class over the second from which the model is said to be sure

HOW = {
    "typiclust": "Typical images of groups that look alike to the encoder, in the order in which each adds most to "
    "what is covered, of {unlabelled} without a label{beside}.",
    "density": "Images that a model learnt from {known} is unsure of and that many others are like, of {unlabelled} "
    "without a label.",
    "badge": "Images that a model learnt from {known} is unsure of, each in another way, drawn from {unlabelled} "
    "without a label.",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Suggestions:
    """Images to label, the most worth first.

    Attributes:
        names: [count] texts.
        positions: [count] int64, in the images to learn from.
        strategy: how they were chosen: "typiclust", "density" or "badge".
        why: [count] a few words each.
        scores: [count] what the strategy saw in each: images in its group (typiclust), doubt 0..1 (density), length of
            the gradient (badge).
        guesses: [count] the two likeliest classes with their probabilities by a probe on the known labels; empty
            without labels of two classes.
        known: images that have a label already.
        unlabelled: images that were to choose from.
        notes: what to bear in mind.
        table, page: the files written, or None.
    """

    names: tuple[str, ...]
    positions: Tensor
    strategy: str
    why: tuple[str, ...]
    scores: Tensor
    guesses: tuple[tuple[tuple[str, float], ...], ...]
    known: int
    unlabelled: int
    notes: tuple[str, ...] = ()
    table: Path | None = None
    page: Path | None = None

    def how(self) -> str:
        """One sentence on how they were chosen."""
        known = counted(self.known, "label")
        beside = f"; groups without a labelled image come first ({known} known)" if self.known else ""
        return HOW[self.strategy].format(known=known, unlabelled=f"{self.unlabelled:,}", beside=beside)

    def next_command(self, run: str | Path, source: Any) -> str:
        """What to run when the labels are filled in."""
        table = str(self.table) if self.table else "TABLE.csv"
        named = str(source) if isinstance(source, str | Path) else "SOURCE"
        return shlex.join(["hundredfold", "evaluate", str(run), named, "--labelled", table])


def suggest(
    run: str | Path,
    source: Any,
    *,
    count: int = 100,
    labelled: str | Path | None = None,
    to: str | Path | None = None,
    strategy: str = "auto",
    ignore_labels: bool = False,
    seed: int = 0,
    accelerator: str = "auto",
    report: str | Path | None = None,
    overwrite: bool = False,
) -> Suggestions:
    """The images of `source` whose labels a model would gain most from.

    Test images are never among them, nor images that have a label.

    Args:
        run: a run folder with an encoder.
        source: a SOURCE or arrays.
        count: how many.
        labelled: a table of labels for images of `source`; those of `source` itself do not count then, as in `run`.
        to: a .csv file to write, or None.
        strategy: "typiclust", "density", "badge", or "auto": the first without labels, the second with some.
        ignore_labels: take the images for unlabelled, whatever labels `source` has.
        seed: of k-means and of draws.
        accelerator: see `run`.
        report: the .html page to write; None puts it beside `to`, if that is given.
        overwrite: replace `to` even if labels in it would be lost.

    Raises:
        SettingsError: a name or file type that does not exist, a strategy that needs labels without any.
        CheckpointError: no encoder in `run`.
        DataError: images that do not fit, fewer unlabelled ones than `count`, labels that are for no image.
        OutputError: `to` holds labels that would be lost, or cannot be written.
    """
    table, page = _targets(to, report)
    _check(count, strategy, labelled, ignore_labels, table, page)
    encoder = load_encoder(Path(run))
    pool = read(source)
    images = _in_form(_known(pool, labelled, ignore_labels), encoder.spec)
    if table and not overwrite:
        check_replaceable(table, known_labels(images))
    resolved(strategy, images.labels)
    _check_enough(count, images)
    engine = choose_engine(accelerator=accelerator)
    rows = features(encoder, images, torch.arange(len(images)), engine)  # [n, d]
    found = query(rows, images.labels, len(images.classes), count, strategy=strategy, seed=seed)
    guesses = _guesses(found, images.classes)
    result = Suggestions(
        names=tuple(images.name(position) for position in found.positions.tolist()),
        positions=found.positions,
        strategy=found.strategy,
        why=_why(found, guesses),
        scores=found.scores,
        guesses=guesses,
        known=len(images.labelled()),
        unlabelled=len(images) - len(images.labelled()),
        notes=() if pool.test else (NO_TEST,),
        table=table,
        page=page,
    )
    if table:
        if not overwrite:  # somebody may have typed meanwhile
            check_replaceable(table, known_labels(images))
        write_table(table, images, result.positions.tolist(), result.why)
    if page:
        _write_page(result, images, page, command=result.next_command(run, source))
    return result


def _targets(to: str | Path | None, report: str | Path | None) -> tuple[Path | None, Path | None]:
    table = Path(to) if to is not None else None
    if report is not None:
        return table, Path(report)
    return table, table.with_suffix(".html") if table else None


def _check(
    count: int,
    strategy: str,
    labelled: str | Path | None,
    ignore_labels: bool,
    table: Path | None,
    page: Path | None,
) -> None:
    """Raises SettingsError with all that can be told before anything is read."""
    problems = []
    if count < 1:
        problems.append(f"--count must be >= 1, got {count}")
    if strategy not in (*STRATEGIES, "auto"):
        problems.append(unknown_name("strategy", strategy, (*STRATEGIES, "auto")))
    if labelled is not None and not is_table(labelled):
        problems.append(f"--labelled {labelled}: there is no such table (.csv or .tsv)")
    if ignore_labels and strategy in ("density", "badge") and labelled is None:
        problems.append(f"strategy {strategy} needs labels, and --ignore-labels leaves none")
    for path, ending in ((table, ".csv"), (page, ".html")):
        problems += _path_problems(path, ending)
    if problems:
        raise SettingsError(problems)


def _path_problems(path: Path | None, ending: str) -> list[str]:
    if path is None:
        return []
    if path.suffix.lower() != ending:
        return [f"{path} must be a {ending} file"]
    folder = path.absolute().parent
    return [] if folder.is_dir() else [f"{path}: there is no folder {folder}"]


def _known(pool: Source, labelled: str | Path | None, ignore_labels: bool) -> ImageSet:
    """The images to learn from, with the labels that count."""
    if labelled is not None:
        return _labelled_by_table(pool, labelled)
    return pool.train.without_labels() if ignore_labels else pool.train


def _in_form(images: ImageSet, spec: EncoderSpec) -> ImageSet:
    """The same images as the encoder takes them."""
    size = (spec.height, spec.width)
    return matched(images, channels=spec.channels, size=size, dtype=pixel_type(images.pixels))


def _labelled_by_table(pool: Source, labelled: str | Path) -> ImageSet:
    images = with_labels(pool, labelled).train
    if images.pixels is not pool.train.pixels:
        raise DataError(
            f"{labelled} names images that are not in {pool.train.source}",
            why="what to label next is chosen among the images of SOURCE",
            fix="give a table of labels for images of SOURCE: columns index or name, and label",
        )
    return images


def _check_enough(count: int, images: ImageSet) -> None:
    available = len(images) - len(images.labelled())
    if count <= available:
        return
    why = f"{len(images) - available:,} of the {len(images):,} images of {images.source} are labelled already"
    if not available:
        raise DataError(
            "no image is left to label",
            why=why,
            fix="--ignore-labels takes the images for unlabelled; --labelled FILE.csv says which labels count",
        )
    raise DataError(
        f"{count:,} images to label were asked for, and {available:,} have no label",
        why=why,
        fix=f"--count {available}",
    )


def _guesses(found: Query, classes: Sequence[str]) -> tuple[tuple[tuple[str, float], ...], ...]:
    if found.guesses is None or found.shares is None:
        return ((),) * len(found.positions)
    return tuple(
        tuple((classes[label], share) for label, share in zip(labels, shares))
        for labels, shares in zip(found.guesses.tolist(), found.shares.tolist())
    )


def _why(found: Query, guesses: Sequence[tuple[tuple[str, float], ...]]) -> tuple[str, ...]:
    if found.strategy == "typiclust":
        return tuple(map(_group, found.scores.int().tolist()))
    return tuple(map(_doubt, guesses))


def _group(size: int) -> str:
    return f"typical of a group of {size:,} images" if size > 1 else "like no other image"


def _doubt(guesses: tuple[tuple[str, float], ...]) -> str:
    (first, most), (second, less) = guesses
    return f"model unsure: {first} or {second}" if most - less < SURE else f"model says {first}, {most:.0%}"


def _write_page(result: Suggestions, images: ImageSet, target: Path, *, command: str) -> None:
    shown = result.positions[:SHOWN]
    stored = as_bytes(images.take(shown)).numpy()  # [count, c, h, w]
    told = result.strategy == "typiclust"  # with the others the guesses are the reason
    cards = [
        Card(index=position, name=name, why=why if told else "", picture=picture, guesses=guesses)
        for position, name, why, picture, guesses in zip(
            shown.tolist(), result.names, result.why, stored, result.guesses
        )
    ]
    view = suggestion_view(
        cards,
        count=len(result.names),
        source=images.source,
        file=result.table.name if result.table else "",
        how=result.how(),
        notes=result.notes,
        command=command,
    )
    write_suggestions(target, view)
