"""A source that draws tiles and knows them, and a target of other tiles."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from hundredfold.data.images import ImageSet, MemoryPixels
from hundredfold.encoders._base import Encoder
from hundredfold.encoders.build import encoder
from hundredfold.train import memory
from hundredfold.train.engine import Engine
from hundredfold.transfer.generator import Generator
from hundredfold.transfer.source_classifier import SourceClassifier

CLASSES = ("a", "b", "c", "d")
NOISE = 0.2  # largest that is added to a pixel


def tiles(count: int, seed: int) -> Tensor:
    """[count, 1, 8, 8] in {0.1, 0.7}: a mosaic of sixteen tiles for each class."""
    drawn = torch.rand(count, 1, 4, 4, generator=torch.Generator().manual_seed(seed)).round()
    return 0.1 + 0.6 * drawn.repeat_interleave(2, 2).repeat_interleave(2, 3)


class Tiles(Generator):
    """The tile of the class, or a mixture of tiles, and noise on it.

    Args:
        false: class -> the class that is drawn in its place.
        until: as long as fewer images than this were drawn.
    """

    name, classes, channels, size = "tiles", CLASSES, 1, (8, 8)

    def __init__(self, false: dict[int, int] | None = None, until: int = 10**9) -> None:
        self.tiles, self.until = tiles(len(CLASSES), 1), until
        self.drawn = torch.eye(len(CLASSES))[[(false or {}).get(k, k) for k in range(len(CLASSES))]]  # [k, k]
        self.weight = torch.nn.Parameter(torch.ones(1))  # a weight that nobody may train or keep
        self.asked: list[Tensor] = []

    def draw(self, condition: Tensor, rng: torch.Generator) -> Tensor:
        false = sum(map(len, self.asked)) < self.until
        self.asked.append(condition.clone())
        noise = NOISE * torch.rand(len(condition), 1, 8, 8, generator=rng)
        kinds = condition @ self.drawn if false else condition
        return torch.einsum("bk,kchw->bchw", kinds, self.tiles) * self.weight + noise

    def place(self, engine: Engine) -> None: ...


class KnowsTiles(SourceClassifier):
    """Compares with the tiles."""

    classes, channels, size = CLASSES, 1, (8, 8)

    def __init__(self) -> None:
        self.tiles = tiles(len(CLASSES), 1) + NOISE / 2
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.seen: list[Tensor] = []

    @torch.no_grad()
    def logits(self, images: Tensor) -> Tensor:
        self.seen.append(images.clone())
        return -self.weight * (images[:, None] - self.tiles).square().sum((2, 3, 4))  # [b, k]

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        return images.flatten(1)

    def place(self, engine: Engine) -> None: ...


@pytest.fixture(autouse=True)
def no_collecting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training collects garbage before it measures memory: of a whole test session that takes longer than the rest."""
    monkeypatch.setattr(memory, "gc", SimpleNamespace(collect=lambda: 0))


@pytest.fixture
def make_generator() -> Callable[..., Tiles]:
    """make_generator(false={2: 0}): one that draws class 0 where it is asked for class 2."""
    return Tiles


@pytest.fixture
def generator() -> Tiles:
    return Tiles()


@pytest.fixture
def classifier() -> KnowsTiles:
    return KnowsTiles()


@pytest.fixture(scope="session")
def engine() -> Engine:
    return Engine(device=torch.device("cpu"), precision="float32")


@pytest.fixture
def small() -> Callable[..., Encoder]:
    """small(): a small convnet, the same each time."""

    def made(seed: int = 0, **settings: Any) -> Encoder:
        given = {"widths": (4,), "features": 16, **settings}
        return encoder("convnet", channels=1, size=(8, 8), mean=[0.4], std=[0.3], settings=given, seed=seed)

    return made


@pytest.fixture(scope="session")
def target() -> ImageSet:
    """90 images of three classes, which the source does not know; uint8."""
    labels = torch.arange(90) % 3
    noise = 0.3 * torch.rand(90, 1, 8, 8, generator=torch.Generator().manual_seed(2))
    pixels = ((tiles(3, 7)[labels] + noise).clamp(0, 1) * 255).round().to(torch.uint8)
    return ImageSet(source="target", pixels=MemoryPixels(pixels), labels=labels, classes=("x", "y", "z"))
