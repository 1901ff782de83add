import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load

from hundredfold import atomic
from hundredfold.errors import OutputError, ResourceError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_bytes_text_and_tensors_come_back(tmp_path):
    atomic.write_bytes(tmp_path / "a", b"\0\1")
    atomic.write_text(tmp_path / "b", "é\n")
    atomic.write_tensors(tmp_path / "c", {"x": torch.arange(3)}, {"step": "7"})
    assert (tmp_path / "a").read_bytes() == b"\0\1"
    assert (tmp_path / "b").read_bytes() == b"\xc3\xa9\n"
    assert load((tmp_path / "c").read_bytes())["x"].tolist() == [0, 1, 2]
    assert b'"step":"7"' in (tmp_path / "c").read_bytes()
    assert names(tmp_path) == ["a", "b", "c"]


def test_tensors_of_any_kind(tmp_path):
    base = torch.arange(12.0).view(3, 4)
    tensors = {
        "base": base,
        "shared": base,
        "transposed": base.t(),
        "slice": base[1:],
        "channels_last": torch.rand(2, 3, 4, 5).contiguous(memory_format=torch.channels_last),
        "bfloat16": base.bfloat16(),
        "scalar": torch.tensor(3),
        "empty": torch.empty(0, 2),
        "parameter": torch.nn.Parameter(torch.ones(2)),
    }
    atomic.write_tensors(tmp_path / "t", tensors)
    back = load((tmp_path / "t").read_bytes())
    assert all(torch.equal(back[name], tensor) and back[name].dtype == tensor.dtype for name, tensor in tensors.items())
    assert back.keys() == tensors.keys()


def test_a_rename_that_fails_keeps_the_old_file(tmp_path, monkeypatch):
    atomic.write_text(tmp_path / "a", "old")

    def refuse(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OutputError, match="Input/output error"):
        atomic.write_text(tmp_path / "a", "new")
    assert (tmp_path / "a").read_text() == "old"
    assert names(tmp_path) == ["a"]


def test_an_interrupt_while_writing_keeps_the_old_file(tmp_path, monkeypatch):
    atomic.write_text(tmp_path / "a", "old")

    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        atomic.write_text(tmp_path / "a", "new")
    assert (tmp_path / "a").read_text() == "old"
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_says_how_much_is_needed(tmp_path, monkeypatch, number):
    atomic.write_text(tmp_path / "a", "old")

    def refuse(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(ResourceError, match=r"needed 3\.0 MB, free [\d.]+ MB; what was there is untouched"):
        atomic.write_bytes(tmp_path / "a", bytes(3_000_000))
    assert (tmp_path / "a").read_text() == "old"
    assert names(tmp_path) == ["a"]


def test_a_disk_that_is_really_full(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("mounting takes root")
    try:
        atomic.write_tensors(disk / "a", {"x": torch.ones(100_000)})
        with pytest.raises(ResourceError, match=r"needed 0\.8 MB, free 0\.6 MB"):
            atomic.write_tensors(disk / "a", {"x": torch.zeros(200_000)})
        assert load((disk / "a").read_bytes())["x"].sum() == 100_000
        assert names(disk) == ["a"]
    finally:
        subprocess.run(["umount", disk], check=True)


def test_folders_that_cannot_be_written(tmp_path, monkeypatch):
    with pytest.raises(OutputError, match="No such file"):
        atomic.write_text(tmp_path / "missing" / "a", "x")
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="Not a directory"):
        atomic.write_text(tmp_path / "file" / "a", "x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="directory"):
        atomic.write_text(tmp_path / "folder", "x")
    for number in (errno.EACCES, errno.EROFS):  # patched: root may write everywhere
        with monkeypatch.context() as patch:
            patch.setattr(Path, "open", _raising(number))
            with pytest.raises(OutputError, match=os.strerror(number)):
                atomic.write_text(tmp_path / "a", "x")
    assert names(tmp_path) == ["file", "folder"]


def test_make_folder(tmp_path):
    atomic.make_folder(tmp_path / "a" / "b")
    atomic.make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="Not a directory"):
        atomic.make_folder(tmp_path / "file" / "b")


def _raising(number):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    return refuse


WRITE_FOR_EVER = """
import sys, torch
from pathlib import Path
from hundredfold.atomic import write_tensors
round = 0
while True:
    write_tensors(Path(sys.argv[1]), {"x": torch.full((500_000,), float(round))})
    round += 1
    print(round, flush=True)
"""


def test_a_kill_never_leaves_a_file_that_cannot_be_read(tmp_path):
    path = tmp_path / "weights"
    process = subprocess.Popen([sys.executable, "-c", WRITE_FOR_EVER, path], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    process.stdout.readline()
    for pause in (0.0, 0.013, 0.031, 0.005, 0.023):
        time.sleep(pause)
        os.kill(process.pid, signal.SIGSTOP)  # what a reader finds at any moment is what a kill would leave
        assert len(load(path.read_bytes())["x"].unique()) == 1
        assert atomic.sweep(tmp_path) == 0, "a live writer's file was removed"
        os.kill(process.pid, signal.SIGCONT)
    process.kill()
    process.stdout.close()
    process.wait()
    assert len(load(path.read_bytes())["x"].unique()) == 1
    atomic.sweep(tmp_path)
    assert names(tmp_path) == ["weights"]


def test_sweep_removes_what_a_killed_writer_left(tmp_path):
    left = tmp_path / f".weights.0123abcd{atomic.ENDING}"
    left.write_bytes(b"half")
    (tmp_path / ".hidden").write_text("somebody's")
    assert atomic.sweep(tmp_path) == 1
    assert names(tmp_path) == [".hidden"]


def test_a_manifest_tells_every_flipped_bit_and_lost_byte(tmp_path):
    atomic.write_bytes(tmp_path / "a", b"alpha")
    atomic.write_tensors(tmp_path / "b", {"x": torch.ones(2)})
    atomic.write_manifest(tmp_path)
    assert atomic.check_manifest(tmp_path) == []
    for name in ("a", "b"):
        whole = (tmp_path / name).read_bytes()
        for position in range(len(whole)):
            flipped = bytearray(whole)
            flipped[position] ^= 1 << (position % 8)
            (tmp_path / name).write_bytes(flipped)
            assert atomic.check_manifest(tmp_path) == [f"{name} is not what was written: its SHA-256 differs"]
        (tmp_path / name).write_bytes(whole[:-1])
        assert atomic.check_manifest(tmp_path) == [f"{name} has {len(whole) - 1} bytes, not {len(whole)}"]
        (tmp_path / name).unlink()
        assert atomic.check_manifest(tmp_path) == [f"{name} is missing"]
        (tmp_path / name).write_bytes(whole)
    assert atomic.check_manifest(tmp_path) == []


def test_a_manifest_names_files_not_folders_leftovers_or_itself(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / f".a.00{atomic.ENDING}").write_text("half")
    (tmp_path / "a").write_text("x")
    atomic.write_manifest(tmp_path)
    atomic.write_manifest(tmp_path)
    assert list(json.loads((tmp_path / atomic.MANIFEST).read_text())["files"]) == ["a"]


@pytest.mark.parametrize(
    "content, problem",
    [
        (None, "missing"),
        (b"", "damaged"),
        (b"[1]", "damaged"),
        (b'{"files": {"a": {"size": 1}}}', "damaged"),
        (b'{"files": {"a": {"size": 1e999, "sha256": ""}}}', "damaged"),
        (b"[" * 100_000, "damaged"),
        (b" " * (2 << 20), "damaged"),
        (b'{"files": {}}', "names no file"),
        (b'{"files": {"../a": {"size": 1, "sha256": ""}}}', "cannot be in its folder"),
        (b'{"files": {"..": {"size": 1, "sha256": ""}}}', "missing"),
        (b'{"files": {"a\\u0000": {"size": 1, "sha256": ""}}}', "cannot be in its folder"),
    ],
)
def test_manifests_that_are_none(tmp_path, content, problem):
    if content is not None:
        (tmp_path / atomic.MANIFEST).write_bytes(content)
    (found,) = atomic.check_manifest(tmp_path)
    assert problem in found
