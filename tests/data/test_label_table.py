"""Tables of labels: what spreadsheets and people make of them, and what each line means."""

from __future__ import annotations

from pathlib import Path

import pytest

from hundredfold.data.images import Source
from hundredfold.data.label_table import LabelTable, Meaning, counted, is_table, read_label_table, some
from hundredfold.data.read import read
from hundredfold.errors import DataError


@pytest.fixture
def pool(noise) -> Source:
    return read(noise(6, 4, 4))  # "image 0" to "image 5"


@pytest.fixture
def table(tmp_path: Path, pool: Source):
    """table(text): what reading it as labels of the pool finds."""

    def made(text: str, encoding: str = "utf-8") -> LabelTable:
        (tmp_path / "labels.csv").write_text(text, encoding=encoding, newline="")
        return read_label_table(tmp_path / "labels.csv", pool)

    return made


def found(table: LabelTable) -> list[tuple[int, str, tuple[int, ...], str | None]]:
    return [(row.line, row.index, row.named, row.label) for row in table.rows]


def test_the_table_that_suggest_writes(table) -> None:
    read = table("index,name,label,why\n3,image 3,cat,centre of a group\n1,image 1,,\n")
    assert found(read) == [(2, "3", (3,), "cat"), (3, "1", (1,), None)]
    assert read.problems == read.notes == () and not read.is_other_source


def test_what_a_spreadsheet_makes_of_it(table) -> None:
    text = (
        'index;name;label;why;;\r\n3;image 3; cat ;"two\r\nlines";;\r\n;;;;;\r\n1;image 1\r\n2;image 2;\'=x;;;note\r\n'
    )
    read = table(text, "utf-8-sig")
    assert found(read) == [(3, "3", (3,), "cat"), (5, "1", (1,), None), (6, "2", (2,), "=x")]
    assert read.problems == ()


def test_tables_of_two_rounds_put_one_below_the_other(table) -> None:
    read = table("index,name,label,why\n3,image 3,cat,\nindex,name,label,why\n1,image 1,dog,\n")
    assert found(read) == [(2, "3", (3,), "cat"), (4, "1", (1,), "dog")]


def test_columns_in_any_order_and_with_other_names(table) -> None:
    assert found(table("Class\tid\tFile\ncat\t9\timage 4\n")) == [(2, "", (4,), "cat")]
    assert found(table("label,INDEX\ncat,4\n")) == [(2, "4", (), "cat")]


def test_of_several_columns_of_names_the_one_that_is_known(table) -> None:
    assert found(table("file,name,label\n/disk/1.png,image 2,a\n/disk/2.png,image 3,b\n")) == [
        (2, "", (2,), "a"),
        (3, "", (3,), "b"),
    ]


@pytest.mark.parametrize(
    ("cells", "labels", "notes"),
    [
        (["3.0", "", "10.0"], ["3", None, "10"], ("labels such as 3.0 are read as 3",)),
        (["3.0", "-1.0", "-1"], ["3", None, None], ("labels such as 3.0 are read as 3",)),
        (["3.5", "3.0", "x"], ["3.5", "3.0", "x"], ()),
        (["007", "7", ""], ["007", "7", None], ()),
    ],
)
def test_numbers_that_pandas_made_fractions_of(table, cells, labels, notes) -> None:
    read = table("index,label,why\n" + "".join(f"{row},{cell},x\n" for row, cell in enumerate(cells)))
    assert [row.label for row in read.rows] == labels and read.notes == notes


def test_rows_to_test_on_are_left_out(table) -> None:
    read = table("index,label,split\n1,a,train\n2,b,Test\n3,b,\n")
    assert [row.index for row in read.rows] == ["1", "3"] and read.notes[0].startswith("1 row of ")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "index,lable\n1,a\n",
            "there is no column `label`: the first line names index, lable; is 'lable' meant to be `label`",
        ),
        ("index,zzz\n1,a\n", "there is no column `label`: the first line names index, zzz"),
        ("index,label,label\n1,a,b\n", "several columns are called label"),
        ("index,label\n1,a\n2,a,b\n", "1 line with more cells than the 2 columns: line 3"),
    ],
)
def test_problems_of_columns_and_lines(table, text: str, says: str) -> None:
    assert [problem[: len(says)] for problem in table(text).problems] == [says]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "names no images"),
        ("index,name,label,why\n", "names no images"),
        ("indx,nmae,label\n1,image 1,a\n", "names indx, nmae, label; is 'indx' meant to be `index`"),
        ("label\na\n", "no column that says which image"),
    ],
)
def test_tables_of_which_nothing_can_be_read(table, text: str, says: str) -> None:
    with pytest.raises(DataError, match=says):
        table(text)


def test_what_a_name_can_mean(tmp_path: Path, write_png) -> None:
    for name in ("photos/train/a.png", "photos/test/x/t.png", "photos/test/y/t.png", "other/a.png"):
        write_png(name)
    (tmp_path / "photos/train/bad.png").write_bytes(b"nothing")
    pool = read(tmp_path / "photos")
    (tmp_path / "labels.csv").write_text(
        "file,label\na.png,x\nphotos/train/a.png,x\nphotos/test/x/t.png,x\ntrain/bad.png,x\nother/a.png,x\nb.png,x\n,x\n"
    )
    table = read_label_table(tmp_path / "labels.csv", pool)
    assert [row.meaning for row in table.rows] == [
        Meaning.IMAGE,
        Meaning.IMAGE,
        Meaning.TEST,
        Meaning.LEFT_OUT,
        Meaning.OTHER_FILE,
        Meaning.NOTHING,
        None,
    ]
    assert table.is_other_source and table.images_beside() == {0}


def test_what_is_a_table(tmp_path: Path, noise) -> None:
    for name in ("a.csv", "a.TSV", "a.txt"):
        (tmp_path / name).touch()
    assert is_table(tmp_path / "a.csv") and is_table(str(tmp_path / "a.TSV"))
    assert not any(
        map(is_table, (tmp_path / "a.txt", tmp_path / "b.csv", "digits", noise(2, 4, 4), "x" * 5000 + ".csv"))
    )


def test_lists_for_people() -> None:
    assert counted(1, "row") == "1 row" and counted(1200, "row") == "1,200 rows"
    assert some(["a", "b", "c"]) == "a, b, c" and some(["a", "b", "c", "d"]) == "a, b, c and 1 more"
