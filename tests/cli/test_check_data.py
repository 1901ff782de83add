"""`hundredfold check-data`, called as a person calls it."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hundredfold.cli import main
from hundredfold.data.inspect import DataReport, inspect
from hundredfold.data.read import read
from hundredfold.records import from_json


def status(*arguments: object) -> int:
    with pytest.raises(SystemExit) as left:
        main(["check-data", *map(str, arguments)])
    return left.value.code


@pytest.fixture
def pictures(tmp_path: Path) -> Callable[..., Path]:
    """Makes a folder of PNGs: pictures("name", cat=3, dog=2), every image another one unless `seed` repeats."""

    def make(name: str, seed: int = 0, **counts: int) -> Path:
        rng = np.random.default_rng(seed)
        for kind, count in counts.items():
            folder = tmp_path / name / kind.replace("_", "")
            folder.mkdir(parents=True)
            for number in range(count):
                Image.fromarray(rng.integers(0, 255, (9, 8), dtype=np.uint8)).save(folder / f"{number}.png")
        return tmp_path / name

    return make


def test_what_is_there_is_told_in_a_few_lines(capsys):
    assert status("digits") == 0
    out, err = capsys.readouterr()
    assert "images    1,797 of 8x8 pixels, 1 channel, kept in memory" in out
    assert "labelled  1,797, in 10 classes: 0 (178), 1 (182)" in out
    assert "a run holds out a fifth" in out
    assert out.endswith("nothing to mend\n")
    assert len(out.splitlines()) < 10
    assert err == ""


def test_json_is_the_whole_report(capsys):
    assert status("digits", "--json") == 0
    assert from_json(DataReport, capsys.readouterr().out) == inspect(read("digits"))


def test_bad_files_are_named_with_their_reasons_and_are_no_failure(pictures, capsys):
    folder = pictures("animals", cat=4, dog=4)
    for number in range(7):
        (folder / "cat" / f"bad-{number}.png").write_bytes(b"no image")
    assert status(folder) == 0
    out = capsys.readouterr().out
    assert "left out  7 files" in out
    assert "cat/bad-0.png: not an image" in out
    assert "cat/bad-4.png" in out
    assert "cat/bad-5.png" not in out
    assert "and 2 more: --json lists them all" in out
    assert "look at this:" in out
    assert "nothing to mend" not in out


def test_of_many_classes_the_first_are_listed(pictures, capsys):
    folder = pictures("many", **{f"kind{number:02}": 2 for number in range(14)})
    assert status(folder) == 0
    out = capsys.readouterr().out
    assert "in 14 classes: kind00 (2)" in out
    assert "kind11 (2), ..." in out
    assert "kind12" not in out


def test_without_labels_nothing_is_promised_of_a_test(pictures, capsys):
    assert status(pictures("plain", _=5)) == 0
    out = capsys.readouterr().out
    assert "labelled  0\n" in out
    assert "test      none\n" in out


def test_overlap_with_a_test_set_is_found(pictures, capsys):
    # One generator makes both, image after image: the four of the test set are the first four of the other.
    train, test = pictures("train-set", seed=1, cat=4, dog=4), pictures("test-set", seed=1, cat=2, dog=2)
    assert status(train, "--test", test) == 0
    out = capsys.readouterr().out
    assert "test      4 images, 4 labelled" in out
    assert "4 test images are also among the images to learn from" in out


def test_labels_of_a_second_source_are_counted(pictures, capsys):
    pool, labelled = pictures("pool", seed=2, _=6), pictures("labelled", seed=3, cat=2, dog=3)
    assert status(pool, "--labelled", labelled) == 0
    out = capsys.readouterr().out
    assert "images    11 of 8x9 pixels" in out
    assert "labelled  5, in 2 classes: cat (2), dog (3)" in out


@pytest.mark.parametrize("source", ["digts", "empty"])
def test_what_cannot_be_used_is_the_users_to_mend(source, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    assert status(source) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert "fix: " in err
    assert "Traceback" not in err


def test_control_characters_in_names_do_not_reach_the_terminal(pictures, capsys):
    folder = pictures("odd", cat=2, dog=2)
    (folder / "cat" / "x\x1b[31m.png").write_bytes(b"no image")
    assert status(folder, "--json") == 0
    assert "\x1b" not in json.dumps(json.loads(capsys.readouterr().out), ensure_ascii=False)
    assert status(folder) == 0
    assert "\x1b" not in capsys.readouterr().out
