"""The contract of the command line: what goes to stdout, what to stderr, and what each status means."""

import errno
import json
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import click
import numpy as np
import pytest

import hundredfold
from hundredfold.cli import cli
from hundredfold.studies import few_labels
from hundredfold.train.loop import fit

COMMANDS = cli.list_commands(click.Context(cli))


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


# --- what is said, and where --------------------------------------------------------------------------------------


def test_json_is_one_object_and_nothing_else(call, toy_file, quick, tmp_path):
    said = call("run", toy_file, *quick, "--out", tmp_path / "run", "--json")
    assert said.status == 0
    assert json.loads(said.out) == json.loads((tmp_path / "run" / "results.json").read_text())
    assert "epoch 1" in said.err and "\n{" not in said.err


def test_a_table_a_verdict_and_where_to_look(call, finished, toy_file):
    said = call("run", toy_file, "--resume", "--out", finished)
    lines = said.out.splitlines()
    assert said.status == 0 and len(lines) <= 12
    assert lines[0].startswith("accuracy with 3 labels on ") and lines[-1].endswith(f"Report: {finished}/report.html")
    assert {line.split()[0] for line in lines[1:3]} == {"linear_probe", "pixels"}
    assert float(lines[1].split()[1]) >= float(lines[2].split()[1]), "the most accurate first"
    assert sum(line.endswith("<- chosen") for line in lines) == 1


def test_quiet_is_silent(call, toy_file, quick, tmp_path):
    said = call("pretrain", toy_file, *quick[2:], "--out", tmp_path / "run", "--quiet")
    assert said.status == 0 and said.err == "" and said.out


def test_progress_is_lines_where_there_is_no_terminal(call, toy_file, quick, tmp_path):
    said = call("pretrain", toy_file, *quick[2:], "--out", tmp_path / "run")
    assert re.search(r"^epoch 1  loss [\d.]+ .* images/s  data \d+ %$", said.err, re.MULTILINE)
    assert "\x1b" not in said.err + said.out


def test_a_dry_run_writes_nothing(call, toy_file, quick, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for command in ("run", "pretrain"):
        said = call(command, toy_file, *quick[1 if command == "pretrain" else 0 :][-3:], "--dry-run", "--out", "x")
        assert said.status == 0 and "nothing was written" in said.out
    said = call("run", toy_file, *quick, "--dry-run", "--json")
    plain = json.loads(said.out)
    assert plain["settings"]["plan"]["epochs"] == 1 and plain["parameters"] > 0 and plain["data"]["images"] == 90
    assert files(tmp_path) == []


def test_methods(call):
    said = call("methods", "--json")
    found = json.loads(said.out)
    told = {"name", "family", "summary", "paper", "encoder", "learns_from_labels"}
    assert [set(method) for method in found] == [told] * len(found)
    names = [method.name for method in hundredfold.methods.names()]
    assert [method["name"] for method in found] == names
    assert [line.split()[0] for line in call("methods").out.splitlines()] == names


def test_embed_predict_evaluate_and_report_of_a_run(call, finished, toy_file, tmp_path):
    said = call("embed", finished, toy_file, "--to", tmp_path / "features.npz")
    assert said.status == 0 and "90 rows of 16 features" in said.out
    assert np.load(tmp_path / "features.npz")["features"].shape == (90, 16)
    said = call("predict", finished, toy_file, "--to", tmp_path / "labels.csv")
    assert said.status == 0 and len((tmp_path / "labels.csv").read_text().splitlines()) == 91
    few = ["--labels=3", "--draws=1", "--set=models=['knn']"]
    said = call("evaluate", finished, toy_file, *few, "--out", tmp_path / "again", "--quiet")
    assert said.status == 0 and "knn" in said.out and said.err == ""
    before = (finished / "report.html").stat().st_mtime_ns
    said = call("report", finished)
    assert said.status == 0 and said.out.strip() == str(finished / "report.html")
    assert (finished / "report.html").stat().st_mtime_ns > before


def test_both_spellings_of_an_option_are_taken(call, toy_file, quick, tmp_path):
    for spelling in ("--batch_size=8", "--batch-size=8"):
        said = call("run", toy_file, *quick, spelling, "--dry_run", "--json")
        assert json.loads(said.out)["settings"]["plan"]["batch_size"] == 8
    said = call("run", "--dry-run", "--", "--no_such_folder")
    assert "'--no_such_folder'" in said.err, "what follows -- is no option"


# --- help ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_ends_with_an_example_that_can_be_parsed(call, name):
    said = call(*([name] if name else []), "--help")
    assert said.status == 0 and said.err == "" and len(said.out.splitlines()) <= 60
    last = said.out.rstrip().split("\n\n")[-1]
    example = shlex.split(" ".join(last.split()).removeprefix("Example: "))
    assert example[0] == "hundredfold" and example[1] == (name or example[1])
    command, rest = cli.get_command(click.Context(cli), example[1]), example[2:]
    if isinstance(command, click.Group):
        command, rest = command.commands[rest[0]], rest[1:]
    context = command.make_context(example[1], rest)
    assert not context.args and call(*([name] if name else []), "-h").out == said.out


def test_help_describes_every_option_and_command(call):
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command.help and command.get_short_help_str()
        assert all(p.help for p in command.params if isinstance(p, click.Option) and p.name != "help")
    assert all(f"  {name} " in call("--help").out for name in COMMANDS)


def test_the_version(call):
    assert call("--version").out.split()[-1] == hundredfold.__version__


def test_help_takes_little_more_than_starting_python():
    def seconds(*command):
        best = float("inf")
        for _ in range(3):
            began = time.perf_counter()
            subprocess.run([sys.executable, *command], check=True, capture_output=True)
            best = min(best, time.perf_counter() - began)
        return best

    code = (
        "import sys\nfrom hundredfold.cli import main\n"
        "try:\n    main(['--help'])\n"
        "finally:\n    assert not {'torch', 'numpy', 'pydantic', 'sklearn'} & set(sys.modules)"
    )
    bare = seconds("-c", "pass")
    assert seconds("-c", code) < max(0.2, 12 * bare)  # 0.2 s on a quiet machine, where python alone takes 0.015


# --- status 2: the user's to mend ---------------------------------------------------------------------------------

TYPOS = [
    (["runn", "digits"], "did you mean 'run'"),
    (["check_dta"], "did you mean 'check-data'"),
    (["run", "digits", "--lables", "5"], "--labels"),
    (["run", "digitz"], "did you mean 'digits'"),
    (["run", "digits", "--method", "simcrl"], "did you mean 'simclr'"),
    (["run", "digits", "--encoder", "convet"], "did you mean 'convnet'"),
    (["run", "digits", "--precision", "bfloat"], "did you mean 'bfloat16'"),
    (["run", "digits", "--accelerator", "cuba"], "did you mean 'cuda'"),
    (["run", "digits", "--set", "plan.epoch=3"], "did you mean 'plan.epochs'"),
    (["run", "digits", "--set", "views.rotatoin=3"], "did you mean 'views.rotation'"),
    (["run", "digits", "--set", "models=['knnn']"], "did you mean 'knn'"),
    (["run", "digits", "--set", "method_settings.temprature=1"], "did you mean 'method_settings.temperature'"),
]


@pytest.mark.parametrize("arguments, hint", TYPOS, ids=lambda value: value[-1] if isinstance(value, list) else "")
def test_a_name_that_does_not_exist_is_answered_with_the_nearest(call, tmp_path, monkeypatch, arguments, hint):
    monkeypatch.chdir(tmp_path)
    said = call(*arguments)
    assert said.status == 2 and hint in said.err and said.out == "" and "Traceback" not in said.err
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["run"], "no SOURCE was given"),
        (["run", "digits", "--epochs", "many"], "many"),
        (["run", "digits", "--epochs", "-1"], "-1"),
        (["run", "digits", "--batch-size", "1"], "1"),
        (["run", "digits", "--lr", "0"], "plan.lr must be > 0"),
        (["run", "digits", "--labels", "5"], "fewer labels than classes: --labels 5 for 10 classes"),
        (["run", "digits", "--batch-size", "5000"], "larger than the pool of"),
        (["run", "digits", "--set", "label_counts=[2000]", "--labels", "100"], "label_counts go up to 2000"),
        (["run", "digits", "--resume"], "--resume needs --out"),
        (["run", "digits", "--resume", "--overwrite", "--out", "x"], "exclude each other"),
        (["run", "digits", "--resume", "--out", "nowhere"], "there is no run in nowhere"),
        (["run", "digits", "--config", "nowhere.toml"], "cannot read settings file nowhere.toml"),
        (["run", "digits", "--init-from", "nowhere"], "no encoder in nowhere"),
        (["run", "digits", "--test", "nowhere"], "there is no source 'nowhere'"),
        (["run", "digits", "--labelled", "nowhere"], "there is no source 'nowhere'"),
        (["evaluate", "nowhere", "digits"], "no encoder in nowhere"),
        (["evaluate", "nowhere", "digits", "--dry-run"], "no encoder in nowhere"),
        (["embed", "nowhere", "digits", "--to", "x.csv"], "no encoder in nowhere"),
        (["embed", "nowhere", "digits", "--to", "x.txt"], "file type '.txt'"),
        (["predict", "nowhere", "digits", "--to", "x.csv"], "there is no folder nowhere"),
        (["report", "nowhere"], "no results in nowhere"),
        (["embed", "nowhere"], "Missing argument"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_the_user_can_mend_is_said_in_a_few_lines(call, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    said = call(*arguments)
    assert said.status == 2 and words in said.err and said.out == ""
    assert "Traceback" not in said.err and len(said.err.splitlines()) <= 9
    assert files(tmp_path) == [], "nothing is left behind"


@pytest.mark.parametrize("command", ["run", "pretrain"])
def test_images_that_cannot_serve(call, tmp_path, command):
    (tmp_path / "photos" / "cat").mkdir(parents=True)
    out = tmp_path / "run"
    assert "no image" in call(command, tmp_path / "photos", "--out", out).err
    for name in ("a.png", "b.png"):
        (tmp_path / "photos" / "cat" / name).write_bytes(b"not an image")
    said = call(command, tmp_path / "photos", "--out", out)
    assert (said.status == 2 and "b.png" in said.err + said.out) or "a.png" in said.err
    assert not out.exists()


def test_one_class_only(call, tmp_path):
    np.savez(tmp_path / "cats.npz", images=np.zeros((10, 8, 8), np.uint8), labels=np.array(["cat"] * 10))
    said = call("run", tmp_path / "cats.npz", "--out", tmp_path / "run")
    assert said.status == 2 and "one class" in said.err and "fix: " in said.err and not (tmp_path / "run").exists()


def test_all_problems_of_a_settings_file_at_once(call, tmp_path):
    path = tmp_path / "s.toml"
    path.write_text("labls = 1\nseed = 'abc'\ndraws = 0\n[plan]\nlr = -1.0\n[views]\nflip = 3\n")
    said = call("run", "digits", "--config", path, "--method", "nothing", "--set", "plan.epochs=-3")
    lines = said.err.splitlines()
    assert said.status == 2 and lines[0] == "error: 7 settings cannot be used"
    for name in ("labls", "seed", "draws", "plan.lr", "views.flip", "method", "plan.epochs"):
        assert any(line.startswith("  - ") and name in line for line in lines), name


def test_a_file_that_is_not_toml(call, tmp_path):
    (tmp_path / "s.toml").write_text("labels = \n")
    said = call("run", "digits", "--config", tmp_path / "s.toml")
    assert said.status == 2 and "is not TOML" in said.err


def test_folders_that_cannot_take_a_run(call, toy_file, quick, tmp_path):
    (tmp_path / "file").write_text("precious")
    for out in (tmp_path / "file", tmp_path / "file" / "run"):
        said = call("run", toy_file, *quick, "--out", out)
        assert said.status == 2 and str(tmp_path / "file") in said.err and "fix: " in said.err
    said = call("run", toy_file, *quick, "--out", tmp_path)
    assert said.status == 2 and "it holds file" in said.err and "--overwrite" in said.err and "--resume" in said.err
    assert (tmp_path / "file").read_text() == "precious"


def test_overwrite_takes_the_run_and_leaves_the_rest(call, toy_file, quick, tmp_path):
    out = tmp_path / "run"
    assert call("pretrain", toy_file, *quick[2:], "--out", out, "--quiet").status == 0
    (out / "notes.md").write_text("precious")
    assert call("run", toy_file, *quick, "--out", out, "--quiet", "--overwrite").status == 0
    assert (out / "notes.md").read_text() == "precious" and (out / "classifier").is_dir()


def test_the_settings_file_of_a_run_repeats_it(call, finished, tmp_path):
    assert call("run", "--config", finished / "settings.toml", "--out", tmp_path / "run", "--quiet").status == 0
    one, two = (run / "encoder" / "model.safetensors" for run in (finished, tmp_path / "run"))
    assert one.read_bytes() == two.read_bytes()


# --- the other statuses -------------------------------------------------------------------------------------------


def test_status_4_training_diverged(call, toy_file, tmp_path):
    said = call("pretrain", toy_file, "--out", tmp_path / "run", "--set=plan.optimizer=sgd", "--lr=1e30", "--epochs=9")
    assert said.status == 4 and "training diverged" in said.err and "--lr" in said.err and said.out == ""
    assert "training diverged" in (tmp_path / "run" / "log.txt").read_text()


@pytest.mark.parametrize(
    "problem, words",
    [
        (MemoryError(), "out of memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 8 bytes"), "out of memory"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "out of memory"),
        (OSError(errno.ENOSPC, "No space left on device"), "no space left"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "no space left"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_status_5_out_of_something(call, toy_file, quick, tmp_path, monkeypatch, problem, words):
    def exhausted(*_, **__):
        raise problem

    monkeypatch.setattr("hundredfold.studies.pretraining.fit", exhausted)
    said = call("run", toy_file, *quick, "--out", tmp_path / "run", "--quiet")
    assert said.status == 5 and words in said.err and "fix: " in said.err and "Traceback" not in said.err
    monkeypatch.setattr("hundredfold.studies.pretraining.fit", fit)
    assert call("run", toy_file, *quick, "--out", tmp_path / "run", "--quiet", "--resume").status == 0


def test_status_1_a_defect_is_ours(call, toy_file, quick, tmp_path, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError("in the middle")

    monkeypatch.setattr(few_labels, "similarity_stage", broken)
    out = tmp_path / "run"
    said = call("run", toy_file, *quick, "--out", out, "--quiet")
    assert said.status == 1 and said.out == ""
    assert said.err.splitlines() == [
        "error: a defect in hundredfold (ZeroDivisionError: in the middle)",
        f"why: the traceback is in {out / 'log.txt'}",
    ]
    assert "Traceback" in (out / "log.txt").read_text() and "in the middle" in (out / "log.txt").read_text()
    said = call("run", toy_file, *quick, f"--out={out}", "--quiet", "--overwrite", "--debug")
    assert said.status == 1 and "Traceback" in said.err


def test_status_130_before_anything_is_written(call, tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("hundredfold.studies.job.prepare", interrupted)
    said = call("run", "digits", "--out", tmp_path / "run")
    assert said.status == 130 and "interrupted" in said.err and not (tmp_path / "run").exists()


def test_debug_shows_where_an_error_came_from(call):
    said = call("run", "digitz", "--debug")
    assert said.status == 2 and "Traceback" in said.err and said.err.splitlines()[-1].startswith("fix: ")


def test_as_a_process_and_as_a_module(tmp_path):
    """The entry point that pip installs, and `python -m hundredfold`; a reader of stdout that leaves is no error."""
    installed = Path(sys.executable).parent / "hundredfold"
    commands = [[sys.executable, "-m", "hundredfold"], *([[str(installed)]] if installed.exists() else [])]
    for command in commands:
        done = subprocess.run([*command, "run", "digitz"], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 2 and done.stderr.startswith("error: there is no source 'digitz'")
    assert files(tmp_path) == []
