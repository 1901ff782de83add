"""One of several training processes: `torchrun -m hundredfold.studies.worker DIR`, DIR being a prepared run folder."""

from __future__ import annotations

import json
import os
import sys
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist

from hundredfold import distributed
from hundredfold.errors import HundredfoldError
from hundredfold.settings import read_toml
from hundredfold.studies.prepare import prepare
from hundredfold.studies.pretraining import train_alone
from hundredfold.studies.run_folder import RunFolder
from hundredfold.studies.several import record_failure
from hundredfold.train.stop import StopRequest
from hundredfold.train.watch import Lines

PATIENCE = timedelta(minutes=10)  # a process that waits longer for the others gives up


def main(folder: Path) -> int:
    """Joins the group, trains this process's share, and returns an exit status."""
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=PATIENCE)
    try:
        given = read_toml(folder / "settings.toml")
        labelled = json.loads((folder / "splits.json").read_text())["labelled"]  # the same split as the caller's
        prepared = prepare(given["source"], given, needs_labels=bool(labelled))
        with StopRequest() as stop:
            train_alone(prepared, RunFolder(folder), [Lines()], stop)
    except HundredfoldError as problem:
        if distributed.is_main():
            record_failure(folder, problem)
        return problem.exit_status
    distributed.leave()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
