"""A data set of the Hugging Face Hub, fetched over https and checked: only when asked for by `hub:owner/name`.

The Hub lists the files of a data set with their size and SHA-256. The Parquet files among them are fetched to a
temporary file in the cache, never longer than announced, compared with the hash and only then given their name.
What was fetched once is read again without a network, until its folder is removed. No token is sent; nothing but
https is followed (plain http only on this machine itself, for tests).
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import shutil
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import Message
from pathlib import Path, PurePosixPath
from typing import IO, Any

from hundredfold.data.images import Source
from hundredfold.data.labels import printable
from hundredfold.data.options import ReadOptions
from hundredfold.data.parquet import read_parquet_folder
from hundredfold.errors import DataError, ResourceError

PREFIX = "hub:"
ENDPOINT = "https://huggingface.co"
NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
REVISION = re.compile(r"[A-Za-z0-9][\w./-]{0,99}", re.ASCII)
LARGEST = 20 << 30  # bytes of one data set
LARGEST_LISTING = 16 << 20  # bytes of one page of the list of files
PAGES = 100  # of that list
CHUNK = 1 << 20
TIMEOUT = 30.0  # seconds without an answer
LOOPBACK = frozenset(("127.0.0.1", "localhost", "::1"))


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """A file of a data set as the Hub describes it.

    Attributes:
        path: within the data set.
        size: in bytes.
        sha256: in hexadecimal.
    """

    path: str
    size: int
    sha256: str


def read_hub(name: str, options: ReadOptions) -> Source:
    """The data set `hub:owner/name` or `hub:owner/name@revision`, from the cache or the network.

    Raises:
        DataError: no such data set, no network, or files that are not what the Hub says they are.
    """
    return read_parquet_folder(fetch(name.removeprefix(PREFIX), cache_folder(), ENDPOINT), options, name)


def cache_folder() -> Path:
    """Where fetched data sets are kept: $HUNDREDFOLD_CACHE, else `hundredfold` in the user's cache folder."""
    own = os.environ.get("HUNDREDFOLD_CACHE")
    if own:
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hundredfold"


def fetch(name: str, cache: Path, endpoint: str = ENDPOINT, *, largest: int = LARGEST) -> Path:
    """The folder that holds the Parquet files of a data set, fetched if they are not there yet.

    Args:
        name: "owner/name" or "owner/name@revision".
        cache: where to keep them.
        endpoint: the Hub's address.
        largest: bytes; a larger data set is refused before anything is fetched.

    Raises:
        DataError: a name that cannot be one, no network, no Parquet files, or content that is not as announced.
        ResourceError: the disk has no room.
    """
    repository, _, revision = name.partition("@")
    if not NAME.fullmatch(repository) or (revision and not REVISION.fullmatch(revision)) or ".." in name:
        raise DataError(f"{printable(name)[:200]!r} is no name of a data set", fix=f"write {PREFIX}owner/name")
    folder = cache / "hub" / repository.replace("/", "--") / (revision or "main").replace("/", "--")
    try:
        return _fetched(repository, revision or "main", folder, endpoint, largest)
    except PermissionError as problem:
        raise ResourceError(
            f"cannot keep {repository} in the cache", why=str(problem), fix="set HUNDREDFOLD_CACHE to a folder of yours"
        ) from problem


def _fetched(repository: str, revision: str, folder: Path, endpoint: str, largest: int) -> Path:
    record = folder / "files.json"
    if record.is_file():
        return folder  # written last: whatever is named there was complete
    files = _parquet_files(repository, revision, endpoint)
    total = sum(file.size for file in files)
    if total > largest:
        raise DataError(
            f"{repository} is too large", why=f"its files hold {total:,} bytes; at most {largest:,} are fetched"
        )
    folder.mkdir(parents=True, exist_ok=True)
    missing = [file for file in files if not _is_whole(folder / file.path, file)]
    needed, free = sum(file.size for file in missing), shutil.disk_usage(folder).free
    if needed > free:
        raise ResourceError(
            f"no room for {repository}", why=f"{needed:,} bytes are needed in {folder}, {free:,} are free"
        )
    for file in missing:
        url = f"{endpoint}/datasets/{repository}/resolve/{urllib.parse.quote(f'{revision}/{file.path}')}"
        _download(url, folder / file.path, file)
    _write(record, json.dumps([vars(file) for file in files], indent=1).encode())
    return folder


def _parquet_files(repository: str, revision: str, endpoint: str) -> list[RemoteFile]:
    url = f"{endpoint}/api/datasets/{repository}/tree/{urllib.parse.quote(revision)}?recursive=true"
    entries: list[Any] = []
    for _ in range(PAGES):
        page, following = _page(url, repository)
        entries += page
        if following is None:
            break
        url = following
    files = [file for entry in entries if (file := _remote_file(entry)) is not None]
    if not files:
        raise DataError(
            f"{repository} holds no Parquet files",
            why=f"it lists {len(entries):,} entries",
            fix=f"try {PREFIX}{repository}@refs/convert/parquet, where the Hub keeps its own conversion",
        )
    return files


def _remote_file(entry: Any) -> RemoteFile | None:
    if not isinstance(entry, dict) or entry.get("type") != "file":
        return None
    path = entry.get("path")
    if not isinstance(path, str) or not path.endswith(".parquet"):
        return None
    parts = PurePosixPath(path).parts
    if path.startswith("/") or "\\" in path or ":" in path or any(part in ("..", ".") for part in parts):
        raise DataError("the Hub's list names a file outside the data set", why=printable(path)[:200])
    stored = entry.get("lfs")
    digest = str(stored.get("oid", "")).removeprefix("sha256:") if isinstance(stored, dict) else ""
    size = stored.get("size") if isinstance(stored, dict) else None
    if not re.fullmatch("[0-9a-f]{64}", digest) or not isinstance(size, int) or size < 0:
        raise DataError(f"{printable(path)[:200]} cannot be checked", why="the Hub gives no SHA-256 and size for it")
    return RemoteFile(path=path, size=size, sha256=digest)


def _page(url: str, repository: str) -> tuple[list[Any], str | None]:
    """One page of the list of files, and the address of the next one."""
    with _opened(url, repository) as answer:
        text = answer.read(LARGEST_LISTING + 1)
        link = str(answer.headers.get("Link") or "")
    if len(text) > LARGEST_LISTING:
        raise DataError("the Hub's list of files does not end", why=url)
    try:
        page = json.loads(text)
    except ValueError as problem:
        raise DataError("the Hub's list of files is not JSON", why=f"{url}: {problem}") from problem
    if not isinstance(page, list):
        raise DataError("the Hub's list of files is not a list", why=url)
    following = re.search(r'<([^>]+)>;\s*rel="next"', link)
    return page, following.group(1) if following else None


def _download(url: str, target: Path, file: RemoteFile) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        digest, length = hashlib.sha256(), 0
        with _opened(url, file.path) as answer, part.open("wb") as stream:
            while block := answer.read(min(CHUNK, file.size - length + 1)):
                length += len(block)
                if length > file.size:
                    raise DataError(
                        f"{file.path} is longer than announced", why=f"{url}: more than {file.size:,} bytes"
                    )
                digest.update(block)
                stream.write(block)
            stream.flush()
            os.fsync(stream.fileno())
        if length < file.size:
            raise DataError(
                f"{file.path} arrived incomplete",
                why=f"{url}: {length:,} of {file.size:,} bytes",
                fix="try again",
            )
        if digest.hexdigest() != file.sha256:
            raise DataError(
                f"{file.path} is not what the Hub announced",
                why=f"SHA-256 {digest.hexdigest()}; announced {file.sha256}",
                fix="try again; if it stays so, do not trust this data set",
            )
        part.replace(target)
    except (http.client.HTTPException, TimeoutError, ConnectionError) as problem:
        raise DataError(f"fetching {file.path} broke off", why=f"{url}: {problem}", fix="try again") from problem
    finally:
        part.unlink(missing_ok=True)


def _is_whole(path: Path, file: RemoteFile) -> bool:
    if not path.is_file() or path.stat().st_size != file.size:
        return False
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256


def _write(path: Path, content: bytes) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _opened(url: str, what: str) -> Any:
    _require_https(url)
    try:
        return _opener().open(urllib.request.Request(url, headers={"User-Agent": "hundredfold"}), timeout=TIMEOUT)
    except urllib.error.HTTPError as problem:
        problem.close()
        raise DataError(
            f"the Hub does not give {printable(what)[:200]}",
            why=f"{url}: {problem.code} {problem.reason}",
            fix="see that the name is right and the data set public",
        ) from problem
    except (urllib.error.URLError, TimeoutError, ConnectionError, http.client.HTTPException) as problem:
        raise DataError(
            f"cannot reach the Hub for {printable(what)[:200]}",
            why=f"{url}: {getattr(problem, 'reason', problem)}",
            fix="where there is no network, fetch the Parquet files elsewhere and give their folder",
        ) from problem


class _OnlyHttps(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        try:
            _require_https(newurl)
        except DataError:
            fp.close()
            raise
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


def _opener() -> urllib.request.OpenerDirector:
    """Speaks http and https and nothing else: no file:, no ftp:, no data:."""
    opener = urllib.request.OpenerDirector()
    handlers: Sequence[urllib.request.BaseHandler] = (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _OnlyHttps(),
    )
    for handler in handlers:
        opener.add_handler(handler)
    return opener


def _require_https(url: str) -> None:
    address = urllib.parse.urlsplit(url)
    if address.scheme == "https" or (address.scheme == "http" and address.hostname in LOOPBACK):
        return
    raise DataError(f"{printable(url)[:200]} is not fetched", why="only https addresses are")
