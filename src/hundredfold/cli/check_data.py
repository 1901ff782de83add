"""`hundredfold check-data`: what is there, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from hundredfold.data.inspect import DataReport
    from hundredfold.records import BadFile, DataSummary

CLASSES = 12  # listed with their counts; of more, the first few
FILES = 5  # bad ones listed


@click.command("check-data", epilog="Example: hundredfold check-data digits")
@click.argument("source")
@click.option("--labelled", metavar="SOURCE", help="A second source with the labelled images.")
@click.option("--test", metavar="SOURCE", help="A source of test images.")
@click.option("--json", "as_json", is_flag=True, help="The whole report as one JSON object.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def command(source: str, labelled: str | None, test: str | None, as_json: bool, debug: bool) -> None:
    """Decode every image of SOURCE and say what is there and what is wrong with it. Nothing is written.

    Exit status: 0 if a run can use it, whatever was found; 2 if nothing can.
    """
    from hundredfold.data.inspect import inspect
    from hundredfold.data.read import read, with_labels, with_test
    from hundredfold.records import to_json

    found = read(source)
    if labelled:
        found = with_labels(found, labelled)
    if test:
        tests = read(test, like=found.train)
        found = with_test(found, tests.test or tests.train)
    report = inspect(found)
    click.echo(to_json(report) if as_json else "\n".join(_lines(report)))


def _lines(report: DataReport) -> Iterator[str]:
    summary = report.summary
    yield from _what_is_there(summary, report)
    for file in summary.bad_files[:FILES]:
        yield f"  {_bad(file)}"
    if len(summary.bad_files) > FILES:
        yield f"  and {len(summary.bad_files) - FILES:,} more: --json lists them all"
    for note in summary.notes:
        yield f"note: {note}"
    for problem in report.problems:
        yield f"look at this: {problem}"
    if not report.problems:
        yield "nothing to mend"


def _what_is_there(summary: DataSummary, report: DataReport) -> Iterator[str]:
    channels = f"{summary.channels} channel{'s' if summary.channels > 1 else ''}"
    where = "kept in memory" if summary.in_memory else "too many for memory: decoded as they are needed"
    yield summary.source
    yield f"images    {summary.images:,} of {summary.width}x{summary.height} pixels, {channels}, {where}"
    yield f"labelled  {summary.labelled:,}{_by_class(summary.classes, summary.class_counts)}"
    yield f"test      {_test(summary, report)}"
    yield f"left out  {len(summary.bad_files):,} files"


def _by_class(classes: tuple[str, ...], counts: tuple[int, ...]) -> str:
    if not classes:
        return ""
    shown = [f"{name} ({count:,})" for name, count in zip(classes, counts, strict=True)][:CLASSES]
    more = ", ..." if len(classes) > CLASSES else ""
    return f", in {len(classes):,} classes: {', '.join(shown)}{more}"


def _test(summary: DataSummary, report: DataReport) -> str:
    if not summary.test_images:
        return "none" if not summary.labelled else "none of its own: a run holds out a fifth of the labelled images"
    return f"{summary.test_images:,} images, {report.test_labelled:,} labelled"


def _bad(file: BadFile) -> str:
    return f"{file.path}: {file.reason}"
