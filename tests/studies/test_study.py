"""Studies: what their cells are, that they resume cell by cell, and what they say together."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import hundredfold
from hundredfold.errors import DivergedError, Interrupted, OutputError, SettingsError
from hundredfold.records import Interval, from_json
from hundredfold.studies import batch_size as batch_sizes
from hundredfold.studies import methods as methods_study
from hundredfold.studies import study
from hundredfold.studies.batch_size import study_batch_size
from hundredfold.studies.job import Request
from hundredfold.studies.methods import study_methods
from hundredfold.studies.study import estimate_study
from hundredfold.study_records import StudyResult

METHODS = ["simclr", "barlow_twins"]


@pytest.fixture(scope="module")
def common(quick):
    """The quick settings, of which a study leaves methods, models and batch to its cells."""
    left = ("models", "method_settings", "finetune")
    return {name: value for name, value in quick.items() if name not in left}


@pytest.fixture(scope="module")
def finished(toy_file, common, tmp_path_factory):
    folder = tmp_path_factory.mktemp("study") / "methods"
    return study_methods(str(toy_file), methods=METHODS, out=folder, **common)


@pytest.fixture
def runs(monkeypatch):
    """Names of the cells that are run and not read."""
    seen = []

    def counted(source, *, out, **keywords):
        seen.append(out.name)
        return hundredfold.run(source, out=out, **keywords)

    monkeypatch.setattr(study, "run", counted)
    return seen


def test_a_study_of_methods_has_a_cell_for_each_and_the_references_once(finished, toy_file):
    assert [cell.settings for cell in finished.cells] == [{"method": name} for name in METHODS]
    assert all({"linear_probe", "knn"} == cell.summary.keys() for cell in finished.cells)
    assert finished.reference.keys() == {"pixels", "random_encoder"}
    assert {score.settings.get("method") for score in finished.records} == {None, *METHODS}
    assert all(cell.training and cell.training.steps == 4 and cell.similarity for cell in finished.cells)
    assert finished.source == str(toy_file) and finished.labels == 3


def test_what_is_written_can_be_read_again(finished):
    written = (Path(finished.folder) / "results.json").read_text()
    again = from_json(StudyResult, written)
    assert again.cells == finished.cells and again.records == finished.records
    assert json.loads(written)["study"] == "methods"


def test_each_cell_is_the_run_with_its_settings(finished, toy_file, common, tmp_path):
    alone = hundredfold.run(
        str(toy_file),
        out=tmp_path / "alone",
        method="barlow_twins",
        models=["linear_probe", "knn"],
        label_counts=[3],
        **common,
    )
    assert alone.summary == finished.cells[1].summary
    assert alone.similarity == finished.cells[1].similarity


def test_a_finished_study_runs_nothing_again_and_can_be_widened(finished, toy_file, common, tmp_path, runs):
    folder = shutil.copytree(finished.folder, tmp_path / "study")
    same = study_methods(None, out=folder, resume=True)
    assert runs == [] and same.cells == finished.cells
    wider = study_methods(str(toy_file), methods=[*METHODS, "info_nce"], out=folder, resume=True, **common)
    assert runs == ["info_nce"] and wider.cells[:2] == finished.cells


def test_other_settings_or_data_run_a_cell_again_or_are_refused(finished, toy, common, tmp_path):
    folder = shutil.copytree(finished.folder, tmp_path / "study")
    with pytest.raises(SettingsError, match="other settings"):
        study_methods(None, out=folder, resume=True, seed=5)
    with pytest.raises(OutputError, match="no study 'batch-size'"):
        study_batch_size(None, out=folder, resume=True)


def test_an_interrupted_study_goes_on_and_finds_the_same(finished, toy_file, common, tmp_path, monkeypatch):
    def stopping(source, *, out, **keywords):
        if out.name == "barlow_twins":
            raise Interrupted("stopped after step 1 of 4", signal_number=15)
        return hundredfold.run(source, out=out, **keywords)

    folder = tmp_path / "study"
    with monkeypatch.context() as patch:
        patch.setattr(study, "run", stopping)
        with pytest.raises(Interrupted, match="resume=True and out=.*study'") as stopped:
            study_methods(str(toy_file), methods=METHODS, out=folder, **common)
        assert stopped.value.exit_status == 143
    resumed = study_methods(None, out=folder, resume=True)
    timeless = [(cell.summary, cell.similarity) for cell in resumed.cells]
    assert timeless == [(cell.summary, cell.similarity) for cell in finished.cells]


def test_a_cell_that_diverges_is_told_and_the_others_go_on(toy_file, common, tmp_path, monkeypatch):
    def diverging(source, *, out, **keywords):
        if out.name == "simclr":
            raise DivergedError("training diverged: the loss of step 2 is nan")
        return hundredfold.run(source, out=out, **keywords)

    monkeypatch.setattr(study, "run", diverging)
    found = study_methods(str(toy_file), methods=METHODS, out=tmp_path / "study", **common)
    assert found.cells[0].failure.startswith("training diverged") and found.cells[1].failure == ""
    assert any("simclr did not finish" in sentence for sentence in found.verdict)
    assert "training diverged" in (tmp_path / "study" / "report.html").read_text()


def test_what_cannot_be_used_is_refused_before_anything_is_written(toy_file, common, tmp_path):
    for call in (
        lambda: study_methods(str(toy_file), methods=["simcrl"], out=tmp_path / "study", **common),
        lambda: study_methods(str(toy_file), methods=[], out=tmp_path / "study", **common),
        lambda: study_batch_size(str(toy_file), batch_sizes=[1], out=tmp_path / "study"),
        lambda: study_batch_size(str(toy_file), batch_sizes=[8, 4096], out=tmp_path / "study", labels=3),
        lambda: study_batch_size(str(toy_file), batch_sizes=[8], weights=[-1.0], out=tmp_path / "study", labels=3),
        lambda: study_batch_size(str(toy_file), batch_sizes=[8], temperatures=[0.0], out=tmp_path / "study", labels=3),
        lambda: study_batch_size(
            str(toy_file), batch_sizes=[8], temperatures=[0.5], method="barlow_twins", out=tmp_path / "study", labels=3
        ),
    ):
        with pytest.raises(SettingsError):
            call()
        assert not (tmp_path / "study").exists()


def test_a_study_of_batch_sizes_goes_through_the_whole_grid(toy_file, common, tmp_path):
    found = study_batch_size(
        str(toy_file),
        batch_sizes=[8, 32],
        weights=[0.0, 30.0],
        temperatures=[0.5],
        seeds=2,
        out=tmp_path / "study",
        **common,
    )
    places = {(cell.settings["plan.batch_size"], cell.settings["variance_reduction"]) for cell in found.cells}
    assert places == {(8, 0.0), (8, 30.0), (32, 0.0), (32, 30.0)} and len(found.cells) == 8
    assert {cell.settings["seed"] for cell in found.cells} == {0, 1}
    rates = {cell.settings["plan.batch_size"]: cell.settings["plan.lr"] for cell in found.cells}
    assert rates[8] == pytest.approx(2e-3 * (8 / 256) ** 0.5)
    assert found.cells[0].training.steps == 2 * (64 // 8 + 0) or found.cells[0].training.batch_size == 8
    assert any("variance of negative similarity" in sentence for sentence in found.verdict)
    assert not list((tmp_path / "study").rglob("checkpoints"))


def test_the_learning_rate_follows_the_batch_as_the_optimizer_asks():
    def rate(optimizer, size):
        given = {"plan": {"optimizer": optimizer, "lr": 0.3}}
        lists = {"batch_sizes": [size], "weights": [0.0], "temperatures": None, "seeds": 1}
        (variant,) = batch_sizes.variants(lists, given)
        return variant.settings["plan.lr"]

    assert rate("adamw", 64) == pytest.approx(0.15)
    assert rate("sgd", 64) == rate("lars", 64) == pytest.approx(0.075)


def interval(mean):
    return Interval(mean=mean, std=0.01, low=mean - 0.02, high=mean + 0.02, draws=3)


def fabricated(finished, accuracies, variances=None, weights=(0.0,), sizes=(16, 256)):
    """A study of batch sizes with these accuracies and variances by (size, weight, seed)."""
    cell = finished.cells[0]
    cells = []
    for seed in range(3):
        for weight in weights:
            for size in sizes:
                similarity = cell.similarity.__class__(
                    **{**vars(cell.similarity), "negative_variance": (variances or {}).get((size, weight), 0.1)}
                )
                cells.append(
                    cell.__class__(
                        name=f"{size}-{weight}-{seed}",
                        settings={"plan.batch_size": size, "variance_reduction": weight, "seed": seed},
                        similarity=similarity,
                        summary={"linear_probe": {"3": interval(accuracies[size, weight] + 0.001 * seed)}},
                    )
                )
    return finished.__class__(**{**vars(finished), "cells": tuple(cells)})


def test_the_verdict_on_batch_sizes_says_what_the_figures_say(finished):
    accuracies = {(16, 0.0): 0.80, (256, 0.0): 0.90, (16, 30.0): 0.85, (256, 30.0): 0.90}
    variances = {(16, 0.0): 0.16, (256, 0.0): 0.14, (16, 30.0): 0.10, (256, 30.0): 0.09}
    said = " ".join(batch_sizes.verdict(fabricated(finished, accuracies, variances, (0.0, 30.0))))
    assert "falls as the batch grows: 0.160 at 16, 0.140 at 256" in said
    assert "Variance reduction 30 lowers it at every batch size" in said
    assert "+5.0 (+5.0 to +5.0) at 16; +0.0" in said
    assert "-10.0 (-10.0 to -10.0) points, small batches hurt here" in said

    variances = {(16, 0.0): 0.10, (256, 0.0): 0.14, (16, 30.0): 0.12, (256, 30.0): 0.09}
    said = " ".join(batch_sizes.verdict(fabricated(finished, accuracies, variances, (0.0, 30.0))))
    assert "does not fall steadily" in said and "does not lower it at batch size 16" in said

    even = {(16, 0.0): 0.90, (256, 0.0): 0.85}
    said = " ".join(batch_sizes.verdict(fabricated(finished, even)))
    assert "The smallest batch, 16, is the best here" in said


def test_the_verdict_on_methods_names_those_that_add_little(finished):
    def with_accuracies(simclr, other, pixels):
        first, second = finished.cells
        cells = tuple(
            cell.__class__(**{**vars(cell), "summary": {"linear_probe": {"3": interval(value)}}})
            for cell, value in ((first, simclr), (second, other))
        )
        reference = {"pixels": {"3": interval(pixels)}}
        return finished.__class__(**{**vars(finished), "cells": cells, "reference": reference})

    said = " ".join(methods_study.verdict(with_accuracies(0.9, 0.8, 0.7)))
    assert "linear probe of simclr is first with 90.0 %" in said and "at least 10.0 points above the raw pixels" in said
    said = " ".join(methods_study.verdict(with_accuracies(0.9, 0.72, 0.7)))
    assert "Less than 5 points above the raw pixels (70.0 %): barlow_twins." in said


def test_methods_that_cannot_be_compared_are_left_out_or_refused(toy_file, common, tmp_path):
    def named(**given):
        return [variant.name for variant in methods_study.design().variants({"methods": None}, given)]

    assert {"simclr", "rotation", "vae", "mae"} <= set(named()) and "conditional_vae" not in named()
    settled = named(encoder="convnet")
    assert "mae" not in settled and "rotation" in settled and "mae" not in named(encoder_settings={"widths": [4]})
    assert "mae" in named(encoder="vit") and "mae" in named(encoder="auto")
    with pytest.raises(SettingsError, match="conditional_vae learns from all labels"):
        study_methods(str(toy_file), methods=["conditional_vae"], out=tmp_path / "study", **common)
    with pytest.raises(SettingsError, match="mae needs the encoder vit"):
        study_methods(str(toy_file), methods=["simclr", "mae"], encoder="convnet", out=tmp_path / "study", **common)
    wide = (np.zeros((60, 8, 12), dtype=np.uint8), np.arange(60) % 3)
    with pytest.raises(SettingsError, match="rotation needs square images"):
        study_methods(wide, methods=["simclr", "rotation"], out=tmp_path / "study", **common)
    assert not (tmp_path / "study").exists()


def test_an_estimate_writes_nothing(toy_file, common, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = estimate_study(methods_study.design(methods=METHODS), str(toy_file), Request(settings=common))
    assert found.cells == tuple(METHODS) and all(seconds > 0 for seconds in found.seconds) and found.disk_bytes > 0
    assert list(tmp_path.iterdir()) == []
