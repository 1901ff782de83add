"""Tables that a spreadsheet may open: nothing in them runs, and numbers stay numbers."""

import csv

import pytest

from hundredfold.errors import OutputError, SettingsError
from hundredfold.studies.spreadsheet import check_csv, harmless, write_csv


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\tx", "\rx", "=", "+", "--1"])
def test_what_would_run_gets_an_apostrophe(text: str) -> None:
    assert harmless(text) == "'" + text


@pytest.mark.parametrize("text", ["", "cat", "-0.5", "+1e-7", "-inf", "a=b", "'t", " =1"])
def test_everything_else_stays(text: str) -> None:
    assert harmless(text) == text


def test_rows_come_back_as_they_were(tmp_path) -> None:
    rows = [["a,b", 'say "x"', "two\nlines"], ["é", "日本", ""], ["-1", "0", "=1"]]
    write_csv(tmp_path / "table.csv", ["=head", "b", "c"], iter(rows))
    with (tmp_path / "table.csv").open(newline="", encoding="utf-8") as file:
        found = list(csv.reader(file))
    assert found == [["'=head", "b", "c"], *rows[:2], ["-1", "0", "'=1"]]
    assert b"\r\n" not in (tmp_path / "table.csv").read_bytes()


def test_a_lone_carriage_return_does_not_split_its_row(tmp_path) -> None:
    rows = [["a\rb", "1"], ["plain", "2\r"], ["x\r\n", 'say "\r"'], ["=\r", "3"]]
    write_csv(tmp_path / "table.csv", ["name", "value"], rows)
    with (tmp_path / "table.csv").open(newline="", encoding="utf-8") as file:
        found = list(csv.reader(file))
    assert found == [["name", "value"], *rows[:3], ["'=\r", "3"]]


def test_targets_are_checked_before_any_work(tmp_path) -> None:
    check_csv(None)
    check_csv(tmp_path / "table.csv")
    for name, told in (
        ("table.cvs", "unknown file type '.cvs': did you mean '.csv'"),
        ("table", "unknown file type"),
        ("no/table.csv", "there is no folder"),
    ):
        with pytest.raises(SettingsError, match=told):
            check_csv(tmp_path / name)


def test_a_folder_that_is_not_there(tmp_path) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        write_csv(tmp_path / "no" / "table.csv", ["a"], [])
