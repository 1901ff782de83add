from __future__ import annotations

import torch

from hundredfold.data.read import read


def test_the_embedded_digits() -> None:
    images = read("digits").train
    assert len(images) == 1797 and images.size == (8, 8) and images.channels == 1
    assert images.classes == tuple("0123456789") and len(images.labelled()) == 1797
    pixels = images.take(torch.arange(1797))
    assert pixels.dtype == torch.uint8 and int(pixels.max()) == 255
    from sklearn.datasets import load_digits

    first = load_digits().images[0]  # grey levels 0..16
    for row in range(8):
        for column in range(8):
            assert abs(int(pixels[0, 0, row, column]) - first[row, column] * 255 / 16) <= 0.5
