"""Which image of a set a person means by a name: what the set calls it, or a path to its file.

Tables are written by people, on other machines and with spreadsheets: a path may start at the table or at the set's
folder, be absolute, go through a link or have backslashes, and still mean the same image.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from hundredfold.data.labels import printable

TRAIN_FOLDERS = ("train", "training")  # of a folder that holds a test set too: names of its images start in one
SEARCHED = 20_000  # names among which a similar one is looked for
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # cells that are written with an apostrophe before them


class ImageNames:
    """Images by everything that they can be called.

    Args:
        names: of each, as the set has them.
        source: where the set was read from: paths may start there.
        base: another folder at which paths may start, that of a table for instance.
    """

    def __init__(self, names: Iterable[str], source: str, base: Path) -> None:
        self._first: dict[str, int] = {}
        self._repeated: dict[str, list[int]] = {}
        for position, name in enumerate(names):
            if self._first.setdefault(name, position) != position:
                self._repeated.setdefault(name, [self._first[name]]).append(position)
        roots = _roots(source)
        self._starts = [base, *roots] if roots else []
        self._folders = dict.fromkeys(place for root in roots for place in _places(root))

    def find(self, text: str) -> tuple[int, ...]:
        """Positions of the images that `text` stands for: none, one, or several that share a name."""
        name = next((spelling for spelling in self._spellings(text) if spelling in self._first), None)
        if name is None:
            return ()
        return tuple(self._repeated.get(name, [self._first[name]]))

    def nearest(self, text: str) -> str | None:
        """The name most like `text`, if one is: the same file in another folder, or a slip of the pen."""
        last = text.replace("\\", "/").rsplit("/", 1)[-1]
        same_file = next((name for name in self._first if name.rsplit("/", 1)[-1] == last), None)
        if same_file is not None:
            return same_file
        alike = islice((name for name in self._first if abs(len(name) - len(text)) <= 2), SEARCHED)
        return next(iter(difflib.get_close_matches(text, [*alike], n=1, cutoff=0.7)), None)

    def _spellings(self, text: str) -> Iterator[str]:
        for plain in dict.fromkeys((text, text.strip(), without_apostrophe(text.strip()))):
            for spelling in dict.fromkeys((plain, plain.replace("\\", "/"))):
                yield spelling
                yield printable(spelling)
                yield from self._below(spelling)

    def _below(self, path: str) -> Iterator[str]:
        """Where a path leads, as seen from the folders of the set."""
        if not path or "\0" in path:
            return
        for start in self._starts:
            for place in _places(start / path):
                for folder in self._folders:
                    if place.is_relative_to(folder):
                        yield printable(place.relative_to(folder).as_posix())


def without_apostrophe(cell: str) -> str:
    """The cell as it was before an apostrophe kept a spreadsheet from running it.

    >>> without_apostrophe("'=1.png"), without_apostrophe("'t.png")
    ('=1.png', "'t.png")
    """
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA) else cell


def is_file(path: Path) -> bool:
    """Whether there is such a file; a path that cannot be one, too long for instance, is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _roots(source: str) -> list[Path]:
    """The folders that the names of a set are relative to, if it was read from files."""
    path = Path(source)
    try:
        if path.is_dir():
            return [path, *(folder for folder in sorted(path.iterdir()) if folder.name.lower() in TRAIN_FOLDERS)]
    except (OSError, ValueError):
        return []
    return [path.parent] if is_file(path) else []


def _places(path: Path) -> tuple[Path, ...]:
    """The absolute path as written, and after following links."""
    return tuple(dict.fromkeys((Path(os.path.normpath(path.absolute())), path.resolve())))
