"""Some classes of a data set, as files of their own: the source and the target of a transfer.

    python benchmarks/classes.py SOURCE 0,1,2,3,4 train.npz test.npz

Labels are written by name.
"""

from __future__ import annotations

import sys

import numpy as np
import torch

from hundredfold.data.images import ImageSet
from hundredfold.data.read import read


def main(source: str, classes: str, train: str, test: str) -> None:
    """Writes the two files."""
    found = read(source)
    assert found.test is not None, f"{source} has no test images"
    names = classes.split(",")
    write(found.train, names, train)
    write(found.test, names, test)


def write(images: ImageSet, names: list[str], target: str) -> None:
    """The images [n, h, w, c] of these classes and their labels."""
    wanted = torch.tensor([images.classes.index(name) for name in names])
    index = torch.isin(images.labels, wanted).nonzero().squeeze(1)
    pixels = images.take(index).permute(0, 2, 3, 1).numpy()
    np.savez(target, images=pixels, labels=np.array(images.classes)[images.labels[index].numpy()])


if __name__ == "__main__":
    main(*sys.argv[1:])
