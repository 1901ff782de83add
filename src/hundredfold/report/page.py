"""Records -> one self-contained HTML page: no script, no network, nothing that a name could break out of.

The template escapes every text; the content policy allows one inline style, by its hash, and embedded images.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from hundredfold import atomic
from hundredfold.errors import DataError
from hundredfold.report import wording
from hundredfold.report.answer import Answer
from hundredfold.report.comparison import comparison_view
from hundredfold.report.folder import holds_study, holds_transfer, read_exhibits, read_result, read_run
from hundredfold.report.run_view import gain_text, run_view
from hundredfold.report.study import study_view
from hundredfold.report.transfer import transfer_view
from hundredfold.study_records import StudyResult
from hundredfold.transfer_records import TransferResult

NO_BREAK = "\u00a0"


def write_report(folder: Path) -> Path:
    """Write `report.html` from what a run folder holds, and return its path.

    Raises:
        DataError: `results.json` is missing or damaged.
        OutputError: the page cannot be written.
    """
    folder = Path(folder)
    html = render("run.html.j2", run_view(read_run(folder)))
    atomic.write_text(folder / "report.html", html)
    return folder / "report.html"


def write_comparison(folders: Sequence[Path], target: Path) -> Path:
    """Write one page that compares several runs, and return its path.

    Args:
        folders: run folders, at least two.
        target: the HTML file.

    Raises:
        DataError: fewer than two runs, a transfer among them, or a folder without usable results.
        OutputError: the page cannot be written.
    """
    if len(folders) < 2:
        raise DataError(f"a comparison takes at least two runs, got {len(folders)}", fix="name two run folders")
    for folder in filter(holds_transfer, map(Path, folders)):
        raise DataError(
            f"{folder} holds a transfer, and only runs can be compared with each other",
            why="the arms of a transfer are compared on its own page",
            fix=f"`hundredfold report {folder}` writes that page; leave it out here",
        )
    html = render("comparison.html.j2", comparison_view([read_run(Path(folder)) for folder in folders]))
    atomic.write_text(Path(target), html)
    return Path(target)


def write_study_report(folder: Path) -> Path:
    """Write `report.html` from the `results.json` of a study, and return its path.

    Raises:
        DataError: `results.json` is missing, damaged, or not that of a study.
        OutputError: the page cannot be written.
    """
    folder = Path(folder)
    html = render("study.html.j2", study_view(read_result(folder, StudyResult)))
    atomic.write_text(folder / "report.html", html)
    return folder / "report.html"


def write_transfer_report(folder: Path) -> Path:
    """Write `report.html` from the `results.json` and the exhibits of a transfer, and return its path.

    An exhibit that is missing or damaged leaves a gap, and a note that says so.

    Raises:
        DataError: `results.json` is missing, damaged, or not that of a transfer.
        OutputError: the page cannot be written.
    """
    folder = Path(folder)
    gaps: list[str] = []
    result = read_result(folder, TransferResult)
    html = render("transfer.html.j2", transfer_view(result, read_exhibits(folder / "exhibits", gaps), gaps))
    atomic.write_text(folder / "report.html", html)
    return folder / "report.html"


def write_report_again(folder: Path) -> Path:
    """Write the `report.html` of whatever a folder holds (a run, a study, a transfer), and return its path.

    Raises:
        DataError: `results.json` is missing or damaged.
        OutputError: the page cannot be written.
    """
    folder = Path(folder)
    if holds_transfer(folder):
        return write_transfer_report(folder)
    return write_study_report(folder) if holds_study(folder) else write_report(folder)


def write_suggestions(target: Path, view: Mapping[str, Any]) -> Path:
    """Write the page of images to label from a `suggestion_view`, and return its path.

    Raises:
        OutputError: the page cannot be written.
    """
    html = render("suggest.html.j2", view)
    atomic.write_text(target, html)
    return target


def render(template: str, view: Mapping[str, Any]) -> str:
    """The page as text: `template` filled with `view`, with its style and the policy that allows only that."""
    style = resources.files("hundredfold.report").joinpath("report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=PackageLoader("hundredfold.report", "."),
    )
    environment.filters |= {
        "answer": _answer,
        "count": wording.count,
        "counted": wording.counted,
        "duration": wording.duration,
        "fixed": lambda number, digits=3: wording.fixed(number, digits),
        "gain": gain_text,
        "method": wording.method_title,
        "percent": wording.percent,
        "points": wording.points,
        "unbroken": _unbroken,
        "value": wording.value,
        "visible": wording.visible,
    }
    # The style is ours and holds no "<": it may stand unescaped, as its hash requires.
    return environment.get_template(template).render(view, style=Markup(style), style_hash=digest)


def _answer(answer: Answer) -> Markup:
    """The sentence with its number in bold."""
    before, figure, after = answer.sentence.partition(answer.figure) if answer.figure else (answer.sentence, "", "")
    bold = Markup("<strong>{}</strong>").format(_unbroken(figure)) if figure else Markup("")
    return _unbroken(before) + bold + _unbroken(after)


def _unbroken(text: str) -> Markup:
    """Text in which no line ends between a number and its unit."""
    return escape(text).replace(" %", NO_BREAK + "%").replace("± ", "±" + NO_BREAK)
