"""The Hub against a server on this machine that tells the truth, lies, breaks off, never ends or points elsewhere."""

from __future__ import annotations

import hashlib
import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from hundredfold.data import hub
from hundredfold.data.hub import fetch
from hundredfold.data.read import read
from hundredfold.errors import DataError, ResourceError

CONTENT = b"PAR1" + bytes(range(256)) * 8
TREE = "/api/datasets/some/set/tree/main?recursive=true"
FILE = "/datasets/some/set/resolve/main/data/train-0.parquet"


def entry(content: bytes = CONTENT, path: str = "data/train-0.parquet", **changed: Any) -> dict[str, Any]:
    stored = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), **changed}
    return {"type": "file", "path": path, "size": len(content), "oid": "0" * 40, "lfs": stored}


class Server:
    """Answers each path with (status, headers, body); a body of None goes on for ever."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, dict[str, str], bytes | None]] = {}
        self.asked: list[str] = []
        self.sent = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                status, headers, body = outer.answers.get(self.path, (404, {}, b"no"))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    if body is not None:
                        self.wfile.write(body)
                    while body is None:
                        self.wfile.write(bytes(1 << 16))
                        outer.sent += 1 << 16
                except OSError:
                    pass  # the reader had enough

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def list(self, *entries: Any) -> None:
        self.answers[TREE] = (200, {}, json.dumps(entries).encode())


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.server.shutdown()
    running.server.server_close()
    running.thread.join()


def refused(server: Server, cache: Path, name: str = "some/set", **settings: int) -> str:
    with pytest.raises(DataError) as caught:
        fetch(name, cache, server.address, **settings)
    left = [path for path in cache.rglob("*") if path.is_file()]
    assert left == []  # nothing half done, nothing wrong
    return str(caught.value)


def test_a_true_file_is_kept_and_read_again_without_a_network(server: Server, tmp_path: Path) -> None:
    server.list(entry(), {"type": "directory", "path": "data"}, {"type": "file", "path": "README.md", "size": 3})
    server.answers[FILE] = (200, {}, CONTENT)
    folder = fetch("some/set", tmp_path, server.address)
    assert (folder / "data/train-0.parquet").read_bytes() == CONTENT
    assert folder.is_relative_to(tmp_path)
    assert server.asked == [TREE, FILE]
    assert fetch("some/set", tmp_path, server.address) == folder
    assert len(server.asked) == 2
    assert not list(tmp_path.rglob("*.part"))


def test_what_was_fetched_before_breaking_off_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    other = b"PAR1 other"
    second = "/datasets/some/set/resolve/main/data/train-1.parquet"
    server.list(entry(), entry(other, "data/train-1.parquet"))
    server.answers[FILE] = (200, {}, CONTENT)
    with pytest.raises(DataError, match="404"):
        fetch("some/set", tmp_path, server.address)
    server.answers[second] = (200, {}, other)
    fetch("some/set", tmp_path, server.address)
    assert server.asked == [TREE, FILE, second, TREE, second]


def test_a_revision_is_asked_for_and_kept_apart(server: Server, tmp_path: Path) -> None:
    path = "/api/datasets/some/set/tree/refs/convert/parquet?recursive=true"
    server.answers[path] = (200, {}, json.dumps([entry()]).encode())
    server.answers[FILE.replace("main", "refs/convert/parquet")] = (200, {}, CONTENT)
    assert fetch("some/set@refs/convert/parquet", tmp_path, server.address).name == "refs--convert--parquet"


def test_the_list_may_have_pages(server: Server, tmp_path: Path) -> None:
    second = TREE + "&cursor=x"
    server.answers[TREE] = (200, {"Link": f'<{server.address}{second}>; rel="next"'}, b"[]")
    server.answers[second] = (200, {}, json.dumps([entry()]).encode())
    server.answers[FILE] = (200, {}, CONTENT)
    assert (fetch("some/set", tmp_path, server.address) / "data/train-0.parquet").is_file()


def test_a_wrong_hash(server: Server, tmp_path: Path) -> None:
    server.list(entry())
    server.answers[FILE] = (200, {}, CONTENT[:-1] + b"x")
    assert "is not what the Hub announced" in refused(server, tmp_path)


@pytest.mark.parametrize("headers", [{}, {"Content-Length": str(len(CONTENT))}])
def test_a_truncated_body(server: Server, tmp_path: Path, headers: dict[str, str]) -> None:
    server.list(entry())
    server.answers[FILE] = (200, headers, CONTENT[:100])
    assert "arrived incomplete" in refused(server, tmp_path)


def test_a_body_without_end_is_read_one_byte_too_far_and_no_more(server: Server, tmp_path: Path) -> None:
    server.list(entry())
    server.answers[FILE] = (200, {}, None)
    assert f"more than {len(CONTENT):,} bytes" in refused(server, tmp_path)
    assert server.sent < 50 << 20


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://example.org/x", "data:,x"])
def test_redirects_lead_nowhere_but_to_https(server: Server, tmp_path: Path, target: str) -> None:
    server.list(entry())
    server.answers[FILE] = (302, {"Location": target}, b"")
    message = refused(server, tmp_path)
    assert "is not fetched" in message or "is not allowed" in message
    assert server.asked == [TREE, FILE]


def test_a_redirect_on_this_machine_is_followed(server: Server, tmp_path: Path) -> None:
    server.list(entry())
    server.answers[FILE] = (302, {"Location": f"{server.address}/elsewhere"}, b"")
    server.answers["/elsewhere"] = (200, {}, CONTENT)
    assert (fetch("some/set", tmp_path, server.address) / "data/train-0.parquet").read_bytes() == CONTENT


@pytest.mark.parametrize(
    "path", ["../../evil.parquet", "/etc/evil.parquet", "a/../../b.parquet", "a\\b.parquet", "C:x.parquet"]
)
def test_paths_stay_inside(server: Server, tmp_path: Path, path: str) -> None:
    server.list(entry(path=path))
    assert "outside the data set" in refused(server, tmp_path)


@pytest.mark.parametrize("changed", [{"oid": "abc"}, {"size": "9"}, {"size": -1}, {"oid": None}])
def test_a_file_without_a_hash_is_not_fetched(server: Server, tmp_path: Path, changed: dict[str, Any]) -> None:
    server.list(entry(**changed))
    assert "cannot be checked" in refused(server, tmp_path)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html>", "not JSON"),
        (b'{"error": 1}', "not a list"),
        (b"[]", "no Parquet files"),
        (b'[1, "x"]', "no Parquet"),
    ],
)
def test_lists_that_cannot_be_used(server: Server, tmp_path: Path, body: bytes, message: str) -> None:
    server.answers[TREE] = (200, {}, body)
    assert message in refused(server, tmp_path)


def test_a_list_without_end(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "LARGEST_LISTING", 1 << 16)
    server.answers[TREE] = (200, {}, None)
    assert "does not end" in refused(server, tmp_path)


def test_size_and_room_are_looked_at_before_fetching(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.list(entry())
    assert "is too large" in refused(server, tmp_path, largest=100)
    monkeypatch.setattr(hub.shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
    with pytest.raises(ResourceError, match=r"10 are free"):
        fetch("some/set", tmp_path, server.address)
    assert server.asked == [TREE, TREE]


def test_a_name_that_is_not_there(server: Server, tmp_path: Path) -> None:
    assert "404" in refused(server, tmp_path)


@pytest.mark.parametrize("name", ["digits", "a/b/c", "../x", "a/../b", "a/b@../../c", "a b/c", "", "a/b@"])
def test_names_that_cannot_be_one(server: Server, tmp_path: Path, name: str) -> None:
    if name == "a/b@":
        assert "404" in refused(server, tmp_path, name)  # no revision: the main one
        return
    assert "is no name of a data set" in refused(server, tmp_path, name)
    assert server.asked == []


def test_offline_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot reach the Hub.*\nwhy: .*\nfix: where there is no network"):
        fetch("some/set", tmp_path, "http://127.0.0.1:9")


def test_plain_http_elsewhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="only https"):
        fetch("some/set", tmp_path, "http://example.org")


def test_a_fetched_set_is_read(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    image, stream = io.BytesIO(), io.BytesIO()
    Image.new("L", (4, 4), 7).save(image, "PNG")
    parquet.write_table(pyarrow.table({"image": [image.getvalue()], "label": ["cat"]}), stream)
    server.list(entry(stream.getvalue()))
    server.answers[FILE] = (200, {}, stream.getvalue())
    monkeypatch.setenv("HUNDREDFOLD_CACHE", str(tmp_path))
    monkeypatch.setattr(hub, "ENDPOINT", server.address)
    source = read("hub:some/set")
    assert source.train.source == "hub:some/set" and source.train.classes == ("cat",)
