"""What a run says beside its accuracy: a row for each image and for each doubted label, mistakes, trust, the pool."""

import csv
from collections import Counter
from dataclasses import replace

import pytest
import torch

from hundredfold.data.images import ImageSet, MemoryPixels, Source
from hundredfold.evaluate.calibration import fit_temperature
from hundredfold.evaluate.features import features
from hundredfold.evaluate.label_propagation import APART
from hundredfold.studies import findings as found_out
from hundredfold.studies.cells import Outcome
from hundredfold.studies.choice import choose
from hundredfold.studies.evaluation import Evaluation, all_cells
from hundredfold.studies.findings import (
    about_pool,
    how_far_to_trust,
    predict_pool,
    reach_of_pool,
    suspects,
    worst_mistakes,
    write_predictions,
    write_suspects,
)
from hundredfold.trust_records import Suspect

ODD = (
    "=cmd|' /C calc'!A0.png",
    "a,b.png",
    "two\nlines.png",
    'say "x".png',
    "日本 é.png",
    "-1",
    "@x",
)
CLASSES = ("=1+1", "a,b", "two\nlines")
DISARMED = ("'=1+1", "a,b", "two\nlines")
QUICK = ("linear_probe", "label_propagation", "knn")


@pytest.fixture(scope="module")
def named(toy):
    """The toy under names that tables are broken by."""
    names = tuple(f"{number}/{ODD[number % len(ODD)]}" if number >= len(ODD) else ODD[number] for number in range(120))
    pixels = MemoryPixels(torch.from_numpy(toy[0]).unsqueeze(1))
    return ImageSet(source="odd", pixels=pixels, labels=torch.from_numpy(toy[1]), classes=CLASSES, names=names)


def table(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def classifier(evaluation, model="linear_probe"):
    return evaluation.classifier(model, temperature=1.5)


# --- predictions.csv ----------------------------------------------------------------------------------------------


def test_predictions_have_a_row_for_each_image_whatever_it_is_called(evaluated, tmp_path, named):
    evaluation = evaluated(tmp_path / "cells", source=named, models=QUICK)
    made = classifier(evaluation)
    shares, reach = predict_pool(made, evaluation), reach_of_pool(evaluation)
    write_predictions(tmp_path / "p.csv", shares, reach, evaluation.prepared)
    header, *rows = table(tmp_path / "p.csv")
    assert header == ["index", "name", "label", "probability", "reach", *(f"probability_{name}" for name in CLASSES)]
    assert len(rows) == 120 and [row[0] for row in rows] == [str(position) for position in range(120)]
    names = [f"'{name}" if name[0] in "=@" else name for name in named.names]
    assert [row[1] for row in rows] == names
    engine = evaluation.prepared.engine
    wanted = made.probabilities(features(made.encoder, named, torch.arange(120), engine)).tolist()
    nodes = set(evaluation.learner.nodes.tolist())
    for position, (row, given) in enumerate(zip(rows, wanted, strict=True)):
        assert [float(text) for text in row[5:]] == pytest.approx(given, abs=1e-5)
        assert float(row[3]) == pytest.approx(max(given), abs=1e-5)
        assert row[2] == DISARMED[given.index(max(given))]
        assert (row[4] == "") == (position not in nodes), "images that are not learnt from have no reach"


@pytest.mark.parametrize("limit, columns", [(3, 3), (2, 0)])
def test_columns_of_many_classes_are_left_out(evaluated, tmp_path, named, monkeypatch, limit, columns):
    monkeypatch.setattr(found_out, "COLUMNS", limit)
    evaluation = evaluated(tmp_path / "cells", source=named)
    shares = predict_pool(classifier(evaluation), evaluation)
    write_predictions(tmp_path / "p.csv", shares, None, evaluation.prepared)
    lines = table(tmp_path / "p.csv")
    assert {len(line) for line in lines} == {5 + columns} and len(lines) == 121
    assert {line[4] for line in lines[1:]} == {""}, "without reach its column is empty"
    assert [float(line[3]) for line in lines[1:]] == pytest.approx(shares.max(1).values.tolist(), abs=1e-5)


def test_images_without_a_name_are_numbered(evaluated, tmp_path):
    evaluation = evaluated(tmp_path / "cells")
    shares = predict_pool(classifier(evaluation), evaluation)
    write_predictions(tmp_path / "p.csv", shares, None, evaluation.prepared)
    assert [row[1] for row in table(tmp_path / "p.csv")[1:4]] == [evaluation.prepared.images.name(p) for p in range(3)]


# --- suspects.csv -------------------------------------------------------------------------------------------------


def test_labels_that_were_changed_are_suspected(evaluated, tmp_path, named):
    """Those of the first draw; labels elsewhere are not looked at."""
    settings = {"labels": 30, "label_counts": (30,)}
    drawn = evaluated(tmp_path / "clean", source=named, **settings).prepared.split.draws[0]
    flipped = drawn[[4, 11]]
    wrong = named.labels.clone()
    wrong[flipped] = (wrong[flipped] + 1) % 3
    evaluation = evaluated(tmp_path / "wrong", source=named, **settings)
    prepared = replace(evaluation.prepared, source=Source(train=replace(named, labels=wrong)))
    evaluation = Evaluation(prepared, evaluation.learner.encoder, tmp_path / "wrong")
    found, positions = suspects(evaluation)
    assert set(positions[:2].tolist()) == set(flipped.tolist()) and set(positions.tolist()) <= set(drawn.tolist())
    assert [one.index for one in found] == positions.tolist() and len(found) <= 5
    scores = [one.score for one in found]
    assert scores == sorted(scores, reverse=True)
    for one in found[:2]:
        assert one.name == named.names[one.index]
        assert (one.given, one.suggested) == (CLASSES[(one.index + 1) % 3], CLASSES[one.index % 3])


def test_suspects_have_a_row_each_whatever_they_are_called(tmp_path):
    found = tuple(
        Suspect(
            index=number,
            name=name,
            given=CLASSES[number % 3],
            suggested=CLASSES[(number + 1) % 3],
            score=0.9 - number / 10,
        )
        for number, name in enumerate(ODD)
    )
    write_suspects(tmp_path / "s.csv", found)
    header, *rows = table(tmp_path / "s.csv")
    assert header == ["index", "name", "label", "suggested", "score"] and len(rows) == len(ODD)
    assert [row[1] for row in rows] == [f"'{name}" if name[0] in "=@" else name for name in ODD]
    assert [row[2] for row in rows[:3]] == [*DISARMED]
    assert [float(row[4]) for row in rows] == pytest.approx([0.9 - number / 10 for number in range(len(ODD))])
    write_suspects(tmp_path / "none.csv", ())
    assert table(tmp_path / "none.csv") == [header]


# --- mistakes, trust, the pool ------------------------------------------------------------------------------------


def test_the_worst_mistakes_are_the_most_confident_ones(evaluated, tmp_path, named):
    prepared = evaluated(tmp_path, source=named).prepared
    index = prepared.split.test
    truth, n = named.labels[index], len(index)
    predicted = torch.where(torch.arange(n) % 3 == 0, truth, (truth + 1) % 3)
    confidence = torch.linspace(0.4, 1.0, n)[torch.randperm(n, generator=torch.Generator().manual_seed(0))]
    outcome = Outcome(
        predicted=predicted, confidence=confidence, seconds=0.0, hyperparameters={}, cross_validation=None
    )
    mistakes, positions = worst_mistakes(prepared, outcome, count=5)
    wrong = sorted((row for row in range(n) if predicted[row] != truth[row]), key=lambda row: -float(confidence[row]))[
        :5
    ]
    assert positions.tolist() == [one.index for one in mistakes] == index[wrong].tolist()
    for row, one in zip(wrong, mistakes, strict=True):
        assert (one.true, one.predicted) == (CLASSES[truth[row]], CLASSES[predicted[row]])
        assert one.name == named.names[one.index] and one.confidence == pytest.approx(float(confidence[row]))
    right = Outcome(predicted=truth, confidence=confidence, seconds=0.0, hyperparameters={}, cross_validation=None)
    assert worst_mistakes(prepared, right)[0] == ()


def test_trust_is_of_the_chosen_model_over_all_draws(evaluated, tmp_path):
    evaluation = evaluated(tmp_path, models=QUICK, draws=3)
    outcomes = evaluation.learn(all_cells(evaluation.prepared))
    choice = choose(evaluation)
    found = how_far_to_trust(choice, evaluation)
    assert (found.model, found.labels, found.images) == (choice.model, 12, 24)
    truth = evaluation.prepared.images.labels[evaluation.prepared.split.test]
    accuracies = [
        float((outcome.predicted == truth).float().mean())
        for cell, outcome in outcomes.items()
        if cell.model == choice.model
    ]
    assert len(accuracies) == 3 and found.over_draws.mean == pytest.approx(sum(accuracies) / 3, abs=0.02)
    fitted = fit_temperature(choice.held_out.logits, choice.held_out.labels)
    assert found.calibration.temperatures == (fitted,) * 3, "that of the model handed over"
    assert found.calibration.labels == 12 and found.missing_classes == ()


def test_trust_without_halves_has_no_temperature(evaluated, tmp_path):
    evaluation = evaluated(tmp_path, models=QUICK, labels=3, label_counts=(3,))
    evaluation.learn(all_cells(evaluation.prepared))
    found = how_far_to_trust(choose(evaluation), evaluation)
    assert found.calibration.temperatures == (1.0,) and found.calibration.labels == 0


def test_the_pool_is_counted(evaluated, tmp_path, toy):
    evaluation = evaluated(tmp_path, models=QUICK, labels=13, label_counts=(13,))
    shares, reach = predict_pool(classifier(evaluation), evaluation), reach_of_pool(evaluation)
    found = about_pool(shares, reach, evaluation)
    taught = evaluation.prepared.split.draws[0]
    assert (
        found.labelled == tuple(Counter(toy[1][taught].tolist())[label] for label in range(3))
        and sum(found.labelled) == 13
    )
    assert sum(found.predicted) == 120 and found.predicted == tuple(
        (shares.argmax(1) == c).sum().item() for c in range(3)
    )
    nodes = evaluation.learner.nodes.tolist()
    assert found.unlabelled == len(nodes) - 13
    assert found.apart == sum(float(reach[node]) < APART for node in nodes)
    assert [position for position in range(120) if not reach[position].isnan()] == nodes


def test_images_of_no_labelled_kind_are_counted_as_apart(evaluated, tmp_path, toy):
    """Half of the pool are pictures of nothing that is labelled."""
    strange = torch.zeros(80, 1, 8, 8, dtype=torch.uint8)
    strange[:, :, ::2] = 255
    strange -= torch.randint(0, 40, strange.shape, generator=torch.Generator().manual_seed(0), dtype=torch.uint8) * (
        strange > 0
    )
    pixels = torch.cat([torch.from_numpy(toy[0]).unsqueeze(1), strange])
    labels = torch.cat([torch.from_numpy(toy[1]), torch.full((80,), -1)])
    source = ImageSet(source="mixed", pixels=MemoryPixels(pixels), labels=labels, classes=("0", "1", "2"))
    evaluation = evaluated(tmp_path, source=source, models=QUICK, labels=30, label_counts=(30,))
    found = about_pool(predict_pool(classifier(evaluation), evaluation), reach_of_pool(evaluation), evaluation)
    strangers = sum(node >= 120 for node in evaluation.learner.nodes.tolist())
    assert found.apart >= 0.9 * strangers > 0 and found.apart <= strangers + 0.2 * (found.unlabelled - strangers)


def test_reach_is_known_where_labels_are_spread(evaluated, tmp_path):
    assert reach_of_pool(evaluated(tmp_path / "a", models=("knn", "linear_probe"))) is None
    evaluation = evaluated(tmp_path / "b", models=("knn", "linear_probe"))
    assert about_pool(predict_pool(classifier(evaluation), evaluation), None, evaluation).apart is None
    assert reach_of_pool(evaluated(tmp_path / "c", models=("knn", "fixmatch"))) is not None
