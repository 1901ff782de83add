"""Settings: frozen dataclasses <-> TOML tables <-> `--set table.name=value`. Every problem is reported at once.

A settings class is a frozen keyword-only dataclass with defaults. It may have a method `problems() -> list[str]` that
says which values are out of range. `merge` lays what a person gave over a default instance and checks all of it:
unknown names (with the nearest that exists), wrong types, values out of range.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import tomli_w
from pydantic import TypeAdapter, ValidationError

from hundredfold.errors import SettingsError, unknown_name

Settings = TypeVar("Settings")
Table = dict[str, Any]


def merge(default: Settings, given: Mapping[str, Any], *, where: str = "") -> Settings:
    """`default` with the values of `given` in place of its own.

    Args:
        default: an instance of a settings class.
        given: values by name; a nested settings class takes a mapping.
        where: prefix of the names in messages, such as "plan.".

    Raises:
        SettingsError: with every problem found.
    """
    problems = list(_unknown(type(default), given, where))
    known = _known(default, given)
    adapter = TypeAdapter(type(default))
    try:
        merged = adapter.validate_python(_laid_over(default, known))
    except ValidationError as found:
        problems += [_type_problem(error, where) for error in found.errors()]
        for error in found.errors():  # the others may be out of range: they are looked at without these
            _drop(default, known, error["loc"])
        merged = adapter.validate_python(_laid_over(default, known))
    problems += _range_problems(merged, where)
    if problems:
        raise SettingsError(problems)
    return merged


def read_toml(path: Path) -> Table:
    """The tables of a TOML file.

    Raises:
        SettingsError: it cannot be read, or is not TOML (with the line).
    """
    try:
        return tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError) as problem:
        raise SettingsError([f"cannot read settings file {path}: {problem}"]) from problem
    except tomllib.TOMLDecodeError as problem:
        raise SettingsError([f"{path} is not TOML: {problem}"]) from problem


def to_toml(settings: Any) -> str:
    """Every setting of a dataclass instance as TOML; None, which TOML cannot say, is left out."""
    return toml_text(dataclasses.asdict(settings))


def toml_text(tables: Mapping[str, Any]) -> str:
    """Nested tables as TOML; None is left out."""
    return tomli_w.dumps(_without_none(tables), multiline_strings=False)


def parse_overrides(assignments: Sequence[str]) -> Table:
    """The nested tables of `a.b=value` texts; a value is read as TOML and, failing that, as a word.

    Raises:
        SettingsError: a text without a name or without "=".

    >>> parse_overrides(["plan.lr=0.1", "encoder=convnet"])
    {'plan': {'lr': 0.1}, 'encoder': 'convnet'}
    """
    tables: Table = {}
    problems = []
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals or not name.strip(". "):
            problems.append(f"--set takes name=value, such as plan.lr=0.001, got {assignment!r}")
            continue
        overlay(tables, nested(name.strip().replace("-", "_"), _value(value)))
    if problems:
        raise SettingsError(problems)
    return tables


def nested(name: str, value: Any) -> Table:
    """`{"a": {"b": value}}` for the name "a.b"."""
    head, _, rest = name.partition(".")
    return {head: nested(rest, value) if rest else value}


def overlay(tables: Table, other: Mapping[str, Any]) -> Table:
    """Lays `other` over `tables`, table by table, in place; returns `tables`."""
    for name, value in other.items():
        if isinstance(value, Mapping) and isinstance(tables.get(name), dict):
            overlay(tables[name], value)
        else:
            tables[name] = dict(value) if isinstance(value, Mapping) else value
    return tables


def differences(before: Any, after: Any, where: str = "") -> list[str]:
    """One sentence for each setting in which two instances of a settings class differ."""
    found = []
    for field in dataclasses.fields(before):
        old, new = getattr(before, field.name), getattr(after, field.name)
        if dataclasses.is_dataclass(old) and type(old) is type(new):
            found += differences(old, new, f"{where}{field.name}.")
        elif old != new:
            found.append(f"{where}{field.name} was {old!r}, now {new!r}")
    return found


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _unknown(kind: type, given: Mapping[str, Any], where: str) -> Iterator[str]:
    hints = get_type_hints(kind)
    for name, value in given.items():
        if name not in hints:
            elsewhere = [f"{table}.{name}" for table, inner in hints.items() if name in _names(inner)]
            if elsewhere:
                yield f"unknown setting {where + name!r}: did you mean {where + elsewhere[0]!r}?"
            else:
                yield unknown_name("setting", f"{where}{name}", [f"{where}{possible}" for possible in hints])
        elif dataclasses.is_dataclass(hints[name]) and isinstance(value, Mapping):
            yield from _unknown(hints[name], value, f"{where}{name}.")


def _names(kind: Any) -> list[str]:
    return [field.name for field in dataclasses.fields(kind)] if dataclasses.is_dataclass(kind) else []


def _known(default: Any, given: Mapping[str, Any]) -> Table:
    known: Table = {}
    for name, value in given.items():
        if not hasattr(default, name):
            continue
        own = getattr(default, name)
        known[name] = _known(own, value) if dataclasses.is_dataclass(own) and isinstance(value, Mapping) else value
    return known


def _laid_over(default: Any, given: Mapping[str, Any]) -> Table:
    values: Table = {}
    for field in dataclasses.fields(default):
        own = getattr(default, field.name)
        if dataclasses.is_dataclass(own):
            over = given.get(field.name, {})
            values[field.name] = _laid_over(own, over) if isinstance(over, Mapping) else over
        else:
            values[field.name] = given.get(field.name, own)
    return values


def _drop(default: Any, tables: Table, path: Sequence[str | int]) -> None:
    """Removes the setting that an error's `path` leads to; of a list or a free table, all of it."""
    name, *rest = path
    own = getattr(default, str(name))
    if rest and dataclasses.is_dataclass(own) and isinstance(tables.get(str(name)), dict):
        _drop(own, tables[str(name)], rest)
    else:
        tables.pop(str(name), None)


def _type_problem(error: Any, where: str) -> str:
    name = where + ".".join(str(part) for part in error["loc"])
    if error["type"] == "tuple_type":
        return f"{name} takes a list, such as [{error['input']!r}], got {error['input']!r}"
    return f"{name}: {error['msg'][0].lower()}{error['msg'][1:]}, got {error['input']!r}"


def _range_problems(settings: Any, where: str) -> list[str]:
    found = [f"{where}{sentence}" for sentence in settings.problems()] if hasattr(settings, "problems") else []
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if dataclasses.is_dataclass(value):
            found += _range_problems(value, f"{where}{field.name}.")
    return found


def _without_none(tables: Mapping[str, Any]) -> Table:
    return {
        name: _without_none(value) if isinstance(value, Mapping) else value
        for name, value in tables.items()
        if value is not None
    }
