"""What a transfer would take, said before anything is trained."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hundredfold.studies.claim import check_free
from hundredfold.studies.job import Request
from hundredfold.studies.run_folder import RunFolder
from hundredfold.studies.transfer import STUDY_ARMS, TRANSFER_ARMS, asked_for, target_of
from hundredfold.studies.transfer_prepare import facts, get_ready
from hundredfold.studies.transfer_request import TransferRequest
from hundredfold.transfer.arms import Arm
from hundredfold.transfer.choice import grid


@dataclass(frozen=True, kw_only=True)
class TransferEstimate:
    """What `--dry-run` says of a transfer.

    Attributes:
        arms: titles of those that would be learnt.
        label_counts, draws: how often.
        networks: that would be trained, those of pre-training and of choosing settings included.
        steps: of training in all.
        notes: what was decided on the user's behalf.
    """

    arms: tuple[str, ...]
    label_counts: tuple[int, ...]
    draws: int
    networks: int
    steps: int
    notes: tuple[str, ...]


def estimate_transfer(target: Any, request: Request, *, study: bool) -> TransferEstimate:
    """Checks everything a transfer would, the generator's quality apart, and writes nothing.

    Args:
        target, request: as for the transfer.
        study: whether all arms are asked for.

    Raises:
        UserError: what the transfer would raise before it looks at the generator.
    """
    if request.out is not None:
        check_free(Path(request.out), resume=request.resume, overwrite=request.overwrite)
    before = RunFolder(Path(request.out)).read_asked() if request.out is not None and request.resume else {}
    asked = asked_for(request, before, STUDY_ARMS if study else TRANSFER_ARMS)
    ready = get_ready(target_of(target, asked), asked)
    settings, counts = asked.settings, ready.prepared.settings.label_counts
    draws = len(ready.prepared.split.draws)
    starts = {arm.start for arm in ready.arms if arm.pretrained}
    learnt = [(arm, _times(arm, asked)) for arm in ready.arms]
    each = sum(times * facts(arm, asked)["target_steps"] for arm, times in learnt)
    return TransferEstimate(
        arms=tuple(arm.title for arm in ready.arms),
        label_counts=counts,
        draws=draws,
        networks=draws * (len(starts) + len(counts) * sum(times for _, times in learnt)),
        steps=draws * (len(starts) * settings.pretrain_steps + len(counts) * each),
        notes=ready.notes,
    )


def _times(arm: Arm, asked: TransferRequest) -> int:
    """How often an arm is learnt from one draw: from each half for each setting to choose among, and from all."""
    possible = len(grid(arm, asked.settings))
    return 1 + (2 * possible if possible > 1 else 0)
