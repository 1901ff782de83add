"""`hundredfold study`: lists in both spellings, what is printed, what is refused."""

import json

import click
import pytest

from hundredfold.cli.study import batch_size, command, methods

QUICK = ["--labels=3", "--draws=1", "--epochs=1", "--set=encoder_settings={widths=[4], features=16}"]


def parsed(command, *arguments):
    return command.make_context("study", list(arguments)).params


def test_lists_of_numbers_take_spaces_and_commas():
    spaces = parsed(
        batch_size, "digits", "--batch-sizes", "16", "64", "--variance-reduction", "0", "30", "--seeds", "2"
    )
    commas = parsed(batch_size, "--batch-sizes=16,64", "--variance-reduction", "0,30", "--seeds=2", "digits")
    assert spaces == commas
    assert spaces["batch_sizes"] == [16, 64] and spaces["weights"] == [0.0, 30.0] and spaces["source"] == "digits"
    assert parsed(batch_size, "--temperatures", "0.1", "0.5", "digits")["temperatures"] == [0.1, 0.5]


def test_a_word_among_numbers_is_refused_by_name():
    with pytest.raises(click.BadParameter, match="'many' is not a number"):
        parsed(batch_size, "--batch-sizes", "16,many")


def test_an_option_that_the_study_goes_through_is_not_asked_twice():
    assert "batch_size" not in parsed(batch_size) and "method" in parsed(batch_size)
    assert "method" not in parsed(methods) and "batch_size" in parsed(methods)


@pytest.mark.parametrize("name", ["methods", "batch-size"])
def test_help_ends_with_an_example_that_can_be_parsed(call, name):
    said = call("study", name, "--help")
    example = " ".join(said.out.rstrip().split("\n\n")[-1].split()).removeprefix("Example: ").split()
    assert said.status == 0 and example[:3] == ["hundredfold", "study", name]
    assert command.commands[name].make_context(name, example[3:]).args == []


def test_a_study_of_methods(call, toy_file, tmp_path):
    out = tmp_path / "study"
    said = call("study", "methods", toy_file, "--methods", "simclr,dcl", *QUICK, "--out", out, "--batch-size=16")
    assert said.status == 0, said.err
    lines = said.out.splitlines()
    assert lines[0].startswith("accuracy with 3 labels on")
    assert [line.split()[0] for line in lines[1:5]] == ["simclr", "dcl", "pixels", "random_encoder"]
    assert lines[-1].endswith(f"Report: {out}/report.html") and (out / "report.html").exists()
    assert "cell 2 of 2: dcl" in said.err
    again = call("study", "methods", "--resume", "--out", out, "--json")
    assert [cell["name"] for cell in json.loads(again.out)["cells"]] == ["simclr", "dcl"]
    assert call("report", out).out.strip() == f"{out}/report.html"


def test_a_dry_run_names_the_cells_and_writes_nothing(call, toy_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = call("study", "batch-size", toy_file, "--batch-sizes", "8", "16", "--seeds=1", *QUICK, "--dry-run")
    assert said.status == 0 and "6 cells: about" in said.out and list(tmp_path.iterdir()) == []
    assert "batch-8-weight-30-seed-0" in said.out


WRONG = [
    (["methods", "--methods", "simcrl"], "did you mean 'simclr'"),
    (["batch-size", "--batch-sizes", "1", "16"], "batch_size must be >= 2, got 1"),
    (["batch-size", "--batch-sizes", "16", "9999"], "larger than the pool"),
    (["batch-size", "--batch-sizes", "16", "--temperatures", "0"], "temperature must be > 0, got 0.0"),
    (["batch-size", "--batch-sizes", "16", "--variance-reduction", "-1"], "variance_reduction must be >= 0"),
    (["batch-size", "--batch-sizes", ""], "at least one value"),
    (["batch-size", "--set", "method_settings.negatives=none"], "negatives must be one of both, cross, within"),
    (["methodz"], "No such command 'methodz'"),
]


@pytest.mark.parametrize(
    "arguments, words", WRONG, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_what_the_user_can_mend_is_said_before_anything_is_written(
    call, toy_file, tmp_path, monkeypatch, arguments, words
):
    monkeypatch.chdir(tmp_path)
    said = call("study", arguments[0], toy_file, *arguments[1:], *QUICK)
    assert said.status == 2 and words in said.err, said.err
    assert "Traceback" not in said.err and list(tmp_path.iterdir()) == []
