"""`hundredfold doctor`: can this machine do what a run asks of it?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from hundredfold.doctor import DoctorReport

LACKING = 5  # the status of resources: disk, memory or device


@click.command("doctor", epilog="Example: hundredfold doctor --out runs")
@click.option("--out", metavar="DIR", type=click.Path(path_type=Path), help="Where runs will go. [the current folder]")
@click.option("--json", "as_json", is_flag=True, help="All that was found as one JSON object, for bug reports.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def command(out: Path | None, as_json: bool, debug: bool) -> int:
    """Do a little of all that a run needs (a training step, two processes, decoding, writing) and say what fails.

    Exit status: 0 if a run can work here, 5 if something that it needs does not work.
    """
    from hundredfold.doctor import doctor
    from hundredfold.records import to_plain

    report = doctor(out)
    if as_json:
        click.echo(json.dumps({"ok": report.ok, **to_plain(report)}, indent=1))
    else:
        click.echo("\n".join(_lines(report)))
    return 0 if report.ok else LACKING


def _lines(report: DoctorReport) -> Iterator[str]:
    width = max(len(check.name) for check in report.checks)
    for check in report.checks:
        yield f"{'ok  ' if check.ok else 'FAIL'}  {check.name:<{width}}  {check.detail}"
        if check.fix:
            yield f"{'':<{width + 8}}{'fix' if not check.ok else 'if wanted'}: {check.fix}"
    failed = sum(not check.ok for check in report.checks)
    yield f"{'all is well' if report.ok else f'{failed} of {len(report.checks)} fail'}, {report.seconds:.0f} s"
