"""Sections that commands add to the page of a run: what is shown, what is left out, and nothing to break out of."""

import base64
import importlib.util
import io
import json
import re
import sys
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from hundredfold.exhibit_records import Exhibit, PictureRow, ScatterPlot, Table
from hundredfold.records import to_json
from hundredfold.report.exhibits import BUDGET, PICTURES, TABLE_ROWS, affordable_side, exhibits_section
from hundredfold.report.folder import read_exhibits
from hundredfold.report.page import write_report

_SPEC = importlib.util.spec_from_file_location("example_run", Path(__file__).with_name("example_run.py"))
example = importlib.util.module_from_spec(_SPEC)
sys.modules["example_run"] = example
_SPEC.loader.exec_module(example)

RNG = np.random.default_rng(0)
HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}", "\u202egnp.exe", "x" * 900)


def images(count, shape=(1, 8, 8)):
    return RNG.integers(0, 256, (count, *shape), dtype=np.uint8)


def put(folder, exhibit, pictures=None, file=""):
    """An exhibit as the commands leave it."""
    (folder / "exhibits").mkdir(parents=True, exist_ok=True)
    path = folder / "exhibits" / f"{file or exhibit.name}.json"
    path.write_text(to_json(exhibit), encoding="utf-8")
    if pictures:
        save_file(pictures, path.with_suffix(".safetensors"))
    return path


RUN = example.RunResult(
    source="digits", method="vae", encoder="convnet", seconds={}, data=example.full_run(classes=2, draws=1).data
)


def bare(folder):
    """A run with nothing to show but what is put beside it."""
    return example.write_run(folder, RUN, pictures=False)


def section(folder):
    """The part of the page, and what a reader sees of it, on one line."""
    html = write_report(folder).read_text(encoding="utf-8")
    found = re.search(r'<section id="exhibits">.*?</section>', html, re.DOTALL)
    part = found[0] if found else ""
    return part, " ".join(unescape(re.sub(r"<[^>]+>", " ", part)).replace("\u00a0", " ").split())


def decoded(part):
    addresses = re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", part)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(one)))) for one in addresses]


def shown(folder):
    gaps = []
    return exhibits_section(read_exhibits(folder / "exhibits", gaps)), gaps


def test_a_section_has_all_that_its_exhibit_holds(tmp_path):
    kept = images(3)
    exhibit = Exhibit(
        name="anomalies",
        title="What does not belong",
        sentences=("The first sentence.", "AUROC is 97.1 % here."),
        rows=(PictureRow(title="most anomalous", key="worst", captions=("0.31", "0.29", "0.28")),),
        plots=(ScatterPlot(title="codes", x=(0.0, 1.0, 2.0), y=(1.0, 0.0, 3.0), groups=("cat", "dog", "cat")),),
        tables=(Table(header=("score", "AUROC"), rows=(("latent distance", "0.971"),)),),
        command="hundredfold anomalies RUN SOURCE",
    )
    put(bare(tmp_path), exhibit, {"worst": kept})
    part, text = section(tmp_path)
    order = [
        "What the representation shows",
        "What does not belong",
        "The first sentence. AUROC is 97.1 % here.",
        "most anomalous 0.31 0.29 0.28",
        "codes",
        "score AUROC latent distance 0.971",
        "hundredfold anomalies RUN SOURCE",
    ]
    places = [text.index(words) for words in order]
    assert places == sorted(places)
    for found, stored in zip(decoded(part), kept, strict=True):
        np.testing.assert_array_equal(found, stored[0])
    assert "pixelated" in part and part.count('<svg viewBox="0 0 720') == 1 == part.count('<svg viewBox="0 0 340')
    assert 'alt="most anomalous 2: 0.29"' in part
    assert 'href="#exhibits"' in (tmp_path / "report.html").read_text()


def test_without_exhibits_there_is_no_section(tmp_path):
    assert section(bare(tmp_path)) == ("", "")
    assert "#exhibits" not in (tmp_path / "report.html").read_text().split("</style>")[1]


def test_the_order_is_that_of_reading_and_unknown_names_come_last(tmp_path):
    for name in (
        "zebra",
        "cluster",
        "map",
        "anomalies",
        "denoise",
        "interpolate",
        "generate",
        "reconstruct",
        "task",
        "apple",
    ):
        put(tmp_path, Exhibit(name=name, title=name))
    found, gaps = shown(tmp_path)
    names = [one.record.title for one in found]
    first = ["task", "reconstruct", "generate", "interpolate", "denoise", "anomalies", "map", "cluster"]
    assert names == [*first, "apple", "zebra"] and gaps == []


def test_what_an_exhibit_has_no_room_for_is_counted(tmp_path):
    rows = tuple(PictureRow(title=title, key=title) for title in ("image", "again"))
    put(bare(tmp_path), Exhibit(name="reconstruct", title="t", rows=rows), {row.key: images(PICTURES) for row in rows})
    part, text = section(tmp_path)
    assert len(decoded(part)) == PICTURES and f"And {PICTURES // 2} more in" in text and "From top to bottom" in text
    many = tuple(PictureRow(title="", key="a") for _ in range(PICTURES + 40))
    put(tmp_path, Exhibit(name="reconstruct", title="t", rows=many), {"a": images(3)})
    assert len(decoded(section(tmp_path)[0])) == PICTURES


def test_all_rows_of_an_exhibit_have_pictures_of_one_size(tmp_path):
    rows = (PictureRow(title="", key="a", captions=("3.21, answered 7",)), PictureRow(title="", key="b"))
    put(bare(tmp_path), Exhibit(name="anomalies", title="t", rows=rows), {"a": images(30), "b": images(40)})
    part, _ = section(tmp_path)
    assert re.findall(r'<ul class="([^"]*)"', part) == ["tiles roomy pixelated"] * 2


def test_what_shows_the_same_images_stays_together(tmp_path):
    rows = tuple(PictureRow(title=title, key=title) for title in ("image", "noisy", "denoised"))
    stacks = {row.key: images(4) for row in rows}
    put(bare(tmp_path), Exhibit(name="denoise", title="Noise", rows=rows), stacks)
    put(tmp_path, Exhibit(name="interpolate", title="Between", rows=rows), stacks)
    part, text = section(tmp_path)
    assert text.count("From top to bottom: image ; noisy ; denoised .") == 1
    between, noise = decoded(part)[:12], decoded(part)[12:]
    for position in range(12):
        frame, step = divmod(position, 4)  # row by row
        np.testing.assert_array_equal(between[position], stacks[rows[frame].key][step, 0])
        column, row = divmod(position, 3)  # column by column
        np.testing.assert_array_equal(noise[position], stacks[rows[row].key][column, 0])


def test_rows_of_different_lengths_are_not_stacked(tmp_path):
    rows = (PictureRow(title="image", key="a"), PictureRow(title="again", key="b"))
    put(tmp_path, Exhibit(name="reconstruct", title="t", rows=rows), {"a": images(3), "b": images(2)})
    ((one,), _) = shown(tmp_path)
    assert one.stacks == () and [len(row.pictures) for row in one.rows] == [3, 2]


def test_sixty_four_without_captions_are_a_dense_grid(tmp_path):
    row = PictureRow(title="", key="a")
    put(tmp_path, Exhibit(name="generate", title="t", rows=(row,)), {"a": images(64)})
    put(tmp_path, Exhibit(name="map", title="t", rows=(PictureRow(title="", key="a", captions=("a word more",)),)))
    save_file({"a": images(3, (3, 200, 100))}, tmp_path / "exhibits" / "map.safetensors")
    (dense, roomy), _ = shown(tmp_path)
    assert dense.style == "dense pixelated" and len(dense.rows[0].pictures) == 64
    assert roomy.style == "roomy"
    assert [one.caption for one in roomy.rows[0].pictures] == ["a word more", "", ""]


@pytest.mark.parametrize(
    "content", ["{ not this", "[]", '{"title": "no name"}', '{"name": "x", "title": 3}', "\ud800", "[" * 5000, ""]
)
def test_a_damaged_exhibit_leaves_a_gap_and_a_note(tmp_path, content):
    put(bare(tmp_path), Exhibit(name="map", title="The map"))
    (tmp_path / "exhibits" / "generate.json").write_bytes(content.encode("utf-8", "surrogatepass"))
    _, text = section(tmp_path)
    assert "The map" in text
    page = unescape((tmp_path / "report.html").read_text())
    assert "exhibits/generate.json cannot be read" in page and "it is not shown" in page


def test_an_exhibit_of_a_newer_version_is_not_shown(tmp_path):
    path = put(tmp_path, Exhibit(name="map", title="t"))
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": 99}))
    found, gaps = shown(tmp_path)
    assert found == [] and gaps == ["exhibits/map.json was written by a newer version: it is not shown."]


def test_without_its_pictures_an_exhibit_is_shown_without(tmp_path):
    row = PictureRow(title="a row of pictures", key="a")
    path = put(bare(tmp_path), Exhibit(name="generate", title="t", sentences=("Still said.",), rows=(row,)))
    for content, words in ((None, "There is no exhibits/generate.safetensors"), (b"\xff", "cannot be read")):
        if content:
            path.with_suffix(".safetensors").write_bytes(content)
        part, text = section(tmp_path)
        assert "Still said." in text and "<img" not in part and "a row of pictures" not in text
        assert words in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize(
    "stored",
    [
        {"other": images(2)},
        {"a": images(2).astype(np.float32)},
        {"a": images(2)[0]},
        {"a": np.zeros((0, 1, 8, 8), np.uint8)},
        {"a": np.zeros((2, 1, 0, 8), np.uint8)},
    ],
    ids=["no such key", "not bytes", "not a stack", "none", "no pixels"],
)
def test_pictures_that_are_none_leave_their_row_out(tmp_path, stored):
    rows = (PictureRow(title="first", key="a"), PictureRow(title="second", key="b"))
    put(bare(tmp_path), Exhibit(name="generate", title="t", rows=rows), {**stored, "b": images(1)})
    part, text = section(tmp_path)
    assert "first" not in text and "second" in text and len(decoded(part)) == 1


def test_points_that_do_not_fit_together_are_said_and_the_others_drawn(tmp_path):
    plots = (
        ScatterPlot(title="short", x=(0.0, 1.0), y=(0.0,)),
        ScatterPlot(title="nameless", x=(0.0, 1.0), y=(0.0, 1.0), groups=("a",)),
        ScatterPlot(title="whole", x=(0.0, 1.0), y=(0.0, 1.0)),
    )
    put(bare(tmp_path), Exhibit(name="map", title="t", plots=plots))
    part, text = section(tmp_path)
    assert "The points of “short” do not fit together." in text and "“nameless”" in text
    assert part.count("<figure>") == 1


def test_columns_of_figures_stand_at_the_right_and_rows_are_cut_to_the_header(tmp_path):
    rows = (("k-means", "0.74", "1.2 s", "fast", "too much"), ("HDBSCAN", "–", "0.3 s", "1 fast"), ("none",))
    put(tmp_path, Exhibit(name="cluster", title="t", tables=(Table(header=("name", "NMI", "time", "how"), rows=rows),)))
    ((one,), _) = shown(tmp_path)
    (table,) = one.tables
    assert table.figures == (False, True, True, False)
    assert table.rows == (rows[0][:4], rows[1], ("none", "", "", ""))


def test_a_long_table_is_cut_and_says_so(tmp_path):
    rows = tuple((f"image {k}", str(k)) for k in range(TABLE_ROWS + 7))
    put(
        bare(tmp_path),
        Exhibit(name="anomalies", title="t", tables=(Table(header=("name", "score"), rows=rows),)),
        file="anomalies",
    )
    _, text = section(tmp_path)
    assert f"image {TABLE_ROWS - 1} " in text and f"image {TABLE_ROWS} " not in text
    assert "And 7 rows more in exhibits/anomalies.json" in text


def test_many_large_pictures_stay_one_light_page(tmp_path):
    bare(tmp_path)
    for number in range(6):
        row = PictureRow(title="", key="a")
        stored = {"a": images(PICTURES + 30, (3, 128, 128))}
        put(tmp_path, Exhibit(name=f"big {number}", title="t", rows=(row,)), stored)
    part, text = section(tmp_path)
    assert len(part) < BUDGET * 1.1 + 6 * PICTURES * 120
    assert len(decoded(part)) == 6 * PICTURES and text.count("And 30 more in") == 6


def test_the_side_follows_the_budget():
    assert affordable_side([images(64, (1, 28, 28))]) == 96
    side = affordable_side([images(500, (3, 128, 128))])
    assert 500 * 3 * side**2 * 4 / 3 <= BUDGET < 500 * 3 * (side + 4) ** 2 * 4 / 3
    assert affordable_side([]) == 96


def test_what_a_picture_leaves_out_is_said(tmp_path):
    put(
        bare(tmp_path),
        Exhibit(name="generate", title="t", rows=(PictureRow(title="", key="a"),)),
        {"a": images(2, (5, 8, 8))},
    )
    assert "5 channels" in section(tmp_path)[1]


@pytest.mark.parametrize("bad", HOSTILE)
def test_names_are_text_and_nothing_else(tmp_path, bad):
    exhibit = Exhibit(
        name=bad,
        title=bad,
        sentences=(bad,),
        rows=(PictureRow(title=bad, key=bad, captions=(bad, bad)),),
        plots=(ScatterPlot(title=bad, x=(0.0, 1.0), y=(0.0, 1.0), groups=(bad, bad), x_name=bad, y_name=bad),),
        tables=(Table(header=(bad, bad), rows=((bad, bad),)),),
        command=bad,
    )
    put(bare(tmp_path), exhibit, {bad: images(2)}, file="hostile")
    part, text = section(tmp_path)
    assert "<script" not in part and "<img src=x" not in part and "\u202e" not in part and " style=" not in part
    assert ("{{ 7 * 7 }}" in text) == (bad == "{{ 7 * 7 }}") and "49" not in text
    assert len(re.findall("x{601,}", part)) == 0, "long names are cut"
    addresses = re.findall(r'(?:src|href|url|action)\s*=\s*"([^"]*)', part)
    assert addresses and all(address.startswith("data:image/png;base64,") for address in addresses)


def test_paths_of_a_machine_stay_off_the_page(tmp_path):
    put(bare(tmp_path), Exhibit(name="map", title="t", command="hundredfold map /home/ada/runs/one /srv/photos/cats"))
    part, text = section(tmp_path)
    assert "/home/ada" not in part and "/srv" not in part and "hundredfold map …/one …/cats" in text
