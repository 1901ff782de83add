"""A folder of images, with or without one sub-folder per class.

Each first-level sub-folder is a class and holds its images at any depth; images that lie beside the sub-folders are
unlabelled, and so is what `unlabelled/` holds. One sub-folder alone is no classes: it is read in the folder's stead.
Files come in sorted order, hidden ones and those that are no images are passed over, and links to folders are
followed once, so that a loop ends.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hundredfold.data.decode import SUFFIXES
from hundredfold.data.encoded import EncodedImage, image_set
from hundredfold.data.images import ImageSet
from hundredfold.data.labels import printable
from hundredfold.data.options import ReadOptions
from hundredfold.errors import DataError
from hundredfold.records import BadFile

UNLABELLED_FOLDERS = frozenset(("unlabelled", "unlabeled", "unsup", "unsupervised"))
NOT_OURS = frozenset(("__MACOSX", "@eaDir", "$RECYCLE.BIN"))


@dataclass
class _Scan:
    """What walking a folder found: paths relative to it, as parts."""

    images: list[tuple[str, ...]] = field(default_factory=list)
    bad: list[BadFile] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)  # by ending
    skipped_links: int = 0


def read_image_folder(folder: Path, options: ReadOptions, known: Sequence[str] = ()) -> ImageSet:
    """The images of a folder; their classes are the names of its sub-folders.

    Args:
        folder: where the images are.
        options: how to read.
        known: classes of the set that these images go with; a lone sub-folder of such a name is a class.

    Raises:
        DataError: it holds no usable image, or cannot be listed.
    """
    scan = _scanned(folder)
    notes = _notes(scan)
    if not scan.images:
        endings = ", ".join(f"{ending} {count}" for ending, count in scan.others.most_common(5))
        raise DataError(
            f"no images in {folder}",
            why=f"it holds {endings}" if endings else "nothing in it ends like an image",
            fix=f"image files end in {' '.join(sorted(SUFFIXES))}",
        )
    prefix = _only_folder(scan.images, known)
    if prefix:
        notes.append(f"all images are in {printable('/'.join(prefix))}/: it was read as the folder itself")
    depth = len(prefix)
    items = [
        EncodedImage(printable("/".join(parts)), folder.joinpath(*parts), _class_of(parts[depth:]))
        for parts in scan.images
    ]
    items, said = _without_a_lone_class(items, known)
    return image_set(str(folder), items, options, bad_files=scan.bad, notes=notes + said)


def _scanned(folder: Path) -> _Scan:
    """Walk breadth first over real folders, then over the links to folders found on the way: each folder once."""
    scan = _Scan()
    seen: set[tuple[int, int]] = set()
    folders: deque[tuple[str, ...]] = deque([()])
    links: deque[tuple[str, ...]] = deque()
    while folders or links:
        is_link = not folders
        parts = links.popleft() if is_link else folders.popleft()
        path = folder.joinpath(*parts)
        try:
            status = path.stat()
            if (status.st_dev, status.st_ino) in seen:
                scan.skipped_links += 1
                continue
            seen.add((status.st_dev, status.st_ino))
            entries = sorted(_visible(path), key=lambda entry: entry.name)
        except OSError as problem:
            if not parts:
                raise DataError(f"cannot list {folder}", why=str(problem)) from problem
            scan.bad.append(BadFile(path=printable("/".join(parts)), reason=f"cannot be listed: {problem.strerror}"))
            continue
        for entry in entries:
            _sort_entry(entry, (*parts, entry.name), scan, folders, links)
    scan.images.sort()
    return scan


def _visible(path: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(path) as entries:
        yield from (entry for entry in entries if not entry.name.startswith(".") and entry.name not in NOT_OURS)


def _sort_entry(
    entry: os.DirEntry[str],
    parts: tuple[str, ...],
    scan: _Scan,
    folders: deque[tuple[str, ...]],
    links: deque[tuple[str, ...]],
) -> None:
    try:
        if entry.is_dir(follow_symlinks=False):
            folders.append(parts)
            return
        if entry.is_dir():
            links.append(parts)
            return
    except OSError as problem:  # a link that leads back to itself
        scan.bad.append(BadFile(path=printable("/".join(parts)), reason=f"cannot be followed: {problem.strerror}"))
        return
    ending = Path(entry.name).suffix.lower()
    if ending in SUFFIXES:
        scan.images.append(parts)
    else:
        scan.others[printable(ending) or "no ending"] += 1


def _only_folder(images: Sequence[tuple[str, ...]], known: Sequence[str]) -> tuple[str, ...]:
    """The folders that every image lies in, one within the other, down to one that is a known class."""
    shared = images[0][:-1]
    for parts in images:
        while parts[: len(shared)] != shared or len(parts) == len(shared):
            shared = shared[:-1]
    depth = next((depth for depth, name in enumerate(shared) if printable(name) in known), len(shared))
    return shared[:depth]


def _class_of(parts: Sequence[str]) -> str | None:
    if len(parts) == 1 or parts[0].lower() in UNLABELLED_FOLDERS:
        return None
    return printable(parts[0])


def _without_a_lone_class(items: list[EncodedImage], known: Sequence[str]) -> tuple[list[EncodedImage], list[str]]:
    classes = {item.label for item in items} - {None}
    unlabelled = sum(item.label is None for item in items)
    if len(classes) == 1 and not classes <= set(known):
        return (
            [item._replace(label=None) for item in items],
            [f"one sub-folder ({classes.pop()}) beside {unlabelled:,} images makes no classes: all are unlabelled"],
        )
    if classes and unlabelled:
        return items, [f"{unlabelled:,} images lie in no class folder: they are unlabelled"]
    return items, []


def _notes(scan: _Scan) -> list[str]:
    notes = []
    if scan.others:
        endings = ", ".join(f"{ending} {count}" for ending, count in scan.others.most_common(5))
        notes.append(f"{scan.others.total():,} files that are no images were passed over ({endings})")
    if scan.skipped_links:
        notes.append(f"{scan.skipped_links:,} links to folders already read were passed over")
    return notes
