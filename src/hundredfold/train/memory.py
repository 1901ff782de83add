"""How much more memory a block takes at its peak than was taken before it.

On CUDA that is what tensors take, from the allocator's own count. On Linux it is what the process takes: the kernel
keeps the highest resident size (`VmHWM` of /proc/self/status, see proc(5)), and writing "5" to /proc/self/clear_refs
sets it back to the present one. Elsewhere, or where that file may not be written, it is not known.

What was freed before the block, and only kept by the C library for the next use, is given back first where that can be
asked for: it would be used again unseen, and a second training in a process would seem to take less than the first.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
from pathlib import Path
from types import TracebackType

import torch

PROCESS = Path("/proc/self")


class PeakMemory:
    """A block whose memory is measured: `with PeakMemory(device) as peak: ...`.

    There is one peak in a process: a block within another sets that of the outer one back.

    Args:
        device: where the block computes.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._before: int | None = None
        self._found: int | None = None
        self._open = False

    @property
    def bytes(self) -> int | None:
        """The highest memory since the block began, or of all of it once it has ended, less that before it.

        At least 0; None if it cannot be known.
        """
        return self._so_far() if self._open else self._found

    def __enter__(self) -> PeakMemory:
        self._before, self._open = _start(self.device), True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._found, self._open = self._so_far(), False

    def _so_far(self) -> int | None:
        peak = None if self._before is None else _peak(self.device)
        return None if peak is None or self._before is None else max(0, peak - self._before)


def _start(device: torch.device) -> int | None:
    """What is taken now, from where on the peak is counted; None if it cannot be."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_allocated(device)
    if device.type != "cpu":
        return None
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # another C library than glibc
        ctypes.CDLL(None).malloc_trim(0)
    try:
        (PROCESS / "clear_refs").write_text("5")
    except OSError:  # not Linux, or not permitted
        return None
    return _status("VmRSS")


def _peak(device: torch.device) -> int | None:
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else _status("VmHWM")


def _status(name: str) -> int | None:
    try:
        lines = (PROCESS / "status").read_text().splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), None)
