"""The page of a run: golden facts, runs with almost nothing in them, damage, size, and no address or path in it."""

import dataclasses
import importlib.util
import re
import sys
from html import unescape
from pathlib import Path

import pytest

from hundredfold import atomic
from hundredfold.errors import DataError, ResourceError
from hundredfold.report.page import write_comparison, write_report
from hundredfold.report.wording import method_title

_SPEC = importlib.util.spec_from_file_location("example_run", Path(__file__).with_name("example_run.py"))
example = importlib.util.module_from_spec(_SPEC)
sys.modules["example_run"] = example
_SPEC.loader.exec_module(example)


def page_text(path: Path) -> str:
    """What a reader sees, on one line."""
    html = re.sub(r"<style>.*?</style>", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).replace("\u00a0", " ").split())


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = example.write_run(tmp_path_factory.mktemp("report") / "full", example.full_run())
    write_report(folder)
    return folder


def test_the_answer_comes_first_with_its_numbers(full: Path) -> None:
    result, text = example.full_run(), page_text(full / "report.html")
    probe = result.summary["linear_probe"]["100"]
    by_draw = {(r.model, r.draw): r.accuracy for r in result.records if r.labels == 100}
    gain = sum(by_draw["linear_probe", d] - by_draw["baseline", d] for d in range(5)) / 5
    answer = (
        f"With 100 labels, a linear probe on features learnt from 50,000 unlabelled images is right for "
        f"{100 * probe.mean:.1f} % of 10,000 test images (± {200 * probe.std:.1f} over 5 draws): "
        f"{100 * gain:.1f} points more than the same network trained from scratch on the same labels."
    )
    assert answer in text
    assert text.index(answer) < text.index("Test accuracy with 100 labels") < text.index("What each label is worth")


def test_every_model_stands_in_the_table_with_its_spread(full: Path) -> None:
    text = page_text(full / "report.html")
    for by_count in example.full_run().summary.values():
        assert f"{100 * by_count['100'].mean:.1f} %" in text
        assert f"{200 * by_count['100'].std:.1f}" in text


def test_the_page_is_small_needs_no_network_and_tells_no_path(full: Path) -> None:
    html = (full / "report.html").read_text(encoding="utf-8")
    assert len(html.encode()) < 2_000_000
    addresses = re.findall(r'(?:src|href|url|action)\s*[=(]\s*["\']?([^"\')\s>]+)', html)
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert "<script" not in html and "default-src 'none'" in html
    assert "/home/ada" not in html and "ada-laptop" not in html


@pytest.mark.parametrize(
    "changes",
    [
        {"records": (), "summary": {}, "chosen": None, "mistakes": ()},
        {"records": (), "summary": {}, "chosen": None, "mistakes": (), "training": None, "similarity": None},
        {"training": example.training_result(epochs=0)},
        {"training": example.training_result(epochs=1)},
        {"similarity": None, "verdict": (), "notes": (), "mistakes": ()},
        {"chosen": None},
        {"seconds": {}},
    ],
    ids=["no labels", "nothing at all", "no epoch", "one epoch", "no similarity", "nothing chosen", "no times"],
)
def test_a_run_with_gaps_has_a_page(tmp_path: Path, changes: dict[str, object]) -> None:
    folder = example.write_run(tmp_path, example.replace(example.full_run(draws=2), **changes))
    assert "Data" in page_text(write_report(folder))


def test_one_draw_has_no_spread(tmp_path: Path) -> None:
    text = page_text(write_report(example.write_run(tmp_path, example.full_run(draws=1))))
    assert "one draw of labels: its spread is not known" in text and "± 0.0" not in text


def test_many_classes_are_pairs_and_not_a_matrix(tmp_path: Path) -> None:
    folder = example.write_run(tmp_path, example.full_run(classes=120, draws=1, tested=3000))
    text = page_text(write_report(folder))
    assert "With 120 classes a matrix cannot be read" in text and "most confused" in text


@pytest.mark.parametrize("name", ["settings.toml", "environment.json", "splits.json", "pictures.safetensors"])
def test_what_is_missing_or_damaged_leaves_a_gap_and_a_note(tmp_path: Path, name: str) -> None:
    folder = example.write_run(tmp_path, example.full_run(draws=1))
    (folder / name).write_bytes(b"\xff{ not this")
    assert f"{name} cannot be read" in page_text(write_report(folder))
    (folder / name).unlink()
    write_report(folder)


def test_a_folder_without_results_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no results in"):
        write_report(tmp_path)
    (tmp_path / "results.json").write_text('{"schema": 1, "source": 3}')
    with pytest.raises(DataError, match="is damaged"):
        write_report(tmp_path)
    example.write_run(tmp_path, example.replace(example.full_run(draws=1), schema=99))
    with pytest.raises(DataError, match="written by a newer version"):
        write_report(tmp_path)


def test_a_full_disk_leaves_the_old_page(full: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = example.write_run(tmp_path, example.full_run(draws=1))
    before = write_report(folder).read_bytes()

    def no_room(path: Path, text: str) -> None:
        raise ResourceError(f"no room to write {path}")

    monkeypatch.setattr(atomic, "write_text", no_room)
    with pytest.raises(ResourceError):
        write_report(folder)
    assert (folder / "report.html").read_bytes() == before


def test_several_runs_are_compared_at_their_common_count(tmp_path: Path) -> None:
    first, second = example.full_run(seed=0), example.full_run(seed=1, draws=2)
    fewer = {model: {n: i for n, i in by.items() if n != "100"} for model, by in second.summary.items()}
    folders = [
        example.write_run(tmp_path / "a", first),
        example.write_run(tmp_path / "b", example.replace(second, summary=fewer, chosen=None)),
    ]
    settings = folders[1] / "settings.toml"
    settings.write_text(settings.read_text().replace("draws = 5", "draws = 2"))
    text = page_text(write_comparison(folders, tmp_path / "both.html"))
    assert "Test accuracy with 80 labels" in text
    for run in (first.summary, fewer):
        assert f"{100 * run['knn']['80'].mean:.1f} %" in text
    best = max((run["linear_probe"]["80"].mean, name) for run, name in ((first.summary, "a"), (fewer, "b")))
    assert f"linear probe of {best[1]} is first with {100 * best[0]:.1f} %" in text
    assert "draws 5 2" in text


def test_runs_without_a_common_count_are_shown_each_at_its_own(tmp_path: Path) -> None:
    result = example.full_run(draws=1)
    only = {model: {"10": by["10"]} for model, by in result.summary.items()}
    other = {model: {"100": by["100"]} for model, by in result.summary.items()}
    folders = [
        example.write_run(tmp_path / name, example.replace(result, summary=summary, chosen=None))
        for name, summary in (("a", only), ("b", other))
    ]
    text = page_text(write_comparison(folders, tmp_path / "both.html"))
    assert "no common number of labels" in text and "at 10" in text and "at 100" in text


def test_a_comparison_takes_two_runs(full: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="at least two runs, got 1"):
        write_comparison([full], tmp_path / "one.html")


def test_one_number_of_labels_is_no_curve(tmp_path: Path) -> None:
    result = example.full_run()
    single = {model: {"100": by_count["100"]} for model, by_count in result.summary.items() if "100" in by_count}
    folder = example.write_run(tmp_path / "single", dataclasses.replace(result, summary=single))
    assert "What each label is worth" not in page_text(write_report(folder))


def test_the_memory_of_training_is_among_its_facts(tmp_path: Path) -> None:
    result = example.full_run()
    training = dataclasses.replace(result.training, peak_bytes=300 * 2**20)
    folder = example.write_run(tmp_path / "measured", dataclasses.replace(result, training=training))
    assert "memory at its peak 300 MiB" in page_text(write_report(folder))


def test_new_methods_are_spelt_as_the_literature_does() -> None:
    titles = {"masked_patch": "Masked patches", "mae": "MAE", "conditional_vae": "Conditional VAE", "jigsaw": "Jigsaw"}
    assert {name: method_title(name) for name in titles} == titles
    assert method_title("<b>\u202e") == "<b>\\u202e"
