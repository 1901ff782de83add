"""The page of images to label: all of them in order, nothing that a name could break out of, one light file."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from hundredfold.report.page import render, write_suggestions
from hundredfold.report.suggest import BUDGET, Card, suggestion_view

HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}", "\u202egnp.exe", "x" * 500)


def cards(count: int, **given) -> list[Card]:
    rng = np.random.default_rng(0)
    shape = given.pop("shape", (1, 8, 8))
    plain = {"name": "cat/{}.png", "why": "typical of a group of {} images"} | given
    return [
        Card(
            index=10 * number,
            name=plain["name"].format(number),
            why=plain["why"].format(number),
            picture=rng.integers(0, 256, shape).astype(np.uint8),
            guesses=plain.get("guesses", ()),
        )
        for number in range(count)
    ]


def page(some: list[Card], **given) -> str:
    plain = {
        "count": len(some),
        "source": "clothes/",
        "file": "next.csv",
        "how": "Typical ones.",
        "notes": ["there is no test set"],
        "command": "hundredfold evaluate run clothes/ --labelled next.csv",
    }
    return render("suggest.html.j2", suggestion_view(some, **(plain | given)))


def pictures(html: str) -> list[Image.Image]:
    found = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    return [Image.open(io.BytesIO(base64.b64decode(text))) for text in found]


def test_every_image_in_order_with_what_is_said_of_it():
    some = cards(3)
    html = page(some)
    for card, picture in zip(some, pictures(html), strict=True):
        np.testing.assert_array_equal(np.asarray(picture), card.picture[0])
    places = [html.index(f"index {card.index}<") for card in some]
    assert places == sorted(places)
    for card in some:
        assert card.name in html and card.why in html
    for text in ("3 images", "Typical ones.", "next.csv", "--labelled next.csv", "Note: there is no test set."):
        assert text in html
    assert "%" not in re.sub(r"<style>.*</style>", "", html, flags=re.DOTALL), "no model, no share"


def test_the_two_best_guesses_of_the_model():
    html = page(cards(1, guesses=(("boot", 0.48), ("sandal", 0.415)), why=""))
    text = re.sub(r"<[^>]+>|\s", "", html[html.index('class="guess"') - 6 :]).replace("\u00a0", "")
    assert text.startswith("boot48%,sandal42%")
    assert 'class="why"' not in html


def test_a_name_that_says_no_more_than_the_index_is_left_out():
    assert "image 0<" not in page(cards(1, name="image 0"))


def test_names_are_text_and_nothing_else():
    for text in HOSTILE:
        some = [
            Card(index=1, name=text, why=text, picture=np.zeros((3, 4, 4), np.uint8), guesses=((text, 0.5), (text, 0)))
        ]
        html = page(some, source=text, file=text, how=text, notes=[text], command=text)
        assert "<script" not in html and "<img src=x" not in html and "\u202e" not in html
        assert ("{{ 7 * 7 }}" in html) == (text == "{{ 7 * 7 }}")
        assert len(re.findall("x{201,}", html)) <= 3, "long names are cut"
    assert "script-src" not in html and "default-src 'none'" in html


def test_many_large_pictures_stay_one_light_file():
    html = page(cards(400, shape=(3, 128, 128)), count=700)
    assert len(html) < BUDGET + 400 * 700 and "The first 400 of 700 are shown." in html
    assert max(pictures(html)[0].size) < 96


def test_sharp_pixels_for_small_images_alone():
    assert "pixelated" in page(cards(1)).split("</style>")[1]
    assert "pixelated" not in page(cards(1, shape=(3, 200, 100))).split("</style>")[1]
    assert "2 channels" in page(cards(1, shape=(2, 8, 8)))


def test_without_a_table_there_is_nothing_to_fill_in(tmp_path):
    html = page(cards(2), file="")
    assert "column" not in html.split("</style>")[1]
    view = suggestion_view([], count=0, source="", file="", how="", notes=[], command="")
    assert write_suggestions(tmp_path / "page.html", view).read_text().startswith("<!doctype html>")


@pytest.mark.parametrize("count", [1, 2])
def test_one_is_not_several(count):
    assert f"{count} image{'s' if count > 1 else ''}</strong> to label" in page(cards(count))
