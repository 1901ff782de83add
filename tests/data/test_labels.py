from __future__ import annotations

import numpy as np
import pytest

from hundredfold.data.labels import class_name, class_names, class_order, numbered, printable
from hundredfold.errors import DataError


def test_numbers_are_counted_and_text_is_sorted() -> None:
    assert class_order(["10", "2", "1"]) == ("1", "2", "10")
    assert class_order(["dog", "10", "cat"]) == ("10", "cat", "dog")


def test_numbers_of_names() -> None:
    labels, classes = numbered(["b", None, "a", "b"])
    assert classes == ("a", "b")
    assert labels.tolist() == [1, -1, 0, 1]
    assert numbered([None, None])[0].tolist() == [-1, -1]
    assert numbered(["b"], classes=["b", "a"])[0].tolist() == [0]


@pytest.mark.parametrize("value", [None, "", "  ", "-1", -1, -1.0, float("nan")])
def test_what_means_no_label(value: object) -> None:
    assert class_name(value) is None


@pytest.mark.parametrize(("value", "name"), [(3, "3"), (3.0, "3"), (" cat ", "cat"), (True, "1"), (b"dog", "dog")])
def test_what_a_label_is_called(value: object, name: str) -> None:
    assert class_name(value) == name


@pytest.mark.parametrize("value", [0.5, -2, [1], float("inf")])
def test_what_is_no_label(value: object) -> None:
    with pytest.raises(DataError):
        class_name(value)


def test_one_hot_labels_are_refused_with_what_to_do() -> None:
    assert class_names(np.array([[1], [0]])) == ["1", "0"]
    with pytest.raises(DataError, match="argmax"):
        class_names(np.eye(3))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<b>cat</b>", "<b>cat</b>"),  # the page escapes; a name stays what it is
        ("a\nb", "a\\nb"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("caf\u00e9 \u732b", "caf\u00e9 \u732b"),
        ("\udcff", "\\udcff"),
    ],
)
def test_names_are_printable_and_can_be_written(text: str, shown: str) -> None:
    assert printable(text) == shown
    printable(text).encode()
