"""The page in a real browser: its figures are drawn, nothing is fetched, and no name in it runs anything."""

import dataclasses
import importlib.util
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hundredfold.report.page import write_comparison, write_report

_SPEC = importlib.util.spec_from_file_location("example_run", Path(__file__).with_name("example_run.py"))
example = importlib.util.module_from_spec(_SPEC)
sys.modules["example_run"] = example
_SPEC.loader.exec_module(example)

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


def test_ten_hostile_names_run_nothing(browser: Any, tmp_path: Path) -> None:
    folder = example.write_run(tmp_path / "run", hostile_run())
    settings = {f"x{k}": name for k, name in enumerate(HOSTILE)} | {name: k for k, name in enumerate(HOSTILE)}
    (folder / "settings.toml").write_text(example.tomli_w.dumps(settings), encoding="utf-8")
    environment = {name: name for name in HOSTILE}
    (folder / "environment.json").write_text(example.json.dumps(environment), encoding="utf-8")
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
