"""Cells: what each learns from and is asked, that it is learnt once, and what is kept for the model handed over."""

import types

import numpy as np
import pytest
import torch

from hundredfold.data.images import ImageSet, MemoryPixels, Source
from hundredfold.errors import Interrupted
from hundredfold.evaluate import learner as learning
from hundredfold.evaluate.features import features
from hundredfold.evaluate.learner import CANDIDATES, MODELS, SLOW, Learner
from hundredfold.studies.cells import Cell, load
from hundredfold.studies.evaluation import NETWORKS, Evaluation, all_cells
from hundredfold.studies.hand_over import save_classifier


def halves_of(model):
    return [Cell(model=model, labels=12, draw=0, half=half) for half in (1, 2)]


def learnt_by(monkeypatch):
    """The models that a learner learns from now on."""
    learnt, real = [], Learner.learn

    def learn(self, model, taught, *, seed):
        learnt.append(model)
        return real(self, model, taught, seed=seed)

    monkeypatch.setattr(Learner, "learn", learn)
    return learnt


def forbidden(*_, **__):
    raise AssertionError("it is learnt again")


def equal(one, other):
    return all(torch.equal(getattr(one, name), getattr(other, name)) for name in ("predicted", "confidence"))


def content(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def with_test_set(toy):
    """A source that brings a test set of its own."""

    def images(rows):
        pixels = MemoryPixels(torch.from_numpy(toy[0][rows]).unsqueeze(1))
        return ImageSet(source="toy", pixels=pixels, labels=torch.from_numpy(toy[1][rows]), classes=("0", "1", "2"))

    return Source(train=images(slice(0, 80)), test=images(slice(80, 120)))


def test_every_model_on_every_draw_and_count_but_the_slow_on_the_full_one(evaluated, tmp_path):
    prepared = evaluated(tmp_path, models=MODELS, draws=2, label_counts=(3, 6, 12)).prepared
    cells = list(all_cells(prepared))
    assert len(cells) == len(set(cells)) == 2 * (3 * (9 - len(SLOW)) + len(SLOW))
    assert {cell.labels for cell in cells if cell.model in SLOW} == {12} and not any(cell.half for cell in cells)


def test_halves_share_out_the_labels_and_are_asked_for_the_others(evaluated, tmp_path):
    found = evaluated(tmp_path)
    split, labels = found.prepared.split, found.prepared.images.labels
    whole, (first, second) = found.taught(Cell(model="knn", labels=12, draw=0)), halves_of("knn")
    one, other = found.taught(first), found.taught(second)
    assert sorted([*one.tolist(), *other.tolist()]) == sorted(whole.tolist()) and len(one) == len(other) == 6
    assert labels[one].bincount().tolist() == labels[other].bincount().tolist() == [2, 2, 2]
    for cell, rest in ((first, other), (second, one)):
        images, asked = found.asked(cell)
        assert images is found.learner.images and asked[:6].tolist() == rest.tolist()
        beyond = set(asked[6:].tolist())
        assert beyond == set(split.pool.tolist()) - set(whole.tolist()) and not beyond & set(split.test.tolist())
    assert torch.equal(found.asked(first)[1][6:], found.asked(second)[1][6:]), "both are asked for the same images"


def test_so_many_unlabelled_images_are_compared_and_no_more(evaluated, tmp_path, monkeypatch):
    monkeypatch.setattr("hundredfold.studies.evaluation.COMPARED", 10)
    first, second = halves_of("knn")
    found, again = evaluated(tmp_path / "a"), evaluated(tmp_path / "b")
    assert len(found.asked(first)[1]) == 16
    assert torch.equal(found.asked(first)[1], again.asked(first)[1])
    assert torch.equal(found.asked(first)[1][6:], again.asked(second)[1][6:])


def test_no_label_of_a_test_image_is_given_to_the_learner(evaluated, tmp_path):
    found = evaluated(tmp_path, draws=2)
    known = torch.cat(found.prepared.split.draws).unique()
    assert torch.equal(found.learner.known, known)
    visible = found.learner.images.labels
    assert torch.equal(visible[known], found.prepared.images.labels[known])
    hidden = torch.ones(len(visible), dtype=torch.bool)
    hidden[known] = False
    assert (visible[hidden] == -1).all() and hidden[found.prepared.split.test].all()


def test_cells_of_halves_are_kept_apart_and_not_learnt_again(evaluated, tmp_path, monkeypatch):
    cells = [Cell(model="knn", labels=12, draw=0), *halves_of("knn"), *halves_of("finetune")]
    before = evaluated(tmp_path).learn(cells)
    assert len({cell.file(tmp_path) for cell in cells}) == 5 == len(list(tmp_path.glob("*.safetensors")))
    with monkeypatch.context() as patch:
        patch.setattr(Evaluation, "outcome", forbidden)
        after = evaluated(tmp_path).learn(cells)
    assert all(equal(before[cell], after[cell]) for cell in cells)
    assert all(torch.equal(before[cell].probabilities, after[cell].probabilities) for cell in cells)
    cells[1].file(tmp_path).unlink()
    assert equal(evaluated(tmp_path).learn(cells)[cells[1]], before[cells[1]]), "alone as among the others"


def test_a_cell_alone_is_the_cell_among_others(evaluated, tmp_path):
    """To the last bit: what was learnt before decides nothing, or resuming would not be exact."""
    cells = [Cell(model=model, labels=12, draw=0) for model in ("label_propagation", "knn", "linear_probe")]
    cells += [half for cell in cells for half in halves_of(cell.model)]
    together = evaluated(tmp_path / "together").learn(cells)
    for number, cell in enumerate(cells):
        alone = evaluated(tmp_path / str(number)).learn([cell])[cell]
        assert equal(alone, together[cell]) and torch.equal(alone.probabilities, together[cell].probabilities), cell


def test_probabilities_are_kept_where_somebody_asks_for_them(evaluated, tmp_path):
    found = evaluated(tmp_path, models=("pixels", "knn"), label_counts=(6, 12))
    outcomes = found.learn([*all_cells(found.prepared), *halves_of("knn")])
    for cell, outcome in outcomes.items():
        assert (outcome.probabilities is not None) == (cell.model == "knn" and cell.labels == 12)
        if outcome.probabilities is not None:
            assert torch.equal(outcome.probabilities.argmax(1), outcome.predicted) or outcome.confidence.min() < 0.5
            torch.testing.assert_close(
                outcome.probabilities.float().sum(1), torch.ones(len(outcome.predicted)), atol=2e-3, rtol=0
            )


def test_a_signal_between_halves_keeps_what_is_done(evaluated, tmp_path):
    stop = types.SimpleNamespace(received=0)
    cells = halves_of("knn") + halves_of("linear_probe")
    found = evaluated(tmp_path, stop=stop)
    stop.received = 15
    with pytest.raises(Interrupted, match="after 1 of 4 evaluations") as stopped:
        found.learn(cells)
    assert (
        stopped.value.exit_status == 143
        and [cell for cell in cells if load(cell.file(tmp_path), found.identity)] == cells[:1]
    )


# --- the network that is handed over ------------------------------------------------------------------------------


@pytest.mark.parametrize("model", NETWORKS)
def test_a_network_is_not_learnt_twice(evaluated, tmp_path, monkeypatch, model):
    found = evaluated(tmp_path / "cells", models=(model, "knn"))
    learnt = learnt_by(monkeypatch)
    outcome = found.learn([found.handed_over(model)])[found.handed_over(model)]
    again = evaluated(tmp_path / "cells", models=(model, "knn"))  # after an interruption, say
    for evaluation in (found, again):
        classifier = evaluation.classifier(model, temperature=2.0)
        assert classifier.temperature == 2.0 and classifier.classes == found.prepared.classes
        images, index = evaluation.asked(found.handed_over(model))
        read = features(classifier.encoder, images, index, evaluation.prepared.engine)
        assert torch.equal(classifier.head.probabilities(read).argmax(1), outcome.predicted)
    assert learnt == [model]


def test_other_draws_halves_and_counts_keep_no_network(evaluated, tmp_path):
    found = evaluated(tmp_path, models=("finetune",), draws=2, label_counts=(6, 12))
    one, *others = [found.handed_over("finetune"), *halves_of("finetune")]
    found.learn([cell for cell in all_cells(found.prepared) if cell != one] + others)
    assert not (tmp_path / "finetune-network").exists()
    found.learn([one])
    assert (tmp_path / "finetune-network" / "manifest.json").is_file()


@pytest.mark.parametrize("lost", ["manifest.json", "model.safetensors", "encoder/model.safetensors", "encoder", ""])
def test_a_damaged_network_is_learnt_again(evaluated, tmp_path, monkeypatch, lost):
    found = evaluated(tmp_path / "cells")
    found.learn([found.handed_over("finetune")])
    save_classifier(found.classifier("finetune", temperature=1.5), tmp_path / "kept")
    path = tmp_path / "cells" / "finetune-network" / lost
    if path.is_dir():
        path.rename(tmp_path / "lost")
    else:
        path.write_bytes(path.read_bytes()[:-1])
    learnt = learnt_by(monkeypatch)
    save_classifier(evaluated(tmp_path / "cells").classifier("finetune", temperature=1.5), tmp_path / "again")
    assert learnt == ["finetune"] and content(tmp_path / "kept") == content(tmp_path / "again")


def test_a_network_of_another_encoder_is_not_handed_over(evaluated, tmp_path):
    found = evaluated(tmp_path)
    found.learn([found.handed_over("finetune")])
    before = found.classifier("finetune", temperature=1.0).encoder.state_dict()
    other = evaluated(tmp_path)
    with torch.no_grad():
        for parameter in other.learner.encoder.parameters():
            parameter.mul_(-1)
    other = Evaluation(other.prepared, other.learner.encoder, tmp_path)
    other.learn([other.handed_over("finetune")])
    after = other.classifier("finetune", temperature=1.0).encoder.state_dict()
    assert not any(torch.equal(after[name], before[name]) for name in before if "weight" in name)


# --- what is computed ---------------------------------------------------------------------------------------------


def test_features_are_computed_once_for_all_cells(evaluated, tmp_path, monkeypatch, with_test_set):
    computed = []

    def counted(network, images, index, *rest):
        computed.append(len(index))
        return features(network, images, index, *rest)

    monkeypatch.setattr(learning, "features", counted)
    models = ("random_encoder", "knn", "linear_probe", "label_propagation")
    found = evaluated(tmp_path, source=with_test_set, models=models, draws=3, label_counts=(6, 12))
    found.learn([*all_cells(found.prepared), *(cell for model in models[1:] for cell in halves_of(model))])
    known, nodes = len(found.learner.known), len(found.learner.nodes)
    assert sorted(computed) == sorted([known, known, 40, 40, nodes]), "of two encoders, and the nodes of one"


def test_candidates_read_an_encoder(evaluated, tmp_path):
    assert set(NETWORKS) < set(CANDIDATES)
    found = evaluated(tmp_path, models=CANDIDATES)
    for model in CANDIDATES:
        classifier = found.classifier(model, temperature=1.0)
        assert (classifier.encoder is found.learner.encoder) == (model not in NETWORKS)
        np.testing.assert_equal(classifier.classes, found.prepared.classes)
