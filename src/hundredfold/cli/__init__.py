"""The command line: one command a file, read off this folder. `--help` loads neither torch nor any other layer."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import click

from hundredfold.cli._errors import guarded


class Commands(click.Group):
    """A group whose commands are the files of this folder, loaded when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands, in the order of the journey."""
        order = ["run", "pretrain", "evaluate", "embed", "predict", "report", "methods", "check-data", "doctor"]
        names = {path.stem.replace("_", "-") for path in Path(__file__).parent.glob("[a-z]*.py")}
        return sorted(names, key=lambda name: (order.index(name) if name in order else len(order), name))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, or None."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"hundredfold.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: hundredfold run digits --labels 100 --out demo",
)
@click.version_option(package_name="hundredfold")
def cli() -> None:
    """From a pile of unlabelled images and a hundred labels to a trusted classifier, with the proof.

    Exit status: 0 done; 2 yours to mend (usage, settings, data, folder); 4 training diverged; 5 out of disk, memory
    or device; 130 / 143 interrupted after saving; 1 a defect of ours.
    """


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the `hundredfold` command."""
    given = sys.argv[1:] if arguments is None else arguments
    sys.exit(guarded(_invoke, [_with_hyphens(argument) for argument in given]))


def _invoke(arguments: list[str]) -> Any:
    return cli.main(arguments, prog_name="hundredfold", standalone_mode=False)


def _with_hyphens(argument: str) -> str:
    """`--batch_size=8` as `--batch-size=8`: both spellings are taken."""
    if not argument.startswith("--"):
        return argument
    name, equals, value = argument.partition("=")
    return f"{name.replace('_', '-')}{equals}{value}"
