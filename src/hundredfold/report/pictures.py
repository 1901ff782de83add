"""Images as `data:` addresses of PNG files, small enough that the page stays one light file."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

SIDE = 96  # px: no picture on the page is shown larger
BUDGET = 1_400_000  # bytes: of all pictures of the page, if none of them compresses
TRIPLES = 10  # images shown with their two views
MISTAKES = 24
SUSPECTS = 24
SHOWN = 3 * TRIPLES + MISTAKES + SUSPECTS


@dataclass(frozen=True, kw_only=True)
class Triple:
    """An image and two views of it, as addresses; views that were not kept are None."""

    original: str
    view_a: str | None
    view_b: str | None


def triples(pictures: Mapping[str, np.ndarray]) -> list[Triple]:
    """Some images beside their views."""
    originals, a, b = (_first(pictures, name, TRIPLES) for name in ("originals", "view_a", "view_b"))
    side = affordable_side(SHOWN)
    return [
        Triple(
            original=address(image, side),
            view_a=address(a[position], side) if position < len(a) else None,
            view_b=address(b[position], side) if position < len(b) else None,
        )
        for position, image in enumerate(originals)
    ]


def mistake_addresses(pictures: Mapping[str, np.ndarray]) -> list[str]:
    """The pictures of the mistakes, in their order."""
    return [address(image, affordable_side(SHOWN)) for image in _first(pictures, "mistakes", MISTAKES)]


def suspect_addresses(pictures: Mapping[str, np.ndarray]) -> list[str]:
    """The pictures of the labels that look wrong, in their order."""
    return [address(image, affordable_side(SHOWN)) for image in _first(pictures, "suspects", SUSPECTS)]


def address(image: np.ndarray, side: int = SIDE) -> str:
    """`data:image/png;base64,...` of an image [c, h, w] uint8, made smaller if a side is longer than `side`."""
    picture = Image.fromarray(_viewable(image))
    if max(picture.size) > side:
        picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def channels_note(channels: int) -> str:
    """What a picture leaves out of an image with so many channels; empty if nothing."""
    if channels in (1, 3):
        return ""
    shown = "the first is shown, as grey" if channels == 2 else "the first three are shown, as red, green and blue"
    return f"The images have {channels} channels; {shown}."


def affordable_side(count: int) -> int:
    """The side at which `count` colour pictures cannot exceed the budget (base64 adds a third)."""
    return min(SIDE, math.isqrt(int(BUDGET / (count * 3 * 4 / 3))))


def _viewable(image: np.ndarray) -> np.ndarray:
    channels = image.shape[0]  # [c, h, w] -> [h, w] or [h, w, 3]
    return np.ascontiguousarray(image[0] if channels < 3 else np.moveaxis(image[:3], 0, -1))


def _first(pictures: Mapping[str, np.ndarray], name: str, most: int) -> Sequence[np.ndarray]:
    array = pictures.get(name)
    return [] if array is None or array.ndim != 4 or min(array.shape) == 0 else list(array[:most])
