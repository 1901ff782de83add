"""Sections that commands add to a finished report: they are written, shown, replaced, and nothing in them runs."""

import torch
from safetensors.torch import load_file

from hundredfold.exhibit_records import Exhibit, PictureRow, ScatterPlot
from hundredfold.records import from_json
from hundredfold.report.page import write_report
from hundredfold.studies.exhibits import keep, show
from hundredfold.studies.run_folder import RunFolder

HOSTILE = "<script>alert(1)</script>"


def exhibit(title="A title", **more):
    return Exhibit(name="generate", title=title, rows=(PictureRow(title="", key="new", captions=("a", "b")),), **more)


def test_an_exhibit_and_its_pictures_lie_beside_each_other(tmp_path):
    images = torch.tensor([0.0, 0.5, 1.0, 1.7]).view(1, 1, 2, 2)
    keep(RunFolder(tmp_path), exhibit(), {"new": images})
    assert from_json(Exhibit, (tmp_path / "exhibits" / "generate.json").read_text()) == exhibit()
    assert load_file(tmp_path / "exhibits" / "generate.safetensors")["new"].flatten().tolist() == [0, 128, 255, 255]


def test_there_is_no_page_before_there_are_results(tmp_path):
    assert show(tmp_path, exhibit(), {"new": torch.zeros(2, 1, 4, 4)}) is None
    assert (tmp_path / "exhibits" / "generate.json").exists() and not (tmp_path / "report.html").exists()


def test_the_page_shows_it_keeps_it_and_replaces_it(copied):
    run = copied("simclr")
    page = show(run, exhibit("The first title"), {"new": torch.zeros(2, 1, 4, 4)})
    first = page.read_text()
    assert page == run / "report.html" and "The first title" in first
    write_report(run)
    assert "The first title" in page.read_text()
    show(run, exhibit("The second title"), {"new": torch.zeros(3, 1, 4, 4)})
    second = page.read_text()
    assert "The second title" in second and "The first title" not in second
    assert len(list((run / "exhibits").glob("generate*"))) == 2


def test_nothing_in_it_runs(copied):
    plot = ScatterPlot(title=HOSTILE, x=(0.0, 1.0), y=(0.0, 1.0), groups=(HOSTILE, "b"))
    hostile = Exhibit(
        name="map",
        title=HOSTILE,
        sentences=(HOSTILE,),
        rows=(PictureRow(title=HOSTILE, key="new", captions=(HOSTILE,)),),
        plots=(plot,),
        command=HOSTILE,
    )
    html = show(copied("simclr"), hostile, {"new": torch.zeros(1, 1, 4, 4)}).read_text()
    assert HOSTILE not in html and html.count("&lt;script&gt;alert(1)") >= 4
