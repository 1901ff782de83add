"""Errors say what, why and how to mend it; their kinds are exit statuses."""

import pytest

from hundredfold import errors
from hundredfold.errors import HundredfoldError, Interrupted, SettingsError, unknown_name

KINDS = {
    "HundredfoldError": 1,
    "UserError": 2,
    "SettingsError": 2,
    "DataError": 2,
    "OutputError": 2,
    "CheckpointError": 2,
    "DivergedError": 4,
    "ResourceError": 5,
}


def test_the_tree_is_the_one_that_is_drawn():
    found = {
        name: kind
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, HundredfoldError)
    }
    assert found.keys() == {*KINDS, "Interrupted"}
    assert {name: kind.exit_status for name, kind in found.items() if name in KINDS} == KINDS
    assert all(name in errors.__doc__ for name in found)


@pytest.mark.parametrize("number, status", [(2, 130), (15, 143)])
def test_an_interruption_has_the_status_of_its_signal(number, status):
    assert Interrupted("stopped", signal_number=number).exit_status == status


def test_lines():
    error = HundredfoldError("a", why="b", fix="c")
    assert error.lines() == ["error: a", "why: b", "fix: c"] and str(error) == "error: a\nwhy: b\nfix: c"
    assert HundredfoldError("a").lines() == ["error: a"]


def test_several_problems_are_one_error():
    one, two = SettingsError(["lr is bad"], fix="mend it"), SettingsError(["lr is bad", "seed is bad"])
    assert one.lines() == ["error: lr is bad", "fix: mend it"]
    assert two.problems == ("lr is bad", "seed is bad")
    assert two.lines() == ["error: 2 settings cannot be used", "why: lr is bad; seed is bad"]


def test_unknown_names():
    assert unknown_name("method", "simcrl", ["simclr", "byol"]) == (
        "unknown method 'simcrl': did you mean 'simclr'? Possible: byol, simclr"
    )
    assert unknown_name("method", "zzz", ["simclr"]) == "unknown method 'zzz'. Possible: simclr"
    assert "Possible: " in unknown_name("method", "", [])
