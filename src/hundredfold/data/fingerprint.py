"""A short hash of each image's decoded pixels: equal for equal images, whatever their files are called."""

from __future__ import annotations

import hashlib

from torch import Tensor


def fingerprints(images: Tensor) -> list[bytes]:
    """16 bytes for each image of [b, c, h, w]; images of one set are equal if and only if theirs are."""
    rows = images.cpu().contiguous().flatten(1).numpy()
    return [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in rows]
