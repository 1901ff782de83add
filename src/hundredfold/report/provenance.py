"""Where the numbers come from: settings, versions, machine, time by stage.

Host names, user names and whole paths stay in the run folder: a page is made to be passed on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hundredfold.report.wording import visible

PRIVATE = ("host", "node", "user", "cwd", "home", "directory", "address", "serial", "uuid")
LONGEST = 200  # characters of a value


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A part of the run: its name, seconds, and share of the longest one, 0..1."""

    name: str
    seconds: float
    share: float


def flattened(tree: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested settings as dotted names and texts, in their order.

    >>> flattened({"train": {"epochs": 20, "views": ["crop", "blur"]}, "resume": False})
    {'train.epochs': '20', 'train.views': 'crop, blur', 'resume': 'no'}
    """
    flat: dict[str, str] = {}
    for name, value in tree.items():
        dotted = f"{prefix}{name}"
        if isinstance(value, Mapping) and value:
            flat |= flattened(value, f"{dotted}.")
        else:
            flat[visible(dotted, LONGEST)] = visible(_text(value), LONGEST)
    return flat


def without_private(environment: Mapping[str, Any]) -> dict[str, Any]:
    """The environment without what tells whose machine it was."""
    kept: dict[str, Any] = {}
    for name, value in environment.items():
        if any(word in name.lower() for word in PRIVATE):
            continue
        kept[name] = without_private(value) if isinstance(value, Mapping) else value
    return kept


def stages(seconds: Mapping[str, float]) -> list[Stage]:
    """The parts of the run in their order, without the total."""
    parts = {name: spent for name, spent in seconds.items() if name != "total"}
    longest = max(parts.values(), default=0.0) or 1.0
    return [Stage(name=name.replace("_", " "), seconds=spent, share=spent / longest) for name, spent in parts.items()]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(_text(part) for part in value) or "none"
    if value is None or value == "" or value == {}:
        return "none"
    return str(value)
