"""`log.txt`: what a run told, with times, and the traceback of what ended it."""

from __future__ import annotations

import contextlib
import logging
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from hundredfold.errors import HundredfoldError
from hundredfold.records import EpochRecord
from hundredfold.train.watch import Watch, describe


class Log(logging.Handler):
    """A file that lines are added to. It is opened for each, and one that cannot be written is lost, not fatal.

    As a logging handler it also takes the warnings of the layers below (an image that can no longer be read).

    Args:
        path: the file; it is made with the first line.
        tell: gets each line too.
    """

    def __init__(self, path: Path, tell: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self.path = path
        self._tell = tell

    def tell(self, line: str) -> None:
        """A line for a person, kept."""
        self.write(line)
        self._tell(line)

    def write(self, text: str) -> None:
        """Lines that are kept and not told."""
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        with contextlib.suppress(OSError), self.path.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write("".join(f"{stamp}  {line}\n" for line in text.splitlines()))

    def failure(self, problem: BaseException) -> None:
        """What ended the run: its message if it was foreseen, else all of the traceback."""
        foreseen = isinstance(problem, HundredfoldError)
        self.write(str(problem) if foreseen else "".join(traceback.format_exception(problem)))

    def emit(self, record: logging.LogRecord) -> None:
        """Takes a warning of the library's own logger."""
        self.tell(record.getMessage())

    def __enter__(self) -> Log:
        logging.getLogger("hundredfold").addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("hundredfold").removeHandler(self)


class LogEpochs(Watch):
    """Writes a line an epoch into the log, whatever else is shown of it.

    Args:
        log: where to.
    """

    def __init__(self, log: Log) -> None:
        self.log = log

    def epoch(self, record: EpochRecord) -> None:
        """A line."""
        self.log.write(describe(record))
