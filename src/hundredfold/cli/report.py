"""`hundredfold report`: the page again, or one page for several runs."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("report", epilog="Example: hundredfold report demo demo-50 --to comparison.html")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN...")
@click.option(
    "--to",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where the page of several runs goes. [comparison.html]",
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def command(runs: tuple[Path, ...], to: Path | None, debug: bool) -> None:
    """Write report.html of a RUN, a study or a transfer again, or one page that compares several runs."""
    from hundredfold.report.page import write_comparison, write_report_again

    if len(runs) > 1:
        click.echo(write_comparison(runs, to or Path("comparison.html")))
    else:
        click.echo(write_report_again(runs[0]))
