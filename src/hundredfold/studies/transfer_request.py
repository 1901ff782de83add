"""What somebody asked of a transfer: settings of its data as a run has them, and a table `[transfer]` beside them."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hundredfold.errors import SettingsError, unknown_name
from hundredfold.settings import Table, merge, overlay, parse_overrides, read_toml
from hundredfold.studies.run_settings import gather
from hundredfold.transfer.arms import BY_NAME
from hundredfold.transfer.settings import TransferSettings

SOURCES = ("source_classifier", "generator", "source_data", "source_test")


@dataclass(frozen=True, kw_only=True)
class TransferRequest:
    """A transfer as it was asked for.

    Attributes:
        source_classifier, generator: folders.
        source_data: a SOURCE of the source's real images, to judge the generator and for an oracle, or empty.
        source_test: a SOURCE of real images of the source that the generator did not learn from, or empty.
        resize: whether images may be brought from the source's form to the target's and back.
        use_anyway: learn from the generator though it should not be trusted.
        arms: names, in the order of the tables.
        settings: see `TransferSettings`.
        common: nested tables of the settings of a run.
    """

    source_classifier: str
    generator: str
    source_data: str = ""
    source_test: str = ""
    resize: bool = False
    use_anyway: bool = False
    arms: tuple[str, ...] = ()
    settings: TransferSettings = field(default_factory=TransferSettings)
    common: Table = field(default_factory=dict)

    def table(self) -> Table:
        """All of it, as `asked.toml` keeps it."""
        own = {name: getattr(self, name) for name in (*SOURCES, "resize", "use_anyway", "arms")}
        return {"transfer": {**dataclasses.asdict(self.settings), **own}, **self.common}


def gathered(
    config: str | Path | None, overrides: Sequence[str], keywords: Mapping[str, Any], before: Table
) -> TransferRequest:
    """What was asked for, weakest first: what the folder began with, the settings file, `--set`, options.

    Args:
        config: a TOML file, or None.
        overrides: assignments "transfer.steps=100".
        keywords: of the call; those of `TransferRequest` among them, and `transfer`, a table, if it is not in a file.
        before: the content of `asked.toml` of a transfer that goes on, or an empty table.

    Raises:
        SettingsError: all problems together.
    """
    given: Table = copy.deepcopy(before)  # what is laid over it must not reach what the folder began with
    problems: list[str] = []
    overlay(given, read_toml(Path(config)) if config else {})
    try:
        overlay(given, parse_overrides(overrides))
    except SettingsError as found:
        problems += found.problems
    named = {name: value for name, value in keywords.items() if value is not None}
    names = {one.name for one in dataclasses.fields(TransferRequest)} - {"settings", "common"}
    overlay(given, {name: value for name, value in named.items() if name not in names})
    table = given.pop("transfer", {})
    if not isinstance(table, Mapping):
        problems.append(f"transfer is a table: --set transfer.steps=100 sets one of its settings, got {table!r}")
        table = {}
    own = {name: value for name, value in {**table, **named}.items() if name in names}
    settings = TransferSettings()
    try:
        settings = merge(settings, {name: table[name] for name in table if name not in names}, where="transfer.")
    except SettingsError as found:
        problems += found.problems
    checked: Table = {}
    try:
        checked = gather(None, (), given)
    except SettingsError as found:
        problems += found.problems
    problems += _problems(own)
    if problems:
        raise SettingsError(problems)
    return TransferRequest(settings=settings, common=checked, **_as_kept(own))


def _as_kept(own: Mapping[str, Any]) -> Table:
    """The same as a file keeps them: a path is its text, a list is a tuple."""
    texts = {name: str(own[name]) for name in SOURCES if name in own}
    return {**own, **texts, **({"arms": tuple(own["arms"])} if "arms" in own else {})}


def _problems(own: Mapping[str, Any]) -> list[str]:
    found = [
        f"no {name.replace('_', ' ')} was given: name its folder with --{name.replace('_', '-')} DIR"
        for name in ("source_classifier", "generator")
        if not own.get(name)
    ]
    found += [
        f"{name} is yes or no: true or false, got {own[name]!r}"
        for name in ("resize", "use_anyway")
        if not isinstance(own.get(name, False), bool)
    ]
    return [*found, *_arm_problems(own["arms"])] if "arms" in own else found


def _arm_problems(arms: Any) -> list[str]:
    if isinstance(arms, str) or not isinstance(arms, Sequence):
        return [f"arms takes a list of names, got {arms!r}"]
    found = [unknown_name("arm", str(name), BY_NAME) for name in arms if name not in BY_NAME]
    if "scratch" not in arms:
        found.append("arms must hold scratch, which the others are compared with")
    if len(set(arms)) < len(arms):
        found.append(f"arms names one twice: {', '.join(map(str, arms))}")
    return found
