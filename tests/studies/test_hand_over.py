"""A classifier goes through its folder: every kind of head, the temperature, folders of before and of later."""

import json
import math

import numpy as np
import pytest
import torch
from torch.nn import functional

import hundredfold
from hundredfold import atomic
from hundredfold.data.images import ImageSet, MemoryPixels
from hundredfold.encoders.build import encoder
from hundredfold.encoders.folder import save_encoder
from hundredfold.errors import CheckpointError
from hundredfold.evaluate.features import features
from hundredfold.evaluate.knn import Neighbours
from hundredfold.evaluate.learner import Learnt
from hundredfold.evaluate.probe import Linear
from hundredfold.studies.hand_over import Classifier, classifier_of, load_classifier, read_classifier, save_classifier
from hundredfold.train.engine import choose_engine

ENGINE = choose_engine(precision="float32")
CLASSES = ("cat", "=dog", "über,\nalles")


def small():
    settings = {"widths": [4], "features": 16}
    return encoder("convnet", channels=1, size=(8, 8), mean=[0.4], std=[0.3], settings=settings, seed=0).eval()


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def voting(k=5):
    votes = drawn(30, 3, seed=2).softmax(1)
    return Neighbours(
        features=functional.normalize(drawn(30, 16, seed=1), dim=1), votes=votes, k=k, cross_validation=0.9
    )


HEADS = {
    "linear": lambda: Linear(weight=drawn(3, 16), bias=drawn(3), unit_length=False),
    "unit length": lambda: Linear(weight=5 * drawn(3, 16), bias=drawn(3), unit_length=True),
    "no label of a class": lambda: Linear(
        weight=drawn(3, 16), bias=torch.tensor([0.5, -math.inf, 0.0]), unit_length=True
    ),
    "voting": voting,
}


@pytest.fixture
def images():
    """Of the form that the encoder takes."""
    return np.random.default_rng(0).integers(0, 256, (25, 8, 8), dtype=np.uint8)


def in_memory(classifier, images):
    pixels = MemoryPixels(torch.from_numpy(images).unsqueeze(1))
    held = ImageSet(source="made", pixels=pixels, labels=torch.full((len(images),), -1))
    return classifier.probabilities(features(classifier.encoder, held, torch.arange(len(images)), ENGINE))


@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize("temperature", [1.0, 0.4, 3.0])
def test_predict_says_what_the_model_in_memory_says(tmp_path, images, kind, temperature):
    made = Classifier(encoder=small(), head=HEADS[kind](), classes=CLASSES, temperature=temperature)
    wanted = in_memory(made, images)
    save_classifier(made, tmp_path / "classifier")
    found = hundredfold.predict(tmp_path, images)
    assert found.classes == CLASSES
    # Features that vote are kept in half precision; a linear layer as it is.
    torch.testing.assert_close(found.probabilities, wanted, atol=5e-3 if kind == "voting" else 0.0, rtol=0)
    torch.testing.assert_close(found.probabilities.sum(1), torch.ones(25))
    assert [found.classes.index(label) for label in found.labels] == found.probabilities.argmax(1).tolist()


def test_the_temperature_is_what_logits_are_divided_by(images):
    head = HEADS["unit length"]()
    read = drawn(7, 16, seed=5)
    for temperature in (0.5, 1.0, 4.0):
        made = Classifier(encoder=small(), head=head, classes=CLASSES, temperature=temperature)
        for row, found in zip(head.logits(read).tolist(), made.probabilities(read).tolist(), strict=True):
            powers = [math.exp(value / temperature) for value in row]
            assert found == pytest.approx([power / sum(powers) for power in powers], abs=1e-5)


def test_votes_are_raised_to_one_over_the_temperature():
    made = Classifier(encoder=small(), head=voting(), classes=CLASSES, temperature=2.0)
    read = drawn(7, 16, seed=5)
    for shares, found in zip(voting().probabilities(read).tolist(), made.probabilities(read).tolist(), strict=True):
        roots = [share**0.5 for share in shares]
        assert found == pytest.approx([root / sum(roots) for root in roots], abs=1e-5)


def test_a_class_without_a_vote_or_a_label_stays_without():
    """And no temperature makes its share anything but 0."""
    certain = torch.tensor([[1.0, 0.0, 0.0]]).expand(30, 3)
    head = Neighbours(features=voting().features, votes=certain, k=3)
    for one in (head, HEADS["no label of a class"]()):
        for temperature in (0.05, 1.0, 20.0):
            shares = Classifier(encoder=small(), head=one, classes=CLASSES, temperature=temperature).probabilities(
                drawn(4, 16)
            )
            assert shares.isfinite().all() and not shares[:, 1].any()


@pytest.mark.parametrize("kind", HEADS)
def test_what_was_read_is_written_as_the_same_bytes(tmp_path, kind):
    made = Classifier(encoder=small(), head=HEADS[kind](), classes=CLASSES, temperature=1.7)
    save_classifier(made, tmp_path / "one")
    save_classifier(read_classifier(tmp_path / "one"), tmp_path / "two")
    for name in ("config.json", "model.safetensors", "encoder/model.safetensors", "encoder/config.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    back = read_classifier(tmp_path / "two")
    assert (back.temperature, back.classes, back.encoder.training) == (1.7, CLASSES, False)
    facts = json.loads((tmp_path / "one" / "config.json").read_text())
    assert facts["schema"] == 2 and facts["head"]["kind"] == ("neighbours" if kind == "voting" else "linear")


def test_a_voter_keeps_how_many_vote(tmp_path):
    save_classifier(Classifier(encoder=small(), head=voting(k=7), classes=CLASSES), tmp_path / "c")
    head = read_classifier(tmp_path / "c").head
    assert head.k == 7 and head.features.dtype == head.votes.dtype == torch.float32
    torch.testing.assert_close(head.votes.sum(1), torch.ones(30), atol=2e-3, rtol=0)


def test_another_classifier_in_the_same_folder_replaces_it(tmp_path):
    for kind in ("voting", "linear"):
        save_classifier(Classifier(encoder=small(), head=HEADS[kind](), classes=CLASSES), tmp_path / "c")
    assert isinstance(read_classifier(tmp_path / "c").head, Linear)


def test_what_a_killed_writer_left_goes(tmp_path):
    made = Classifier(encoder=small(), head=HEADS["linear"](), classes=CLASSES)
    save_classifier(made, tmp_path)
    for place in (tmp_path, tmp_path / "encoder"):
        (place / f".manifest.json.0{atomic.ENDING}").write_text("half")
    save_classifier(made, tmp_path)
    assert list(tmp_path.rglob(f".*{atomic.ENDING}")) == []


def test_what_a_learner_learnt_is_handed_over(images):
    learnt = Learnt(head=HEADS["linear"](), encoder=small())
    made = classifier_of(learnt, CLASSES, temperature=2.5)
    assert (made.head, made.encoder, made.classes, made.temperature) == (learnt.head, learnt.encoder, CLASSES, 2.5)
    assert classifier_of(learnt, CLASSES).temperature == 1.0


# --- folders of other versions ------------------------------------------------------------------------------------


def write_by_hand(folder, facts, tensors):
    folder.mkdir(parents=True)
    save_encoder(small(), folder / "encoder")
    atomic.write_tensors(folder / "model.safetensors", tensors)
    (folder / "config.json").write_text(json.dumps(facts))
    atomic.write_manifest(folder)


def test_a_folder_of_the_first_version_is_read(tmp_path, images):
    """A linear layer on features of length 1, and no temperature."""
    weight, bias = drawn(3, 16), torch.tensor([0.1, torch.finfo(torch.float32).min, -0.2])
    write_by_hand(tmp_path / "classifier", {"schema": 1, "classes": CLASSES}, {"weight": weight, "bias": bias})
    found = hundredfold.predict(tmp_path, images)
    assert found.classes == CLASSES
    made = load_classifier(tmp_path)
    assert made.temperature == 1.0 and made.head.unit_length
    read = features(
        small(),
        ImageSet(source="", pixels=MemoryPixels(torch.from_numpy(images).unsqueeze(1)), labels=torch.zeros(25)),
        torch.arange(25),
        ENGINE,
    )
    for row, shares in zip(read.tolist(), found.probabilities.tolist(), strict=True):
        length = sum(value**2 for value in row) ** 0.5
        logits = [
            sum(w * x / length for w, x in zip(weight[c].tolist(), row, strict=True)) + float(bias[c]) for c in (0, 2)
        ]
        powers = [math.exp(value) for value in logits]
        wanted = [power / sum(powers) for power in powers]
        assert [shares[0], shares[2]] == pytest.approx(wanted, abs=1e-4) and shares[1] == 0


def test_a_later_version_is_refused_with_a_sentence(tmp_path):
    facts = {"schema": 3, "classes": CLASSES, "temperature": 1.0, "head": {"kind": "forest"}}
    write_by_hand(tmp_path / "classifier", facts, {"trees": torch.zeros(2)})
    with pytest.raises(CheckpointError, match="was written by a later version") as refused:
        load_classifier(tmp_path)
    assert "schema is 3" in refused.value.why and "up to 2" in refused.value.why and "upgrade" in refused.value.fix


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "manifest.json", "encoder/model.safetensors"])
def test_a_damaged_folder_is_refused(tmp_path, name):
    save_classifier(Classifier(encoder=small(), head=voting(), classes=CLASSES), tmp_path / "classifier")
    path = tmp_path / "classifier" / name
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(CheckpointError):
        load_classifier(tmp_path)


def test_where_there_is_none_it_says_why(tmp_path):
    with pytest.raises(CheckpointError, match="there is no folder"):
        load_classifier(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match="holds no classifier") as unfinished:
        load_classifier(tmp_path)
    assert "not a finished run" in unfinished.value.why
    (tmp_path / "encoder").mkdir()
    with pytest.raises(CheckpointError, match="holds no classifier") as pretrained:
        load_classifier(tmp_path)
    assert "without labels" in pretrained.value.why and "hundredfold evaluate" in pretrained.value.fix
