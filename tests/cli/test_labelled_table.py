"""Labels from a table, as a person gives them: `--labelled to_label.csv` about the images of SOURCE itself."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

TRUTH = [str(digit) for digit in load_digits().target]
ROWS = np.random.default_rng(0).choice(len(TRUTH), 100, replace=False).tolist()
QUICK = [
    "--epochs=1",
    "--batch-size=256",
    "--set=models=['linear_probe']",
    "--set=encoder_settings={widths=[4], features=16}",
]
Cells = Sequence[str]


@pytest.fixture(scope="module")
def to_label(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `suggest` writes, with 90 of 100 labels filled in. Not to be changed."""
    path = tmp_path_factory.mktemp("table") / "to_label.csv"
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["index", "name", "label", "why"])
        for number, row in enumerate(ROWS):
            writer.writerow([row, f"image {row}", TRUTH[row] if number < 90 else "", "the centre of a group"])
    return path


@pytest.fixture
def edited(to_label: Path, tmp_path: Path) -> Callable[[Callable[[list[list[str]]], None]], Path]:
    """edited(change): a copy of the table, whose rows (the header among them) `change` has changed in place."""

    def write(change: Callable[[list[list[str]]], None]) -> Path:
        with to_label.open(newline="") as stream:
            rows = list(csv.reader(stream))
        change(rows)
        with (tmp_path / "edited.csv").open("w", newline="") as stream:
            csv.writer(stream).writerows(rows)
        return tmp_path / "edited.csv"

    return write


def test_the_loop_closes(call, to_label, tmp_path):
    whole = "--set=label_counts=[72]"
    said = call("run", "digits", "--labelled", to_label, *QUICK, whole, "--out", tmp_path / "run", "--json")
    assert said.status == 0, said.err
    for note in (
        f"90 images of digits labelled by {to_label}",
        f"10 rows of {to_label} without a label: those images are not labelled",
        "all 72 labels beside 18 for testing are taken: there is one way to draw them, so there is one draw",
    ):
        assert note in said.err.splitlines()
    found = json.loads(said.out)
    assert found["summary"]["linear_probe"]["72"]["draws"] == 1 and found["data"]["images"] == 1797
    drawn = json.loads((tmp_path / "run/splits.json").read_text())
    assert {*drawn["labelled"][0], *drawn["test"]} == set(ROWS[:90])
    assert (tmp_path / "run/report.html").stat().st_size > 10_000
    fewer = ["--labels=20", "--draws=2", "--set=label_counts=[20]"]
    said = call("evaluate", tmp_path / "run", "digits", "--labelled", to_label, *QUICK[2:3], *fewer)
    assert said.status == 0 and said.out.startswith(f"accuracy with 20 labels on digits + {to_label}")
    assert "(2 draws)" in said.out


def test_a_folder_whose_table_names_its_files(call, tmp_path, to_label):
    from PIL import Image

    (tmp_path / "photos").mkdir()
    for row in ROWS:
        grey = (load_digits().images[row] * 15).astype(np.uint8)
        Image.fromarray(grey).save(tmp_path / f"photos/{row}.png")
    table = tmp_path / "mine.csv"
    table.write_text("photo;File;Class\n" + "".join(f"x;photos/{row}.png;{TRUTH[row]}\n" for row in ROWS[:60]))
    options = [*QUICK[2:], "--epochs=1", "--batch-size=32", "--dry-run", "--json"]
    said = call("run", tmp_path / "photos", "--labelled", table, *options)
    assert said.status == 0, said.err
    found = json.loads(said.out)
    assert found["data"]["images"] == 100 and found["data"]["labelled"] == 60
    moved = shutil.move(table, tmp_path / "photos/mine.csv")  # the paths in it now lead nowhere
    said = call("run", tmp_path / "photos", "--labelled", moved, *options)
    assert said.status == 2 and f"the nearest to the first is '{ROWS[0]}.png'" in said.err


def rename(name: str, other: str) -> Callable[[list[Cells]], None]:
    return lambda rows: rows[0].__setitem__(rows[0].index(name), other)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda rows: rows.__delitem__(slice(1, None)), ["names no images"]),
        (rename("label", "lable"), ["is 'lable' meant to be `label`"]),
        (lambda rows: [row.__setitem__(2, "") for row in rows[1:]], ["no label is filled in: 100 rows", "fix: write"]),
        (lambda rows: rows[1].__setitem__(0, "1797"), ["not there: digits has 1,797 images, 0 to 1796: 1797 (line 2)"]),
        (lambda rows: rows[1].__setitem__(0, "x"), ["an index that is no whole number from 0: 'x' (line 2)"]),
        (lambda rows: rows[1].__setitem__(1, "image 9999"), ["an index and a name of different", "source has changed"]),
        (lambda rows: rows.append([*rows[1][:2], "a", ""]), ["1 image with two different labels: ", "'a' (line 102)"]),
        (lambda rows: rows.extend(rows[1:91] * 20), ["more labels than images: 1,890 labels for the 1,797 images"]),
        (
            lambda rows: rows.extend([["", "imge 5", "1", ""], ["", "", "1", ""], ["1797", "", "1", ""]]),
            [
                "error: 3 things are wrong",
                "  - 1 label for a name that is not in digits: 'imge 5' (line 102)",
                "image 5",
            ],
        ),
        (lambda rows: [row.__setitem__(2, "3") for row in rows[1:]], ["100 labelled images are of one class"]),
    ],
)
def test_a_table_that_does_not_fit_is_told_before_anything_is_written(call, edited, tmp_path, change, says):
    said = call("run", "digits", "--labelled", edited(change), *QUICK, "--out", tmp_path / "run")
    assert said.status == 2 and said.out == "" and "Traceback" not in said.err
    assert all(part in said.err for part in says), said.err
    assert not (tmp_path / "run/settings.toml").exists()


def test_more_labels_than_there_are(call, to_label):
    said = call("run", "digits", "--labelled", to_label, "--labels=1000", *QUICK, "--dry-run")
    assert said.status == 0
    assert "72 labels a draw, not 1,000: of 1,797 images 90 carry a label, of which 18 for testing are kept" in said.out
