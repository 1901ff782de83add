"""How a SOURCE is read: the settings that every reader shares."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from hundredfold.errors import SettingsError

LARGEST_MEMORY = 4 << 30  # bytes of pixels kept in memory by default, less where little is free


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """How to read a SOURCE.

    Attributes:
        image_size: side in pixels that every image is brought to; None keeps the size if all images share it, else
            one is chosen and said in the set's notes.
        memory_limit: bytes; a set whose stored pixels fit stays in memory, a larger one is decoded when taken.
            None: 4 GiB, or a quarter of the free memory where that is less.
        largest_pixels: width * height above which a file is refused before it is decoded.
        bad_image_limit: share of undecodable images, 0..1, above which reading stops. The default leaves any number
            of them out, with their reasons, as long as one image remains.
        workers: threads that decode; 0 decodes in the calling thread.
    """

    image_size: int | None = None
    memory_limit: int | None = None
    largest_pixels: int = 50_000_000
    bad_image_limit: float = 1.0
    workers: int = 2

    def __post_init__(self) -> None:
        problems = []
        if self.image_size is not None and not 1 <= self.image_size <= 4096:
            problems.append(f"image_size is {self.image_size}; possible: 1 to 4096")
        if self.memory_limit is not None and self.memory_limit < 0:
            problems.append(f"memory_limit is {self.memory_limit} bytes; possible: 0 or more")
        if self.largest_pixels < 1:
            problems.append(f"largest_pixels is {self.largest_pixels}; possible: 1 or more")
        if not 0 <= self.bad_image_limit <= 1:
            problems.append(f"bad_image_limit is {self.bad_image_limit}; possible: a share, 0 to 1")
        if self.workers < 0:
            problems.append(f"workers is {self.workers}; possible: 0 or more")
        if problems:
            raise SettingsError(problems)

    def for_more(self, size: tuple[int, int]) -> ReadOptions:
        """For images that go with those already read at `size` (height, width): the same size, if it is square."""
        return replace(self, image_size=size[0]) if size[0] == size[1] else self

    def fits(self, pixel_bytes: int) -> bool:
        """Whether `pixel_bytes` of stored pixels stay in memory."""
        limit = min(LARGEST_MEMORY, free_memory() // 4) if self.memory_limit is None else self.memory_limit
        return pixel_bytes <= limit


def free_memory() -> int:
    """Bytes of memory that are free now; 16 GiB where the system does not say."""
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return 16 << 30
