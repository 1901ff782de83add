"""`suggest` on a small encoder: what is asked, what is written, what is never lost, and the loop closed by `run`."""

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

import hundredfold
from hundredfold.data.images import Source
from hundredfold.data.read import read
from hundredfold.errors import CheckpointError, DataError, OutputError, SettingsError
from hundredfold.evaluate.query_strategies import query
from hundredfold.studies.to_label import HEADER, KNOWN

CLASSES = [str(number) for number in range(10)]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder of one epoch."""
    folder = tmp_path_factory.mktemp("suggest") / "run"
    hundredfold.pretrain("digits", out=folder, epochs=1, encoder_settings={"widths": (8,), "features": 16})
    return folder


@pytest.fixture(scope="module")
def truth() -> list[str]:
    train = read("digits").train
    return [train.classes[label] for label in train.labels.tolist()]


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def fill(path: Path, truth: list[str], count: int | None = None) -> None:
    """What a person does with a table."""
    rows = rows_of(path)
    for row in rows[:count]:
        row["label"] = truth[int(row["index"])]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, HEADER)
        writer.writeheader()
        writer.writerows(rows)


def digits_with(labelled: list[int]) -> Source:
    """The digits, of which only some carry their label."""
    source = read("digits")
    hidden = torch.full_like(source.train.labels, -1)
    hidden[labelled] = source.train.labels[labelled]
    return dataclasses.replace(source, train=dataclasses.replace(source.train, labels=hidden))


# --- cold -----------------------------------------------------------------------------------------------------------


def test_without_a_label_it_asks_for_typical_images(run: Path, tmp_path: Path) -> None:
    found = hundredfold.suggest(run, "digits", count=12, ignore_labels=True, to=tmp_path / "next.csv")
    assert found.strategy == "typiclust" and found.known == 0 and found.unlabelled == 1797
    assert len(found.positions.unique()) == len(found.names) == len(found.why) == 12
    assert all(why == f"typical of a group of {int(size):,} images" for why, size in zip(found.why, found.scores))
    assert found.guesses == ((),) * 12
    rows = rows_of(tmp_path / "next.csv")
    assert (tmp_path / "next.csv").read_text().splitlines()[0] == "index,name,label,why"
    assert [int(row["index"]) for row in rows] == found.positions.tolist()
    assert [row["name"] for row in rows] == list(found.names) == [f"image {row['index']}" for row in rows]
    assert {row["label"] for row in rows} == {""} and [row["why"] for row in rows] == list(found.why)


def test_it_is_the_query_on_the_embeddings(run: Path) -> None:
    found = hundredfold.suggest(run, "digits", count=15, ignore_labels=True, seed=3)
    features = hundredfold.embed(run, "digits").features
    none = torch.full((len(features),), -1)
    assert torch.equal(found.positions, query(features, none, 10, 15, seed=3).positions)
    assert not torch.equal(
        found.positions, hundredfold.suggest(run, "digits", count=15, ignore_labels=True, seed=4).positions
    )
    assert found.table is None and found.page is None


def test_test_images_are_never_asked_for(run: Path) -> None:
    images = read("digits").train.take(torch.arange(60))[:, 0].numpy()
    source = read((images[:40], np.full(40, -1)))
    both = Source(train=source.train, test=read((images[40:], np.arange(20) % 10)).train)
    found = hundredfold.suggest(run, both, count=40)
    assert sorted(found.positions.tolist()) == list(range(40))


def test_images_of_another_form_are_brought_to_the_encoders(run: Path) -> None:
    colour = np.random.default_rng(0).integers(0, 256, (30, 20, 20, 3)).astype(np.uint8)
    assert len(hundredfold.suggest(run, colour, count=5).positions.unique()) == 5
    with pytest.raises(DataError, match="5 channels cannot be brought to 1"):
        hundredfold.suggest(run, np.zeros((3, 8, 8, 5), dtype=np.uint8), count=1)


# --- warm -----------------------------------------------------------------------------------------------------------


def test_with_labels_it_asks_a_model(run: Path, truth: list[str], tmp_path: Path) -> None:
    table = tmp_path / "next.csv"
    first = hundredfold.suggest(run, "digits", count=30, ignore_labels=True, to=table)
    fill(table, truth)
    found = hundredfold.suggest(run, "digits", count=10, labelled=table)
    assert found.strategy == "density" and found.known == 30 and found.unlabelled == 1767
    assert not torch.isin(found.positions, first.positions).any()
    for why, guesses in zip(found.why, found.guesses):
        (one, most), (other, less) = guesses
        assert {one, other} <= set(CLASSES) and 1 >= most >= less >= 0
        assert why in (f"model unsure: {one} or {other}", f"model says {one}, {most:.0%}")
    badge = hundredfold.suggest(run, "digits", count=10, labelled=table, strategy="badge")
    typical = hundredfold.suggest(run, "digits", count=10, labelled=table, strategy="typiclust")
    assert badge.strategy == "badge" and typical.why[0].startswith("typical of a group") and typical.guesses[0]
    assert not torch.isin(typical.positions, first.positions).any()


def test_labels_of_the_source_count_unless_a_table_says_which_do(run: Path, truth: list[str], tmp_path: Path) -> None:
    source = digits_with(list(range(20)))
    found = hundredfold.suggest(run, source, count=1777)
    assert found.known == 20 and not set(range(20)) & set(found.positions.tolist())
    (tmp_path / "table.csv").write_text("index,label\n50,a\n51,b\n")
    found = hundredfold.suggest(run, source, count=1795, labelled=tmp_path / "table.csv")
    assert found.known == 2 and not {50, 51} & set(found.positions.tolist()), "as in `run --labelled`"
    assert {guess for one in found.guesses for guess, _ in one} == {"a", "b"}


def test_one_class_is_nothing_to_tell_apart(run: Path, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("index,label\n50,a\n51,a\n")
    found = hundredfold.suggest(run, "digits", count=5, labelled=tmp_path / "table.csv")
    assert found.strategy == "typiclust" and found.known == 2
    with pytest.raises(SettingsError, match="2 labels of one class are known"):
        hundredfold.suggest(run, "digits", count=5, labelled=tmp_path / "table.csv", strategy="badge")


# --- round after round ----------------------------------------------------------------------------------------------


def test_one_table_grows_and_the_loop_closes(run: Path, truth: list[str], tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    hundredfold.suggest(run, "digits", count=20, ignore_labels=True, to=table)
    fill(table, truth)
    second = hundredfold.suggest(run, "digits", count=10, labelled=table, to=table)
    rows = rows_of(table)
    assert [row["label"] for row in rows[:10]] == [""] * 10, "those to label come first"
    assert [int(row["index"]) for row in rows[:10]] == second.positions.tolist()
    assert {row["why"] for row in rows[10:]} == {KNOWN} and len(rows) == 30
    assert all(row["label"] == truth[int(row["index"])] for row in rows[10:])
    fill(table, truth)
    result = hundredfold.evaluate(
        run, "digits", labelled=str(table), draws=1, out=tmp_path / "worth", models=("linear_probe",)
    )
    assert result.data.labelled == 30


def test_labels_of_the_source_are_kept_in_the_table(run: Path, truth: list[str], tmp_path: Path) -> None:
    """`--labelled` hides those of the source, so a table without them would lose them."""
    hundredfold.suggest(run, digits_with([3, 4, 5]), count=4, to=tmp_path / "next.csv")
    kept = [(row["index"], row["label"]) for row in rows_of(tmp_path / "next.csv")[4:]]
    assert kept == [(str(index), truth[index]) for index in (3, 4, 5)]


def test_what_a_person_typed_is_never_lost(run: Path, truth: list[str], tmp_path: Path) -> None:
    table = tmp_path / "next.csv"
    ask = {"count": 5, "ignore_labels": True, "to": table}
    hundredfold.suggest(run, "digits", **ask)
    hundredfold.suggest(run, "digits", **ask, seed=1)  # nothing was typed
    fill(table, truth, 2)
    before = table.read_bytes()
    with pytest.raises(OutputError, match="holds 2 labels that would be lost") as refused:
        hundredfold.suggest(run, "digits", **ask)
    assert f"--labelled {table}" in refused.value.fix and table.read_bytes() == before
    hundredfold.suggest(run, "digits", count=5, labelled=table, to=table)
    assert sum(bool(row["label"]) for row in rows_of(table)) == 2
    hundredfold.suggest(run, "digits", **ask, overwrite=True)
    assert sum(bool(row["label"]) for row in rows_of(table)) == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("index,name,label,why,who\n3,image 3,,,Ada\n", "has other columns"),
        ("index,name,label,why\nx,image 3,7,\n", "holds 1 label that would be lost"),
        ("notes of mine", "is no table of images to label"),
        ("", "is no table of images to label"),
    ],
)
def test_a_file_of_another_kind_is_not_replaced(run: Path, tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "next.csv").write_text(text)
    with pytest.raises(OutputError, match=told):
        hundredfold.suggest(run, "digits", count=5, ignore_labels=True, to=tmp_path / "next.csv")
    assert (tmp_path / "next.csv").read_text() == text


def test_a_spreadsheet_may_have_saved_it(run: Path, tmp_path: Path) -> None:
    """A byte order mark, semicolons, capitals: still the same table, with nothing in it that would be lost."""
    (tmp_path / "next.csv").write_text("\ufeffIndex;Name;Label;Why\n3;image 3;;typical\n", encoding="utf-8")
    hundredfold.suggest(run, "digits", count=5, ignore_labels=True, to=tmp_path / "next.csv")
    assert len(rows_of(tmp_path / "next.csv")) == 5


def test_names_that_a_spreadsheet_would_run(run: Path, tmp_path: Path) -> None:
    source = read("digits")
    names = ("=1+1", "+a", "@b", *(f"image {number}" for number in range(3, 1797)))
    classes = ("-x", *source.train.classes[1:])
    labels = torch.full_like(source.train.labels, -1)
    labels[:3], labels[3:6] = 0, 1
    odd = Source(train=dataclasses.replace(source.train, names=names, classes=classes, labels=labels))
    table = tmp_path / "next.csv"
    hundredfold.suggest(run, odd, count=2, to=table)
    kept = rows_of(table)[2:5]
    assert [row["name"] for row in kept] == ["'=1+1", "'+a", "'@b"] and kept[0]["label"] == "'-x"
    again = hundredfold.suggest(run, odd, count=2, labelled=table, to=table)
    assert again.known == 6


# --- what cannot be -------------------------------------------------------------------------------------------------


def test_more_than_there_are(run: Path) -> None:
    with pytest.raises(DataError, match="1,798 images to label were asked for, and 1,797 have no label") as refused:
        hundredfold.suggest(run, "digits", count=1798, ignore_labels=True)
    assert refused.value.fix == "--count 1797"
    with pytest.raises(DataError, match="no image is left to label") as refused:
        hundredfold.suggest(run, "digits", count=1)
    assert "--ignore-labels" in refused.value.fix


def test_a_strategy_that_needs_labels_without_any(run: Path) -> None:
    with pytest.raises(SettingsError, match="strategy badge needs labels, and --ignore-labels leaves none"):
        hundredfold.suggest(run, "digits", strategy="badge", ignore_labels=True)
    with pytest.raises(SettingsError, match="at least two classes: none is known"):
        hundredfold.suggest(run, digits_with([]), strategy="density")


def test_all_problems_are_told_at_once(run: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        hundredfold.suggest(
            run, "digits", count=0, strategy="bagde", to=tmp_path / "a.txt", report=tmp_path / "no" / "b.html",
            labelled=tmp_path / "none.csv",
        )  # fmt: skip
    told = refused.value.problems
    assert len(told) == 5 and "did you mean 'badge'" in told[1]
    assert "there is no such table" in told[2] and ".csv file" in told[3] and "there is no folder" in told[4]


def test_no_encoder(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError):
        hundredfold.suggest(tmp_path, "digits", count=5)


def test_a_table_of_other_images(run: Path, tmp_path: Path) -> None:
    from PIL import Image

    Image.new("L", (8, 8)).save(tmp_path / "own.png")
    (tmp_path / "table.csv").write_text("file,label\nown.png,a\n")
    with pytest.raises(DataError, match="names images that are not in"):
        hundredfold.suggest(run, "digits", count=5, labelled=tmp_path / "table.csv")


def test_a_table_that_nobody_filled_in(run: Path, tmp_path: Path) -> None:
    hundredfold.suggest(run, "digits", count=5, ignore_labels=True, to=tmp_path / "next.csv")
    with pytest.raises(DataError, match="no label is filled in"):
        hundredfold.suggest(run, "digits", count=5, labelled=tmp_path / "next.csv")
