"""The section of labels that look wrong: every suspect with its picture, and how many of them probably are."""

import dataclasses
import importlib.util
import re
import sys
from html import unescape
from pathlib import Path

import pytest

from hundredfold.report import pictures
from hundredfold.report.page import write_report
from hundredfold.report.suspects import suspects_sentence

_SPEC = importlib.util.spec_from_file_location("example_run", Path(__file__).with_name("example_run.py"))
example = importlib.util.module_from_spec(_SPEC)
sys.modules["example_run"] = example
_SPEC.loader.exec_module(example)


def section(path: Path) -> str:
    """The HTML of the section."""
    html = path.read_text(encoding="utf-8")
    return html[html.index('<section id="suspects">') :].split("</section>")[0]


def seen(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).replace("\u00a0", " ").split())


def test_every_suspect_is_shown_with_its_picture(tmp_path: Path) -> None:
    run = example.full_run()
    html = section(write_report(example.write_run(tmp_path, run)))
    assert html.count('<img src="data:image/png;base64,') == len(run.suspects) == 9
    for suspect in run.suspects:
        assert f"{suspect.given} → {suspect.suggested} {100 * suspect.score:.1f} % wrong {suspect.name}" in seen(html)
    assert "9 labels look wrong; about 6 of them probably are." in seen(html)


def test_without_pictures_the_list_stays(tmp_path: Path) -> None:
    run = example.full_run(draws=2)
    html = section(write_report(example.write_run(tmp_path, run, pictures=False)))
    assert "<img" not in html and html.count("<li>") == 9


def test_a_long_list_is_cut_and_says_so(tmp_path: Path) -> None:
    run = example.full_run(draws=2)
    many = tuple(dataclasses.replace(run.suspects[0], index=number) for number in range(pictures.SUSPECTS + 7))
    html = section(write_report(example.write_run(tmp_path, example.replace(run, suspects=many))))
    assert html.count("<li>") == pictures.SUSPECTS and "And 7 more in suspects.csv" in seen(html)


@pytest.mark.parametrize(
    ("count", "expected", "said"),
    [
        (1, 0.91, "1 label looks wrong, with a probability of 91.0 %."),
        (12, 9.7, "12 labels look wrong; about 10 of them probably are."),
        (2, 0.6, "2 labels look wrong; about 1 of them probably is."),
    ],
)
def test_how_many_are_probably_wrong(count: int, expected: float, said: str) -> None:
    assert suspects_sentence(count, expected) == said


def test_names_run_nothing(tmp_path: Path) -> None:
    hostile = '"><img src=x onerror=alert(1)>'
    run = example.full_run(draws=2)
    bad = dataclasses.replace(run.suspects[0], name=hostile, given=hostile, suggested=hostile)
    html = section(write_report(example.write_run(tmp_path, example.replace(run, suspects=(bad,)))))
    assert "<img src=x" not in html and "&lt;img src=x" in html
