"""Checking what an estimator is given, with scikit-learn's own sentences where it has them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from hundredfold.errors import UserError

NO_LABELS = "no_validation"  # scikit-learn's word for an estimator that is not given labels here


class InputError(UserError, ValueError):
    """Data or settings that an estimator cannot use: ours, and the `ValueError` that scikit-learn's callers expect."""


@contextmanager
def as_value_errors() -> Iterator[None]:
    """Errors of the user's that the library raises within become `InputError`, with all that they say."""
    try:
        yield
    except InputError:
        raise
    except UserError as problem:
        raise InputError(problem.what, why=problem.why, fix=problem.fix) from problem


def checked(estimator: Any, X: Any, y: Any = NO_LABELS, *, reset: bool, least: int = 1) -> np.ndarray[Any, Any]:
    """X as an array of finite numbers with two to four axes.

    Args:
        estimator: whose `n_features_in_` and `feature_names_in_` are set, or held against X.
        X: numbers in any form that scikit-learn takes, or a torch tensor.
        y: labels that must not be None.
        reset: whether this is `fit`.
        least: how many rows there must be.

    Raises:
        ValueError, TypeError: with scikit-learn's sentences (sparse, NaN, complex, too few rows, other features).
    """
    from sklearn.utils.validation import check_array, validate_data

    if hasattr(X, "detach"):  # a torch tensor, perhaps on another device
        X = X.detach().cpu().numpy()
    named = hasattr(X, "columns")
    if named:  # before the values: a column that is not there is full of NaN
        validate_data(estimator, X, y, reset=reset, skip_check_array=True)
    values = check_array(X, allow_nd=True, ensure_min_samples=least, estimator=estimator, input_name="X")
    if values.ndim == 2 and not named:
        validate_data(estimator, X, y, reset=reset, skip_check_array=True)
    elif values.ndim > 2 and reset:  # later on such images are held against the encoder's, whatever their layout
        validate_data(estimator, values.reshape(len(values), -1), y, reset=True, skip_check_array=True)
    return values
