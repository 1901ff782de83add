"""Options that several commands share, and how a command talks while it works."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

# Name on the command line -> keyword of the Python call and setting; None everywhere means "not given".
TRAINING = (
    click.option("--method", metavar="NAME", help="How to pre-train: see `hundredfold methods`. [simclr]"),
    click.option("--encoder", metavar="NAME", help="convnet, resnet18 or hf:NAME. [chosen from the data]"),
    click.option("--epochs", type=click.IntRange(min=0), help="Passes over the images. [chosen from the data]"),
    click.option("--batch-size", type=click.IntRange(min=2), help="Images in a step. [256, less for small sets]"),
    click.option("--lr", type=float, help="Peak learning rate. [0.002]"),
    click.option(
        "--variance-reduction",
        type=click.FloatRange(min=0),
        metavar="X",
        help="Weight of the VRNS loss, added to the method's. [0]",
    ),
    click.option("--devices", type=click.IntRange(min=1), help="Processes that train together. [1]"),
    click.option("--init-from", metavar="RUN", help="Start from the weights of another run."),
)
MACHINE = (
    click.option("--seed", type=int, help="Of everything random. [0]"),
    click.option("--precision", metavar="NAME", help="auto, float32 or bfloat16. [auto]"),
    click.option("--accelerator", metavar="NAME", help="auto, cpu, cuda or mps. [auto]"),
)
LABELS = (
    click.option("--labels", type=click.IntRange(min=0), help="Labels to learn from, 0 for all. [100]"),
    click.option("--draws", type=click.IntRange(min=1), help="How often to draw them. [5]"),
    click.option("--labelled", metavar="SOURCE", help="A table of labels (.csv), or a source of labelled images."),
    click.option("--test", metavar="SOURCE", help="A source of test images."),
)
FOLDER = (
    click.option("--out", metavar="DIR", type=click.Path(path_type=Path), help="Run folder. [a new one in runs/]"),
    click.option("--config", metavar="FILE", type=click.Path(path_type=Path), help="Settings file (TOML)."),
    click.option("--set", "overrides", metavar="A.B=C", multiple=True, help="One setting; may be repeated."),
    click.option("--resume", is_flag=True, help="Go on with the run in --out, exactly."),
    click.option("--overwrite", is_flag=True, help="Replace the run in --out."),
    click.option("--dry-run", is_flag=True, help="Say what would be done, and write nothing."),
)
TALK = (
    click.option("--json", "as_json", is_flag=True, help="The result as one JSON object on stdout."),
    click.option("--quiet", is_flag=True, help="No progress."),
    click.option("--debug", is_flag=True, help="Show the traceback of an error."),
)


def options(*groups: tuple[Callable[[Command], Command], ...]) -> Callable[[Command], Command]:
    """A decorator that adds groups of options, in the order given."""

    def add(command: Command) -> Command:
        for group in reversed(groups):
            for option in reversed(group):
                command = option(command)
        return command

    return add


def surroundings(quiet: bool, command: Sequence[str]) -> Any:
    """How a run talks on this terminal: a bar where there is one, plain lines where not."""
    from hundredfold.studies.few_labels import Surroundings
    from hundredfold.train.watch import Lines, ProgressBar, Watch

    if quiet:
        return Surroundings(command=command, is_shell_command=True)
    watch: Watch = ProgressBar() if sys.stderr.isatty() else Lines()
    return Surroundings(tell=tell, watches=[watch], command=command, is_shell_command=True)


def tell(line: str) -> None:
    """A line for a person, on stderr."""
    click.echo(line, err=True)


def run_study(
    study: Callable[..., Any],
    *sources: Any,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    debug: bool,
    needs_labels: bool = True,
    **keywords: Any,
) -> None:
    """Calls a study with the options of its command, and prints what it found.

    Args:
        study: `run`, `pretrain` or `evaluate`.
        sources: its positional arguments: SOURCE, after RUN if it takes one.
        dry_run, as_json, quiet, debug: how to talk.
        needs_labels: whether the study learns from labels.
        keywords: of the study.
    """
    del debug  # looked at where errors are caught
    if dry_run:
        _dry_run(sources, as_json, {**keywords, "needs_labels": needs_labels})
        return
    began = time.monotonic()
    command = click.get_current_context().find_root().obj or sys.argv
    result = study(*sources, surroundings=surroundings(quiet, command), **keywords)
    from hundredfold.records import to_json

    if as_json:
        click.echo(to_json(result))
        return
    from hundredfold.cli._show import show_result

    show_result(result, time.monotonic() - began)


def _dry_run(sources: tuple[Any, ...], as_json: bool, keywords: dict[str, Any]) -> None:
    from hundredfold.cli._show import show_estimate
    from hundredfold.records import to_json
    from hundredfold.studies.estimate import estimate

    *run, source = sources
    found = estimate(source, run=run[0] if run else None, **keywords)
    click.echo(to_json(found)) if as_json else show_estimate(found)
