"""Settings: a file, `--set` and keywords lead to the same dataclass, and everything that is wrong is told at once."""

import re
from dataclasses import dataclass, field

import pytest

from hundredfold.errors import SettingsError
from hundredfold.settings import differences, merge, nested, overlay, parse_overrides, read_toml, to_toml


@dataclass(frozen=True, kw_only=True)
class Inner:
    rate: float = 0.5
    steps: int = 3

    def problems(self) -> list[str]:
        return [f"rate must be in 0..1, got {self.rate}"] if not 0 <= self.rate <= 1 else []


@dataclass(frozen=True, kw_only=True)
class Outer:
    name: str = "x"
    count: int = 1
    counts: tuple[int, ...] = ()
    words: tuple[str, ...] = ("a",)
    flag: bool = True
    maybe: int | None = None
    inner: Inner = field(default_factory=Inner)
    free: dict[str, object] = field(default_factory=dict)

    def problems(self) -> list[str]:
        return [f"count must be >= 0, got {self.count}"] if self.count < 0 else []


def problems_of(given):
    with pytest.raises(SettingsError) as error:
        merge(Outer(), given)
    return list(error.value.problems)


def test_what_is_given_replaces_and_the_rest_stays():
    start = Outer(count=7, inner=Inner(steps=9))
    merged = merge(start, {"name": "y", "counts": [1, 2], "inner": {"rate": 0.25}, "free": {"a": [1]}})
    assert merged == Outer(name="y", count=7, counts=(1, 2), inner=Inner(rate=0.25, steps=9), free={"a": [1]})
    assert start == Outer(count=7, inner=Inner(steps=9)) and merge(start, {}) == start


def test_every_problem_is_told_with_its_place():
    told = problems_of(
        {
            "nmae": "y",
            "count": -1,
            "counts": [1, "many"],
            "words": "one",
            "flag": 17,
            "rate": 0.1,
            "inner": {"rate": 7, "steps": "x", "stpes": 1},
        }
    )
    assert told == [
        "unknown setting 'nmae': did you mean 'name'? Possible: count, counts, flag, free, inner, maybe, name, words",
        "unknown setting 'rate': did you mean 'inner.rate'?",
        "unknown setting 'inner.stpes': did you mean 'inner.steps'? Possible: inner.rate, inner.steps",
        "counts.1: input should be a valid integer, unable to parse string as an integer, got 'many'",
        "words takes a list, such as ['one'], got 'one'",
        "flag: input should be a valid boolean, unable to interpret input, got 17",
        "inner.steps: input should be a valid integer, unable to parse string as an integer, got 'x'",
        "count must be >= 0, got -1",
        "inner.rate must be in 0..1, got 7.0",
    ]


@pytest.mark.parametrize(
    "given, place",
    [
        ({"inner": 3}, "inner"),
        ({"inner": None}, "inner"),
        ({"name": ["a"]}, "name"),
        ({"count": 1.5}, "count"),
        ({"count": None}, "count"),
        ({"counts": {"a": 1}}, "counts"),
        ({"free": 1}, "free"),
        ({"free": {1: 2}}, "free"),
        ({"problems": 1}, "unknown setting 'problems'"),
        ({"__class__": 1}, "unknown setting '__class__'"),
    ],
)
def test_wrong_types_wherever_they_are(given, place):
    (problem,) = problems_of(given)
    assert problem.startswith(place)


def test_the_place_of_a_nested_default_is_told():
    with pytest.raises(SettingsError, match=r"view\.rate must be in 0\.\.1"):
        merge(Inner(), {"rate": 2}, where="view.")


def test_toml_and_back(tmp_path):
    chosen = Outer(name='quote " and \\ and é', counts=(3,), maybe=4, free={"deep": {"list": [1, 2]}, "flag": False})
    path = tmp_path / "settings.toml"
    path.write_text(to_toml(chosen))
    assert merge(Outer(), read_toml(path)) == chosen
    assert "maybe" not in to_toml(Outer())


@pytest.mark.parametrize(
    "content, why",
    [
        (b"count = ?", "line 1"),
        (b"a = 1\na = 2\n", "overwrite"),
        (b"\xff\xfe", "cannot read"),
        (None, "cannot read"),
    ],
)
def test_files_that_are_no_settings(tmp_path, content, why):
    path = tmp_path / "s.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=re.escape(str(path))) as error:
        read_toml(path)
    assert why in str(error.value)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("a=1", {"a": 1}),
        ("a.b.c = 0.5", {"a": {"b": {"c": 0.5}}}),
        ("batch-size=8", {"batch_size": 8}),
        ("encoder=convnet", {"encoder": "convnet"}),
        ('encoder="hf:a/b=c"', {"encoder": "hf:a/b=c"}),
        ("models=['a', 'b']", {"models": ["a", "b"]}),
        ("on=true", {"on": True}),
        ("empty=", {"empty": ""}),
    ],
)
def test_overrides_are_toml_or_a_word(text, expected):
    assert parse_overrides([text]) == expected


def test_later_overrides_win_and_tables_meet():
    assert parse_overrides(["a.x=1", "a.y=2", "a.x=3"]) == {"a": {"x": 3, "y": 2}}


def test_overrides_without_name_or_value_are_told_together():
    with pytest.raises(SettingsError) as error:
        parse_overrides(["lr", "=3", "a=1", ".=2"])
    assert [repr(text) in problem for text, problem in zip(["lr", "=3", ".=2"], error.value.problems)] == [True] * 3


def test_overlay_changes_the_first_and_never_the_second():
    first, second = {"a": {"x": 1}, "b": 1}, {"a": {"y": 2}, "b": {"z": 3}}
    overlay(first, second)
    first["b"]["z"] = 4
    assert first == {"a": {"x": 1, "y": 2}, "b": {"z": 4}} and second == {"a": {"y": 2}, "b": {"z": 3}}
    assert nested("a.b", 1) == {"a": {"b": 1}} and nested("a", 1) == {"a": 1}


def test_differences_name_each_setting():
    before, after = Outer(), Outer(count=2, inner=Inner(rate=0.1), free={"a": 1})
    assert differences(before, before) == []
    assert differences(before, after) == [
        "count was 1, now 2",
        "inner.rate was 0.5, now 0.1",
        "free was {}, now {'a': 1}",
    ]


def test_a_number_in_quotes_is_a_number():
    assert merge(Inner(), {"rate": "0.25", "steps": 4.0}) == Inner(rate=0.25, steps=4)
