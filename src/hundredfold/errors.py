"""What can go wrong, as a tree.

HundredfoldError                 1    ours; the base of all
├── UserError                    2    the user's to mend
│   ├── SettingsError            2    an unknown name, a value out of range; all problems at once
│   ├── DataError                2    nothing usable, too few labels, sizes that do not fit
│   └── OutputError              2    the output folder: not writable, not empty, locked
├── CheckpointError              2    no usable checkpoint or encoder where one was expected
├── DivergedError                4    the loss is not a number any more
├── ResourceError                5    disk, memory or device exhausted
└── Interrupted            130/143    stopped by a signal after saving

Each says what was found, why that cannot work (with the path or the number), and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class HundredfoldError(Exception):
    """Base of every error that this package raises on purpose.

    Args:
        what: what is wrong, in one sentence.
        why: the fact it rests on (a path, a number), or the empty string.
        fix: what to do about it, or the empty string.
    """

    exit_status = 1

    def __init__(self, what: str, *, why: str = "", fix: str = "") -> None:
        self.what, self.why, self.fix = what, why, fix
        super().__init__("\n".join(self.lines()))

    def lines(self) -> list[str]:
        """The message as the command line prints it, one labelled part a line."""
        parts = [("error", self.what), ("why", self.why), ("fix", self.fix)]
        return [f"{label}: {text}" for label, text in parts if text]


class UserError(HundredfoldError):
    """Something that the user can mend."""

    exit_status = 2


class SettingsError(UserError):
    """One or several settings that cannot be used."""

    def __init__(self, problems: Sequence[str], *, fix: str = "") -> None:
        self.problems = tuple(problems)
        what = problems[0] if len(problems) == 1 else f"{len(problems)} settings cannot be used"
        super().__init__(what, why="" if len(problems) == 1 else "; ".join(problems), fix=fix)


class DataError(UserError):
    """Data that cannot serve: missing, undecodable, too few, of the wrong shape."""


class OutputError(UserError):
    """An output folder that cannot be written, is not empty, or is in use."""


class CheckpointError(UserError):
    """No checkpoint or encoder that can be trusted where one was expected."""


class DivergedError(HundredfoldError):
    """Training produced a loss or a gradient that is not finite."""

    exit_status = 4


class ResourceError(HundredfoldError):
    """Disk, memory or a device gave out."""

    exit_status = 5


class Interrupted(HundredfoldError):
    """Stopped by a signal, after saving what is needed to go on.

    Args:
        signal_number: 2 for SIGINT, 15 for SIGTERM; the exit status is 128 more.
    """

    def __init__(self, what: str, *, signal_number: int, why: str = "", fix: str = "") -> None:
        super().__init__(what, why=why, fix=fix)
        self.exit_status = 128 + signal_number


def unknown_name(kind: str, got: str, possible: Iterable[str]) -> str:
    """One sentence for a name that does not exist, with the nearest that does.

    >>> unknown_name("method", "simcrl", ["simclr", "byol"])
    "unknown method 'simcrl': did you mean 'simclr'? Possible: byol, simclr"
    """
    names = sorted(possible)
    near = difflib.get_close_matches(got, names, n=1, cutoff=0.5)
    hint = f": did you mean {near[0]!r}? " if near else ". "
    return f"unknown {kind} {got!r}{hint}Possible: {', '.join(names)}"
