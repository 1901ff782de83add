"""What went wrong, in a few lines on stderr, and the exit status that says whose it is to mend."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import click

from hundredfold.errors import HundredfoldError, ResourceError

OURS = 1
ADDRESS_SPACE = ("can't allocate memory", "not enough memory", "out of memory")


def guarded(action: Callable[[list[str]], Any], arguments: list[str]) -> int:
    """Runs a command and returns its exit status; nothing but an exit escapes.

    0 done, 2 the user's to mend, 4 diverged, 5 resources, 130 / 143 interrupted, 1 ours.
    """
    debug = "--debug" in arguments
    try:
        returned = action(arguments)
        return returned if isinstance(returned, int) else 0
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.ClickException as problem:
        problem.show()
        return problem.exit_code
    except (KeyboardInterrupt, click.Abort):
        _say(["error: interrupted before there was anything to save"])
        return 130
    except BrokenPipeError:  # the reader of our output has left: `hundredfold methods | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except HundredfoldError as problem:
        return _report(problem, debug)
    except Exception as problem:  # noqa: BLE001 - the last line of defence: told, logged, never a traceback
        resource = _as_resource(problem)
        return _report(resource, debug) if resource else _defect(problem, debug)


def _report(problem: HundredfoldError, debug: bool) -> int:
    if debug:
        traceback.print_exception(problem)
    problems: Sequence[str] = getattr(problem, "problems", ())
    if len(problems) > 1:
        lines = [f"error: {problem.what}", *(f"  - {one}" for one in problems)]
        _say([*lines, *([f"fix: {problem.fix}"] if problem.fix else [])])
    else:
        _say(problem.lines())
    return problem.exit_status


def _as_resource(problem: Exception) -> ResourceError | None:
    """Memory, disk and device exhaustion, under the several names that they come with."""
    text = str(problem)
    told = isinstance(problem, RuntimeError) and any(sign in text.lower() for sign in ADDRESS_SPACE)
    if isinstance(problem, MemoryError) or told:
        first = text.splitlines()[0] if text else ""
        return ResourceError(
            "out of memory", why=first, fix="a smaller --batch-size, a smaller image_size or fewer images"
        )
    if isinstance(problem, OSError) and problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return ResourceError("no space left on the disk", why=text, fix="free some space, or choose another --out")
    return None


def _defect(problem: Exception, debug: bool) -> int:
    if debug:
        traceback.print_exception(problem)
    last = f"{type(problem).__name__}: {problem}".splitlines()[0]
    where = "; ".join(getattr(problem, "__notes__", ()))  # a run notes where its log is
    _say([f"error: a defect in hundredfold ({last})", f"why: {where}" if where else "fix: --debug shows the traceback"])
    return OURS


def _say(lines: Sequence[str]) -> None:
    print("\n".join(lines), file=sys.stderr)  # noqa: T201
