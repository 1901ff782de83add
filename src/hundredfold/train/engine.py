"""What the loop runs on: device, precision, memory layout, and one process of several.

Precision "auto" takes bfloat16 where the hardware multiplies it (a GPU from Ampere on, a CPU with AVX512-BF16 or
AMX) and float32 elsewhere, where bfloat16 would only be slower. Weights and optimizer stay in float32.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from hundredfold import distributed
from hundredfold.errors import SettingsError

PRECISIONS = ("auto", "float32", "bfloat16")
ACCELERATORS = ("auto", "cpu", "cuda", "mps")
Module = TypeVar("Module", bound=nn.Module)


@dataclass(frozen=True, kw_only=True)
class Engine:
    """Where and in which precision to compute.

    Attributes:
        device: of weights and batches.
        precision: "float32" or "bfloat16" (autocast).
    """

    device: torch.device
    precision: str

    def autocast(self) -> AbstractContextManager[object]:
        """The context in which a forward pass runs."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.precision == "bfloat16")

    def place(self, module: Module) -> Module:
        """The module on the device, filters laid out channels-last (in place)."""
        return module.to(device=self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def wrap(self, module: nn.Module) -> nn.Module:
        """The module as this process of several trains it; itself when there is only one."""
        return DistributedDataParallel(module) if distributed.world() > 1 else module

    def images(self, images: Tensor) -> Tensor:
        """Images on the device."""
        return images.to(self.device, non_blocking=True)


def choose_engine(*, accelerator: str = "auto", precision: str = "auto") -> Engine:
    """The best engine of this machine within what was asked for.

    Raises:
        SettingsError: an unknown name, or an accelerator that is not here.
    """
    problems = []
    if accelerator not in ACCELERATORS:
        problems.append(f"accelerator must be one of {', '.join(ACCELERATORS)}, got {accelerator!r}")
    elif not _present(accelerator):
        problems.append(f"accelerator {accelerator!r} is not available on this machine")
    if precision not in PRECISIONS:
        problems.append(f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}")
    if problems:
        raise SettingsError(problems, fix="leave them out, or say auto")
    device = torch.device(_best() if accelerator == "auto" else accelerator)
    if precision == "auto":
        precision = "bfloat16" if multiplies_bfloat16(device) else "float32"
    return Engine(device=device, precision=precision)


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether the device has instructions for bfloat16 products, so that it is faster than float32."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        return bool({"avx512_bf16", "amx_bf16"} & _cpu_flags())
    return False


def _cpu_flags() -> set[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        return set()
    return next((set(line.split(":", 1)[1].split()) for line in lines if line.startswith("flags")), set())


def _present(accelerator: str) -> bool:
    if accelerator == "cuda":
        return torch.cuda.is_available()
    if accelerator == "mps":
        return torch.backends.mps.is_available()
    return True


def _best() -> str:
    return next(name for name in ("cuda", "mps", "cpu") if _present(name))
