"""A small task: bars that stand or lie, in images of 8x8, and an encoder that learns them in a moment."""

from typing import NamedTuple

import numpy as np
import pytest

from hundredfold import SelfSupervisedTransformer


class Bars(NamedTuple):
    """Images [n, 8, 8] uint8, the class of each, and y: -1 for all but the first of them."""

    images: np.ndarray
    kinds: np.ndarray
    y: np.ndarray


@pytest.fixture
def bars() -> Bars:
    rng = np.random.default_rng(0)
    kinds = np.arange(60) % 2
    images = rng.integers(0, 60, (60, 8, 8)).astype(np.uint8)
    for image, kind in zip(images, kinds):
        place = rng.integers(1, 6)
        image[(slice(place, place + 2), slice(None)) if kind else (slice(None), slice(place, place + 2))] = 250
    return Bars(images, kinds, np.where(np.arange(60) < 16, kinds, -1))


@pytest.fixture
def tiny() -> SelfSupervisedTransformer:
    return SelfSupervisedTransformer(
        epochs=2, batch_size=32, encoder_settings={"widths": [4, 8], "features": 16}, random_state=0
    )
