"""One generator for each (seed, purpose, step, rank): nothing reads global randomness.

A generator that follows from where it is used needs no saving: a resumed run draws what the unbroken one would
have drawn, and any view can be drawn again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def derive(seed: int, purpose: str, *position: int) -> int:
    """A 63-bit seed that depends on all of its arguments and on nothing else.

    Args:
        seed: the run's seed.
        purpose: what is drawn ("views", "shuffle", "draw", ...): two purposes never share a stream.
        position: where (epoch, step, rank, draw, ...).
    """
    text = f"{seed}/{purpose}/{'/'.join(map(str, position))}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def generator(seed: int, purpose: str, *position: int) -> torch.Generator:
    """A torch generator on the CPU for this place in the run (see `derive`)."""
    return torch.Generator().manual_seed(derive(seed, purpose, *position))


def numpy_generator(seed: int, purpose: str, *position: int) -> np.random.Generator:
    """A numpy generator for this place in the run (see `derive`)."""
    return np.random.default_rng(derive(seed, purpose, *position))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """A block in which torch's global generator is at `seed`: layers draw their start from it. It is given back after.

    >>> with seeded(1):
    ...     first = torch.rand(1)
    >>> with seeded(1):
    ...     first == torch.rand(1)
    tensor([True])
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
