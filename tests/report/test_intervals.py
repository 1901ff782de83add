"""The figure of estimates with intervals: where marks stand, read from the picture, and that nothing leaves it."""

import re
import xml.etree.ElementTree as ElementTree

import pytest

from hundredfold.report.figures.intervals import Estimate, Row, intervals

ROWS = (
    Row(name="PP", estimates=(Estimate(mean=0.05, low=0.03, high=0.07, values=(0.04, 0.06), note="+5"),)),
    Row(name="P-SSL", estimates=(Estimate(mean=-0.02), Estimate(mean=0.01, low=-0.01, high=0.03, colour="k1"))),
    Row(name="real source", estimates=(Estimate(mean=0.09, low=0.08, high=0.10),), soft=True, heading="not at hand"),
)


def drawn(rows=ROWS, **changes):
    """The picture as a tree of elements without namespaces."""
    settings = {"title": "T", "description": "D", "x_name": "points", "write": lambda value: f"{100 * value:.0f}"}
    return ElementTree.fromstring(str(intervals(rows, **{**settings, **changes})))


def marks(picture, tag, kind):
    return [one for one in picture.iter(tag) if kind in one.get("class", "").split()]


def values_at(picture):
    """A function from pixels to values, from two ticks of the axis."""
    ticks = [(float(one.get("x")), float(one.text) / 100) for one in marks(picture, "text", "tick")]
    (x0, v0), (x1, v1) = ticks[0], ticks[-1]
    return lambda x: v0 + (float(x) - x0) * (v1 - v0) / (x1 - x0)


@pytest.mark.parametrize("width", [720.0, 340.0])
def test_dots_intervals_and_the_zero_line_stand_where_their_values_are(width):
    picture = drawn(width=width)
    value = values_at(picture)
    assert [value(dot.get("cx")) for dot in marks(picture, "circle", "dot")] == pytest.approx(
        [0.05, -0.02, 0.01, 0.09], abs=1e-3
    )
    ends = [(value(line.get("x1")), value(line.get("x2"))) for line in marks(picture, "line", "reach-line")]
    assert [end for pair in ends for end in pair] == pytest.approx([0.03, 0.07, -0.01, 0.03, 0.08, 0.10], abs=1e-3)
    assert [value(one.get("cx")) for one in marks(picture, "circle", "value")] == pytest.approx([0.04, 0.06], abs=1e-3)
    (zero,) = marks(picture, "line", "zero")
    assert value(zero.get("x1")) == value(zero.get("x2")) == pytest.approx(0, abs=1e-3)


def test_the_zero_line_is_inside_where_all_differences_are_on_one_side():
    picture = drawn((Row(name="a", estimates=(Estimate(mean=0.30, low=0.29, high=0.31),)),))
    value = values_at(picture)
    (zero,) = marks(picture, "line", "zero")
    assert value(zero.get("x1")) == pytest.approx(0, abs=1e-3)
    (dot,) = marks(picture, "circle", "dot")
    assert float(dot.get("cx")) > float(zero.get("x1"))


@pytest.mark.parametrize("width", [720.0, 340.0])
def test_rows_stand_below_each_other_in_their_order_inside_the_picture(width):
    picture = drawn(width=width, groups=(("20 labels", "k0"), ("100 labels", "k1")))
    legend = 2
    heights = [float(dot.get("cy")) for dot in marks(picture, "circle", "dot")][legend:]
    assert heights == sorted(heights) and len(set(heights)) == 4
    tall = float(picture.get("height"))
    texts = {one.text: float(one.get("y")) for one in picture.iter("text")}
    assert 0 < texts["PP"] < texts["P-SSL"] < texts["not at hand"] < texts["real source"] < tall
    assert heights[2] < texts["not at hand"] < heights[3] < texts["points"] < tall
    for one in picture.iter():
        for name in ("x", "x1", "x2", "cx"):
            assert 0 <= float(one.get(name, 0)) <= width


def test_names_stand_beside_their_estimates_on_a_page_and_above_them_on_a_phone():
    wide, narrow = drawn(width=720), drawn(width=340)
    for picture, above in ((wide, False), (narrow, True)):
        name = next(one for one in picture.iter("text") if one.text == "PP")
        dot = marks(picture, "circle", "dot")[0]
        assert (float(name.get("y")) < float(dot.get("cy"))) is above
        assert (name.get("text-anchor") == "end") is not above


def test_names_are_escaped_and_notes_are_said():
    hostile = "</svg><script>alert(1)</script>"
    row = Row(name=hostile, estimates=(Estimate(mean=0.0, note=hostile),), heading=hostile)
    text = str(intervals((row,), title=hostile, description=hostile, x_name=hostile, write=str))
    assert "<script" not in text and text.count("</svg>") == 1
    assert len(re.findall(r"&lt;script&gt;", text)) == 6
