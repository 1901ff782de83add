"""The choice by halves against really learning from them, and that no test label can move it."""

import math
import types
from dataclasses import replace

import numpy as np
import pytest
import torch

import hundredfold
from hundredfold.data.images import ImageSet, MemoryPixels, Source
from hundredfold.errors import Interrupted
from hundredfold.evaluate.choice import halves
from hundredfold.evaluate.features import features
from hundredfold.evaluate.learner import CANDIDATES
from hundredfold.records import Candidate
from hundredfold.studies import choice
from hundredfold.studies.cells import Cell
from hundredfold.studies.choice import SAFEST, SMALLEST, choose
from hundredfold.studies.evaluation import Evaluation
from hundredfold.studies.hand_over import save_classifier

QUICK = ("linear_probe", "label_propagation", "knn")


def one_set(toy, labels, rows=slice(None)):
    pixels = MemoryPixels(torch.from_numpy(toy[0][rows]).unsqueeze(1))
    return ImageSet(source="toy", pixels=pixels, labels=torch.as_tensor(labels), classes=("0", "1", "2"))


def with_test_labels(toy, labels):
    """The first 80 images to learn from, the other 40 to test on, under these labels."""
    return Source(train=one_set(toy, toy[1][:80], slice(0, 80)), test=one_set(toy, labels, slice(80, 120)))


def content(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_candidates_are_what_models_of_halves_say_of_each_other(evaluated, tmp_path):
    """Held out: the labels of the other half. Agreement: on the pool beside the labels."""
    found = evaluated(tmp_path, models=QUICK)
    made = choose(found)
    assert [one.model for one in made.candidates] == list(QUICK)
    images, split = found.prepared.images, found.prepared.split
    drawn = split.draws[0]
    parts = [drawn[part] for part in halves(images.labels[drawn])]
    beyond = torch.tensor([position for position in split.pool.tolist() if position not in drawn])
    for candidate in made.candidates:
        right, said = 0, []
        for half, (own, other) in enumerate((parts, parts[::-1]), 1):
            cell = Cell(model=candidate.model, labels=12, draw=0, half=half)
            learnt = found.learner.learn(candidate.model, own, seed=found._seed(cell))
            for position in other.tolist():
                read = features(learnt.encoder, images, torch.tensor([position] * 5), found.prepared.engine)
                right += int(learnt.head.probabilities(read)[0].argmax()) == int(images.labels[position])
            read = features(learnt.encoder, images, beyond, found.prepared.engine)
            said.append(learnt.head.probabilities(read).argmax(1).tolist())
        assert candidate.held_out == pytest.approx(right / 12)
        same = sum(a == b for a, b in zip(*said, strict=True)) / len(beyond)
        assert candidate.agreement == pytest.approx(same, abs=0.02)  # a tie may fall to either side


def test_what_is_held_out_are_log_probabilities_of_images_not_learnt_from(evaluated, tmp_path):
    found = evaluated(tmp_path, models=QUICK)
    made = choose(found)
    first, second = (Cell(model=made.model, labels=12, draw=0, half=half) for half in (1, 2))
    tested = torch.cat([found.taught(second), found.taught(first)])  # by the first half's model, then by the second's
    assert torch.equal(made.held_out.labels, found.prepared.images.labels[tested])
    assert made.held_out.positions.tolist() == list(range(12))
    given = torch.cat([found.outcomes[cell].probabilities[:6] for cell in (first, second)])
    for row, logs in zip(given.tolist(), made.held_out.logits.tolist(), strict=True):
        assert logs == pytest.approx([math.log(max(share, SMALLEST)) for share in row], abs=1e-5)
    right = (made.held_out.logits.argmax(1) == made.held_out.labels).float().mean()
    assert next(one for one in made.candidates if one.model == made.model).held_out == pytest.approx(float(right))


def test_the_sentence_says_what_was_seen(evaluated, tmp_path, monkeypatch):
    seen = (
        Candidate(model="knn", held_out=0.9, agreement=0.8),
        Candidate(model="linear_probe", held_out=0.95, agreement=0.9),
    )
    made = iter(seen)
    monkeypatch.setattr(choice, "_candidate", lambda *_: next(made))
    found = choose(evaluated(tmp_path, models=("knn", "linear_probe")))
    assert found.model == "linear_probe" and found.candidates == seen
    for words in ("half of its 12 labels", "95 % of the other half", "knn 90 %", "90.0 % (knn 80.0 %)"):
        assert words in found.why
    assert found.why.endswith("the test set was not looked at")


@pytest.mark.parametrize("order", [("linear_probe", "knn"), ("knn", "linear_probe")])
def test_the_choice_is_told_and_kept_as_it_was_made(evaluated, tmp_path, order):
    one, again = (choose(evaluated(tmp_path / name, models=order)) for name in "ab")
    assert (one.model, one.why, one.candidates) == (again.model, again.why, again.candidates)


def test_nothing_to_choose_from(evaluated, tmp_path, monkeypatch):
    monkeypatch.setattr(Evaluation, "outcome", lambda *_: pytest.fail("nothing has to be learnt for this"))
    assert choose(evaluated(tmp_path, models=("pixels", "baseline"))) is None


@pytest.mark.parametrize("labels", [3, 12])  # with 3 there are no halves
def test_the_only_candidate_is_compared_with_nothing(evaluated, tmp_path, labels):
    found = choose(evaluated(tmp_path, models=("pixels", "knn"), labels=labels, label_counts=(labels,)))
    assert found.model == "knn" and found.why.startswith("it is the only candidate that was asked for")
    assert "()" not in found.why
    assert (found.held_out is not None) == (labels == 12), "its temperature needs labels that are held out"


@pytest.mark.parametrize("models", [("knn", "linear_probe"), ("fixmatch", "pseudo_label"), CANDIDATES])
def test_with_a_label_a_class_the_safest_is_taken(evaluated, tmp_path, models):
    found = choose(evaluated(tmp_path, models=models, labels=3, label_counts=(3,)))
    assert found.model == next(name for name in SAFEST if name in models)
    assert "single label" in found.why and found.candidates == () and found.held_out is None
    assert set(SAFEST) == set(CANDIDATES)


def test_where_every_image_is_labelled_the_held_out_labels_decide(evaluated, tmp_path, toy):
    found = evaluated(tmp_path, source=(toy[0][:60], toy[1][:60]), labels=0, models=QUICK, label_counts=())
    split = found.prepared.split
    assert torch.isin(split.pool, split.draws[0]).all(), "nothing is without a label"
    made = choose(found)
    assert [one.agreement for one in made.candidates] == [0.0] * 3
    assert made.model == max(made.candidates, key=lambda one: one.held_out).model
    assert "there are no unlabelled images on which to compare" in made.why and "0.0 %" not in made.why


@pytest.mark.parametrize("seed", [0, 1])
def test_test_labels_change_neither_the_choice_nor_a_byte_of_the_classifier(evaluated, tmp_path, toy, seed):
    truth = toy[1][80:]
    shuffled = np.random.default_rng(seed).permutation(truth)
    made, classifiers = [], []
    for name, labels in (("true", truth), ("shuffled", shuffled), ("constant", np.zeros_like(truth))):
        found = evaluated(
            tmp_path / name / "cells", source=with_test_labels(toy, labels), models=(*QUICK, "finetune"), seed=seed
        )
        made.append(choose(found))
        save_classifier(found.classifier(made[-1].model, temperature=1.0), tmp_path / name / "classifier")
        classifiers.append(content(tmp_path / name / "classifier"))
    assert len({(one.model, one.why, one.candidates) for one in made}) == 1
    assert classifiers[0] and classifiers[0] == classifiers[1] == classifiers[2]


def test_a_run_chooses_without_its_test_labels(toy, quick, tmp_path):
    truth = toy[1][80:]
    runs = []
    for name, labels in (("true", truth), ("shuffled", np.roll(truth, 1))):
        settings = {**quick, "labels": 12, "draws": 1, "label_counts": (12,), "models": (*QUICK, "finetune")}
        result = hundredfold.run(with_test_labels(toy, labels), out=tmp_path / name, **settings)
        files = content(tmp_path / name / "classifier")
        files["predictions"] = (tmp_path / name / "predictions.csv").read_bytes()
        files["suspects"] = (tmp_path / name / "suspects.csv").read_bytes()
        runs.append((replace(result.chosen, mean=0.0, std=0.0), result.trust.calibration.temperatures, files))
    assert runs[0] == runs[1]
    assert runs[0][0].candidates and runs[0][0].labels == 12


def test_a_signal_in_the_halves_keeps_those_that_are_done(evaluated, tmp_path, monkeypatch):
    stop = types.SimpleNamespace(received=0)
    found = evaluated(tmp_path / "cells", models=QUICK, stop=stop)
    learnt, real = [], Evaluation.outcome

    def outcome(self, cell):
        learnt.append(cell)
        stop.received = 15 if len(learnt) == 3 else 0
        return real(self, cell)

    monkeypatch.setattr(Evaluation, "outcome", outcome)
    with pytest.raises(Interrupted):
        choose(found)
    assert len(learnt) == 3
    made = choose(evaluated(tmp_path / "cells", models=QUICK))
    assert len(learnt) == 6 and len(set(learnt)) == 6
    unbroken = choose(evaluated(tmp_path / "unbroken", models=QUICK))
    assert (made.model, made.why, made.candidates) == (unbroken.model, unbroken.why, unbroken.candidates)
    assert torch.equal(made.held_out.logits, unbroken.held_out.logits)
