"""Groups of images: order and names, agreement against scikit-learn, the page, and what cannot be."""

import csv

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

import hundredfold
from hundredfold.errors import CheckpointError, DataError, SettingsError


def test_groups_in_input_order_and_their_agreement_with_labels(copied, mosaics):
    run = copied("simclr")
    to = run.parent / "groups.csv"
    found = hundredfold.cluster(run, mosaics, clusters=3, to=to)
    groups = found.clustering.labels.tolist()
    assert found.agreement.nmi == pytest.approx(normalized_mutual_info_score(mosaics[1], groups))
    assert found.agreement.ari == pytest.approx(adjusted_rand_score(mosaics[1], groups))
    assert found.agreement.images == 240 and found.clustering.number == 3 and sum(found.clustering.sizes) == 240
    rows = list(csv.DictReader(to.read_text().splitlines()))
    assert [row["name"] for row in rows] == list(found.names) == [f"image {place}" for place in range(240)]
    assert [int(row["cluster"]) for row in rows] == groups
    assert "Against 240 labels: NMI" in found.sentences()[1]


def test_the_number_is_chosen_unless_it_is_asked_for(copied, mosaics):
    run = copied("simclr")
    chosen, asked = hundredfold.cluster(run, mosaics[0]), hundredfold.cluster(run, mosaics[0], clusters=4)
    assert chosen.chosen and "(their number was chosen here)" in chosen.sentences()[0]
    assert not asked.chosen and asked.sentences() == ("240 images in 4 groups by kmeans.",)
    assert asked.agreement is None


@pytest.mark.parametrize("how", ["kmeans", "mixture", "dbscan", "hdbscan"])
def test_every_way_on_the_images_held_out(copied, how):
    found = hundredfold.cluster(copied("simclr"), how=how)
    assert len(found.names) == 40 and found.how == how and found.agreement.images == 40
    html = found.report.read_text()
    assert "Groups of images" in html and f"40 images in {found.clustering.number} group" in html
    assert (found.clustering.noise > 0) == ("belong to none" in html)


def test_the_most_typical_images_come_first(copied, mosaics):
    run = copied("simclr")
    found = hundredfold.cluster(run, mosaics[0], clusters=3)
    rows = torch.nn.functional.normalize(hundredfold.embed(run, mosaics[0]).features, dim=1)
    members = [place for place, group in enumerate(found.clustering.labels.tolist()) if group == 1]
    middle = sum(rows[place] for place in members) / len(members)
    order = sorted(members, key=lambda place: -float(rows[place] @ middle))[:12]
    shown = load_file(run / "exhibits" / "cluster.safetensors")["group_1"]
    assert torch.equal(shown[0, 0], torch.from_numpy(mosaics[0][order[0]])) and shown.shape == (12, 1, 8, 8)


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("how", ["kmeans", "mixture", "dbscan", "hdbscan"])
def test_few_images(copied, mosaics, how, count):
    found = hundredfold.cluster(copied("simclr"), mosaics[0][:count], how=how)
    assert len(found.clustering.labels) == count and found.report.exists()


def test_a_second_one_replaces_the_first(copied):
    run = copied("simclr")
    hundredfold.cluster(run, clusters=2)
    html = hundredfold.cluster(run, clusters=5).report.read_text()
    assert "in 5 groups by kmeans" in html and "in 2 groups by kmeans" not in html


def test_what_cannot_be(pretrained, mosaics, tmp_path):
    run = pretrained("simclr")
    for keywords, told in (
        ({"clusters": 41}, "clusters must be in 1..40, the number of images, got 41"),
        ({"clusters": 0}, "clusters must be in 1..40"),
        ({"how": "kmean"}, "unknown clustering 'kmean': did you mean 'kmeans'"),
        ({"how": "dbscan", "clusters": 3}, "dbscan finds the number of clusters itself"),
        ({"how": "dbscan", "eps": -1.0}, "eps is a distance above 0"),
        ({"to": tmp_path / "a.png"}, "unknown file type '.png'"),
    ):
        with pytest.raises(SettingsError, match=told):
            hundredfold.cluster(run, **keywords)
    with pytest.raises(CheckpointError):
        hundredfold.cluster(tmp_path)
    with pytest.raises(DataError):
        hundredfold.cluster(run, str(tmp_path / "nowhere"))


def test_partly_labelled_images_are_compared_where_they_are(copied, mosaics):
    some = np.where(np.arange(240) < 30, mosaics[1], -1)
    found = hundredfold.cluster(copied("simclr"), (mosaics[0], some), clusters=3)
    groups = found.clustering.labels.tolist()[:30]
    assert found.agreement.images == 30
    assert found.agreement.ari == pytest.approx(adjusted_rand_score(mosaics[1][:30], groups))
