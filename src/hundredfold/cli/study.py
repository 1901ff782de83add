"""`hundredfold study`: experiments made of many runs, resumable cell by cell."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from hundredfold.cli._options import FOLDER, LABELS, MACHINE, TALK, TRAINING, options, surroundings
from hundredfold.cli.transfer import SOURCE, conduct


class Numbers(click.ParamType):
    """Several numbers in one value, `16,64,256`.

    Args:
        kind: int or float.
    """

    name = "numbers"

    def __init__(self, kind: Callable[[str], float]) -> None:
        self.kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The numbers; a word among them is refused by name."""
        if not isinstance(value, str):
            return value
        found = []
        for word in filter(None, value.replace(",", " ").split()):
            try:
                found.append(self.kind(word))
            except ValueError:
                self.fail(f"{word!r} is not a number; several are given as 16,64 or 16 64", param, ctx)
        return found


class WithLists(click.Command):
    """A command whose lists of numbers may also be given with spaces between: `--batch-sizes 16 64`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Joins the numbers that follow such an option."""
        lists = {name for param in self.params if isinstance(param.type, Numbers) for name in param.opts}
        joined: list[str] = []
        for argument in args:
            if len(joined) > 1 and joined[-2] in lists and _is_number(argument):
                joined[-1] += f",{argument}"
            else:
                joined.append(argument)
        return super().parse_args(ctx, joined)


def _without(*names: str) -> tuple[Callable[[Any], Any], ...]:
    """The options of training but for those that a study goes through."""
    left = []
    for option in TRAINING:
        (found,) = option(click.command("probe")(lambda: None)).params
        if not set(names) & set(found.opts):
            left.append(option)
    return tuple(left)


@click.group("study", epilog="Example: hundredfold study methods digits --methods simclr,byol --out comparison")
def command() -> None:
    """Many runs on the same data that differ in a few settings, one page for all; resumable cell by cell."""


@command.command("methods", epilog="Example: hundredfold study methods digits --methods simclr,byol --out comparison")
@click.argument("source", required=False)
@click.option("--methods", metavar="A,B", help="Which methods. [all: see `hundredfold methods`]")
@options(LABELS, _without("--method"), MACHINE, FOLDER, TALK)
def methods(source: str | None, methods: str | None, **keywords: Any) -> None:
    """Every method of pre-training on SOURCE: accuracy of probe and neighbours, health, speed, memory."""
    from hundredfold.studies.methods import design, study_methods

    names = [name.strip() for name in methods.split(",") if name.strip()] if methods is not None else None
    _conduct(study_methods, design, source, {"methods": names}, **keywords)


@command.command(
    "batch-size",
    cls=WithLists,
    epilog="Example: hundredfold study batch-size digits --batch-sizes 16 64 --seeds 2",
)
@click.argument("source", required=False)
@click.option("--batch-sizes", type=Numbers(int), metavar="N N ...", help="Images in a step. [16 32 64 128 256]")
@click.option(
    "--variance-reduction", "weights", type=Numbers(float), metavar="X X ...", help="Weights of the VRNS loss. [0 3 30]"
)
@click.option("--temperatures", type=Numbers(float), metavar="X X ...", help="Of the loss. [the method's own]")
@click.option("--seeds", type=click.IntRange(min=1), help="Runs of each, from --seed on. [3]")
@options(LABELS, _without("--batch-size", "--variance-reduction"), MACHINE, FOLDER, TALK)
def batch_size(source: str | None, **keywords: Any) -> None:
    """What small batches cost on SOURCE, and what reducing the variance of negative similarities gives back."""
    from hundredfold.studies.batch_size import design, study_batch_size

    lists = {name: keywords.pop(name) for name in ("batch_sizes", "weights", "temperatures", "seeds")}
    _conduct(study_batch_size, design, source, lists, **keywords)


@command.command(
    "transfer",
    cls=WithLists,
    epilog="Example: hundredfold study transfer --source-classifier RUN1 --generator RUN2 --target photos "
    "--label-counts 20 100",
)
@options(SOURCE)
@click.option("--label-counts", type=Numbers(int), metavar="N N ...", help="Numbers of labels. [--labels]")
@click.option("--arms", metavar="A,B", help="Which arms. [all that have their data]")
@options(LABELS, MACHINE, FOLDER, TALK)
def transfer(target: str | None, arms: str | None, **keywords: Any) -> None:
    """Every way to learn TARGET from few labels by what a source left, beside baselines and oracles."""
    from hundredfold.studies.transfer import study_transfer

    names = [name.strip() for name in arms.split(",") if name.strip()] if arms is not None else None
    conduct(study_transfer, target, study=True, arms=names, **keywords)


def _conduct(
    study: Callable[..., Any],
    design: Callable[..., Any],
    source: str | None,
    lists: dict[str, Any],
    *,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    debug: bool,
    **given: Any,
) -> None:
    del debug  # looked at where errors are caught
    from hundredfold.cli._show import show_study, show_study_estimate
    from hundredfold.records import to_json

    if dry_run:
        found = _estimate(design(**lists), source, given)
        click.echo(to_json(found)) if as_json else show_study_estimate(found)
        return
    called: Sequence[str] = click.get_current_context().find_root().obj or sys.argv
    result = study(source, surroundings=surroundings(quiet, called), **lists, **given)
    click.echo(to_json(result)) if as_json else show_study(result)


def _estimate(design: Any, source: str | None, given: dict[str, Any]) -> Any:
    from hundredfold.studies.job import Request
    from hundredfold.studies.study import estimate_study

    of_request = ("out", "config", "overrides", "resume", "overwrite")
    request = {name: given.pop(name) for name in of_request}
    return estimate_study(design, source, Request(**request, settings=given))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
