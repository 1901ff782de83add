"""From the y of an estimator to label numbers: what stands for "no label", and which classes there are."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from hundredfold.estimators._checks import InputError
from hundredfold.types import UNLABELLED

Array: TypeAlias = np.ndarray[Any, Any]


def known(y: Array) -> Array:
    """[n] booleans: which of the labels [n] are labels.

    -1 is none, as in `sklearn.semi_supervised`; neither are NaN, None, pandas' NA, and the texts "" and "-1".

    >>> known(np.array([3, -1, 0])).tolist()
    [True, False, True]
    >>> known(np.array(["cat", "", None], dtype=object)).tolist()
    [True, False, False]
    """
    if y.dtype.kind == "b":
        return np.ones(len(y), dtype=bool)
    if y.dtype.kind in "iuf":
        return (y != UNLABELLED) & (y == y)
    return np.array([_is_label(value) for value in y.tolist()], dtype=bool)


def numbered(y: Array) -> tuple[Array, Array]:
    """The classes [k] in order, and the place of each label in them [n] int64, -1 where there is none.

    Raises:
        InputError: nothing is labelled.
        ValueError: labels that name no classes, such as fractions or infinity.
    """
    from sklearn.utils import assert_all_finite
    from sklearn.utils.multiclass import check_classification_targets

    labelled = known(y)
    if not labelled.any():
        raise InputError(
            f"no label: all {len(y):,} values of y stand for unlabelled (-1)",
            fix="give at least one label for each class; features alone come from SelfSupervisedTransformer",
        )
    labels = _of_one_kind(y[labelled])
    assert_all_finite(labels, input_name="y")
    check_classification_targets(labels)
    classes, places = np.unique(labels, return_inverse=True)
    numbers = np.full(len(y), UNLABELLED, dtype=np.int64)
    numbers[labelled] = places
    return classes, numbers


def _is_label(value: object) -> bool:
    if type(value).__name__ == "NAType":  # pandas' word for nothing, which is not even equal or unequal to anything
        return False
    text = value.strip() if isinstance(value, str) else value
    return not (text is None or text != text or text in (UNLABELLED, "", str(UNLABELLED)))


def _of_one_kind(labels: Array) -> Array:
    """Numbers among Python objects as an array of numbers; texts stay as they are."""
    if labels.dtype.kind != "O" or any(isinstance(label, str) for label in labels):
        return labels
    return np.asarray(labels.tolist())
