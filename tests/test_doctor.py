import errno
import os
import shutil
import time
import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
import torch

from hundredfold import doctor as module
from hundredfold.doctor import Check, DoctorReport, doctor
from hundredfold.records import from_json, to_json
from hundredfold.train.engine import Engine


def only(checks: list[Check], name: str) -> Check:
    (check,) = [check for check in checks if check.name == name]
    return check


def soon() -> float:
    return time.monotonic() + 30


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PATIENCE", 120.0)  # tests may share the machine with others
        report = doctor(folder / "not yet" / "run")
    assert list(folder.iterdir()) == [], "the doctor left something behind"
    return report


def test_this_machine_is_well(report):
    assert [check for check in report.checks if not check.ok] == []
    assert report.ok
    assert 0 < report.seconds < 120


def test_everything_is_tried(report):
    names = [check.name for check in report.checks]
    extras = [f"extra {extra}" for extra in module.EXTRAS]
    local = ["training step", "precision", "threads", "images", "output folder", "disk", "memory", "packages"]
    assert names == [*local, "two processes", *extras, "torchvision"]
    assert all(check.detail for check in report.checks)
    assert "runs0 can be written" in only(list(report.checks), "output folder").detail


def test_survives_json(report):
    assert from_json(DoctorReport, to_json(report)) == report


def test_every_extra_of_the_package_is_tried():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    extras = {name: packages for name, packages in project["optional-dependencies"].items() if name != "dev"}
    assert {name: package for name, (package, _) in module.EXTRAS.items()} == {
        name: packages[0].split(">")[0] for name, packages in extras.items()
    }


def test_whatever_goes_wrong_is_reported(monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("it broke")

    for name in ("_two_processes", "_extras", "_images", "_output_folder", "_memory", "choose_engine", "_cores"):
        monkeypatch.setattr(module, name, fail)
    report = doctor()
    assert not report.ok
    assert [check.detail for check in report.checks if check.name != "packages"] == ["RuntimeError: it broke"] * 7


def test_gradients_that_are_not_finite(monkeypatch):
    engine = Engine(device=torch.device("cpu"), precision="float32")
    assert module._time_step(engine, "float32") > 0
    broken = torch.nn.Conv2d(1, 1, 3)
    torch.nn.init.constant_(broken.weight, torch.nan)
    monkeypatch.setattr(module, "encoder", lambda *_, **__: broken)
    with pytest.raises(ArithmeticError, match="the loss is nan"):
        module._time_step(engine, "float32")


def test_a_slower_choice_is_questioned(monkeypatch):
    engine = Engine(device=torch.device("cpu"), precision="bfloat16")
    monkeypatch.setattr(module, "choose_engine", lambda: engine)
    monkeypatch.setattr(module, "_time_step", lambda _, precision: {"float32": 1.0, "bfloat16": 2.0}[precision])
    precision = only(module._training_step(), "precision")
    assert precision.ok
    assert precision.fix == "try --precision float32"
    assert "2.00 times as long" in precision.detail


def test_more_threads_than_cores(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    monkeypatch.setattr(module, "_words", lambda _: ["150000", "100000"])  # a container with one and a half cores
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)
    (check,) = module._threads()
    assert not check.ok
    assert check.fix == "export OMP_NUM_THREADS=2"


def test_a_format_that_cannot_be_read_does_not_hide_the_others(monkeypatch):
    monkeypatch.setattr(module, "FORMATS", ("PNG", "NOPE", "BMP"))
    (check,) = module._images()
    assert not check.ok
    assert "NOPE" in check.detail
    assert "PNG" not in check.detail and "BMP" not in check.detail


def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "replace", refuse)
    (check,) = module._caught("output folder", lambda: module._output_folder(tmp_path))
    assert not check.ok
    assert "Read-only file system" in check.detail
    assert check.fix
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("x")
    (check,) = module._caught("output folder", lambda: module._output_folder(tmp_path / "file"))
    assert not check.ok
    assert "Not a directory" in check.detail


def test_little_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**10, 10**10 - 10**8, 10**8))
    disk = only(module._output_folder(tmp_path), "disk")
    assert not disk.ok
    assert "0.1 GB free" in disk.detail


@pytest.mark.parametrize(
    "files, ok, detail",
    [
        ({"meminfo": ["MemAvailable:", "5000000", "kB"]}, True, "5.1 GB free"),
        ({"meminfo": ["MemAvailable:", "500000", "kB"]}, False, "0.5 GB free"),
        (
            {
                "meminfo": ["MemAvailable:", "5000000", "kB"],
                "memory.max": ["2000000000"],
                "memory.current": ["1900000000"],
            },
            False,
            "0.1 GB free",
        ),
        (
            {"meminfo": ["MemAvailable:", "5000000", "kB"], "memory.max": ["max"], "memory.current": ["7"]},
            True,
            "5.1 GB",
        ),
        ({}, True, "does not tell"),
    ],
)
def test_memory(monkeypatch, files, ok, detail):
    monkeypatch.setattr(module, "_words", lambda path: files.get(path.name, []))
    (check,) = module._memory()
    assert check.ok == ok
    assert detail in check.detail


def test_a_needed_package_that_does_not_work(monkeypatch):
    monkeypatch.setattr(module, "CORE", ("json", "no_such_package"))
    (check,) = module._packages()
    assert not check.ok
    assert "no_such_package: ModuleNotFoundError" in check.detail


def test_processes_that_cannot_talk(monkeypatch):
    monkeypatch.setattr(module, "TALK", "import sys; sys.exit('cannot bind')")
    (check,) = module._two_processes(soon())
    assert not check.ok
    assert check.detail == "cannot bind"


def test_processes_that_hang_are_ended(monkeypatch):
    monkeypatch.setattr(module, "TALK", "import time; time.sleep(600)")
    start = time.monotonic()
    (check,) = module._two_processes(start + 0.5)
    assert not check.ok
    assert "no answer" in check.detail
    assert time.monotonic() - start < 10


def test_a_child_that_is_killed(monkeypatch):
    monkeypatch.setattr(module, "TALK", "import os; os.kill(os.getpid(), 9)")
    (check,) = module._two_processes(soon())
    assert check.detail == "ended with status -9"


def test_a_missing_extra_is_no_failure_but_a_broken_one_is(monkeypatch):
    def version(package):
        if package == "absent":
            raise PackageNotFoundError
        return "1.2"

    extras = {"a": ("absent", "import absent"), "b": ("broken", "raise RuntimeError('bad wheel')"), "c": ("fine", "")}
    monkeypatch.setattr(module, "version", version)
    monkeypatch.setattr(module, "EXTRAS", extras)
    checks = module._extras(soon())
    assert (only(checks, "extra a").ok, only(checks, "extra a").fix) == (True, "pip install 'hundredfold[a]'")
    assert (only(checks, "extra b").ok, only(checks, "extra b").detail) == (
        False,
        "broken 1.2: RuntimeError: bad wheel",
    )
    assert only(checks, "extra c") == Check(name="extra c", ok=True, detail="fine 1.2 can be imported")


def test_an_extra_that_takes_too_long_is_left_open(monkeypatch):
    monkeypatch.setattr(module, "version", lambda _: "1.2")
    monkeypatch.setattr(module, "EXTRAS", {"slow": ("slow", "import time; time.sleep(600)")})
    check = only(module._extras(time.monotonic() + 0.5), "extra slow")
    assert check.ok
    assert "no answer" in check.detail


@pytest.mark.parametrize(
    "content, ok", [("raise RuntimeError('operator torchvision::nms does not exist')", False), ("", True)]
)
def test_a_torchvision_that_does_not_match(tmp_path, monkeypatch, content, ok):
    (tmp_path / "torchvision.py").write_text(content)
    (tmp_path / "torchvision-0.28.0.dist-info").mkdir()
    (tmp_path / "torchvision-0.28.0.dist-info" / "METADATA").write_text("Name: torchvision\nVersion: 0.28.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(module, "EXTRAS", {})
    (check,) = module._extras(soon())
    assert check.ok == ok
    assert "torchvision 0.28.0" in check.detail
    if not ok:
        assert "RuntimeError: operator torchvision::nms does not exist" in check.detail
        assert check.fix == "uninstall it: pip uninstall torchvision"
