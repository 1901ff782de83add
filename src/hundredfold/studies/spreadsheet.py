"""Tables for people: CSV files that no spreadsheet takes for a program, written whole or not at all."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from hundredfold import atomic
from hundredfold.errors import SettingsError, unknown_name

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a cell that starts so would be run by a spreadsheet


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Writes a header and rows of texts as UTF-8; a text that a spreadsheet would run gets an apostrophe before it.

    Raises:
        OutputError, ResourceError: the file cannot be written; what was there stays.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    careful = csv.writer(buffer, lineterminator="\n", quoting=csv.QUOTE_ALL)  # the other leaves a lone \r bare
    for row in (header, *rows):
        cells = [harmless(cell) for cell in row]
        (careful if any("\r" in cell for cell in cells) else writer).writerow(cells)
    atomic.write_text(path, buffer.getvalue())


def check_csv(to: Path | None) -> None:
    """Raises SettingsError unless `to` is None, or a .csv file in a folder that exists."""
    if to is None:
        return
    if to.suffix != ".csv":
        raise SettingsError([unknown_name("file type", to.suffix or str(to), [".csv"])])
    if not to.absolute().parent.is_dir():
        raise SettingsError([f"--to {to}: there is no folder {to.absolute().parent}"])


def harmless(cell: str) -> str:
    """A text that no spreadsheet takes for a formula; numbers stay as they are.

    >>> harmless("=1+1"), harmless("-0.5"), harmless("cat")
    ("'=1+1", '-0.5', 'cat')
    """
    return f"'{cell}" if cell.startswith(FORMULA) and not _is_number(cell) else cell


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
