"""Files that are either whole or not there, and folders that can tell when a byte of them has changed.

A file is written beside its place under another name, flushed to the disk, and renamed over the old one: whoever reads
finds the old content or the new, also after a kill or a power cut. A full disk leaves the old file as it was.
A folder of such files gets `manifest.json` last, with the size and the SHA-256 of each: no manifest, or one that does
not match, and the folder is not to be trusted.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from hundredfold.errors import OutputError, ResourceError

if sys.platform != "win32":  # there leftovers are recognised by their age alone
    import fcntl

MANIFEST = "manifest.json"
ENDING = ".writing"  # of temporary files, hidden beside what they will become
STALE = 24 * 3600  # seconds after which a leftover is nobody's, where locks cannot tell
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
LARGEST_MANIFEST = 1 << 20  # bytes: about ten thousand files


@dataclass(frozen=True, kw_only=True)
class FileEntry:
    """What a manifest says of one file: its size in bytes, and its SHA-256 in hexadecimal."""

    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The content of `manifest.json`.

    Attributes:
        files: by name; each lies in the manifest's own folder.
        schema: version of this layout.
    """

    files: dict[str, FileEntry]
    schema: int = 1


def write_bytes(path: Path, content: bytes) -> None:
    """Put `content` at `path`, whole or not at all.

    Raises:
        ResourceError: the disk, or a quota, is full.
        OutputError: the folder is missing or cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{ENDING}")
    with _explained(path, len(content)):
        try:
            with temporary.open("xb") as file:
                _lock(file.fileno())  # held until after the rename: tells `sweep` that the writer lives
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                if sys.platform == "win32":
                    file.close()  # an open file cannot be renamed there
                temporary.replace(path)
            _flush_folder(path.parent)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise


def write_text(path: Path, text: str) -> None:
    """Put `text` at `path` as UTF-8, whole or not at all (errors as `write_bytes`)."""
    write_bytes(path, text.encode())


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Put `tensors` at `path` as a safetensors file, whole or not at all (errors as `write_bytes`).

    Tensors may be on any device, of any stride, and share memory; each is written on its own. The file is made in
    memory first: it takes the size of all tensors once more.
    """
    from safetensors.torch import save

    write_bytes(path, save(_apart(tensors), dict(metadata) if metadata else None))


def make_folder(folder: Path) -> None:
    """Make `folder` and those above it, if they are not there (errors as `write_bytes`)."""
    with _explained(folder, 0):
        folder.mkdir(parents=True, exist_ok=True)


def sweep(folder: Path) -> int:
    """Remove what writers that were killed left in `folder`; how many files that was.

    A file that a live process is still writing stays.
    """
    return sum(_remove_if_abandoned(path) for path in folder.glob(f".*{ENDING}"))


def manifest(folder: Path, names: Iterable[str]) -> Manifest:
    """Size and SHA-256 of each of `names` in `folder`, as they are on the disk.

    Raises:
        OSError: one of them cannot be read.
    """
    return Manifest(files={name: _entry(folder / name) for name in sorted(names)})


def write_manifest(folder: Path) -> None:
    """Write `manifest.json` for all files that lie in `folder` itself; call it last (errors as `write_bytes`)."""
    with _explained(folder / MANIFEST, 0):
        names = [path.name for path in folder.iterdir() if path.is_file() and not _is_ours(path.name)]
        content = _MANIFEST.dump_json(manifest(folder, names), indent=1)
    write_bytes(folder / MANIFEST, content)


def check_manifest(folder: Path) -> list[str]:
    """What differs between `folder` and its manifest, one sentence each; empty if nothing does.

    Files that the manifest does not name are not looked at.
    """
    path = folder / MANIFEST
    try:
        if path.stat().st_size > LARGEST_MANIFEST:
            return [f"{MANIFEST} is damaged: it has more than {LARGEST_MANIFEST} bytes"]
        files = _MANIFEST.validate_json(path.read_bytes()).files
    except FileNotFoundError:
        return [f"{MANIFEST} is missing"]
    except OSError as problem:
        return [f"{MANIFEST} cannot be read: {problem.strerror}"]
    except ValidationError:
        return [f"{MANIFEST} is damaged"]
    if not files:
        return [f"{MANIFEST} names no file"]
    return [problem for name, entry in files.items() for problem in _differences(folder, name, entry)]


_MANIFEST = TypeAdapter(Manifest)


def _differences(folder: Path, name: str, expected: FileEntry) -> Iterator[str]:
    if name != Path(name).name or "\0" in name:  # a manifest may come from anywhere: it speaks of its own folder only
        yield f"{MANIFEST} names {name!r}, which cannot be in its folder"
        return
    path = folder / name
    try:
        if not path.is_file():
            yield f"{name} is missing"
        elif (size := path.stat().st_size) != expected.size:
            yield f"{name} has {size} bytes, not {expected.size}"
        elif _entry(path) != expected:
            yield f"{name} is not what was written: its SHA-256 differs"
    except OSError as problem:
        yield f"{name} cannot be read: {problem.strerror}"


def _entry(path: Path) -> FileEntry:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return FileEntry(size=os.fstat(file.fileno()).st_size, sha256=digest)


def _is_ours(name: str) -> bool:
    return name == MANIFEST or (name.startswith(".") and name.endswith(ENDING))


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    # safetensors refuses tensors that share memory: the second that begins where another did becomes a copy.
    seen: set[int] = set()
    result = {}
    for name, tensor in tensors.items():
        plain = tensor.detach().cpu().contiguous()
        storage = plain.untyped_storage().data_ptr()
        result[name] = plain.clone() if storage in seen else plain
        seen.add(storage)
    return result


def _lock(descriptor: int) -> bool:
    if sys.platform == "win32":
        return False
    with contextlib.suppress(OSError):  # a file system without locks
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _remove_if_abandoned(path: Path) -> bool:
    try:
        with path.open("rb+") as file:
            abandoned = _lock(file.fileno()) or time.time() - path.stat().st_mtime > STALE
        if abandoned:
            path.unlink()
    except OSError:  # renamed meanwhile, or not ours to remove
        return False
    return abandoned


def _flush_folder(folder: Path) -> None:
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _explained(path: Path, size: int) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        reason = problem.strerror or str(problem)
        if problem.errno in FULL:
            raise ResourceError(
                f"no room to write {path}",
                why=f"{reason}: needed {size / 1e6:.1f} MB, free {_free(path.parent)}; what was there is untouched",
                fix="free some space, or choose another output folder",
            ) from problem
        fix = "choose an output folder that exists and can be written"
        raise OutputError(f"cannot write {path}", why=reason, fix=fix) from problem


def _free(folder: Path) -> str:
    try:
        return f"{shutil.disk_usage(folder).free / 1e6:.1f} MB"
    except OSError:
        return "unknown"
