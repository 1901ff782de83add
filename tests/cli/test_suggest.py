"""`hundredfold suggest` as a shell calls it: what it prints, what it writes, and what it refuses."""

import csv
import shlex


def suggest(call, finished, toy_file, *more):
    return call("suggest", finished, toy_file, "--ignore-labels", *more)


def test_a_table_a_page_and_what_to_do_next(call, finished, toy_file, tmp_path):
    table = tmp_path / "to label.csv"
    said = suggest(call, finished, toy_file, "--count", 6, "--to", table)
    assert said.status == 0 and said.err.startswith("note: there is no test set")
    lines = said.out.splitlines()
    assert len(lines) == 4 and f"6 images to label in {table}, shown in {tmp_path / 'to label.html'}" == lines[1]
    rows = list(csv.reader(table.read_text().splitlines()))
    assert rows[0] == ["index", "name", "label", "why"] and len(rows) == 7
    assert (tmp_path / "to label.html").read_text().startswith("<!doctype html>")
    assert shlex.split(lines[3]) == ["hundredfold", "evaluate", str(finished), str(toy_file), "--labelled", str(table)]


def test_the_next_command_works(call, finished, toy_file, tmp_path):
    table = tmp_path / "next.csv"
    said = suggest(call, finished, toy_file, "--count", 12, "--to", table)
    rows = list(csv.DictReader(table.read_text().splitlines()))
    text = "".join(f"{row['index']},{row['name']},{'abc'[int(row['index']) % 3]},\n" for row in rows)
    table.write_text("index,name,label,why\n" + text)
    again = ["--draws=1", "--set=models=['linear_probe']", "--out", tmp_path / "worth", "--quiet"]
    said = call(*shlex.split(said.out.splitlines()[3])[1:], *again)
    assert said.status == 0 and "linear_probe" in said.out
    more = call("suggest", finished, toy_file, "--labelled", table, "--count", 4, "--to", tmp_path / "more.csv")
    assert more.status == 0 and "a model learnt from 12 labels is unsure of" in more.out
    assert call("suggest", finished, toy_file, "--labelled", table, "--to", table, "--count", 4).status == 0


def test_where_things_go_if_nothing_is_said(call, finished, toy_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = suggest(call, finished, toy_file, "--count=3", "--strategy=typiclust", "--seed=1")
    assert said.status == 0 and sorted(path.name for path in tmp_path.iterdir()) == ["to_label.csv", "to_label.html"]
    said = suggest(call, finished, toy_file, "--count=3", "--report=page.html")
    assert said.status == 0 and "shown in page.html" in said.out


def test_what_is_refused_with_status_2_and_a_sentence(call, finished, toy_file, tmp_path):
    typed = tmp_path / "typed.csv"
    typed.write_text("index,name,label,why\n1,row 1,a,\n")
    out = ["--to", tmp_path / "next.csv"]
    for more, told in (
        (["--count", 91, *out], "91 images to label were asked for, and 90 have no label"),
        (["--count", 0, *out], "0 is not in the range"),
        (["--strategy", "bagde", *out], "did you mean 'badge'"),
        (["--strategy", "badge", *out], "needs labels"),
        (["--count", 5, "--to", tmp_path / "next.txt"], "must be a .csv file"),
        (["--count", 5, "--to", tmp_path / "no" / "next.csv"], "there is no folder"),
        (["--count", 5, "--to", typed], "holds 1 label that would be lost"),
        (["--count", 5, "--labelled", tmp_path / "none.csv", *out], "there is no such table"),
    ):
        said = suggest(call, finished, toy_file, *more)
        assert said.status == 2 and told in said.err and said.out == "", told
    said = call("suggest", finished, toy_file, "--count", 5, *out)
    assert said.status == 2 and "fix: --ignore-labels takes the images for unlabelled" in said.err
    said = call("suggest", tmp_path, toy_file, *out)
    assert said.status == 2 and said.err.startswith("error:")
    assert not (tmp_path / "next.csv").exists()
    assert suggest(call, finished, toy_file, "--count", 5, "--to", typed, "--overwrite").status == 0
