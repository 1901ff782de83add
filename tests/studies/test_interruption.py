"""Real processes killed and stopped at many moments: with `--resume` each becomes the unbroken run, bit for bit."""

import json
import shlex
import signal
import time

import pytest

from hundredfold import atomic
from hundredfold.studies.claim import claimed

# Files in the order in which a run renames them to their places.
MOMENTS = [
    ("asked.toml", 1, "before"),
    ("settings.toml", 1, "before"),
    ("splits.json", 1, "before"),
    ("metrics.jsonl", 1, "before"),
    ("step", 1, "before"),
    ("method.safetensors", 1, "before"),
    ("optimizer.safetensors", 1, "before"),
    ("state.json", 1, "after"),
    ("manifest.json", 1, "before"),
    ("manifest.json", 1, "after"),
    ("step", 3, "after"),
    ("optimizer.safetensors", 2, "after"),
    ("manifest.json", 2, "before"),
    ("manifest.json", 3, "before"),  # of encoder/
    ("pictures.safetensors", 1, "before"),
    ("pixels-3-0.safetensors", 1, "before"),
    ("step", 6, "before"),  # fine-tuning
    ("manifest.json", 4, "after"),  # of the encoder of cells/finetune-network
    ("manifest.json", 5, "before"),  # of cells/finetune-network
    ("finetune-3-0.safetensors", 1, "before"),
    ("finetune-3-0.safetensors", 1, "after"),
    ("linear_probe-3-1.safetensors", 1, "before"),
    ("manifest.json", 7, "before"),  # of classifier/
    ("predictions.csv", 1, "before"),
    ("suspects.csv", 1, "before"),
    ("results.json", 1, "before"),
    ("report.html", 1, "before"),
]

AGAIN = [  # one after the other in the same run
    ("method.safetensors", 1, "before"),
    ("manifest.json", 1, "before"),
    ("manifest.json", 2, "before"),
    ("step", 3, "before"),
    ("finetune-3-0.safetensors", 1, "before"),
    ("finetune-3-1.safetensors", 1, "before"),
    ("predictions.csv", 1, "before"),
    ("results.json", 1, "before"),
]


@pytest.mark.parametrize("at, count, when", MOMENTS, ids=lambda value: str(value))
def test_killed_and_resumed_is_the_unbroken_run(
    hundredfold_process, unbroken, hashes, findings, toy_file, quick_toml, tmp_path, at, count, when
):
    command = ("run", toy_file, "--config", quick_toml, "--out", tmp_path / "run", "--quiet")
    assert hundredfold_process(*command, at=at, count=count, when=when).returncode == -signal.SIGKILL
    resumed = hundredfold_process(*command, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert hashes(tmp_path / "run") == hashes(unbroken)
    assert findings(tmp_path / "run") == findings(unbroken)
    assert (tmp_path / "run" / "report.html").exists()
    assert list((tmp_path / "run").rglob(f".*{atomic.ENDING}")) == [], "what a killed writer left was not swept up"


def test_killed_again_and_again(hundredfold_process, unbroken, hashes, findings, toy_file, quick_toml, tmp_path):
    command = ("run", toy_file, "--config", quick_toml, "--out", tmp_path / "run", "--quiet")
    for number, (at, count, when) in enumerate(AGAIN):
        again = ["--resume"] if number else []
        assert hundredfold_process(*command, *again, at=at, count=count, when=when).returncode == -signal.SIGKILL
    for _ in range(2):  # the second finds a finished run
        resumed = hundredfold_process("run", "--resume", "--out", tmp_path / "run", "--quiet")
        assert resumed.returncode == 0, resumed.stderr
        assert hashes(tmp_path / "run") == hashes(unbroken)
        assert findings(tmp_path / "run") == findings(unbroken)


def test_metrics_of_a_killed_run_are_those_of_the_unbroken_one(
    hundredfold_process, unbroken, toy_file, quick_toml, tmp_path
):
    command = ("run", toy_file, "--config", quick_toml, "--out", tmp_path / "run", "--quiet")
    hundredfold_process(*command, at="step", count=4)
    assert hundredfold_process(*command, "--resume").returncode == 0

    def lines(run):
        clocks = ("images_per_second", "data_wait", "seconds")
        read = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        return [{name: value for name, value in line.items() if name not in clocks} for line in read]

    assert lines(tmp_path / "run") == lines(unbroken)


@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize(
    "at, count, what",
    [
        ("step", 1, "stopped after step 1 of 4"),
        ("pixels-3-0.safetensors", 1, "after 1 of 6"),
        ("step", 6, "after 2 of 6"),
    ],
)
def test_a_signal_saves_and_prints_the_command_that_goes_on(
    hundredfold_process, unbroken, hashes, findings, toy_file, quick_toml, tmp_path, number, status, at, count, what
):
    out = tmp_path / "a run"
    stopped = hundredfold_process(
        "run", toy_file, "--config", quick_toml, "--out", out, "--quiet", at=at, count=count, signal=number
    )
    assert stopped.returncode == status and stopped.stdout == ""
    lines = stopped.stderr.splitlines()
    assert what in lines[0] and lines[-1].startswith("fix: go on with: hundredfold run ")
    assert "Traceback" not in (out / "log.txt").read_text() and what in (out / "log.txt").read_text()
    pasted = shlex.split(lines[-1].removeprefix("fix: go on with: "))
    assert pasted[0] == "hundredfold" and hundredfold_process(*pasted[1:]).returncode == 0
    assert hashes(out) == hashes(unbroken) and findings(out) == findings(unbroken)


def test_the_command_that_goes_on_overwrites_nothing(hundredfold_process, toy_file, quick_toml, tmp_path):
    stopped = hundredfold_process(
        "pretrain", toy_file, "--config", quick_toml, "--out", tmp_path / "x", "--overwrite", at="step", signal=15
    )
    assert stopped.returncode == 143
    assert "--overwrite" not in stopped.stderr and "--resume" in stopped.stderr


def test_a_folder_in_use_is_left_alone_at_once(hundredfold_process, toy_file, quick_toml, tmp_path):
    with claimed(tmp_path / "run"):
        began = time.monotonic()
        second = hundredfold_process("run", toy_file, "--config", quick_toml, "--out", tmp_path / "run")
        assert time.monotonic() - began < 5
    assert second.returncode == 2 and second.stdout == ""
    assert "is in use by process" in second.stderr and "choose another --out" in second.stderr


def test_a_lock_dies_with_its_process(hundredfold_process, toy_file, quick_toml, tmp_path):
    command = ("pretrain", toy_file, "--config", quick_toml, "--out", tmp_path / "run", "--quiet")
    assert hundredfold_process(*command, at="step").returncode == -9
    assert (tmp_path / "run" / ".lock").read_text().startswith("process ")
    assert hundredfold_process(*command, "--resume").returncode == 0
