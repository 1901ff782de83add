"""Who may write into a run folder."""

import errno
import fcntl
import os
from pathlib import Path

import pytest

from hundredfold.errors import OutputError, ResourceError
from hundredfold.studies.claim import check_free, claimed, contents, free_name, require_room


def test_makes_the_folder_and_takes_it_back_if_nothing_came_of_it(tmp_path):
    path = tmp_path / "a" / "b"
    with pytest.raises(ZeroDivisionError), claimed(path) as folder:
        assert folder.path == path and path.is_dir()
        raise ZeroDivisionError
    assert not path.exists()
    with claimed(path) as folder:
        folder.asked.write_text("")
    assert sorted(item.name for item in path.iterdir()) == [".lock", "asked.toml"]


def test_a_folder_that_was_there_stays(tmp_path):
    with claimed(tmp_path):
        pass
    assert tmp_path.is_dir()


def test_one_at_a_time_and_the_next_when_it_is_free(tmp_path):
    with claimed(tmp_path):
        with pytest.raises(OutputError, match=f"in use by process {os.getpid()}"), claimed(tmp_path):
            pass
        with pytest.raises(OutputError, match="in use"), claimed(tmp_path, overwrite=True):
            pass
    with claimed(tmp_path):
        pass


def test_a_file_system_without_locks_is_no_reason_to_stop(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with claimed(tmp_path) as folder:
        assert folder.path == tmp_path


def test_below_a_file_nothing_can_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(OutputError, match="file") as refused, claimed(path):
            pass
        assert refused.value.exit_status == 2 and refused.value.fix


def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # patched: root may write everywhere
    with pytest.raises(OutputError, match="Permission denied"), claimed(tmp_path):
        pass


def test_what_lies_there_decides(tmp_path):
    check_free(tmp_path)
    for harmless in (".lock", "log.txt", ".settings.toml.0f0f0f0f.writing"):
        (tmp_path / harmless).write_text("")
    check_free(tmp_path)
    assert contents(tmp_path) == [] and contents(tmp_path / "nowhere") == []
    (tmp_path / "photo.png").write_text("")
    with pytest.raises(OutputError, match="is not empty"):
        check_free(tmp_path)
    with pytest.raises(OutputError, match="no run in"):
        check_free(tmp_path, resume=True)
    check_free(tmp_path, overwrite=True)
    (tmp_path / "asked.toml").write_text("")
    check_free(tmp_path, resume=True)


def test_leftovers_of_killed_writers_are_swept(tmp_path):
    (tmp_path / "cells").mkdir()
    left = [tmp_path / ".a.00000000.writing", tmp_path / "cells" / ".b.00000000.writing"]
    for path in left:
        path.write_text("half")
    with claimed(tmp_path, overwrite=True):
        assert not any(path.exists() for path in left)


def test_resuming_nothing(tmp_path):
    with pytest.raises(OutputError, match="there is no run"), claimed(tmp_path / "x", resume=True):
        pass
    assert not (tmp_path / "x").exists()


def test_names_that_are_free(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert free_name("/data/my photos/", "simclr") == Path("runs/my-photos-simclr")
    assert free_name(".", "simclr") == Path("runs/run-simclr")
    assert free_name("hub:a/b.c", "x") == Path("runs/b-c-x")
    for number in (1, 2):
        free_name("a", "x").mkdir(parents=True)
        assert free_name("a", "x") == Path(f"runs/a-x-{number + 1}")


def test_room(tmp_path):
    require_room(tmp_path, 1)
    with pytest.raises(ResourceError, match="not enough room") as full:
        require_room(tmp_path, 10**18)
    assert "1,000,000,000,000 MB" in full.value.why and full.value.exit_status == 5
