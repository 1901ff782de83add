"""How far to trust the chosen model: sentences a person can act on, the reliability diagrams, the curve of coverage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from hundredfold.records import RunResult
from hundredfold.report.figures.axes import Level
from hundredfold.report.figures.line_chart import Line, line_chart
from hundredfold.report.figures.reliability import reliability_diagram
from hundredfold.report.figures.svg import wide_and_narrow
from hundredfold.report.wording import counted, fixed, model_title, percent, percent_tick, points, visible
from hundredfold.trust_records import Bounds, Calibration, CoveragePoint, Reliability, ReliabilityBin, Trust

SMALL = 440  # px: two charts side by side
NAMED = 5  # missing classes that are named
SAID = 0.9  # the confidence of the sentence on abstention
WANTED = 0.99  # the accuracy of the other one
LEAST = 0.05  # coverage from which the curve is drawn: below it, single images make it jump
SLIGHT = 0.01  # a difference of confidence and accuracy below this is none


def trust_section(result: RunResult) -> dict[str, Any] | None:
    """The names that `_trust.html.j2` uses; None for a run that measured no trust."""
    trust = result.trust
    if trust is None:
        return None
    calibration = trust.calibration
    return {
        "record": trust,
        "title": model_title(trust.model),
        "sentences": trust_sentences(trust),
        "diagrams": [
            ("As it comes", calibration.before, reliability_figure(calibration.before, "Reliability as it comes")),
            ("After scaling", calibration.after, reliability_figure(calibration.after, "Reliability after scaling")),
        ]
        if calibration.labels
        else [("As it comes", calibration.before, reliability_figure(calibration.before, "Reliability"))],
        "scaled": bool(calibration.labels),
        "curve": coverage_figure(trust),
        "targets": trust.at_accuracy,
        "levels": trust.at_confidence,
    }


def trust_sentences(trust: Trust) -> list[str]:
    """What the figures say, most useful first; nothing that they do not know."""
    return [
        sentence
        for sentence in (
            missing_sentence(trust.missing_classes),
            confidence_sentence(trust.at_confidence),
            target_sentence(trust),
            calibration_sentence(trust.calibration, trust.over_draws.mean),
            interval_sentence(trust),
        )
        if sentence
    ]


def missing_sentence(missing: Sequence[str]) -> str:
    """Which classes the model cannot know."""
    if not missing:
        return ""
    names = ", ".join(f"“{visible(name, 40)}”" for name in missing[:NAMED])
    if len(missing) == 1:
        return f"No image of class {names} was labelled: it can never be predicted."
    more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
    return f"No image of the classes {names}{more} was labelled: they can never be predicted."


def confidence_sentence(levels: Sequence[CoveragePoint]) -> str:
    """How far a round confidence can be taken at its word."""
    found = next((point for point in levels if point.threshold == SAID), None)
    if found is None:
        return f"It is at least {SAID:.0%} sure of none of the images.".replace("%", " %")
    return (
        f"Of the images it is at least {SAID * 100:.0f} % sure of ({percent(found.coverage)} of them), "
        f"{percent(found.accuracy)} are right."
    )


def target_sentence(trust: Trust) -> str:
    """What it takes to be right nearly always."""
    found = next((target.reached for target in trust.at_accuracy if target.accuracy == WANTED), None)
    if found is None:
        return f"No share of the images, however small, is answered with {WANTED * 100:.0f} % accuracy."
    if found.coverage == 1:
        return f"At least {WANTED * 100:.0f} % are right even where it answers all images."
    return (
        f"To be right {WANTED * 100:.0f} % of the time it may answer {percent(found.coverage)} of the images: those it "
        f"is at least {percent(found.threshold)} sure of. A person looks at the rest."
    )


def calibration_sentence(calibration: Calibration, accuracy: float) -> str:
    """Whether it is right as often as it says, before and after scaling."""
    before, after = calibration.before, calibration.after
    said = f"It says {percent(before.confidence)} on average and is right for {percent(accuracy)}"
    excess = before.confidence - accuracy
    feeling = (
        "too sure" if excess > SLIGHT else "not sure enough" if excess < -SLIGHT else "about as sure as it should be"
    )
    if not calibration.labels:
        return f"{said}: {feeling}. There were too few labels to correct that."
    return (
        f"{said}: {_sureness(before.confidence - accuracy)}. Dividing its logits by "
        f"{fixed(calibration.temperatures[0])}, a temperature found on its labels alone, takes the mean distance of "
        f"confidence and accuracy from {points(before.expected_calibration_error, signed=False)} to "
        f"{points(after.expected_calibration_error, signed=False)} points."
    )


def interval_sentence(trust: Trust) -> str:
    """How far the accuracy would move with other images and other labels."""
    images = f"With {counted(trust.images, 'other test image')}"
    if trust.over_draws.draws < 2:
        return (
            f"{images} its accuracy would lie {_between(trust.over_images)} (95 % interval); other labels add to that."
        )
    return (
        f"{images} its accuracy would lie {_between(trust.over_images)}, and with other labels too "
        f"{_between(trust.overall)} (95 % intervals)."
    )


def reliability_figure(found: Reliability, title: str) -> Markup:
    """One reliability diagram, for a page and for a phone."""
    error = points(found.expected_calibration_error, signed=False)
    return wide_and_narrow(
        lambda width: reliability_diagram(
            found.bins,
            title=title,
            description=f"Expected calibration error {error} points.",
            write=percent_tick,
            note=_note,
            width=width,
        ),
        wide=SMALL,
    )


def coverage_figure(trust: Trust) -> Markup:
    """Accuracy of what is answered against how much is."""
    shown = [point for point in trust.coverage if point.coverage >= LEAST]
    line = Line(
        name="answered",
        colour="k0",
        points=[(point.coverage, point.accuracy) for point in shown],
        notes=[
            f"at least {percent(point.threshold)} sure: {percent(point.coverage)} answered, "
            f"{percent(point.accuracy)} of those right"
            for point in shown
        ],
        strong=True,
        dots=False,
    )
    return wide_and_narrow(
        lambda width: line_chart(
            [line],
            title="Accuracy against coverage",
            description=confidence_sentence(trust.at_confidence),
            x_name="share of the images that is answered",
            y_name="share of those that is right",
            write_x=percent_tick,
            write_y=percent_tick,
            levels=[Level(name="all images", value=round(trust.over_draws.mean, 3))],
            limits=(0.0, 1.0),
            x_ticks=(0.2, 0.4, 0.6, 0.8, 1.0),
            width=width,
            height=320,
        )
    )


def _sureness(excess: float) -> str:
    if abs(excess) < SLIGHT:
        return "about as sure as it should be"
    return "too sure" if excess > 0 else "not sure enough"


def _note(one: ReliabilityBin) -> str:
    return (
        f"{counted(one.count, 'prediction')} that are {percent(one.confidence)} sure on average: "
        f"{percent(one.accuracy)} right"
    )


def _between(bounds: Bounds) -> str:
    return f"between {percent(bounds.low)} and {percent(bounds.high)}"
