"""The section on trust: sentences with the record's numbers, figures in their places, gaps where nothing is known."""

import dataclasses
import importlib.util
import re
import sys
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from hundredfold.report.figures.reliability import reliability_diagram
from hundredfold.report.page import write_report
from hundredfold.report.trust import (
    calibration_sentence,
    confidence_sentence,
    interval_sentence,
    missing_sentence,
    target_sentence,
    trust_section,
    trust_sentences,
)
from hundredfold.trust_records import Bounds, CoveragePoint, CoverageTarget, ReliabilityBin, Trust

_SPEC = importlib.util.spec_from_file_location("example_run", Path(__file__).with_name("example_run.py"))
example = importlib.util.module_from_spec(_SPEC)
sys.modules["example_run"] = example
_SPEC.loader.exec_module(example)


def page_text(path: Path) -> str:
    """What a reader sees, on one line."""
    html = re.sub(r"<style>.*?</style>", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).replace("\u00a0", " ").split())


def found(**changes: Any) -> Trust:
    return dataclasses.replace(example.trust_record(tuple("abcdefghij"), 5), **changes)


def point(threshold: float, coverage: float, accuracy: float) -> CoveragePoint:
    return CoveragePoint(threshold=threshold, coverage=coverage, accuracy=accuracy)


def test_what_it_is_sure_of_is_a_sentence() -> None:
    levels = (point(0.5, 0.99, 0.97), point(0.9, 0.83, 0.991))
    assert (
        confidence_sentence(levels) == "Of the images it is at least 90 % sure of (83.0 % of them), 99.1 % are right."
    )
    assert confidence_sentence(levels[:1]) == "It is at least 90 % sure of none of the images."


@pytest.mark.parametrize(
    ("reached", "said"),
    [
        (point(0.84, 0.91, 0.9902), "it may answer 91.0 % of the images: those it is at least 84.0 % sure of"),
        (point(0.31, 1.0, 0.993), "At least 99 % are right even where it answers all images."),
        (None, "No share of the images, however small, is answered with 99 % accuracy."),
    ],
)
def test_what_it_may_answer_is_a_sentence(reached: CoveragePoint | None, said: str) -> None:
    target = CoverageTarget(accuracy=0.99, reached=reached)
    assert said in target_sentence(found(at_accuracy=(target,)))


def test_missing_classes_are_named() -> None:
    assert missing_sentence(()) == ""
    assert missing_sentence(["7"]) == "No image of class “7” was labelled: it can never be predicted."
    many = missing_sentence([f"c{number}" for number in range(8)])
    assert "“c0”, “c1”, “c2”, “c3”, “c4” and 3 more" in many and many.endswith("they can never be predicted.")
    assert trust_sentences(found(missing_classes=("7",)))[0].startswith("No image of class “7”")


def test_too_sure_and_not_sure_enough_are_told_apart() -> None:
    calibration = found().calibration
    before = calibration.before

    def said(confidence: float, labels: int = 100) -> str:
        changed = dataclasses.replace(before, confidence=confidence, expected_calibration_error=0.187)
        return calibration_sentence(dataclasses.replace(calibration, before=changed, labels=labels), 0.9)

    assert "says 95.0 % on average and is right for 90.0 %: too sure." in said(0.95)
    assert ": not sure enough." in said(0.7) and ": about as sure as it should be." in said(0.905)
    assert f"by {calibration.temperatures[0]:.2f}, a temperature found on its labels alone" in said(0.7)
    assert "from 18.7 to " in said(0.7)
    assert said(0.7, labels=0).endswith("There were too few labels to correct that.")


def test_intervals_name_what_they_are_over() -> None:
    several = found(over_images=Bounds(low=0.95, high=0.97), overall=Bounds(low=0.94, high=0.98), images=500)
    assert interval_sentence(several) == (
        "With 500 other test images its accuracy would lie between 95.0 % and 97.0 %, and with other labels too "
        "between 94.0 % and 98.0 % (95 % intervals)."
    )
    one = dataclasses.replace(several, over_draws=dataclasses.replace(several.over_draws, draws=1))
    assert interval_sentence(one).endswith("(95 % interval); other labels add to that.")


def test_a_dot_above_the_diagonal_is_right_more_often_than_it_says() -> None:
    bins = [
        ReliabilityBin(low=0.4, high=0.5, count=900, confidence=0.5, accuracy=0.75),
        ReliabilityBin(low=0.9, high=1.0, count=5, confidence=0.95, accuracy=0.2),
    ]
    drawn = str(
        reliability_diagram(
            bins, title="T", description="D", write=str, note=lambda one: f"{one.count} <b>", width=400, height=300
        )
    )
    circles = [
        {name: float(value) for name, value in re.findall(r'(cx|cy|r)="([\d.]+)"', circle)}
        for circle in re.findall(r"<circle[^>]*>", drawn)
    ]
    level = next(line for line in re.findall(r"<line[^>]*>", drawn) if 'class="level"' in line)
    x1, y1, x2, y2 = (float(re.search(f'{name}="([0-9.]+)"', level)[1]) for name in ("x1", "y1", "x2", "y2"))
    assert circles[0]["cx"] == pytest.approx((x1 + x2) / 2, abs=0.1)
    assert circles[0]["cy"] == pytest.approx(y1 + 0.75 * (y2 - y1), abs=0.1)
    assert circles[0]["r"] > 2 * circles[1]["r"]
    assert drawn.count('class="gap"') == 1  # five predictions are too few to speak of a distance
    assert "900 &lt;b&gt;" in drawn and "<b>" not in drawn


def test_the_section_stands_on_the_page_with_both_diagrams(tmp_path: Path) -> None:
    run = example.full_run()
    path = write_report(example.write_run(tmp_path, run))
    text, html = page_text(path), path.read_text(encoding="utf-8")
    for sentence in trust_sentences(run.trust):
        assert sentence in text
    assert html.count("<title>Reliability as it comes</title>") == 2  # for a page, and for a phone
    assert html.count("<title>Reliability after scaling</title>") == 2
    assert html.count("<title>Accuracy against coverage</title>") == 2
    assert text.index("What each label is worth") < text.index("How far to trust it") < text.index("What is taken for")


def test_without_a_temperature_there_is_one_diagram(tmp_path: Path) -> None:
    trust = found()
    unscaled = dataclasses.replace(trust, calibration=dataclasses.replace(trust.calibration, labels=0))
    section = trust_section(example.replace(example.full_run(draws=2), trust=unscaled))
    assert [title for title, _, _ in section["diagrams"]] == ["As it comes"]


def test_a_run_without_trust_has_no_section(tmp_path: Path) -> None:
    run = example.replace(example.full_run(draws=2), trust=None, suspects=())
    html = write_report(example.write_run(tmp_path, run)).read_text(encoding="utf-8")
    assert 'id="trust"' not in html and 'href="#trust"' not in html
    assert 'id="suspects"' not in html and 'href="#suspects"' not in html


def test_names_run_nothing(tmp_path: Path) -> None:
    hostile = "</style><script>alert(1)</script>"
    run = example.replace(example.full_run(draws=2), trust=found(missing_classes=(hostile,), model=hostile))
    html = write_report(example.write_run(tmp_path, run)).read_text(encoding="utf-8")
    assert "<script" not in html and "&lt;script&gt;alert(1)" in html
