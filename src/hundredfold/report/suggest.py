"""What the page of images to label shows: a card for each, in order, with the picture a person decides by."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hundredfold.report import pictures

SHOWN = 500  # cards on the page; the file lists all
BUDGET = 4_000_000  # bytes: of all pictures of the page, if none of them compresses
PIXELATED = 64  # px: smaller images are shown with sharp pixels


@dataclass(frozen=True, kw_only=True, eq=False)
class Card:
    """An image to label.

    Attributes:
        index: its position among the images to learn from.
        name: what to call it.
        why: a few words, or the empty text where the guesses say it.
        picture: [c, h, w] uint8.
        guesses: the model's two likeliest classes with their probabilities, or none without a model.
    """

    index: int
    name: str
    why: str
    picture: np.ndarray
    guesses: tuple[tuple[str, float], ...] = ()


def suggestion_view(
    cards: Sequence[Card], *, count: int, source: str, file: str, how: str, notes: Sequence[str], command: str
) -> Mapping[str, Any]:
    """What the template `suggest.html.j2` takes.

    Args:
        cards: the first of the images to label, at most `SHOWN`.
        count: how many there are in all.
        source: what they are from.
        file: the name of the table to fill in, or the empty text if none was written.
        how: a sentence on how they were chosen.
        notes: what to bear in mind.
        command: what to run when it is filled in.
    """
    side = min(pictures.SIDE, math.isqrt(BUDGET // (max(1, len(cards)) * 4)))  # 3 bytes a pixel, base64 adds a third
    return {
        "cards": [(card, pictures.address(card.picture, side)) for card in cards],
        "count": count,
        "source": source,
        "file": file,
        "how": how,
        "notes": notes,
        "command": command,
        "pixelated": bool(cards) and max(cards[0].picture.shape[1:]) < PIXELATED,
        "channels_note": pictures.channels_note(cards[0].picture.shape[0]) if cards else "",
    }
