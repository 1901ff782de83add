"""What the seeds of a study have in common, and which of its cells are pairs: against loops."""

import dataclasses
import importlib.util
import statistics
import sys
from pathlib import Path

import pytest

from hundredfold.evaluate.paired import paired_difference
from hundredfold.report.study_batch_size import batch_size_answer, batch_size_view
from hundredfold.report.study_cells import (
    Condition,
    accuracy,
    condition,
    differences,
    negative_variance,
    over_seeds,
    spread,
    varied,
)
from hundredfold.report.study_methods import state

_SPEC = importlib.util.spec_from_file_location("example_study", Path(__file__).with_name("example_study.py"))
example = importlib.util.module_from_spec(_SPEC)
sys.modules["example_study"] = example
_SPEC.loader.exec_module(example)


def changed(result, change):
    """The study with each cell as `change` returns it; None leaves it out."""
    cells = tuple(cell for cell in map(change, result.cells) if cell)
    return dataclasses.replace(result, cells=cells)


def without(cell, *names):
    settings = {name: value for name, value in cell.settings.items() if name not in names}
    return dataclasses.replace(cell, settings=settings)


def test_figures_over_seeds_are_those_of_a_loop_in_rising_order() -> None:
    result = example.batch_size_study()
    found = over_seeds(reversed(result.cells), negative_variance)
    assert list(found) == sorted(found, key=lambda key: (key.temperature, key.batch_size, key.weight))
    assert len(found) == 3 * 2 * 2
    for key, figure in found.items():
        values = [
            cell.similarity.negative_variance
            for cell in result.cells
            if cell.settings["plan.batch_size"] == key.batch_size
            and cell.settings["variance_reduction"] == key.weight
            and cell.settings["method_settings.temperature"] == key.temperature
        ]
        assert figure.count == len(values) == 3
        assert (figure.mean, figure.std) == pytest.approx((sum(values) / 3, statistics.stdev(values)))


def test_pairs_share_everything_but_the_weight() -> None:
    result = example.batch_size_study(weights=(0.0, 1.0, 30.0))
    found = differences(changed(result, lambda cell: cell))
    assert {key.weight for key in found} == {1.0, 30.0} and len(found) == 3 * 2 * 2
    for key, paired in found.items():
        before, after = ([], [])
        for seed in (0, 1, 2):
            for cell in result.cells:
                own = cell.settings
                if (own["plan.batch_size"], own["method_settings.temperature"], own["seed"]) == (
                    key.batch_size,
                    key.temperature,
                    seed,
                ):
                    value = cell.summary["linear_probe"]["100"].mean
                    if own["variance_reduction"] == 0:
                        before.append(value)
                    if own["variance_reduction"] == key.weight:
                        after.append(value)
        assert paired == paired_difference(before, after)


def test_a_pair_that_lost_one_is_no_pair() -> None:
    result = example.batch_size_study(sizes=(16, 64), temperatures=(0.2,))

    def fail(cell):
        own = cell.settings
        gone = own["seed"] == 1 if own["plan.batch_size"] == 16 else own["variance_reduction"] == 0
        return dataclasses.replace(cell, summary={}, similarity=None, failure="diverged") if gone else cell

    found = differences(changed(result, fail))
    assert found[Condition(batch_size=16, temperature=0.2, weight=30.0)].count == 2
    assert found[Condition(batch_size=64, temperature=0.2, weight=30.0)] is None


def test_settings_that_are_not_said() -> None:
    result = changed(
        example.batch_size_study(weights=(0.0,), temperatures=(0.2,), seeds=(0,)),
        lambda cell: without(cell, "variance_reduction", "method_settings.temperature", "seed"),
    )
    assert [condition(cell) for cell in result.cells] == [Condition(batch_size=size) for size in (16, 64, 256)]
    assert differences(result) == {}
    view = batch_size_view(result)
    assert view["gains"] is None and view["seeds"] == 1
    assert view["variance"].columns == ("no variance reduction",)
    assert [row for _, rows in view["variance"].groups for row, _ in rows] == ["16", "64", "256"]
    assert "temperature" not in batch_size_answer(result).sentence


def test_one_batch_size_has_the_temperatures_as_rows() -> None:
    view = batch_size_view(example.batch_size_study(sizes=(64,), temperatures=(0.1, 0.5, 2.0)))
    table = view["accuracy"]
    assert table.across == "temperature" and len(table.groups) == 1
    assert [name for name, _ in table.groups[0][1]] == ["0.1", "0.5", "2"]
    assert view["by_batch"] == [] and len(view["by_temperature"]) == 1


def test_the_answer_names_the_best_setting() -> None:
    result = example.batch_size_study()
    means = over_seeds(result.cells, lambda cell: accuracy(cell, 100))
    best = max(means, key=lambda key: means[key].mean)
    found = batch_size_answer(result)
    assert f"batches of {best.batch_size} images, temperature {best.temperature:g}" in found.sentence
    assert found.figure == f"{100 * means[best].mean:.1f} %" and "best of 12 settings" in found.sentence


def test_a_setting_that_is_no_number_does_not_count_as_one() -> None:
    (first, *_) = example.batch_size_study().cells
    odd = dataclasses.replace(first, settings={"plan.batch_size": "many", "variance_reduction": True})
    assert condition(odd) == Condition()
    assert spread([]) is None and spread([0.5]).std is None


def test_what_varies_is_told_with_its_values() -> None:
    cells = example.batch_size_study(temperatures=(0.2,), seeds=(0,)).cells
    assert varied(cells) == {"plan.batch_size": ["16", "64", "256"], "variance_reduction": ["0.0", "30.0"]}


def test_health_in_a_few_words() -> None:
    cells = {cell.name: cell for cell in example.methods_study().cells}
    assert state(cells["simclr"]) == ("healthy", False)
    assert state(cells["siglip"]) == ("failed", True)
    words, ill = state(cells["byol"])
    assert ill and words.startswith("collapsed")
    unknown = dataclasses.replace(cells["byol"], similarity=None, training=None)
    assert state(unknown) == ("The representation has collapsed, or has not unfolded yet", True)
    assert state(dataclasses.replace(unknown, healthy=None)) == ("–", False)
