"""One image alone is read with others beside it, and gets its own numbers."""

import pytest
import torch

from hundredfold.encoders import build
from hundredfold.estimators._alike import ALIKE, of_all


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8, 501])
def test_rows_come_in_order_and_nothing_is_added(count):
    asked = []

    def read(index):
        asked.append(len(index))
        return index * 10

    assert of_all(count, read).tolist() == [10 * row for row in range(count)]
    assert asked[0] % ALIKE == 0
    assert asked[0] - count < ALIKE


def test_an_image_alone_has_the_features_that_it_has_among_many():
    encoder = build.encoder("convnet", channels=1, size=(8, 8), mean=[0.5], std=[0.3], seed=0).eval()
    images = torch.rand(9, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        together = of_all(9, lambda index: encoder(images[index]))
        alone = torch.cat([of_all(1, lambda index, row=row: encoder(images[row : row + 1][index])) for row in range(9)])
    assert torch.allclose(together, alone, rtol=0, atol=1e-7)
