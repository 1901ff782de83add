"""Who may write into a run folder.

One process at a time (a lock that the system releases when the process dies). A folder that already holds something
is touched only when asked: `resume` goes on with the run in it, `overwrite` replaces it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from hundredfold import atomic
from hundredfold.errors import OutputError, ResourceError
from hundredfold.studies.run_folder import LOCK, LOG, RunFolder


@contextmanager
def claimed(path: Path, *, resume: bool = False, overwrite: bool = False) -> Iterator[RunFolder]:
    """The folder, made if needed, proved writable, and locked for as long as the context lasts.

    Nothing in it is changed, and a folder made here goes again if it was left without a run in it.

    Raises:
        OutputError: it cannot be written, is not empty, holds no run to resume, or another process is using it.
    """
    if resume and not path.exists():
        raise OutputError(f"there is no run in {path}", fix="look for the folder, or leave --resume out to start one")
    made = [folder for folder in (path, *path.parents) if not folder.exists()]
    lock = _lock(path)
    try:
        check_free(path, resume=resume, overwrite=overwrite)
        folder = RunFolder(path)
        for place in (path, folder.cells, folder.encoder, folder.classifier, folder.classifier / "encoder"):
            atomic.sweep(place)
        yield folder
    finally:
        if made and contents(path) == []:
            _take_back(path, made)
        lock.close()


def check_free(path: Path, *, resume: bool = False, overwrite: bool = False) -> None:
    """Raises OutputError if `path` holds something and neither option says what to do with it."""
    there = contents(path)
    if not there or overwrite:
        return
    what = f"it holds {', '.join(there[:5])}{', ...' if len(there) > 5 else ''}"
    if not resume:
        raise OutputError(
            f"{path} is not empty",
            why=what,
            fix="--resume goes on with the run in it, --overwrite replaces it, --out chooses another folder",
        )
    if not RunFolder(path).asked.exists():  # the first file that a run writes
        raise OutputError(
            f"there is no run in {path} to go on with",
            why=what,
            fix="look for the folder, or leave --resume out and choose an empty --out",
        )


def contents(path: Path) -> list[str]:
    """Names of what lies in `path`, apart from lock, log and what a killed writer left.

    Raises:
        OutputError: it is no folder, or cannot be read.
    """
    try:
        names = sorted(item.name for item in path.iterdir()) if path.exists() else []
    except OSError as problem:
        raise OutputError(
            f"cannot read {path}", why=problem.strerror or str(problem), fix="choose another folder with --out"
        ) from problem
    return [name for name in names if name not in (LOCK, LOG) and not name.endswith(atomic.ENDING)]


def free_name(source: str, method: str) -> Path:
    """A folder under `runs/` that does not exist yet, named after what runs."""
    stem = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in Path(source).name)[:40]
    base = Path("runs") / f"{stem or 'run'}-{method}"
    candidate, number = base, 1
    while candidate.exists():
        number += 1
        candidate = base.with_name(f"{base.name}-{number}")
    return candidate


def require_room(path: Path, needed: int) -> None:
    """Raises ResourceError unless `needed` bytes are free where `path` is."""
    free = shutil.disk_usage(path).free
    if free < needed:
        raise ResourceError(
            f"not enough room in {path}",
            why=f"checkpoints and results take about {needed / 1e6:,.0f} MB, {free / 1e6:,.0f} MB are free",
            fix="free some space, or choose another --out",
        )


def _take_back(path: Path, made: list[Path]) -> None:
    """Removes the folders that were made for a run that did not begin, as far as they are empty."""
    with contextlib.suppress(OSError):
        (path / LOCK).unlink()
        for folder in made:
            folder.rmdir()


def _lock(path: Path) -> IO[Any]:
    atomic.make_folder(path)
    try:
        file = (path / LOCK).open("a+")
    except OSError as problem:
        raise OutputError(
            f"cannot write into {path}",
            why=problem.strerror or str(problem),
            fix="choose a folder that can be written with --out",
        ) from problem
    try:
        import fcntl
    except ImportError:  # not POSIX: no lock
        return file
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as problem:
        if problem.errno not in (errno.EACCES, errno.EAGAIN):  # a file system without locks
            return file
        file.seek(0)
        holder = file.read().strip() or "another process"
        file.close()
        raise OutputError(
            f"{path} is in use by {holder}",
            why="two runs in one folder would spoil each other",
            fix="wait for that run to end, or choose another --out",
        ) from problem
    with contextlib.suppress(OSError):  # who holds it is told for comfort; the lock itself is not in the file
        file.truncate(0)
        file.write(f"process {os.getpid()}")
        file.flush()
    return file
