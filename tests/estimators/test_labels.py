"""What stands for "no label"."""

import numpy as np
import pytest

from hundredfold.estimators._labels import numbered


@pytest.mark.parametrize(
    ("y", "classes", "numbers"),
    [
        (np.array([3, -1, 0, 3]), [0, 3], [1, -1, 0, 1]),
        (np.array([1.0, -1.0, np.nan, 2.0]), [1.0, 2.0], [0, -1, -1, 1]),
        (np.array([True, False]), [False, True], [1, 0]),
        (np.array(["b", "", "a", "-1"]), ["a", "b"], [1, -1, 0, -1]),
        (np.array(["b", None, " ", float("nan"), -1, "a"], dtype=object), ["a", "b"], [1, -1, -1, -1, -1, 0]),
        (np.array([5, None, 2], dtype=object), [2, 5], [1, -1, 0]),
        (np.array([-2, -1, 4]), [-2, 4], [0, -1, 1]),  # only -1 is special
        (np.array([7, 7]), [7], [0, 0]),
    ],
)
def test_labels_become_numbers(y, classes, numbers):
    found, places = numbered(y)
    assert found.tolist() == classes
    assert places.tolist() == numbers
    assert places.dtype == np.int64


def test_a_value_that_compares_with_nothing_is_none():
    class NAType:  # as pandas has it
        def __ne__(self, other):
            raise TypeError("boolean value of NA is ambiguous")

        __hash__ = None
        __eq__ = __ne__

    assert numbered(np.array(["b", NAType(), "a"], dtype=object))[1].tolist() == [1, -1, 0]


@pytest.mark.parametrize(
    "y", [np.full(4, -1), np.array(["", "-1"]), np.array([None, None], dtype=object), np.full(3, np.nan)]
)
def test_labels_that_are_none_are_asked_for(y):
    with pytest.raises(ValueError, match=f"no label: all {len(y)} values of y stand for unlabelled") as problem:
        numbered(y)
    assert "SelfSupervisedTransformer" in problem.value.fix


@pytest.mark.parametrize("y", [np.array([0.5, 1.5, -1]), np.array([1.0, np.inf]), np.array([1, "a"], dtype=object)])
def test_what_names_no_class_is_refused(y):
    with pytest.raises((ValueError, TypeError)):
        numbered(y)
