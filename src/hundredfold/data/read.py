"""Read a SOURCE: decide from what is given which reader it needs.

Nothing here opens the network, except for a name that asks for it: `hub:owner/name`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
from torch import Tensor

from hundredfold.data.arrays import array_set, read_array_file
from hundredfold.data.decode import SUFFIXES
from hundredfold.data.digits import read_digits
from hundredfold.data.hub import PREFIX, read_hub
from hundredfold.data.idx import is_idx_folder, read_idx_folder
from hundredfold.data.image_folder import read_image_folder
from hundredfold.data.image_names import TRAIN_FOLDERS
from hundredfold.data.images import ImageSet, Source
from hundredfold.data.join import join, with_own_test, with_test
from hundredfold.data.label_table import is_table, read_label_table
from hundredfold.data.labelled_by import labelled_by
from hundredfold.data.labels import printable
from hundredfold.data.match import matched, pixel_type
from hundredfold.data.options import ReadOptions
from hundredfold.data.parquet import is_parquet_folder, read_parquet_file, read_parquet_folder
from hundredfold.data.table import read_table
from hundredfold.errors import DataError

__all__ = ["EMBEDDED", "ReadOptions", "SourceLike", "join", "read", "with_labels", "with_test"]

SourceLike: TypeAlias = str | Path | np.ndarray | Tensor | tuple[object, object] | ImageSet | Source

EMBEDDED: dict[str, Callable[[], Source]] = {"digits": read_digits}
FILES: dict[str, Callable[[Path, ReadOptions], Source]] = {
    ".npz": read_array_file,
    ".npy": read_array_file,
    ".parquet": read_parquet_file,
    ".csv": read_table,
    ".tsv": read_table,
}
TEST_FOLDERS = ("test", "testing", "val", "valid", "validation")


def read(source: SourceLike, options: ReadOptions = ReadOptions(), *, like: ImageSet | None = None) -> Source:  # noqa: B008
    """The images that `source` names or is.

    Args:
        source: an embedded set's name; a folder or file; `hub:owner/name`; images [n, h, w], [n, h, w, c] or
            [n, c, h, w] as a numpy array or torch tensor, alone or in a tuple with their labels; a set already read.
        options: how to read.
        like: bring the images to the channels, size and number type of this set.

    Raises:
        DataError: there is no such source, or nothing in it can be used.
    """
    if like is not None:
        options = options.for_more(like.size)
    found = _found(source, options, like.classes if like is not None else ())
    if like is not None:
        form = {"channels": like.channels, "size": like.size, "dtype": pixel_type(like.pixels)}
        return _each(found, lambda images: matched(images, **form))  # type: ignore[arg-type]
    side = options.image_size
    if side is None:
        return found
    return _each(
        found,
        lambda images: matched(images, channels=images.channels, size=(side, side), dtype=pixel_type(images.pixels)),
    )


def with_labels(pool: Source, labelled: SourceLike, options: ReadOptions = ReadOptions()) -> Source:  # noqa: B008
    """The same images with the labels of `labelled`, which alone count.

    Args:
        pool: what was read.
        labelled: a table of labels for the images of `pool` (see `data.label_table` for when a table is one), or a
            SOURCE of labelled images, which are joined to it.
        options: how to read.

    Raises:
        DataError: labels that do not fit the images, or none.
    """
    if not is_table(labelled):
        return join(pool, read(labelled, options, like=pool.train).train)
    table = read_label_table(Path(str(labelled)).expanduser(), pool)
    if not table.is_other_source:
        return labelled_by(pool, table)
    return join(pool, read(labelled, options, like=pool.train).train, repeated=table.images_beside())


def _found(source: SourceLike, options: ReadOptions, known: tuple[str, ...]) -> Source:
    if isinstance(source, Source):
        return source
    if isinstance(source, ImageSet):
        return Source(train=source)
    if isinstance(source, tuple):
        if len(source) != 2:
            raise DataError(f"a tuple of {len(source)} is no source", fix="possible: (images, labels)")
        return Source(train=array_set("arrays", *source))
    if isinstance(source, (np.ndarray, Tensor)):
        return Source(train=array_set("array", source))
    if isinstance(source, str) and source in EMBEDDED:
        return EMBEDDED[source]()
    if isinstance(source, str) and source.startswith(PREFIX):
        return read_hub(source, options)
    return _read_path(source, options, known)


def _read_path(source: str | Path, options: ReadOptions, known: tuple[str, ...]) -> Source:
    if not str(source).strip():
        raise DataError("no source was given", fix=f"give a folder, a file, or one of: {', '.join(EMBEDDED)}")
    try:
        path = Path(source).expanduser()
        is_folder, is_file = path.is_dir(), path.is_file()
    except (OSError, RuntimeError) as problem:  # a name too long; a user without a home
        why = printable(getattr(problem, "strerror", None) or str(problem))
        raise DataError(f"cannot look at {printable(str(source))[:200]}", why=why) from problem
    if is_folder:
        return _read_folder(path, options, known)
    if not is_file:
        raise _missing(str(source), path)
    reader = FILES.get(path.suffix.lower())
    if reader is None:
        what = "one image is no set: give its folder" if path.suffix.lower() in SUFFIXES else ""
        raise DataError(
            f"{path} is no source of images",
            why=f"possible files end in {', '.join(FILES)}",
            fix=what or "unpack an archive first, then give its folder",
        )
    return reader(path, options)


def _read_folder(folder: Path, options: ReadOptions, known: tuple[str, ...] = ()) -> Source:
    if is_idx_folder(folder):
        return read_idx_folder(folder)
    if is_parquet_folder(folder):
        return read_parquet_folder(folder, options)
    train, test, left_out = _split_folders(folder)
    if train is None or test is None:
        return Source(train=read_image_folder(folder, options, known))
    found = _read_folder(train, options, known).train
    notes = (*found.notes, *(f"{name}/ was left out: the test set is {test.name}/" for name in left_out))
    images = replace(found, source=str(folder), notes=notes)
    return with_own_test(images, _read_folder(test, options.for_more(images.size), images.classes).train)


def _split_folders(folder: Path) -> tuple[Path | None, Path | None, list[str]]:
    """The folders to learn from and to test on, if both are there, and names of those that are for neither."""
    by_name = {path.name.lower(): path for path in sorted(folder.iterdir()) if path.is_dir()}
    train = next((by_name[name] for name in TRAIN_FOLDERS if name in by_name), None)
    tests = [by_name[name] for name in TEST_FOLDERS if name in by_name]
    return train, tests[0] if tests else None, [path.name for path in tests[1:]]


def _missing(source: str, path: Path) -> DataError:
    """Never a download: a name that is not there is an error that says what is."""
    shown = printable(source)[:200]
    try:
        siblings = sorted(entry.name for entry in path.parent.iterdir())
    except (OSError, ValueError):
        siblings = []
        why = f"there is no folder {printable(str(path.parent))[:200]} either"
    else:
        why = "there is no such file or folder, and no embedded set of that name"
    near = difflib.get_close_matches(path.name, siblings, n=1, cutoff=0.6)
    embedded = difflib.get_close_matches(source, EMBEDDED, n=1, cutoff=0.5)
    if embedded:
        fix = f"did you mean {embedded[0]!r}?"
    elif near:
        fix = f"did you mean {printable(str(path.parent / near[0]))}?"
    elif source.count("/") == 1 and not source.startswith((".", "/", "~")):
        fix = f"for a data set of the Hugging Face Hub write {PREFIX}{shown}"
    else:
        fix = f"give a folder or file that exists, or one of: {', '.join(EMBEDDED)}"
    return DataError(f"there is no source {shown!r}", why=why, fix=fix)


def _each(source: Source, change: Callable[[ImageSet], ImageSet]) -> Source:
    return Source(train=change(source.train), test=change(source.test) if source.test else None)
