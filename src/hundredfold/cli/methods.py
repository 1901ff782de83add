"""`hundredfold methods`: what there is."""

from __future__ import annotations

import json

import click


@click.command("methods", epilog="Example: hundredfold methods --json")
@click.option("--json", "as_json", is_flag=True, help="Objects with name, family, summary, paper.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def command(as_json: bool, debug: bool) -> None:
    """List the ways to pre-train, one line each."""
    from dataclasses import asdict

    from hundredfold.methods import names

    found = names()
    if as_json:
        click.echo(json.dumps([asdict(method) for method in found], indent=1))
    else:
        for method in found:
            click.echo(f"{method.name:<21} {method.family:<12} {method.summary}")
