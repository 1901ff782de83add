"""`hundredfold transfer`: a target with few labels, and of the source only a classifier and a generator."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from hundredfold.cli._options import FOLDER, LABELS, MACHINE, TALK, options, surroundings

SOURCE = (
    click.option("--source-classifier", metavar="DIR", help="A run with a classifier, or a transformers folder."),
    click.option("--generator", metavar="DIR", help="A run of a conditional model, or a folder of diffusers."),
    click.option("--target", metavar="SOURCE", help="The images to learn, a few of them labelled."),
    click.option("--source-data", metavar="SOURCE", help="Real images of the source, to judge the generator by."),
    click.option("--source-test", metavar="SOURCE", help="Those of them that the generator did not learn from."),
    click.option("--resize", is_flag=True, default=None, help="Bring images of one form to the other."),
    click.option("--use-anyway", is_flag=True, default=None, help="Learn from a generator that is judged bad."),
    click.option("--encoder", metavar="NAME", help="Of the target: convnet, resnet18, vit or hf:NAME."),
)


@click.command(
    "transfer",
    epilog="Example: hundredfold transfer --source-classifier RUN1 --generator RUN2 --target photos --labels 50",
)
@options(SOURCE, LABELS, MACHINE, FOLDER, TALK)
def command(target: str | None, **keywords: Any) -> None:
    """Learn TARGET from few labels by what a source left: a classifier, and a generator of its classes.

    The generator is judged first. A network of any kind is pre-trained on its images, learns the labels, and is
    compared with one that was not, and with one that only learnt for longer. The better one is handed over.
    """
    from hundredfold.studies.transfer import transfer

    conduct(transfer, target, study=False, **keywords)


def conduct(
    work: Callable[..., Any],
    target: str | None,
    *,
    study: bool,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    debug: bool,
    **given: Any,
) -> None:
    """Calls a transfer with the options of its command, and prints what it found.

    Args:
        work: `transfer` or `study_transfer`.
        target: a SOURCE.
        study: whether it is the study.
        dry_run, as_json, quiet, debug: how to talk.
        given: further options.
    """
    del debug  # looked at where errors are caught
    from hundredfold.records import to_json

    if dry_run:
        found = _estimate(target, study, given)
        click.echo(to_json(found) if as_json else _told(found))
        return
    called: Sequence[str] = click.get_current_context().find_root().obj or sys.argv
    result = work(target, surroundings=surroundings(quiet, called), **given)
    if as_json:
        click.echo(to_json(result))
        return
    from hundredfold.cli._show import show_transfer

    show_transfer(result)


def _estimate(target: str | None, study: bool, given: dict[str, Any]) -> Any:
    from hundredfold.studies.job import Request
    from hundredfold.studies.transfer_estimate import estimate_transfer

    request = {name: given.pop(name) for name in ("out", "config", "overrides", "resume", "overwrite")}
    return estimate_transfer(target, Request(**request, settings=given), study=study)


def _told(found: Any) -> str:
    counts = ", ".join(map(str, found.label_counts))
    lines = [
        f"arms: {', '.join(found.arms)}",
        f"{counts} labels, {found.draws} draw{'s' * (found.draws > 1)}: {found.networks} networks, "
        f"{found.steps:,} steps of training",
    ]
    return "\n".join([*lines, *found.notes, "dry run: nothing was written"])
