"""The page of a study: what its tables say, from records alone, and nothing that a name could break out of."""

import dataclasses
import importlib.util
import re
import statistics
import sys
from html import unescape
from pathlib import Path

import pytest

from hundredfold.errors import DataError
from hundredfold.evaluate.paired import paired_difference
from hundredfold.report.folder import holds_study
from hundredfold.report.page import write_study_report

_SPEC = importlib.util.spec_from_file_location("example_study", Path(__file__).with_name("example_study.py"))
example = importlib.util.module_from_spec(_SPEC)
sys.modules["example_study"] = example
_SPEC.loader.exec_module(example)


def page(folder, result):
    """The page as it is written, and what a reader sees of it, on one line."""
    html = write_study_report(example.write_study(folder, result)).read_text(encoding="utf-8")
    seen = re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
    return html, " ".join(unescape(re.sub(r"<[^>]+>", " ", seen)).replace("\u00a0", " ").split())


def rows(html, table):
    """The cells of each row of the table with that id, as text; a figure is no text."""
    (body,) = re.findall(rf'<table[^>]*id="{table}".*?</table>', html, re.DOTALL)
    body = re.sub(r"<svg.*?</svg>", "", body, flags=re.DOTALL)
    return [
        [
            " ".join(unescape(re.sub(r"<[^>]+>", " ", cell)).split())
            for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.S)
        ]
        for row in re.findall(r"<tr.*?</tr>", body, re.DOTALL)
    ]


def accuracies(result, **wanted):
    """Probe accuracy by seed of the cells with these settings."""
    return {
        cell.settings["seed"]: cell.summary["linear_probe"]["100"].mean
        for cell in result.cells
        if all(cell.settings[name.replace("__", ".")] == value for name, value in wanted.items())
    }


def test_methods_stand_in_the_order_of_their_accuracy_with_the_references_and_the_failed(tmp_path):
    result = example.methods_study()
    _, text = page(tmp_path, result)
    means = {cell.name: cell.summary["linear_probe"]["100"].mean for cell in result.cells if not cell.failure}
    order = sorted(means, key=means.get, reverse=True)
    titles = {"simclr": "SimCLR contrastive", "dcl": "DCL contrastive", "byol": "BYOL contrastive"}
    titles |= {"vicreg": "VICReg contrastive", "rotation": "Rotation", "autoencoder": "Autoencoder", "vae": "VAE"}
    begin = text.index("images/s")  # the head of the table
    places = [text.index(titles[name], begin) for name in order]
    assert places == sorted(places)
    for name, mean in means.items():
        assert f"{100 * mean:.1f} %" in text, name
    better = max(by["100"].mean for by in result.reference.values())
    assert f"+{100 * (means['simclr'] - better):.1f}" in text
    assert "random encoder" in text and "pixels" in text
    assert "step 41, learning rate 0.8" in text
    assert "has collapsed" in text and "effective rank of 512" in text and " 187 " in text
    assert "1,850" in text and "412" in text  # the median over epochs, of which the first is slow; MiB


def test_variances_are_means_over_seeds_by_batch_size_and_weight(tmp_path):
    result = example.batch_size_study(temperatures=(0.2,))
    html, _ = page(tmp_path, result)
    shown = rows(html, "variance")
    assert [row[0] for row in shown[1:]] == ["16", "64", "256"]
    for row, size in zip(shown[1:], (16, 64, 256)):
        for cell, weight in zip(row[1:], (0.0, 30.0)):
            found = [
                one.similarity.negative_variance
                for one in result.cells
                if one.settings["plan.batch_size"] == size and one.settings["variance_reduction"] == weight
            ]
            assert cell.split()[0] == f"{statistics.mean(found):.4f}"
            assert f"{statistics.stdev(found):.4f}"[:5] in cell


def test_what_a_weight_changes_is_paired_by_seed(tmp_path):
    result = example.batch_size_study(temperatures=(0.2,))
    _, text = page(tmp_path, result)
    for size in (16, 64, 256):
        plain = accuracies(result, plan__batch_size=size, variance_reduction=0.0)
        reduced = accuracies(result, plan__batch_size=size, variance_reduction=30.0)
        found = paired_difference([plain[seed] for seed in (0, 1, 2)], [reduced[seed] for seed in (0, 1, 2)])
        change = f"{100 * found.mean:+.1f}".replace("-", "\N{MINUS SIGN}")
        assert change in text or f"{100 * found.mean:+.1f}" in text, size
        assert found.low < found.mean < found.high


def test_several_temperatures_are_drawn_and_one_is_not(tmp_path):
    several, _ = page(tmp_path / "several", example.batch_size_study())
    one, _ = page(tmp_path / "one", example.batch_size_study(temperatures=(0.2,)))
    assert several.count("<figure") > one.count("<figure") >= 1


@pytest.mark.parametrize(
    "lists",
    [{"seeds": (0,)}, {"weights": (0.0,)}, {"sizes": (64,)}, {"sizes": (64,), "weights": (0.0,), "seeds": (0,)}],
    ids=lambda lists: ", ".join(lists),
)
def test_a_list_of_one_value_leaves_out_what_it_cannot_say(tmp_path, lists):
    _, text = page(tmp_path, example.batch_size_study(temperatures=(0.2,), **lists))
    assert ("One seed" in text) == ("seeds" in lists)
    assert "nan" not in text.lower().split() and "None" not in text


def test_the_learning_rate_that_follows_the_batch_is_said_once(tmp_path):
    result = example.batch_size_study(temperatures=(0.2,))
    cells = tuple(
        dataclasses.replace(cell, settings={**cell.settings, "plan.lr": 1e-4 * cell.settings["plan.batch_size"]})
        for cell in result.cells
    )
    _, text = page(tmp_path, dataclasses.replace(result, cells=cells))
    assert text.count("The learning rate follows the batch size") == 1 and "differ in" not in text


def test_all_cells_failed(tmp_path):
    for result in (example.methods_study(), example.batch_size_study()):
        cells = tuple(
            dataclasses.replace(
                cell, failure="the loss is nan", summary={}, similarity=None, training=None, healthy=None
            )
            for cell in result.cells
        )
        _, text = page(tmp_path, dataclasses.replace(result, cells=cells))
        assert "the loss is nan" in text


def test_the_page_needs_no_network_and_a_name_stays_a_name(tmp_path):
    hostile = '"><script>alert(1)</script>'
    for result in (example.methods_study(), example.batch_size_study()):
        cells = tuple(dataclasses.replace(cell, name=hostile, verdict=(hostile,)) for cell in result.cells)
        html, _ = page(tmp_path, dataclasses.replace(result, source=hostile, cells=cells, verdict=(hostile,)))
        assert "<script" not in html and "default-src 'none'" in html and len(html) < 2_000_000
        addresses = re.findall(r'(?:src|href|url|action)\s*[=(]\s*["\']?([^"\')\s>]+)', html)
        assert all(address.startswith(("data:", "#")) for address in addresses)


def test_what_is_no_study_is_said(tmp_path):
    with pytest.raises(DataError, match="no results"):
        write_study_report(tmp_path)
    (tmp_path / "results.json").write_text('{"schema": 1}')
    with pytest.raises(DataError, match="not that of a study"):
        write_study_report(tmp_path)
    assert not holds_study(tmp_path) and not holds_study(tmp_path / "nowhere")
    example.write_study(tmp_path, example.methods_study())
    assert holds_study(tmp_path)


def test_ticks_that_are_close_do_not_read_the_same(tmp_path):
    result = example.batch_size_study(temperatures=(0.2,), seeds=(0,))
    near = {16: 0.931, 64: 0.936, 256: 0.944}
    cells = tuple(
        dataclasses.replace(
            cell, summary={"linear_probe": {"100": example.interval([near[cell.settings["plan.batch_size"]]])}}
        )
        for cell in result.cells
    )
    html, _ = page(tmp_path, dataclasses.replace(result, cells=cells))
    for figure in re.findall(r'<svg.*?class="figure".*?</svg>', html, re.DOTALL):
        ticks = re.findall(r'text-anchor="end" class="tick">([^<]*)<', figure)
        assert len(ticks) >= 3 and len(set(ticks)) == len(ticks), ticks


def test_what_is_noted_twice_is_said_once(tmp_path):
    result = example.methods_study()
    note = "images were brought to 16 x 16"
    data = dataclasses.replace(result.data, notes=(note,))
    _, text = page(tmp_path, dataclasses.replace(result, data=data, notes=(note,)))
    assert text.count(note) == 1


def test_losses_and_solved_tasks_stand_beside_the_accuracy(tmp_path):
    html, text = page(tmp_path, example.methods_study())
    shown = {row[0].split()[0]: row for row in rows(html, "methods")[2:]}
    assert shown["Rotation"][5:7] == ["0.118 from 1.21", "97.1 % chance 25 %"]
    assert shown["Autoencoder"][5:7] == ["0.048 from 0.092", "82.3 % of variance"]
    assert shown["SimCLR"][5:7] == ["4.7 from 4.9", ""]
    # Where no views are compared, the rank is that of the task, and nothing is made up of the rest.
    assert shown["VAE"][8:12] == ["", "", "", "57.9"] and shown["SimCLR"][11] == "187"
    assert "Rotation took its own loss down furthest, to 9.8 %, and is number 6 of 7 by accuracy" in text
    assert "losses of different methods are not comparable" in text


def test_every_row_is_as_wide_as_the_head(tmp_path):
    whole = example.methods_study()
    views, tasks = whole.cells[:4], whole.cells[4:7]
    bare = tuple(dataclasses.replace(cell, task=None) for cell in tasks)
    for cells in (whole.cells, views, tasks, bare, whole.cells[7:], (*tasks, whole.cells[7])):
        html, _ = page(tmp_path, dataclasses.replace(whole, cells=cells))
        (table,) = re.findall(r'<table[^>]*id="methods".*?</table>', html, re.DOTALL)
        widths = []
        for row in re.findall(r"<tr.*?</tr>", re.sub(r"<svg.*?</svg>", "", table, flags=re.DOTALL), re.DOTALL):
            spans = re.findall(r'<t[hd](?:\s[^>]*?colspan="(\d+)")?', row)
            widths.append(sum(int(span or 1) for span in spans))
        assert len(set(widths[2:])) == 1 and widths[0] == widths[2] == widths[1] + 1, widths


def test_methods_that_compare_no_views_alone_have_no_columns_for_them(tmp_path):
    whole = example.methods_study()
    html, text = page(tmp_path, dataclasses.replace(whole, cells=whole.cells[4:7]))
    assert "negative mean" not in " ".join(rows(html, "methods")[1]) and "hills" not in text
    assert html.count("Loss against epochs: ") == 3
    html, text = page(tmp_path, dataclasses.replace(whole, cells=whole.cells[:4]))
    assert "solved" not in rows(html, "methods")[1] and "Of a method that compares no views" not in text


def test_a_method_whose_loss_is_below_zero_is_named_and_not_drawn(tmp_path):
    whole = example.methods_study()
    below = dataclasses.replace(whole.cells[0], training=example.training(900.0, 2**28, 60.0, (-1.0, -2.0)))
    _, text = page(tmp_path, dataclasses.replace(whole, cells=(below, *whole.cells[1:])))
    assert "Not shown, having no loss above zero over two epochs: SimCLR ." in text
    assert "is number 5 of 6 by accuracy" in text
    _, text = page(tmp_path, dataclasses.replace(whole, cells=whole.cells[:1]))
    assert "What that is worth" not in text and "Rank correlation" not in text
