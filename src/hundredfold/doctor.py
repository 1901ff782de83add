"""Whether this machine can do what a run asks of it: each thing is done once, small, instead of reading versions.

What may crash, hang, or spoil this process for others (two processes that talk, optional packages, a torchvision
built for another torch) is tried in processes of its own, all at the same time, with a limit.
"""

from __future__ import annotations

import io
import json
import os
import platform
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import torch
from torch import nn

from hundredfold import atomic
from hundredfold.data.decode import FORMATS
from hundredfold.train.engine import Engine, choose_engine

PATIENCE = 12.0  # seconds that the processes of their own may take together
ROOM = 1e9  # bytes of disk and of memory below which a run is likely to fail
SHAPE = (64, 1, 28, 28)

TALK = """
import sys, torch, datetime
import torch.distributed as dist
rank, folder = int(sys.argv[1]), sys.argv[2]
limit = datetime.timedelta(seconds=10)
dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2, timeout=limit)
total = torch.tensor([rank + 1.0])
dist.all_reduce(total)
dist.destroy_process_group()
sys.exit(0 if total.item() == 3 else f"the sum of 1 and 2 came out as {total.item()}")
"""

# A statement for each extra that fails if the extra cannot be used; importing the bare package is not always enough.
EXTRAS = {
    "hf": "from transformers import ViTModel",
    "parquet": "import pyarrow.parquet",
    "tensorboard": "from torch.utils.tensorboard import SummaryWriter",
}


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was tried.

    Attributes:
        name: what was tried.
        ok: whether it works, or is not needed.
        detail: what was found.
        fix: what to do about it; empty if nothing need be done.
    """

    name: str
    ok: bool
    detail: str
    fix: str = ""


@dataclass(frozen=True, kw_only=True)
class DoctorReport:
    """All that was tried, in the order in which it should be read.

    Attributes:
        checks: one for each thing.
        seconds: that trying took.
    """

    checks: tuple[Check, ...]
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether everything works that a run needs."""
        return all(check.ok for check in self.checks)


def doctor(folder: Path | None = None) -> DoctorReport:
    """Try everything that a run needs of this machine; it raises nothing and takes some seconds.

    Args:
        folder: where runs will be written; the current folder if left out. Nothing stays in it.
    """
    start = time.monotonic()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as meeting:
        elsewhere = [_caught("processes", partial(_Apart, meeting))]
