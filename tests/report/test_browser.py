"""The page in a real browser: its figures are drawn, nothing is fetched, and no name in it runs anything."""

import dataclasses
import importlib.util
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hundredfold.exhibit_records import Exhibit, PictureRow, ScatterPlot, Table
from hundredfold.records import to_json
from hundredfold.report.page import write_comparison, write_report, write_study_report, write_transfer_report


def beside(name: str) -> Any:
    """The module of that name in this folder."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


example, studies, transfers = beside("example_run"), beside("example_study"), beside("example_transfer")

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style><script>alert(1)</script>",
    "</title><svg onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "]]><!--",
    "javascript:alert(1)",
    "\u202egnp.exe",
    "line\nbreak\x00\x1b[31m",
    "'; DROP TABLE x; --<iframe src='javascript:alert(1)'>",
)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        found = driver.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield found
        found.close()


@dataclasses.dataclass
class Opened:
    """What a page did when it was opened."""

    page: Any
    requests: list[str]
    complaints: list[str]
    dialogs: list[str]


def opened(browser: Any, path: Path, *, width: int = 1100) -> Opened:
    page = browser.new_page(viewport={"width": width, "height": 900})
    seen = Opened(page, [], [], [])
    page.on("request", lambda request: seen.requests.append(request.url))
    page.on("console", lambda message: seen.complaints.append(message.text))
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    page.on("dialog", lambda dialog: (seen.dialogs.append(dialog.message), dialog.dismiss()))
    page.goto(path.as_uri())
    page.wait_for_timeout(200)
    return seen


def hang(folder: Path, names: tuple[str, ...]) -> None:
    """Exhibits with pictures, points and a table, every text of them one of the names."""
    (folder / "exhibits").mkdir()
    for number, kind in enumerate(("reconstruct", "generate", "map", names[0])):
        exhibit = Exhibit(
            name=kind,
            title=names[number],
            sentences=names,
            rows=tuple(PictureRow(title=name, key=name, captions=names) for name in names[:2]),
            plots=(
                ScatterPlot(title=names[1], x=tuple(range(40)), y=tuple(range(40)), groups=names * 4),
                ScatterPlot(title="", x=(0.0, 1.0), y=(0.0, 1.0), x_name=names[2], y_name=names[3]),
            ),
            tables=(Table(header=names, rows=(names, names)),),
            command=names[4],
        )
        path = folder / "exhibits" / f"{number}.json"
        path.write_text(to_json(exhibit), encoding="utf-8")
        pictures = example.picture_arrays(12)
        stacks = dict.fromkeys(names[:2], pictures["mistakes"])
        example.save_file(stacks, path.with_suffix(".safetensors"))


def hostile_run() -> Any:
    """A run in which every text that comes from outside is one of the ten."""
    run = example.full_run(draws=2)
    names = HOSTILE
    records = tuple(
        dataclasses.replace(
            record,
            per_class=tuple(dataclasses.replace(entry, name=names[row]) for row, entry in enumerate(record.per_class)),
            hyperparameters={names[record.draw]: 1.0},
        )
        for record in run.records
    )
    data = dataclasses.replace(
        run.data,
        source=names[0],
        classes=names,
        notes=names,
        bad_files=tuple(example.BadFile(path=name, reason=name) for name in names),
    )
    mistakes = tuple(
        dataclasses.replace(mistake, name=names[k % 10], true=names[k % 10], predicted=names[(k + 1) % 10])
        for k, mistake in enumerate(run.mistakes)
    )
    return dataclasses.replace(
        run,
        source=names[1],
        method=names[2],
        encoder=names[3],
        data=data,
        records=records,
        mistakes=mistakes,
        verdict=names,
        notes=names,
        seconds={**run.seconds, names[4]: 1.0},
        chosen=dataclasses.replace(run.chosen, why=names[5]),
    )


def test_every_figure_is_drawn_and_nothing_is_fetched(browser: Any, tmp_path: Path) -> None:
    path = write_report(example.write_run(tmp_path / "run", example.full_run()))
    seen = opened(browser, path)
    assert [url for url in seen.requests if not url.startswith("data:")] == [path.as_uri()]
    assert seen.complaints == [] and seen.dialogs == []
    for section, least in (("labels", 1), ("confusions", 2), ("training", 1), ("similarity", 1)):
        boxes = [figure.bounding_box() for figure in seen.page.locator(f"#{section} figure svg:visible").all()]
        assert len(boxes) >= least, section
        assert all(box and box["width"] > 100 and box["height"] > 100 for box in boxes), section
        marks = f"#{section} figure svg:visible :is(path, rect, polyline, line)"
        assert seen.page.locator(marks).count() > 5, section
    pictures = seen.page.locator("#views img, #mistakes img")
    assert pictures.count() >= 40
    widths = pictures.evaluate_all("found => found.map(image => image.naturalWidth)")
    assert min(widths) >= 28


def test_on_a_phone_the_page_is_not_wider_than_the_screen(browser: Any, tmp_path: Path) -> None:
    path = write_report(example.write_run(tmp_path / "run", example.full_run()))
    page = opened(browser, path, width=390).page
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("width", [1200, 390])
def test_exhibits_are_drawn_and_no_wider_than_the_screen(browser: Any, tmp_path: Path, width: int) -> None:
    folder = example.write_run(tmp_path / "run", example.full_run(draws=1))
    hang(folder, tuple(f"name {number}" for number in range(10)))
    page = opened(browser, write_report(folder), width=width).page
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    boxes = [figure.bounding_box() for figure in page.locator("#exhibits figure svg:visible").all()]
    assert len(boxes) == 8 and all(box and box["width"] > 300 and box["height"] > 200 for box in boxes)
    images = page.locator("#exhibits img")
    assert images.count() == 4 * 2 * 12
    sides = images.evaluate_all("found => found.map(image => image.getBoundingClientRect().width)")
    assert min(sides) > 25 and max(sides) < 130
    # The first image of a column and the one below it belong together.
    first, second = page.locator("#exhibits .stacks li").first.locator("img").all()
    assert first.bounding_box()["x"] == second.bounding_box()["x"]
    assert page.locator("#exhibits .point").first.evaluate("one => getComputedStyle(one).strokeLinecap") == "round"


def test_ten_hostile_names_run_nothing(browser: Any, tmp_path: Path) -> None:
    folder = example.write_run(tmp_path / "run", hostile_run())
    settings = {f"x{k}": name for k, name in enumerate(HOSTILE)} | {name: k for k, name in enumerate(HOSTILE)}
    (folder / "settings.toml").write_text(example.tomli_w.dumps(settings), encoding="utf-8")
    environment = {name: name for name in HOSTILE}
    (folder / "environment.json").write_text(example.json.dumps(environment), encoding="utf-8")
    hang(folder, HOSTILE)
    path = write_report(folder)
    second = example.write_run(tmp_path / "plain", example.full_run(draws=2))
    for page in (path, write_comparison([folder, second], tmp_path / "both.html")):
        seen = opened(browser, page)
        assert seen.dialogs == [] and seen.complaints == []
        assert [url for url in seen.requests if not url.startswith("data:")] == [page.as_uri()]
        assert seen.page.locator("script, iframe, object, embed, [onerror], [onload]").count() == 0
        shown = seen.page.locator("body").inner_text()
        assert "\u202e" not in shown and "\x1b" not in shown
    shown = opened(browser, path).page.locator("body").inner_text()
    assert "<script>alert(1)</script>" in shown and "{{ 7 * 7 }}" in shown  # as text, and not worked out


def hostile_study(study: Any) -> Any:
    """A study in which every text that comes from outside is one of the ten."""
    names = HOSTILE
    cells = tuple(
        dataclasses.replace(
            cell,
            name=names[k % 10],
            settings={**cell.settings, "method": names[(k + 1) % 10], names[2]: names[k % 10]},
            verdict=names,
            failure=names[k % 10] if cell.failure else "",
            healthy=False,
        )
        for k, cell in enumerate(study.cells)
    )
    reference = dict(zip(names, study.reference.values()))
    data = dataclasses.replace(study.data, notes=names)
    changes = {"cells": cells, "reference": reference, "data": data, "verdict": names, "notes": names}
    return dataclasses.replace(study, source=names[0], encoder=names[3], **changes)


@pytest.mark.parametrize(("kind", "least"), [("methods_study", 8), ("batch_size_study", 5)])
def test_a_study_is_drawn_and_fetches_nothing(browser: Any, tmp_path: Path, kind: str, least: int) -> None:
    path = write_study_report(studies.write_study(tmp_path / kind, getattr(studies, kind)()))
    seen = opened(browser, path, width=1200)
    assert seen.requests == [path.as_uri()]
    assert seen.complaints == [] and seen.dialogs == []
    boxes = [figure.bounding_box() for figure in seen.page.locator("figure svg:visible").all()]
    assert len(boxes) == least
    assert all(box and box["width"] > 300 and box["height"] > 200 for box in boxes)
    # No table of the page is cut off at this width; the one of all runs is closed.
    cut = "found => found.filter(one => one.offsetParent && one.scrollWidth > one.clientWidth + 1).length"
    assert seen.page.locator("main > .scroll, section > .scroll").evaluate_all(cut) == 0


@pytest.mark.parametrize("kind", ["methods_study", "batch_size_study"])
def test_on_a_phone_the_tables_of_a_study_scroll_and_its_page_does_not(browser: Any, tmp_path: Path, kind: str) -> None:
    path = write_study_report(studies.write_study(tmp_path / kind, getattr(studies, kind)()))
    page = opened(browser, path, width=400).page
    page.locator("summary").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    table = page.locator("#cells .scroll")
    assert table.evaluate("one => one.scrollWidth > one.clientWidth")
    table.evaluate("one => { one.scrollLeft = 300 }")
    name = page.locator("#cells tbody th").first.bounding_box()
    assert name and 0 <= name["x"] < 40  # the names stay where they are


@pytest.mark.parametrize("kind", ["methods_study", "batch_size_study"])
def test_ten_hostile_names_in_a_study_run_nothing(browser: Any, tmp_path: Path, kind: str) -> None:
    study = hostile_study(getattr(studies, kind)())
    path = write_study_report(studies.write_study(tmp_path / kind, study))
    seen = opened(browser, path)
    assert seen.dialogs == [] and seen.complaints == [] and seen.requests == [path.as_uri()]
    assert seen.page.locator("script, iframe, object, embed, img, [onerror], [onload]").count() == 0
    shown = seen.page.locator("body").inner_text()
    assert "\u202e" not in shown and "\x1b" not in shown
    assert "<script>alert(1)</script>" in shown and "{{ 7 * 7 }}" in shown


@pytest.mark.parametrize("width", [1280, 390])
def test_a_transfer_is_drawn_no_wider_than_the_screen_and_fetches_nothing(
    browser: Any, tmp_path: Path, width: int
) -> None:
    path = write_transfer_report(transfers.write_transfer(tmp_path, transfers.study()))
    seen = opened(browser, path, width=width)
    assert [url for url in seen.requests if not url.startswith("data:")] == [path.as_uri()]
    assert seen.complaints == [] and seen.dialogs == []
    for summary in seen.page.locator("summary").all():
        summary.click()
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
    (figure,) = seen.page.locator("#differences figure svg:visible").all()
    box = figure.bounding_box()
    assert box and box["width"] > 300 and box["height"] > 250
    assert seen.page.locator("#exhibits img").count() == 5 * 8 + 3 * 12 + 2 * 8
    cut = "found => found.filter(one => one.offsetParent && one.scrollWidth > one.clientWidth + 1).length"
    assert (seen.page.locator("#arms > .scroll, #generator > .scroll").evaluate_all(cut) == 0) is (width > 1000)


def hostile_transfer() -> Any:
    """A transfer in which every text that comes from outside is one of the ten."""
    study, names = transfers.study(draws=2), HOSTILE
    arms = tuple(
        dataclasses.replace(arm, title=names[k], meaning=names[(k + 1) % 10]) for k, arm in enumerate(study.arms)
    )
    trials = (transfers.Trial(settings={names[0]: 1.0}, held_out=0.5),)
    choices = tuple(dataclasses.replace(one, chosen={names[1]: 1.0}, trials=trials) for one in study.choices)
    quality = transfers.quality(
        generator=names[0], classes=names[:5], sentences=names, frechet_features=names[1], trusted=False
    )
    changes = {
        "source_classifier": names[0],
        "generator": names[1],
        "source": names[2],
        "encoder": names[3],
        "seconds": {**study.seconds, names[4]: 1.0},
        "data": dataclasses.replace(study.data, notes=names, classes=names[:5]),
        "logs": {names[0]: {names[1]: {names[2]: 1.0}}},
        "verdict": names,
        "notes": names,
        "settings": {names[0]: names[1], "table": {names[2]: list(names)}},
    }
    return dataclasses.replace(study, arms=arms, choices=choices, quality=quality, **changes)


@pytest.mark.parametrize("handed_over", [False, True])
def test_ten_hostile_names_in_a_transfer_run_nothing(browser: Any, tmp_path: Path, handed_over: bool) -> None:
    changes = {"chosen": "pseudo_both", "why": HOSTILE[0]} if handed_over else {}
    folder = transfers.write_transfer(
        tmp_path, dataclasses.replace(hostile_transfer(), **changes), exhibits=handed_over
    )
    if not handed_over:
        hang(folder, HOSTILE)
    path = write_transfer_report(folder)
    for width in (1280, 390):
        seen = opened(browser, path, width=width)
        assert seen.dialogs == [] and seen.complaints == []
        assert [url for url in seen.requests if not url.startswith("data:")] == [path.as_uri()]
        assert seen.page.locator("script, iframe, object, embed, [onerror], [onload]").count() == 0
        for summary in seen.page.locator("summary").all():
            summary.click()
        shown = seen.page.locator("body").inner_text()
        assert "\u202e" not in shown and "\x1b" not in shown
        assert "<script>alert(1)</script>" in shown and "{{ 7 * 7 }}" in shown
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
