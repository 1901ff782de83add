"""Whether this machine can do what a run asks of it: each thing is done once, small, instead of reading versions.

What may crash, hang, or spoil this process for others (two processes that talk, optional packages, a torchvision
built for another torch) is tried in processes of its own, with a limit.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import math
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from hundredfold import atomic
from hundredfold.data.decode import FORMATS, decode_as_is
from hundredfold.encoders.build import encoder
from hundredfold.errors import HundredfoldError
from hundredfold.random import generator
from hundredfold.train.engine import Engine, choose_engine

PATIENCE = 12.0  # seconds after which what runs in other processes is ended
LATE = f"no answer within {PATIENCE:.0f} seconds"
ROOM = 1e9  # bytes of disk, or of memory, below which a run is likely to fail
ROUNDS = 3  # of each step that is timed

CORE = ("click", "jinja2", "rich", "safetensors.torch", "sklearn.linear_model", "tomli_w")
# Extra -> its package, and a statement that fails where the extra cannot be used; a bare import can still succeed.
EXTRAS = {
    "diffusion": ("diffusers", "from diffusers import UNet2DModel"),
    "hf": ("transformers", "from transformers import ViTModel"),
    "index": ("faiss-cpu", "import faiss"),
    "map": ("umap-learn", "from umap import UMAP"),
    "parquet": ("pyarrow", "import pyarrow.parquet"),
    "tensorboard": ("tensorboard", "from torch.utils.tensorboard import SummaryWriter"),
}
TALK = """
import sys, torch, datetime
import torch.distributed as dist
rank, limit = int(sys.argv[1]), datetime.timedelta(seconds=10)
dist.init_process_group("gloo", init_method="file://" + sys.argv[2], rank=rank, world_size=2, timeout=limit)
total = torch.tensor([rank + 1.0])
dist.all_reduce(total)
dist.destroy_process_group()
sys.exit(None if total.item() == 3 else f"the sum of 1 and 2 came out as {total.item()}")
"""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was tried.

    Attributes:
        name: what was tried.
        ok: whether it works, or is not needed.
        detail: what was found.
        fix: what to do about it, or could be done; empty if there is nothing.
    """

    name: str
    ok: bool
    detail: str
    fix: str = ""


@dataclass(frozen=True, kw_only=True)
class DoctorReport:
    """All that was tried.

    Attributes:
        checks: one for each thing, in the order in which they should be read.
        seconds: that trying took.
    """

    checks: tuple[Check, ...]
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether everything works that a run needs."""
        return all(check.ok for check in self.checks)


def doctor(folder: Path | None = None) -> DoctorReport:
    """Try everything that a run needs of this machine. It takes seconds and raises nothing: what fails is reported.

    Args:
        folder: where runs will be written; the current folder if left out. Nothing stays in it.
    """
    start = time.monotonic()
    attempts: list[tuple[str, Callable[[], list[Check]]]] = [
        ("training step", _training_step),
        ("threads", _threads),
        ("images", _images),
        ("output folder", lambda: _output_folder(folder or Path.cwd())),
        ("memory", _memory),
        ("packages", _packages),
        ("two processes", lambda: _two_processes(start + PATIENCE)),
        ("extras", lambda: _extras(start + PATIENCE)),
    ]
    checks = [check for name, attempt in attempts for check in _caught(name, attempt)]
    return DoctorReport(checks=tuple(checks), seconds=round(time.monotonic() - start, 2))


def _caught(name: str, attempt: Callable[[], list[Check]]) -> list[Check]:
    try:
        return attempt()
    except HundredfoldError as problem:
        detail = f"{problem.what}: {problem.why}" if problem.why else problem.what
        return [Check(name=name, ok=False, detail=detail, fix=problem.fix)]
    except Exception as problem:  # noqa: BLE001  whatever it is, it is what was looked for
        return [Check(name=name, ok=False, detail=f"{type(problem).__name__}: {problem}")]


def _training_step() -> list[Check]:
    engine = choose_engine()
    seconds = {name: _time_step(engine, name) for name in ("float32", "bfloat16")}
    ratio = seconds["bfloat16"] / seconds["float32"]
    step = f"the convnet's step on 64 images works on {engine.device.type} (torch {torch.__version__})"
    cost = f"a run takes {engine.precision}; a step in bfloat16 takes {ratio:.2f} times as long as one in float32"
    other = "float32" if engine.precision == "bfloat16" else "bfloat16"
    slower = seconds[engine.precision] > 1.3 * seconds[other]
    return [
        Check(name="training step", ok=True, detail=f"{step}: {1000 * seconds[engine.precision]:.0f} ms"),
        Check(name="precision", ok=True, detail=cost, fix=f"try --precision {other}" if slower else ""),
    ]


def _time_step(engine: Engine, precision: str) -> float:
    """Seconds of the fastest of a few forward and backward passes.

    Raises:
        ArithmeticError: a loss or a gradient is not finite.
    """
    engine = Engine(device=engine.device, precision=precision)
    network = engine.place(encoder("convnet", channels=1, size=(28, 28), mean=[0.5], std=[0.5], seed=0))
    images = engine.images(torch.rand(64, 1, 28, 28, generator=generator(0, "doctor")))
    fastest = math.inf
    for _ in range(ROUNDS):
        start = time.monotonic()
        with engine.autocast():
            loss = network(images).float().square().mean()
        loss.backward()
        value = loss.item()
        gradient = sum(float(weight.grad.abs().sum()) for weight in network.parameters() if weight.grad is not None)
        fastest = min(fastest, time.monotonic() - start)
        if not math.isfinite(value) or not math.isfinite(gradient) or gradient == 0:
            raise ArithmeticError(f"in {precision}, the loss is {value} and the gradients add up to {gradient}")
    return fastest


def _threads() -> list[Check]:
    threads, cores = torch.get_num_threads(), _cores()
    detail = f"torch computes with {threads}, {cores} cores may be used"
    if threads > cores:
        return [Check(name="threads", ok=False, detail=detail, fix=f"export OMP_NUM_THREADS={cores}")]
    return [Check(name="threads", ok=True, detail=detail)]


def _cores() -> int:
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    quota = _words(Path("/sys/fs/cgroup/cpu.max"))  # of a container: "200000 100000", or "max 100000"
    if len(quota) == 2 and quota[0] != "max":
        cores = min(cores, math.ceil(int(quota[0]) / int(quota[1])))
    return cores


def _images() -> list[Check]:
    from PIL import Image

    picture = Image.linear_gradient("L").resize((8, 6)).convert("RGB")
    problems = []
    for kind in FORMATS:
        try:
            file = io.BytesIO()
            picture.save(file, kind)
            _, pixels = decode_as_is(file.getvalue(), largest_pixels=100)
            if pixels.shape[1:] != (6, 8):
                problems.append(f"{kind} came out as {tuple(pixels.shape)}")
        except Exception as problem:  # noqa: BLE001  one format that fails does not hide the others
            problems.append(f"{kind}: {problem}")
    if problems:
        fix = "pip install --force-reinstall pillow"
        return [Check(name="images", ok=False, detail="; ".join(problems), fix=fix)]
    return [Check(name="images", ok=True, detail=f"{', '.join(FORMATS)} can be read")]


def _output_folder(folder: Path) -> list[Check]:
    place = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    probe = place / f".doctor-{secrets.token_hex(4)}"
    try:
        atomic.write_bytes(probe, b"written")
        if probe.read_bytes() != b"written":
            raise OSError(f"{probe} reads otherwise than it was written")
    finally:
        if place.is_dir():
            probe.unlink(missing_ok=True)
    free = shutil.disk_usage(place).free
    fix = "free some space, or choose another output folder" if free < ROOM else ""
    return [
        Check(name="output folder", ok=True, detail=f"{place} can be written"),
        Check(name="disk", ok=free >= ROOM, detail=f"{free / 1e9:.1f} GB free at {place}", fix=fix),
    ]


def _memory() -> list[Check]:
    free = _free_memory()
    if free is None:
        return [Check(name="memory", ok=True, detail="this system does not tell how much is free")]
    fix = "end other programs" if free < ROOM else ""
    return [Check(name="memory", ok=free >= ROOM, detail=f"{free / 1e9:.1f} GB free", fix=fix)]


def _free_memory() -> float | None:
    words = _words(Path("/proc/meminfo"))
    if "MemAvailable:" not in words:
        return None
    free = 1024.0 * int(words[words.index("MemAvailable:") + 1])
    limit, used = _words(Path("/sys/fs/cgroup/memory.max")), _words(Path("/sys/fs/cgroup/memory.current"))
    if limit and used and limit[0] != "max":  # in a container
        free = min(free, float(limit[0]) - float(used[0]))
    return free


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []


def _packages() -> list[Check]:
    for name in CORE:
        try:
            importlib.import_module(name)
        except Exception as problem:  # noqa: BLE001  a package may raise anything while it is imported
            detail = f"{name}: {type(problem).__name__}: {problem}"
            fix = "pip install --force-reinstall hundredfold"
            return [Check(name="packages", ok=False, detail=detail, fix=fix)]
    return [Check(name="packages", ok=True, detail="all that are needed can be imported")]


def _two_processes(deadline: float) -> list[Check]:
    with _Children.make(deadline) as children:
        pair = [children.start(TALK, str(rank), str(children.folder / "meeting")) for rank in range(2)]
        problem = next((found for found in map(children.problem, pair) if found), "")
    if problem:
        fix = "train with --devices 1; a firewall, or a network interface without an address, may be the cause"
        return [Check(name="two processes", ok=False, detail=problem, fix=fix)]
    return [Check(name="two processes", ok=True, detail="two processes added their numbers (gloo)")]


def _extras(deadline: float) -> list[Check]:
    """Imports each extra that is installed, and a torchvision, which should not be."""
    with _Children.make(deadline) as children:
        started = {extra: children.start(code) for extra, (package, code) in EXTRAS.items() if _version(package)}
        vision = children.start("import torchvision") if _version("torchvision") else None
        found = [_extra(extra, children.problem(started[extra]) if extra in started else "") for extra in EXTRAS]
        return [*found, _torchvision(children.problem(vision) if vision else "")]


def _extra(extra: str, problem: str) -> Check:
    name, install = f"extra {extra}", f"pip install 'hundredfold[{extra}]'"
    package = EXTRAS[extra][0]
    found = _version(package)
    if not found:
        return Check(name=name, ok=True, detail=f"{package} is not installed, which is an option", fix=install)
    if problem == LATE:
        return Check(name=name, ok=True, detail=f"{package} {found}: {problem}", fix="try again when less else runs")
    if problem:
        return Check(name=name, ok=False, detail=f"{package} {found}: {problem}", fix=f"{install} --force-reinstall")
    return Check(name=name, ok=True, detail=f"{package} {found} can be imported")


def _torchvision(problem: str) -> Check:
    found = _version("torchvision")
    if not found:
        return Check(name="torchvision", ok=True, detail="not there, and not needed")
    if problem:
        detail = f"torchvision {found} cannot be imported beside torch {torch.__version__}, nor then can transformers"
        fix = "uninstall it: pip uninstall torchvision"
        return Check(name="torchvision", ok=False, detail=f"{detail}: {problem}", fix=fix)
    return Check(name="torchvision", ok=True, detail=f"torchvision {found} is there, and not needed")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


@dataclass(frozen=True, kw_only=True)
class _Child:
    process: subprocess.Popen[bytes]
    log: Path


@dataclass(frozen=True, kw_only=True)
class _Children:
    """Python processes in a folder of their own, none of which outlives the `with`."""

    folder: Path
    deadline: float
    running: list[_Child] = field(default_factory=list)

    @classmethod
    @contextlib.contextmanager
    def make(cls, deadline: float) -> Iterator[_Children]:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            children = cls(folder=Path(folder), deadline=deadline)
            try:
                yield children
            finally:
                for child in children.running:
                    child.process.kill()
                    child.process.wait()

    def start(self, code: str, *arguments: str) -> _Child:
        """Run `code` in a Python of its own."""
        log = self.folder / f"{len(self.running)}.txt"
        command, nothing = [sys.executable, "-c", code, *arguments], subprocess.DEVNULL
        with log.open("wb") as errors:
            process = subprocess.Popen(command, cwd=self.folder, stdin=nothing, stdout=nothing, stderr=errors)
        self.running.append(_Child(process=process, log=log))
        return self.running[-1]

    def problem(self, child: _Child) -> str:
        """The last line of a child's complaint, empty if it succeeded."""
        try:
            status = child.process.wait(timeout=max(0.0, self.deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            return LATE
        lines = [line for line in child.log.read_text(errors="replace").splitlines() if line.strip()]
        return "" if status == 0 else lines[-1] if lines else f"ended with status {status}"
