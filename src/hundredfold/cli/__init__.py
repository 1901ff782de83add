"""The command line: one command a file, read off this folder. `--help` loads neither torch nor any other layer."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import click

from hundredfold.cli._errors import guarded
from hundredfold.errors import unknown_name


class Commands(click.Group):
    """A group whose commands are the files of this folder, loaded when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands, in the order of the journey."""
        order = [
            "run",
            "pretrain",
            "evaluate",
            "embed",
            "predict",
            "suggest",
            "anomalies",
            "cluster",
            "map",
            "generate",
            "reconstruct",
            "interpolate",
            "denoise",
            "transfer",
            "report",
            "study",
            "methods",
            "check-data",
            "doctor",
        ]
        names = {path.stem.replace("_", "-") for path in Path(__file__).parent.glob("[a-z]*.py")}
        return sorted(names, key=lambda name: (order.index(name) if name in order else len(order), name))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the arguments name; an unknown one is told with the nearest that exists."""
        if args and not args[0].startswith("-") and args[0] not in self.list_commands(ctx):
            raise click.UsageError(unknown_name("command", args[0], self.list_commands(ctx)), ctx)
        return super().resolve_command(ctx, args)

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
    # Threads that wait by spinning make everything ten times slower as soon as another process wants a core. OpenMP
    # reads this once, when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    given = sys.argv[1:] if arguments is None else arguments
    sys.exit(guarded(_invoke, _with_hyphens(given)))


def _invoke(arguments: list[str]) -> Any:
    pasted = [*_name(), *arguments]  # what a person can paste to do the same
    return cli.main(arguments, prog_name="hundredfold", standalone_mode=False, obj=pasted)


def _name() -> list[str]:
    started = Path(sys.argv[0])
    if started.stem == "__main__":
        return [sys.executable, "-m", "hundredfold"]
    on_path = shutil.which("hundredfold")
    if started.stem != "hundredfold" or (on_path and Path(on_path).resolve() == started.resolve()):
        return ["hundredfold"]
    return [str(started)]


def _with_hyphens(arguments: list[str]) -> list[str]:
    """`--batch_size=8` as `--batch-size=8`: both spellings are taken. What follows `--` is left as it is."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    return [_hyphened(argument) for argument in arguments[:end]] + arguments[end:]


def _hyphened(argument: str) -> str:
    if not argument.startswith("--"):
        return argument
    name, equals, value = argument.partition("=")
    return f"{name.replace('_', '-')}{equals}{value}"
