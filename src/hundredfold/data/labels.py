"""From what labels are called to the numbers that stand for them. Classes are matched by name, never by number."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from hundredfold.errors import DataError
from hundredfold.types import UNLABELLED


def printable(text: str) -> str:
    r"""The text with everything that moves a cursor, turns the writing round or is no character spelt out.

    Names come from files and folders, which strangers make; what is kept here may go to a terminal or into JSON.

    >>> printable("cat\x1b[31m")
    'cat\\x1b[31m'
    """
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def class_order(names: Iterable[str]) -> tuple[str, ...]:
    """The distinct names in order: as numbers if all are whole numbers, else as text.

    >>> class_order(["10", "9", "9"])
    ('9', '10')
    """
    distinct = set(names)
    if all(name.isascii() and name.isdecimal() and len(name) < 19 for name in distinct):
        return tuple(sorted(distinct, key=lambda name: (int(name), name)))
    return tuple(sorted(distinct))


def numbered(names: Sequence[str | None], classes: Sequence[str] | None = None) -> tuple[Tensor, tuple[str, ...]]:
    """Labels [n] int64 and the class names they count; None becomes `UNLABELLED`.

    Args:
        names: the class of each image.
        classes: the classes in label order; None takes those that occur (see `class_order`).
    """
    order = tuple(classes) if classes is not None else class_order(name for name in names if name is not None)
    position = {name: label for label, name in enumerate(order)}
    numbers = [UNLABELLED if name is None else position[name] for name in names]
    return torch.tensor(numbers, dtype=torch.int64), order


def class_name(value: object) -> str | None:
    """What one label is called, or None if it stands for "no label": nothing, NaN, -1 or the empty text.

    Raises:
        DataError: a fraction or a negative number, which names no class.
    """
    if value is None:
        return None
    if isinstance(value, bytes):
        value = value.decode("utf-8", "backslashreplace")
    if isinstance(value, str):
        text = value.strip()
        return None if text in ("", "-1") else printable(text)
    if isinstance(value, (bool, np.bool_)):
        return str(int(value))
    if isinstance(value, (int, float, np.integer, np.floating)):
        return _numeric_class(float(value))
    raise DataError(
        f"a label is {type(value).__name__}, not a name or a whole number", why=f"found {printable(str(value))[:80]}"
    )


def class_names(values: np.ndarray) -> list[str | None]:
    """What each label of an array [n] or [n, 1] is called (see `class_name`).

    Raises:
        DataError: the array has another shape, or holds what cannot be a label.
    """
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise DataError(
            f"labels of shape {values.shape}",
            why="each image needs one label: shape [n]",
            fix="for one-hot labels give labels.argmax(1)",
        )
    return [class_name(value) for value in values.tolist()]


def _numeric_class(value: float) -> str | None:
    if math.isnan(value) or value == UNLABELLED:
        return None
    if value < 0 or not value.is_integer():
        raise DataError(f"a label is {value:g}", why="labels are whole numbers from 0, or -1 for unlabelled")
    return str(int(value))
