"""Pre-training by several processes together (`--devices N`), on one machine.

`torchrun` starts the processes; each trains on its share of every batch (see `studies.worker`). When they are done the
last checkpoint holds the result, and the calling process takes it up from there as it would after an interruption.
Beyond one machine: start `python -m hundredfold.studies.worker DIR` with `torchrun` on each.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from hundredfold import errors
from hundredfold.errors import HundredfoldError, Interrupted, ResourceError, SettingsError
from hundredfold.studies.run_folder import RunFolder
from hundredfold.train.stop import StopRequest

FAILURE = ".worker-failure.json"
GRACE = 120  # seconds that processes have to save after a signal


def train_together(folder: RunFolder, devices: int, stop: StopRequest | None) -> None:
    """Runs the pre-training of `folder` in `devices` processes and returns when its last checkpoint is written.

    Raises:
        Interrupted, DivergedError, ResourceError, ...: what the processes raised.
    """
    failure = folder.path / FAILURE
    failure.unlink(missing_ok=True)
    process = subprocess.Popen(_command(folder.path, devices), env=_environment(devices), start_new_session=True)
    while True:
        try:
            status = process.wait(timeout=0.2)
            break
        except subprocess.TimeoutExpired:
            if stop and stop.received:
                status = _stopped(process, stop.received)
                break
    if failure.exists():
        raise _raised(failure)
    if stop and stop.received:
        raise Interrupted("stopped while training together", signal_number=stop.received)
    if status != 0:
        raise ResourceError(
            f"a training process died (exit status {status})",
            why="what it said stands above; checkpoints up to then are kept",
            fix="resume, perhaps with fewer --devices or a smaller --batch-size",
        )


def record_failure(folder: Path, problem: HundredfoldError) -> None:
    """Leaves what went wrong in a process where `train_together` finds it."""
    content = {
        "kind": type(problem).__name__,
        "what": problem.what,
        "why": problem.why,
        "fix": problem.fix,
        "status": problem.exit_status,
        "problems": list(getattr(problem, "problems", ())),
    }
    (folder / FAILURE).write_text(json.dumps(content))


def _command(folder: Path, devices: int) -> list[str]:
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={devices}"]
    return [sys.executable, *launcher, "-m", "hundredfold.studies.worker", str(folder)]


def _environment(devices: int) -> dict[str, str]:
    threads = max(1, (os.cpu_count() or 1) // devices)
    # Without the last one, a group that lost a process may never come together again (pytorch issue 135712).
    return {"OMP_NUM_THREADS": str(threads), **os.environ, "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}


def _stopped(process: subprocess.Popen[bytes], number: int) -> int:
    os.killpg(process.pid, signal.SIGTERM if number == signal.SIGTERM else signal.SIGINT)
    try:
        return process.wait(timeout=GRACE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.wait()


def _raised(failure: Path) -> HundredfoldError:
    told = json.loads(failure.read_text())
    failure.unlink()
    kind = getattr(errors, told["kind"], HundredfoldError)
    if kind is Interrupted:
        return Interrupted(told["what"], why=told["why"], signal_number=told["status"] - 128)
    if kind is SettingsError:
        return SettingsError(told["problems"], fix=told["fix"])
    raised: HundredfoldError = kind(told["what"], why=told["why"], fix=told["fix"])
    return raised
