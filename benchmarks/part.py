"""The first images of a data set, and all of its test images, as files of their own: what the studies here learn from.

    python benchmarks/part.py SOURCE 10000 part.npz test.npz

Labels are written by name. A study reads its data once a cell, and these files are read in a moment.
"""

from __future__ import annotations

import sys

import numpy as np
import torch

from hundredfold.data.images import ImageSet
from hundredfold.data.read import read


def main(source: str, count: str, part: str, test: str) -> None:
    """Writes the two files."""
    found = read(source)
    assert found.test is not None, f"{source} has no test images"
    write(found.train, int(count), part)
    write(found.test, len(found.test), test)


def write(images: ImageSet, count: int, target: str) -> None:
    """The first `count` images [n, h, w, c] and their labels."""
    pixels = images.take(torch.arange(count)).permute(0, 2, 3, 1).numpy()
    names = np.array(images.classes)[images.labels[:count].numpy()]
    np.savez(target, images=pixels, labels=names)


if __name__ == "__main__":
    main(*sys.argv[1:])
