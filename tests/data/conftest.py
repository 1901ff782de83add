"""Small folders of images, good and bad, made anew for each test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Write = Callable[..., Path]


@pytest.fixture
def write_png(tmp_path: Path) -> Write:
    """write_png("cat/a.png", value=7, size=(4, 6), mode="L"): a flat image of that value, size (height, width)."""

    def write(
        name: str, *, value: int | tuple[int, ...] = 100, size: tuple[int, int] = (8, 8), mode: str = "L"
    ) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new(mode, (size[1], size[0]), value).save(path)
        return path

    return write


@pytest.fixture
def noise() -> Callable[..., np.ndarray]:
    """noise(5, 8, 8): uint8 values that differ from image to image."""

    def make(*shape: int, seed: int = 0) -> np.ndarray:
        return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)

    return make
