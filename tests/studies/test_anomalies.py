"""How unlike known images others are: order, criteria and figures against other answers, and what cannot be."""

import csv
import math
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.covariance import LedoitWolf
from sklearn.metrics import roc_auc_score

import hundredfold
from hundredfold.data.read import read
from hundredfold.errors import CheckpointError, DataError, SettingsError
from hundredfold.studies.anomalies import places
from hundredfold.studies.generator import load_generator
from hundredfold.studies.run_images import Part, run_images

OURS = ("local_distance", "neighbour_distance", "latent_distance", "reconstruction_error")


@pytest.fixture(scope="module")
def mixed(mosaics):
    """20 images of the first class and 10 of noise, in turns of three, and their labels."""
    images = mosaics[0][mosaics[1] == 0][:20]
    noise = np.random.default_rng(7).integers(0, 256, (10, 8, 8)).astype(np.uint8)
    both = np.concatenate([images, noise])
    labels = np.array(["plain"] * 20 + ["noise"] * 10)
    order = np.arange(30).reshape(3, 10).T.flatten()
    return both[order], labels[order]


@pytest.fixture(scope="module")
def plain(mosaics):
    return mosaics[0][mosaics[1] == 0][20:70]


@pytest.fixture(scope="module")
def found(pretrained, mixed, plain, tmp_path_factory):
    run = shutil.copytree(pretrained("autoencoder"), tmp_path_factory.mktemp("anomalies") / "run")
    to = run.parent / "scores.csv"
    return hundredfold.anomalies(run, mixed, normal=plain, normal_classes=["plain"], to=to), to


def test_areas_under_the_curve_are_those_of_sklearn(found, mixed):
    scores, strange = found[0], mixed[1] == "noise"
    assert list(scores.auroc) == ["score", *OURS, "isolation_forest"]
    for name, value in scores.auroc.items():
        column = scores.score if name == "score" else scores.scores[name]
        assert value == pytest.approx(roc_auc_score(strange, column.numpy()), abs=1e-9), name
    assert scores.auroc["score"] > 0.95


def test_criteria_again_with_loops(found, pretrained, mixed, plain):
    model = load_generator(pretrained("autoencoder")).model
    known, asked = (torch.from_numpy(images).unsqueeze(1) / 255 for images in (plain, mixed[0]))
    with torch.no_grad():
        again = model.reconstruct(asked)
        before, rows = (model.encoder(images).double().numpy() for images in (known, asked))
        maps, here = (model.encoder.maps(images).flatten(1).double().numpy() for images in (known, asked))
        codes, own = (model.encode(images).double().numpy() for images in (asked, known))
    scores = found[0].scores
    for place in (0, 1, 2, 29):
        error = sum((x - y) ** 2 for x, y in zip(asked[place].flatten().tolist(), again[place].flatten().tolist())) / 64
        assert float(scores["reconstruction_error"][place]) == pytest.approx(error, rel=1e-4)
        for name, row, others in (("neighbour", rows[place], before), ("local", here[place], maps)):
            cosines = [1 - row @ one / math.sqrt((row @ row) * (one @ one)) for one in others]
            assert float(scores[f"{name}_distance"][place]) == pytest.approx(sum(sorted(cosines)[:3]) / 3, abs=1e-5)
    distances = LedoitWolf().fit(own).mahalanobis(codes)
    assert np.argsort(distances).tolist() == scores["latent_distance"].argsort().tolist()
    np.testing.assert_allclose(np.sqrt(distances), scores["latent_distance"].numpy(), rtol=1e-3)


def test_the_table_is_in_input_order(found, mixed):
    scores, to = found
    rows = list(csv.DictReader(to.read_text().splitlines()))
    assert list(rows[0]) == ["name", "score", "percentile", *OURS, "isolation_forest"]
    assert [row["name"] for row in rows] == list(scores.names) == [f"image {place}" for place in range(30)]
    assert [float(row["score"]) for row in rows] == pytest.approx(scores.score.tolist(), rel=1e-4)
    assert [float(row["percentile"]) for row in rows] == pytest.approx(scores.percentiles.tolist(), rel=1e-4)
    strange = mixed[1] == "noise"
    assert min(np.array([float(row["score"]) for row in rows])[strange]) > 1


def test_the_report_shows_the_strangest(found):
    html = found[0].report.read_text()
    assert "Images unlike those learnt from" in html and "area under the ROC curve" in html
    assert "the strangest" in html and f"{found[0].auroc['score']:.3f}" in html
    assert "stranger than 99 %" in found[0].sentences()[0] and len(found[0].sentences()) == 2


def test_images_like_those_learnt_from_are_not_strange(copied):
    run = copied("simclr")
    found = hundredfold.anomalies(run)
    assert len(found.names) == 40 and found.auroc == {} and set(found.scores) == {*OURS[:3], "isolation_forest"}
    assert 20 < float(found.percentiles.mean()) < 80
    learnt = run_images(run).learnt
    assert found.names[0] == run_images(run).held_out.names()[0] not in learnt.names()


def test_what_images_can_be_measured_on(pretrained, mixed, mosaics):
    run = pretrained("autoencoder")
    with pytest.raises(SettingsError, match=r"unknown class 'plane': did you mean 'plain'\?"):
        hundredfold.anomalies(run, mixed, normal_classes=["plane"])
    with pytest.raises(DataError, match="carries a label") as refused:
        hundredfold.anomalies(run, mosaics[0], normal_classes=["0"])
    assert "leave --normal-class out" in refused.value.fix
    some = np.where(np.arange(240) < 9, mosaics[1], -1)
    with pytest.raises(DataError, match="231 of 240 images carry no label"):
        hundredfold.anomalies(run, (mosaics[0], some), normal_classes=["0"])
    with pytest.raises(DataError, match="ordinary and strange"):
        hundredfold.anomalies(run, mixed, normal_classes=["plain", "noise"])


def test_what_cannot_be(pretrained, mosaics, tmp_path):
    run = pretrained("autoencoder")
    with pytest.raises(DataError, match="1 ordinary image: at least 2"):
        hundredfold.anomalies(run, mosaics[0], normal=mosaics[0][:1])
    with pytest.raises(SettingsError, match="unknown file type '.txt'"):
        hundredfold.anomalies(tmp_path, to=tmp_path / "a.txt")
    with pytest.raises(CheckpointError):
        hundredfold.anomalies(tmp_path)
    with pytest.raises(DataError):
        hundredfold.anomalies(run, str(tmp_path / "nowhere"))
    with pytest.raises(DataError):
        hundredfold.anomalies(run, mosaics[0], normal=str(tmp_path / "nowhere"))


def test_two_ordinary_images_are_enough(copied, mosaics):
    found = hundredfold.anomalies(copied("autoencoder"), mosaics[0][:5], normal=mosaics[0][5:7])
    assert len(found.score) == 5 and bool(found.score.isfinite().all())


def test_both_parts_of_a_source_are_scored_in_order(copied, mosaics, tmp_path):
    images = mosaics[0]
    np.savez(tmp_path / "a.npz", x_train=images[:6], y_train=[0] * 6, x_test=images[6:10], y_test=[1, 0, 1, 1])
    run = copied("autoencoder")
    both = hundredfold.anomalies(run, str(tmp_path / "a.npz"), normal_classes=["0"])
    alone = hundredfold.anomalies(run, images[:10])
    torch.testing.assert_close(both.score, alone.score)
    assert both.auroc["score"] == pytest.approx(roc_auc_score([0] * 6 + [1, 0, 1, 1], both.score.numpy()))


def test_an_image_that_was_learnt_from_is_not_compared_with_itself(copied):
    run = copied("simclr")
    learnt = run_images(run).learnt
    images = learnt.take(torch.arange(len(learnt))).numpy()
    found = hundredfold.anomalies(run, images)
    assert float(found.scores["local_distance"].min()) > 0 and float(found.scores["neighbour_distance"].min()) > 0
    assert float(found.percentiles.mean()) == pytest.approx(50, abs=1)  # they are the known images
    noise = np.random.default_rng(1).random((1, *images.shape[1:]), dtype=np.float32)
    asked = Part(images=read(noise).train, index=torch.arange(1))
    both = [replace(learnt, index=learnt.index[3:5]), asked]
    assert places(learnt, both).tolist() == [3, 4, -1]
