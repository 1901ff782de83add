"""The main job from end to end: what it writes, that it repeats, that the test set decides nothing."""

import csv
import json
import os
import shutil
import signal
import tomllib
from collections import namedtuple

import numpy as np
import pytest
import torch
from safetensors import safe_open

import hundredfold
from hundredfold import atomic
from hundredfold.data.images import ImageSet, MemoryPixels, Source
from hundredfold.encoders.folder import save_encoder
from hundredfold.errors import (
    CheckpointError,
    DataError,
    DivergedError,
    Interrupted,
    OutputError,
    ResourceError,
    SettingsError,
)
from hundredfold.evaluate.held_out import HeldOut
from hundredfold.evaluate.learner import CANDIDATES, MODELS
from hundredfold.records import BadFile
from hundredfold.studies import evaluation, few_labels
from hundredfold.studies.evaluation import Evaluation
from hundredfold.studies.job import Surroundings
from hundredfold.train import watch
from hundredfold.train.plan import Plan

WRITTEN = {
    "asked.toml",
    "settings.toml",
    "environment.json",
    "data.json",
    "splits.json",
    "metrics.jsonl",
    "results.json",
    "report.html",
    "pictures.safetensors",
    "log.txt",
    "checkpoints",
    "encoder",
    "classifier",
    "cells",
    "predictions.csv",
    "suspects.csv",
}


def predictions(run):
    """What every cell predicts, to the last bit."""
    found = {}
    for path in sorted((run / "cells").glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            found[path.name] = {name: file.get_tensor(name) for name in ("predicted", "confidence")}
    return found


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name][key], b[name][key]) for name in a for key in a[name])


@pytest.fixture
def copied(unbroken, tmp_path):
    """A copy of a finished run, to be changed."""
    return shutil.copytree(unbroken, tmp_path / "run")


# --- what is written ----------------------------------------------------------------------------------------------


def test_a_run_writes_what_the_contract_names(unbroken):
    names = {path.name for path in unbroken.iterdir()} - {".lock", "tensorboard"}
    assert names == WRITTEN
    result = json.loads((unbroken / "results.json").read_text())
    assert result["schema"] == 1 and result["method"] == "simclr"
    cells = {(record["model"], record["labels"], record["draw"]) for record in result["records"]}
    assert cells == {(model, 3, draw) for model in ("pixels", "linear_probe", "finetune") for draw in (0, 1)}
    assert result["summary"]["linear_probe"]["3"]["draws"] == 2
    assert result["chosen"]["model"] == "linear_probe" and result["chosen"]["labels"] == 3
    assert result["seconds"]["total"] == pytest.approx(result["seconds"]["pretrain"] + result["seconds"]["evaluate"])
    assert all(np.sum(record["confusion"]) == 24 for record in result["records"])  # a fifth of 120 images
    assert result["verdict"] and result["similarity"]["dimensions"] == 16


def test_settings_are_written_resolved_and_as_asked(unbroken, quick):
    settings = tomllib.loads((unbroken / "settings.toml").read_text())
    assert settings["label_counts"] == [3] and settings["encoder"] == "convnet"
    assert settings["views"]["rotation"] > 0 and settings["method_settings"]["temperature"] > 0
    asked = tomllib.loads((unbroken / "asked.toml").read_text())
    assert asked.pop("source") == settings["source"]
    assert asked == json.loads(json.dumps(quick))


def test_no_image_serves_twice(unbroken):
    split = json.loads((unbroken / "splits.json").read_text())
    parts = [set(split[name]) for name in ("unlabelled", "validation", "test")]
    assert sum(map(len, parts)) == len(set().union(*parts)) == 120
    for draw in split["labelled"]:
        assert len(draw) == len(set(draw)) == 3 and not set(draw) & parts[2]


def test_the_log_has_what_was_told_with_times(unbroken, toy, quick, tmp_path):
    told = []
    hundredfold.run(toy, out=tmp_path / "run", surroundings=Surroundings(tell=told.append), **quick)
    lines = (tmp_path / "run" / "log.txt").read_text().splitlines()
    stamps = [line[:19] for line in lines]
    assert stamps == sorted(stamps) and all(stamp[4] == "-" and stamp[13] == ":" for stamp in stamps)
    kept = [line[21:] for line in lines]
    assert told and set(told) < set(kept)
    assert [line.split()[1] for line in kept if line.startswith("epoch ") and "images/s" in line] == ["1", "2"]


def test_the_environment_names_no_machine_and_no_user(unbroken):
    environment = json.loads((unbroken / "environment.json").read_text())
    assert {"torch", "numpy", "python", "hundredfold"} <= environment["versions"].keys()
    assert environment["machine"]["threads"] == 1 and environment["precision"] in ("float32", "bfloat16")
    assert os.uname().nodename not in json.dumps(environment["machine"])


def test_tensorboard_gets_events_where_it_is_installed(unbroken):
    pytest.importorskip("tensorboard")
    assert [path.name.split(".")[0] for path in (unbroken / "tensorboard").iterdir()] == ["events"]


def test_a_logger_that_fails_stops_nothing(toy, quick, tmp_path, monkeypatch, hashes, unbroken):
    class Broken(watch.Watch):
        def epoch(self, _):
            raise OSError("the disk for curves is full")

    monkeypatch.setattr(few_labels, "_tensorboard", lambda _: [Broken()])
    told = []
    result = hundredfold.run(toy, out=tmp_path / "run", surroundings=Surroundings(tell=told.append), **quick)
    (note,) = [note for note in result.notes if "Broken failed" in note]
    assert "the disk for curves is full" in note and note in told
    assert hashes(tmp_path / "run") == hashes(unbroken)


def test_images_lost_on_the_way_are_told(toy, quick, tmp_path, monkeypatch):
    lost = (BadFile(path="cat/7.png", reason="gone"), BadFile(path="cat/9.png", reason="gone"))
    monkeypatch.setattr(few_labels, "read_failures", lambda _: lost)
    result = hundredfold.pretrain(toy, out=tmp_path / "run", **quick)
    assert [note for note in result.notes if note.startswith("2 images could no longer be read") and "7.png" in note]


# --- nine models --------------------------------------------------------------------------------------------------

NINE = {
    "labels": 12,
    "draws": 1,
    "label_counts": (12,),
    "models": MODELS,
    "pseudo_label": {"steps": 3, "batch_size": 32},
    "fixmatch": {"steps": 3, "batch_size": 32},
}


@pytest.fixture(scope="module")
def compared(toy_file, quick, tmp_path_factory):
    """A finished run of all models, which chose one. Not to be changed."""
    folder = tmp_path_factory.mktemp("compared") / "run"
    hundredfold.run(toy_file, out=folder, **{**quick, **NINE})
    return folder


def test_one_of_the_models_compared_is_handed_over(compared):
    result = json.loads((compared / "results.json").read_text())
    assert [record["model"] for record in result["records"]] == list(MODELS) and result["summary"].keys() == set(MODELS)
    chosen = result["chosen"]
    assert [candidate["model"] for candidate in chosen["candidates"]] == list(CANDIDATES)
    assert chosen["model"] in CANDIDATES and chosen["labels"] == 12 and "half of its 12 labels" in chosen["why"]
    assert chosen["mean"] == result["summary"][chosen["model"]]["12"]["mean"]
    assert result["trust"]["model"] == chosen["model"] and len(result["trust"]["calibration"]["temperatures"]) == 1
    halves = {path.name for path in (compared / "cells").glob("*-half*.safetensors")}
    assert halves == {f"{model}-12-0-half{half}.safetensors" for model in CANDIDATES for half in (1, 2)}
    networks = {path.name for path in (compared / "cells").iterdir() if path.is_dir()}
    assert networks == {f"{model}-network" for model in ("finetune", "pseudo_label", "fixmatch")}


def test_what_it_says_of_the_pool_is_what_predict_says(compared, toy_file):
    with (compared / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    found = hundredfold.predict(compared, toy_file)
    assert len(rows) == 120 and [int(row["index"]) for row in rows] == list(range(120))
    for row, shares in zip(rows, found.probabilities.tolist(), strict=True):
        # Features that vote are kept in half precision.
        assert [float(row[f"probability_{name}"]) for name in found.classes] == pytest.approx(shares, abs=0.02)
        assert float(row["probability"]) == max(float(row[f"probability_{name}"]) for name in found.classes)
    same = sum(row["label"] == label for row, label in zip(rows, found.labels, strict=True))
    assert same >= 118, "near ties may fall to either side"


def test_stopped_between_halves_and_resumed(compared, toy_file, quick, tmp_path, monkeypatch, hashes, findings):
    real, learnt = Evaluation.outcome, []

    def outcome(self, cell):
        learnt.append(cell)
        if cell.half == 2 and cell.model == "finetune":
            os.kill(os.getpid(), signal.SIGTERM)
        return real(self, cell)

    monkeypatch.setattr(Evaluation, "outcome", outcome)
    settings = {**quick, **NINE}
    with pytest.raises(Interrupted):
        hundredfold.run(toy_file, out=tmp_path / "run", **settings)
    stopped = len(learnt)
    assert 9 < stopped < 21 and not (tmp_path / "run" / "results.json").exists()
    monkeypatch.setattr(Evaluation, "outcome", lambda self, cell: learnt.append(cell) or real(self, cell))
    hundredfold.run(toy_file, out=tmp_path / "run", resume=True, **settings)
    again = [cell for cell in learnt if learnt.count(cell) > 1]
    assert len(learnt) == 21 + len(again) / 2 and len(set(again)) <= 1, "at most the one that was interrupted"
    assert hashes(tmp_path / "run") == hashes(compared) and findings(tmp_path / "run") == findings(compared)
    assert same(predictions(tmp_path / "run"), predictions(compared))
    for name in ("predictions.csv", "suspects.csv"):
        assert (tmp_path / "run" / name).read_bytes() == (compared / name).read_bytes()


# --- repeating ----------------------------------------------------------------------------------------------------


def test_the_same_run_twice_gives_the_same_bytes(unbroken, toy_file, quick, tmp_path, hashes, findings):
    torch.manual_seed(7)  # nothing global is read
    hundredfold.run(toy_file, out=tmp_path / "run", **quick)
    assert hashes(tmp_path / "run") == hashes(unbroken) and findings(tmp_path / "run") == findings(unbroken)
    other = hundredfold.run(toy_file, out=tmp_path / "other", seed=1, **quick)
    assert hashes(tmp_path / "other") != hashes(unbroken) and other.records[0].seed == 1


def test_the_settings_file_of_a_run_repeats_it(unbroken, tmp_path, hashes):
    hundredfold.run(None, config=unbroken / "settings.toml", out=tmp_path / "run")
    assert hashes(tmp_path / "run") == hashes(unbroken) and same(predictions(tmp_path / "run"), predictions(unbroken))


def test_pretraining_alone_gives_an_encoder_and_looks_at_no_label(toy, quick, tmp_path):
    encoders = []
    for labels in (toy[1], np.full(120, -1), np.random.default_rng(1).permutation(toy[1])):
        out = tmp_path / str(len(encoders))
        result = hundredfold.pretrain((toy[0], labels), out=out, **quick)
        assert result.records == () and result.chosen is None and not (out / "classifier").exists()
        encoders.append((out / "encoder" / "model.safetensors").read_bytes())
    assert encoders[0] == encoders[2] == encoders[1]


def test_evaluating_a_run_gives_what_the_run_gave(unbroken, toy_file, quick, tmp_path):
    kept = {name: quick[name] for name in ("labels", "draws", "models", "finetune")}
    result = hundredfold.evaluate(unbroken, toy_file, out=tmp_path / "again", **kept)
    expected = json.loads((unbroken / "results.json").read_text())["records"]
    assert [(r.model, r.draw) for r in result.records] == [(r["model"], r["draw"]) for r in expected]
    for found, before in zip(result.records, expected, strict=True):
        assert found.accuracy == pytest.approx(before["accuracy"], abs=0.1)
    assert result.training is None and f"encoder: the one of {unbroken}" in result.notes
    assert hundredfold.evaluate(unbroken, toy_file, out=tmp_path / "again", resume=True) == result


def test_evaluating_takes_images_of_its_own_kind(unbroken, toy, quick, tmp_path):
    rgb = np.stack([toy[0]] * 3, axis=-1)
    with pytest.raises(CheckpointError, match="takes 1x8x8 images"):
        hundredfold.evaluate(unbroken, (rgb, toy[1]), out=tmp_path / "again", labels=3)
    assert not (tmp_path / "again").exists()
    with pytest.raises(CheckpointError, match="no encoder"):
        hundredfold.evaluate(tmp_path, toy, out=tmp_path / "again")


def test_weights_of_another_run_are_where_this_one_starts(unbroken, toy, quick, tmp_path):
    settings = {**quick, "plan": {**quick["plan"], "epochs": 0}, "init_from": unbroken}
    hundredfold.pretrain(toy, out=tmp_path / "run", **settings)
    start, origin = (hundredfold.load_encoder(run).state_dict() for run in (tmp_path / "run", unbroken))
    assert all(torch.equal(start[name], origin[name]) for name in origin)
    wider = {**settings, "encoder_settings": {"widths": (5,), "features": 16}}
    with pytest.raises(CheckpointError, match="does not fit"):
        hundredfold.pretrain(toy, out=tmp_path / "wider", **wider)
    assert not (tmp_path / "wider").exists(), "an error before training leaves nothing behind"


# --- the test set -------------------------------------------------------------------------------------------------


def with_labels(toy, train, test):
    def images(rows, labels):
        return ImageSet(
            source="toy",
            pixels=MemoryPixels(torch.from_numpy(toy[0][rows]).unsqueeze(1)),
            labels=torch.from_numpy(labels),
            classes=("0", "1", "2"),
        )

    return Source(train=images(slice(0, 60), train), test=images(slice(60, 120), test))


def test_test_labels_change_no_weight_no_prediction_and_no_choice(toy, quick, tmp_path, hashes):
    train, test = toy[1][:60], toy[1][60:]
    runs = []
    for name, labels in (("true", test), ("permuted", np.roll(test, 1))):
        result = hundredfold.run(with_labels(toy, train, labels), out=tmp_path / name, **quick)
        runs.append(result)
    assert hashes(tmp_path / "true") == hashes(tmp_path / "permuted")
    assert same(predictions(tmp_path / "true"), predictions(tmp_path / "permuted"))
    true, permuted = runs
    assert (true.chosen.model, true.chosen.why) == (permuted.chosen.model, permuted.chosen.why)
    assert true.chosen.mean != permuted.chosen.mean, "the labels do count where they should: in the score"


def test_test_labels_are_opened_when_every_cell_is_there(toy, quick, tmp_path, monkeypatch):
    opened, real = [], HeldOut.open

    def watched(self):
        opened.append(len(list((tmp_path / "run" / "cells").glob("*.safetensors"))))
        return real(self)

    monkeypatch.setattr(HeldOut, "open", watched)
    hundredfold.run(toy, out=tmp_path / "run", **quick)
    assert opened and set(opened) == {6}


def test_labels_that_mean_nothing_score_chance(toy, quick, tmp_path):
    shuffled = np.random.default_rng(3).permutation(toy[1][:60])
    settings = {**quick, "models": ("knn", "linear_probe"), "draws": 4}
    meaningless = hundredfold.run(with_labels(toy, shuffled, toy[1][60:]), out=tmp_path / "a", **settings)
    meant = hundredfold.run(with_labels(toy, toy[1][:60], toy[1][60:]), out=tmp_path / "b", **settings)
    for model in ("knn", "linear_probe"):
        assert meant.summary[model]["3"].mean > 0.8
        assert meaningless.summary[model]["3"].mean < 0.6  # a third, give or take


# --- resuming -----------------------------------------------------------------------------------------------------


def test_stopped_in_an_evaluation_and_resumed(toy, quick, tmp_path, monkeypatch, hashes, findings, unbroken):
    real, learnt = Evaluation.outcome, []

    def outcome(self, cell):
        learnt.append(cell)
        if len(learnt) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return real(self, cell)

    monkeypatch.setattr(Evaluation, "outcome", outcome)
    with pytest.raises(Interrupted, match=r"after 2 of 6 evaluations") as stopped:
        hundredfold.run(toy, out=tmp_path / "run", **quick)
    assert stopped.value.exit_status == 143 and "resume=True" in stopped.value.fix
    hundredfold.run(toy, out=tmp_path / "run", resume=True, **quick)
    assert len(learnt) == 6, "finished cells are not learnt again"
    assert hashes(tmp_path / "run") == hashes(unbroken)


def test_a_second_interrupt_ends_at_once_and_can_be_resumed(toy, quick, tmp_path, monkeypatch, hashes, unbroken):
    def twice(*_, **__):
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(few_labels, "similarity_stage", twice)
        with pytest.raises(Interrupted, match="stopped at once") as stopped:
            hundredfold.run(toy, out=tmp_path / "run", **quick)
    assert stopped.value.exit_status == 130
    hundredfold.run(toy, out=tmp_path / "run", resume=True)
    assert hashes(tmp_path / "run") == hashes(unbroken)


def test_a_finished_run_is_left_as_it_is(copied, toy_file, quick):
    paths = [path for path in copied.rglob("*") if path.name not in ("report.html", "log.txt")]
    before = {path: path.stat().st_mtime_ns for path in paths}
    told = []
    talk = Surroundings(tell=told.append)
    result = hundredfold.run(toy_file, out=copied, resume=True, surroundings=talk, **quick)
    assert told == [f"{copied} is finished: nothing to do"]
    assert result.folder == str(copied) and len(result.records) == 6
    after = {path: path.stat().st_mtime_ns for path in before}
    assert {path for path in before if before[path] != after[path]} <= {copied, copied / ".lock"}


@pytest.mark.parametrize(
    "change, told",
    [
        ({"labels": 6}, "labels was 3, now 6"),
        ({"seed": 5}, "seed was 0, now 5"),
        ({"plan": {"lr": 0.5}}, f"plan.lr was {Plan().lr}, now 0.5"),
        ({"views": {"rotation": 3.0}}, "views.rotation was"),
        ({"method_settings": {"temperature": 7.0}}, "method_settings was"),
    ],
)
def test_other_settings_are_refused_by_name(copied, toy_file, change, told):
    (copied / "results.json").unlink()
    with pytest.raises(SettingsError, match="holds a run with other settings") as refused:
        hundredfold.run(toy_file, out=copied, resume=True, **change)
    assert told in str(refused.value) and "--init-from" in refused.value.fix


def test_what_is_not_said_again_stays_as_it_was(copied, hashes, unbroken, findings):
    (copied / "results.json").unlink()
    shutil.rmtree(copied / "classifier")
    hundredfold.run(None, out=copied, resume=True, draws=2)
    assert hashes(copied) == hashes(unbroken) and findings(copied) == findings(unbroken)


@pytest.mark.parametrize("what", ["pixels", "labels", "count"])
def test_other_data_are_refused(toy, quick, tmp_path, what):
    path = tmp_path / "toy.npz"
    np.savez(path, images=toy[0], labels=toy[1])
    hundredfold.run(path, out=tmp_path / "run", **quick)
    images, labels = toy[0].copy(), toy[1].copy()
    if what == "pixels":
        images[5, 3, 3] ^= 1
    elif what == "labels":
        labels[[0, 1]] = labels[[1, 0]]
    else:
        images, labels = images[:-3], labels[:-3]
    np.savez(path, images=images, labels=labels)
    with pytest.raises(DataError, match="not those that the run"):
        hundredfold.run(path, out=tmp_path / "run", resume=True, **quick)


def test_another_machine_is_told(copied, toy_file, quick):
    (copied / "results.json").unlink()
    environment = json.loads((copied / "environment.json").read_text())
    environment["versions"]["torch"], environment["machine"]["threads"] = "2.0.0", 64
    (copied / "environment.json").write_text(json.dumps(environment))
    result = hundredfold.run(toy_file, out=copied, resume=True, **quick)
    assert [note for note in result.notes if note.startswith("torch was 2.0.0 when the run began")]
    assert "threads was 64 when the run began and is 1 now: the last digits may differ" in result.notes
    assert json.loads((copied / "environment.json").read_text())["machine"]["threads"] == 64


def test_damaged_pieces_are_made_again(copied, toy_file, quick, hashes, findings, unbroken):
    (copied / "results.json").write_text('{"schema": 1')
    flipped = bytearray((copied / "cells" / "pixels-3-0.safetensors").read_bytes())
    flipped[-1] ^= 1
    (copied / "cells" / "pixels-3-0.safetensors").write_bytes(flipped)
    (copied / "cells" / "finetune-3-1.safetensors").write_bytes(b"half")
    (copied / "encoder" / "model.safetensors").write_bytes(b"")
    newest = max((copied / "checkpoints").iterdir())
    (newest / "optimizer.safetensors").write_bytes(b"")
    result = hundredfold.run(toy_file, out=copied, resume=True, **quick)
    assert hashes(copied) == hashes(unbroken) and findings(copied) == findings(unbroken)
    assert [note for note in result.notes if newest.name in note and "passed over" in note]


def test_cells_of_another_encoder_are_not_taken(copied, toy_file, quick, unbroken, tmp_path):
    kept = {name: quick[name] for name in ("labels", "draws", "finetune")}
    hundredfold.evaluate(copied, toy_file, out=tmp_path / "e", models=("linear_probe",), **kept)
    before = predictions(tmp_path / "e")
    (tmp_path / "e" / "results.json").unlink()
    encoder = hundredfold.load_encoder(copied)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.mul_(-1)
    save_encoder(encoder, copied / "encoder")
    hundredfold.evaluate(copied, toy_file, out=tmp_path / "e", resume=True, models=("linear_probe",), **kept)
    assert not same(before, predictions(tmp_path / "e"))


def test_resuming_takes_a_run_to_resume(toy, quick, tmp_path, hashes, unbroken):
    with pytest.raises(SettingsError, match="which run"):
        hundredfold.run(toy, resume=True, **quick)
    with pytest.raises(SettingsError, match="exclude each other"):
        hundredfold.run(toy, out=tmp_path / "x", resume=True, overwrite=True, **quick)
    with pytest.raises(OutputError, match="there is no run in"):
        hundredfold.run(toy, out=tmp_path / "x", resume=True, **quick)
    assert not (tmp_path / "x").exists()
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "photo.png").write_text("")
    with pytest.raises(OutputError, match=r"no run in .* to go on with"):
        hundredfold.run(toy, out=tmp_path / "x", resume=True, **quick)
    (tmp_path / "x" / "photo.png").unlink()
    hundredfold.run(toy, out=tmp_path / "x", resume=True, **quick)  # killed before it wrote anything
    assert hashes(tmp_path / "x") == hashes(unbroken)


# --- the folder ---------------------------------------------------------------------------------------------------


def test_a_folder_that_holds_something_is_left_alone(toy, quick, tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(OutputError, match="is not empty") as refused:
        hundredfold.run(toy, out=tmp_path, **quick)
    assert "thesis.tex" in refused.value.why and "--overwrite" in refused.value.fix
    assert [path.name for path in tmp_path.iterdir() if path.name != ".lock"] == ["thesis.tex"]


def test_overwriting_removes_a_run_and_nothing_else(copied, toy, quick):
    (copied / "thesis.tex").write_text("precious")
    (copied / "cells" / "old").write_text("")
    elsewhere = copied.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").write_text("")
    shutil.rmtree(copied / "tensorboard", ignore_errors=True)
    (copied / "tensorboard").symlink_to(elsewhere)
    settings = {**quick, "models": ("pixels",), "seed": 4}
    result = hundredfold.run(toy, out=copied, overwrite=True, **settings)
    assert (copied / "thesis.tex").read_text() == "precious" and (elsewhere / "kept").exists()
    assert {record.model for record in result.records} == {"pixels"}
    assert sorted(path.name for path in (copied / "cells").iterdir()) == [
        "pixels-3-0.safetensors",
        "pixels-3-1.safetensors",
    ]
    assert not (copied / "classifier").exists()


@pytest.mark.parametrize(
    "source, change",
    [
        ("nowhere", {}),
        (None, {"labels": 2}),
        (None, {"encoder_settings": {"widths": (4, 4, 4, 4)}}),
        (None, {"lr": -1.0}),
    ],
)
def test_a_run_is_not_removed_for_one_that_cannot_begin(copied, toy, quick, source, change, hashes, unbroken):
    with pytest.raises((DataError, SettingsError)):
        hundredfold.run(source or toy, out=copied, overwrite=True, **{**quick, **change})
    assert hashes(copied) == hashes(unbroken) and (copied / "results.json").exists()


def test_a_run_is_not_removed_for_one_that_starts_from_it(copied, toy, quick):
    with pytest.raises(OutputError, match="whose encoder this run starts from"):
        hundredfold.pretrain(toy, out=copied, overwrite=True, init_from=copied, **quick)
    with pytest.raises(OutputError, match="whose encoder this run starts from"):
        hundredfold.evaluate(copied, toy, out=copied, overwrite=True, labels=3)
    assert hundredfold.load_encoder(copied)


def test_too_little_room_is_told_before_training(toy, quick, tmp_path, monkeypatch):
    Usage = namedtuple("Usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9, 1000))
    with pytest.raises(ResourceError, match="not enough room") as full:
        hundredfold.run(toy, out=tmp_path / "run", **quick)
    assert full.value.exit_status == 5 and not (tmp_path / "run" / "checkpoints").exists()


def test_divergence_keeps_the_checkpoints_and_is_logged(toy, quick, tmp_path):
    settings = {**quick, "plan": {"epochs": 30, "batch_size": 32, "optimizer": "sgd", "lr": 1e30, "warmup": 0.0}}
    with pytest.raises(DivergedError) as diverged:
        hundredfold.pretrain(toy, out=tmp_path / "run", **settings)
    assert diverged.value.exit_status == 4
    assert "training diverged" in (tmp_path / "run" / "log.txt").read_text()


def test_a_defect_is_logged_with_its_traceback_and_says_where(toy, quick, tmp_path, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError("in the middle of it")

    monkeypatch.setattr(evaluation.Evaluation, "outcome", broken)
    with pytest.raises(ZeroDivisionError) as defect:
        hundredfold.run(toy, out=tmp_path / "run", **quick)
    log = tmp_path / "run" / "log.txt"
    assert "Traceback" in log.read_text() and "in the middle of it" in log.read_text()
    assert defect.value.__notes__ == [f"the traceback is in {log}"]


def test_an_unwritable_checkpoint_ends_the_run_and_keeps_the_last(toy, quick, tmp_path, monkeypatch):
    real, calls = atomic.write_manifest, []

    def full(folder):
        calls.append(folder)
        if len(calls) == 2:
            raise ResourceError("no room")
        real(folder)

    monkeypatch.setattr(atomic, "write_manifest", full)
    with pytest.raises(ResourceError):
        hundredfold.pretrain(toy, out=tmp_path / "run", **quick)
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["step-00000003"]


def test_a_folder_is_found_where_none_was_named(toy, quick, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folders = [hundredfold.pretrain(toy, **quick).folder for _ in range(2)]
    assert folders == ["runs/run-simclr", "runs/run-simclr-2"]
    evaluated = hundredfold.evaluate(folders[0], toy, labels=3, draws=1, models=("pixels",))
    assert evaluated.folder == "runs/run-simclr-evaluated"
