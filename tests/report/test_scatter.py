"""Points of a plane: which are drawn, where, in which colour, and how heavy the picture is."""

import itertools
import math
import re
from html import unescape

import numpy as np
import pytest

from hundredfold.report.figures.labelled_points import Point, label_boxes, labelled_points
from hundredfold.report.figures.scatter import NAMED, POINTS, grouped, point_size, scatter

RNG = np.random.default_rng(0)


def drawn(figure):
    """The places of the points by the style of their path; the swatches of the legend have one point each."""
    found = {}
    for steps, style in re.findall(r'<path d="([^"]*)" class="point ([^"]*)"', figure):
        places = [(float(x), float(y)) for x, y in re.findall(r"M([\d.]+) ([\d.]+)h0", steps)]
        if len(places) > 1:
            found.setdefault(style, []).extend(places)
    return found


def plot(count, groups=(), **given):
    x, y = RNG.normal(size=(2, count))
    return scatter(x.tolist(), y.tolist(), groups, **({"title": "t", "description": "d"} | given))


def texts(figure):
    return [unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)</text>", figure)]


def test_a_pixel_is_as_far_across_as_up_where_the_axes_mean_nothing():
    x, y = [0.0, 10.0, 10.0, 3.0], [0.0, 0.0, 1.0, 0.5]
    (places,) = drawn(scatter(x, y, title="t", description="d")).values()
    unit = (places[1][0] - places[0][0]) / 10
    for (across, up), a, b in zip(places, x, y):
        assert across == pytest.approx(places[0][0] + unit * a, abs=0.11)
        assert up == pytest.approx(places[0][1] - unit * b, abs=0.11)  # up is up
    assert texts(scatter(x, y, title="t", description="d")) == []


def test_named_axes_fill_the_picture_and_carry_numbers():
    figure = scatter(
        [0.0, 10.0], [0.0, 0.1], title="t", description="d", x_name="across", y_name="up", write=lambda n: f"{n:g}"
    )
    assert {"across", "up", "0", "10", "0.1"} <= set(texts(figure))
    ((first, second),) = drawn(figure).values()
    assert second[0] - first[0] > 600 and first[1] - second[1] > 300


@pytest.mark.parametrize("count", [2, 999, 5_000, 5_001, 12_345])
def test_at_most_five_thousand_points_evenly_from_all(count):
    (group,) = grouped(range(count), range(count), ())
    kept = [int(x) for x, _ in group.points]
    assert len(kept) == min(count, POINTS) and kept[0] == 0
    steps = {b - a for a, b in itertools.pairwise(kept)}
    assert max(steps) - min(steps) <= 1 and count - kept[-1] <= max(steps) + 1


def test_thinning_keeps_the_shares_of_the_groups():
    for names in (["a"] * 8_000 + ["b"] * 2_000, list("aaaab") * 2_000, list("abaaa") * 2_000):
        a, b = grouped(RNG.normal(size=10_000), RNG.normal(size=10_000), names, 1_000)
        assert (a.name, len(a.points)) == ("a", 800) and (b.name, len(b.points)) == ("b", 200)


def test_groups_are_in_the_order_in_which_a_person_counts():
    names = ["class 10", "class 9", "cat", "class 2", "10", "9"]
    order = [group.name for group in grouped(range(6), range(6), names)]
    assert order == ["9", "10", "cat", "class 2", "class 9", "class 10"]


def test_more_groups_than_colours_take_another_shape_and_the_rest_share_one():
    count = NAMED + 5
    names = [f"group {k % count}" for k in range(3 * count)]
    found = grouped(range(len(names)), range(len(names)), names)
    styles = [group.style for group in found]
    assert len(styles) == NAMED + 1 == len(set(styles)), "no two groups look the same"
    assert styles[:2] == ["round k0", "round k1"] and styles[10] == "square k0" and styles[20] == "ring k0"
    assert found[-1].name == "5 others" and len(found[-1].points) == 15
    figure = plot(len(names), names)
    assert texts(figure).count("5 others") == 1 and len(texts(figure)) == NAMED + 1, (
        "a legend, and no names in the plot"
    )


def test_points_of_no_group_are_grey_and_below_and_take_no_colour():
    found = grouped(range(4), range(4), ["group 1", "none", "group 0", "no label"])
    assert [(group.name, group.style) for group in found] == [
        ("no label", "others"),
        ("none", "others"),
        ("group 0", "round k0"),
        ("group 1", "round k1"),
    ]


def test_the_height_of_the_legend_is_added_to_that_of_the_plot():
    few, many = (plot(60, [f"a rather long name {k % n}" for k in range(60)], width=340) for n in (2, 30))
    heights = [float(re.search(r'viewBox="0 0 340 ([\d.]+)"', figure)[1]) for figure in (few, many)]
    assert heights[1] - heights[0] > 400
    for figure, height in zip((few, many), heights):
        assert all(0 <= y <= height for places in drawn(figure).values() for _, y in places)


def test_short_names_of_few_groups_stand_where_their_points_are():
    x = [0.0, 0.0, 1.0, 100.0, 100.0, 101.0, 5_000.0]
    figure = scatter(x, [0.0] * 7, list("aaabbbb"), title="t", description="d")
    assert texts(figure) == ["a", "b", "a", "b"]  # in the legend, then in the plot
    (places,) = (places for style, places in drawn(figure).items() if style == "round k1")
    name = [float(x) for x in re.findall(r'<text x="([\d.]+)"[^>]*class="label strong halo"', figure)]
    assert name[1] == pytest.approx((places[1][0] + places[2][0]) / 2, abs=0.2), "the median, not the mean"


def test_what_is_not_finite_is_left_out_and_what_does_not_fit_is_refused():
    (group,) = grouped([0.0, math.nan, 2.0], [0.0, 1.0, math.inf], ())
    assert list(group.points) == [(0.0, 0.0)]
    with pytest.raises(ValueError, match="zip"):
        grouped([0.0, 1.0], [0.0], ())
    with pytest.raises(ValueError, match="zip"):
        grouped([0.0], [0.0], ["a", "b"])


@pytest.mark.parametrize(("x", "y"), [([], []), ([1.0], [1.0]), ([1.0, 1.0], [2.0, 2.0]), ([math.nan], [0.0])])
def test_few_or_equal_points_are_a_picture(x, y):
    for axes in ({}, {"x_name": "x", "y_name": "y"}):
        figure = scatter(x, y, title="t", description="d", **axes)
        assert "nan" not in figure and "inf" not in figure


def test_many_points_weigh_little():
    names = [str(k % 10) for k in range(20_000)]
    assert len(plot(20_000, names)) < 20 * POINTS


def test_the_title_and_the_description_are_said_and_escaped():
    figure = plot(4, ["<b>", "<b>", "&", "&"], title="<script>", description='"><img>')
    assert figure.startswith("<svg") and "<title>&lt;script&gt;</title>" in figure and "<img>" not in figure
    assert 'role="img"' in figure and "<b>" not in figure and "style=" not in figure


def test_points_shrink_with_their_number():
    sizes = [point_size(count) for count in (1, 10, 1_000, 5_000)]
    assert sizes == sorted(sizes, reverse=True) and sizes[0] > 2 * sizes[-1] > 0


def test_names_beside_points_touch_neither_each_other_nor_a_point():
    places = [(100 + 40 * (k % 4), 100 + 14 * k) for k in range(16)]
    boxes = label_boxes(places, [70.0] * 16, (0, 0, 720, 420))
    dots = [(x - 5, y - 5, x + 5, y + 5) for x, y in places]
    for position, (left, top, right, bottom) in enumerate(boxes):
        assert min(left, top) >= 0 and right <= 720 and bottom <= 420
        for other in (*dots, *(box for k, box in enumerate(boxes) if k != position)):
            apart = right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top
            assert apart, (position, other)


def test_a_lone_point_has_its_name_at_its_right_and_one_at_the_edge_at_its_left():
    ((left, top, right, bottom),) = label_boxes([(100, 50)], [40.0], (0, 0, 720, 420))
    assert left > 100 and right - left == 40 and top < 50 < bottom
    ((_, _, right, _),) = label_boxes([(700, 50)], [40.0], (0, 0, 720, 420))
    assert right < 700


def test_labelled_points_stand_at_their_values_with_names_and_notes():
    points = [
        Point(name="a & b", colour="k0", x=0.1, y=0.8, note="first"),
        Point(name="c", colour="k1", x=0.9, y=0.8),
        Point(name="d", colour="k1", x=0.5, y=0.4),
    ]
    figure = labelled_points(
        points,
        title="t",
        description="d",
        x_name="x",
        y_name="y",
        write_x=str,
        write_y=str,
        groups=[("one", "k0"), ("two", "k1")],
        limits=((0.0, math.inf), (0.0, 1.0)),
    )
    found = [(float(x), float(y)) for x, y in re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)" r="5"', figure)][2:]
    assert found[0][1] == found[1][1] < found[2][1]
    assert found[2][0] == pytest.approx((found[0][0] + found[1][0]) / 2, abs=0.11)
    assert {"a & b", "c", "d", "one", "two"} <= set(texts(figure)) and "<title>first</title>" in figure
