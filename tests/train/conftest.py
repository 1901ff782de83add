"""Four easy classes of 8x8 images; a small network with what makes resuming hard: filters, dropout, BatchNorm."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from hundredfold.data.images import ImageSet, MemoryPixels
from hundredfold.data.loader import Loader
from hundredfold.encoders.build import encoder
from hundredfold.methods.contrastive.simclr import Config, SimCLR
from hundredfold.train.engine import Engine
from hundredfold.views.chain import Chain
from hundredfold.views.rotation import Rotation
from hundredfold.views.translation import Translation


@pytest.fixture(scope="session")
def toy() -> ImageSet:
    rng = torch.Generator().manual_seed(3)
    labels = torch.arange(64) % 4
    prototypes = torch.randint(0, 256, (4, 1, 8, 8), generator=rng)
    noise = torch.randint(-20, 21, (64, 1, 8, 8), generator=rng)
    pixels = (prototypes[labels] + noise).clamp(0, 255).to(torch.uint8)
    return ImageSet(source="toy", pixels=MemoryPixels(pixels), labels=labels, classes=("a", "b", "c", "d"))


@pytest.fixture(scope="session")
def engine() -> Engine:
    return Engine(device=torch.device("cpu"), precision="float32")


@pytest.fixture(scope="session")
def loader(toy: ImageSet) -> Loader:
    """Three steps an epoch."""
    return Loader(images=toy, index=torch.arange(48), batch_size=16, seed=11)


@pytest.fixture(scope="session")
def validation(toy: ImageSet) -> Loader:
    return Loader(images=toy, index=torch.arange(48, 64), batch_size=8, seed=12)


@pytest.fixture(scope="session")
def build() -> Callable[..., SimCLR]:
    """build(kind=SimCLR, features=16): a method, the same one each time."""

    def make(kind: type[SimCLR] = SimCLR, features: int = 16) -> SimCLR:
        settings = {"widths": [4, 6], "features": features, "block_dropout": 0.1, "dropout": 0.2}
        small = encoder("convnet", channels=1, size=(8, 8), mean=[0.5], std=[0.3], settings=settings, seed=0)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            return kind(
                small, Chain((Rotation(degrees=15), Translation(fraction=0.1))), Config(hidden=16, projection=8)
            )

    return make
