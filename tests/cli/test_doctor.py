"""`hundredfold doctor`: what it prints and returns of what `hundredfold.doctor` finds."""

import json
from pathlib import Path

import pytest

import hundredfold.doctor
from hundredfold.cli import main
from hundredfold.doctor import Check, DoctorReport

WELL = Check(name="training step", ok=True, detail="works: 4 ms")
WANTED = Check(name="extra hf", ok=True, detail="not installed", fix="pip install 'hundredfold[hf]'")
ILL = Check(name="disk", ok=False, detail="0.1 GB free", fix="free some space")


@pytest.fixture
def found(monkeypatch):
    """What the doctor will find, and for which folder it was asked."""

    class Found:
        checks: tuple[Check, ...] = (WELL, WANTED)
        folder: Path | None = Path("not asked")

        def __call__(self, folder=None):
            self.folder = folder
            return DoctorReport(checks=self.checks, seconds=1.6)

    doctor = Found()
    monkeypatch.setattr(hundredfold.doctor, "doctor", doctor)
    return doctor


def status(*arguments: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(["doctor", *arguments])
    return left.value.code


def test_a_machine_that_can_work(found, capsys):
    assert status() == 0
    assert found.folder is None
    assert capsys.readouterr().out.splitlines() == [
        "ok    training step  works: 4 ms",
        "ok    extra hf       not installed",
        "                     if wanted: pip install 'hundredfold[hf]'",
        "all is well, 2 s",
    ]


def test_a_machine_that_lacks_something_is_a_matter_of_resources(found, capsys):
    found.checks = (WELL, ILL)
    assert status("--out", "runs/new") == 5
    assert found.folder == Path("runs/new")
    assert capsys.readouterr().out.splitlines()[1:] == [
        "FAIL  disk           0.1 GB free",
        "                     fix: free some space",
        "1 of 2 fail, 2 s",
    ]


@pytest.mark.parametrize(("check", "expected"), [(WELL, 0), (ILL, 5)])
def test_json_is_one_object_and_the_status_stays(found, capsys, check, expected):
    found.checks = (check,)
    assert status("--json") == expected
    said = json.loads(capsys.readouterr().out)
    assert said["ok"] is check.ok
    assert said["checks"] == [{"name": check.name, "ok": check.ok, "detail": check.detail, "fix": check.fix}]
    assert said["seconds"] == 1.6
