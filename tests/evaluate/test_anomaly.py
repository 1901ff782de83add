"""Scores of strangeness against loops, scikit-learn, and data whose strange images are known."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from hundredfold.errors import DataError
from hundredfold.evaluate.anomaly import (
    auroc,
    combined,
    isolation_forest,
    mahalanobis,
    neighbour_distance,
    one_class_svm,
    percentile,
    reconstruction_error,
)


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def distance(a: torch.Tensor, b: torch.Tensor, *, normalise: bool) -> float:
    return 1 - float(functional.cosine_similarity(a, b, dim=0)) if normalise else math.dist(a.tolist(), b.tolist())


@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("k", [1, 3, 50])  # more than there are, too
def test_neighbour_distance_is_the_mean_of_the_nearest(k: int, normalise: bool) -> None:
    known, asked = drawn(12, 5), 3 * drawn(9, 5, seed=1)
    found = neighbour_distance(known, asked, k=k, normalise=normalise)
    for row, score in zip(asked, found.tolist(), strict=True):
        nearest = sorted(distance(row, other, normalise=normalise) for other in known)[:k]
        assert score == pytest.approx(sum(nearest) / len(nearest), abs=1e-5)


@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("k", [1, 3, 50])
def test_no_known_image_is_its_own_neighbour(k: int, normalise: bool) -> None:
    """Some of the asked images are known, at other places, and some are not."""
    known = drawn(12, 5)
    own = torch.tensor([7, -1, 0, 11])
    asked = torch.where(own[:, None] >= 0, known[own.clamp_min(0)], drawn(4, 5, seed=1))
    found = neighbour_distance(known, asked, k=k, normalise=normalise, own=own)
    for row, place, score in zip(asked, own.tolist(), found.tolist(), strict=True):
        others = [other for number, other in enumerate(known) if number != place]
        nearest = sorted(distance(row, other, normalise=normalise) for other in others)[: min(k, 11)]
        assert score == pytest.approx(sum(nearest) / len(nearest), abs=1e-5)


@pytest.mark.parametrize("normalise", [True, False])
def test_known_images_that_are_equal_are_not_strange(normalise: bool) -> None:
    known = drawn(1, 5).expand(9, -1)
    found = neighbour_distance(known, known, k=2, normalise=normalise, own=torch.arange(9))
    torch.testing.assert_close(found, torch.zeros(9), atol=1e-6, rtol=0)


def test_the_length_of_features_counts_only_without_normalising() -> None:
    known = drawn(12, 5)
    scores = neighbour_distance(known, torch.stack([known[0], 9 * known[0]]), k=1)
    torch.testing.assert_close(scores, torch.zeros(2), atol=1e-6, rtol=0)
    near, far = neighbour_distance(known, torch.stack([known[0], 9 * known[0]]), k=1, normalise=False)
    assert near == 0 and far > 1
    assert neighbour_distance(known, torch.zeros(1, 5)).tolist() == pytest.approx([1.0])


def test_neighbours_need_something_to_compare() -> None:
    assert neighbour_distance(drawn(3, 5), drawn(0, 5)).shape == (0,)
    with pytest.raises(DataError, match="nothing to compare"):
        neighbour_distance(drawn(0, 5), drawn(2, 5))
    with pytest.raises(DataError, match="1 known images"):
        neighbour_distance(drawn(1, 5), drawn(1, 5), own=torch.tensor([0]))
    with pytest.raises(ValueError, match="k must be 1 or more"):
        neighbour_distance(drawn(3, 5), drawn(2, 5), k=0)
    with pytest.raises(ValueError, match=r"\(3, 5\) and \(2, 4\)"):
        neighbour_distance(drawn(3, 5), drawn(2, 4))


@pytest.mark.parametrize("shrinkage", [0.0, 0.3, 1.0])
def test_mahalanobis_by_its_formula(shrinkage: float) -> None:
    known, asked = drawn(30, 4) @ drawn(4, 4, seed=1), drawn(6, 4, seed=2)
    rows = known.double().tolist()
    mean = [sum(column) / 30 for column in zip(*rows, strict=True)]
    covariance = [[sum((r[i] - mean[i]) * (r[j] - mean[j]) for r in rows) / 30 for j in range(4)] for i in range(4)]
    ball = sum(covariance[i][i] for i in range(4)) / 4
    shrunk = [[(1 - shrinkage) * covariance[i][j] + shrinkage * ball * (i == j) for j in range(4)] for i in range(4)]
    inverse = np.linalg.inv(np.array(shrunk)).tolist()
    for row, score in zip(asked.tolist(), mahalanobis(known, asked, shrinkage=shrinkage).tolist(), strict=True):
        away = [value - middle for value, middle in zip(row, mean, strict=True)]
        squared = sum(away[i] * inverse[i][j] * away[j] for i in range(4) for j in range(4))
        assert score == pytest.approx(math.sqrt(squared), rel=1e-6)


def test_mahalanobis_with_the_shrinkage_of_ledoit_and_wolf() -> None:
    from sklearn.covariance import LedoitWolf

    known, asked = drawn(20, 8), drawn(6, 8, seed=2)
    wanted = LedoitWolf().fit(known.double().numpy()).mahalanobis(asked.double().numpy())
    np.testing.assert_allclose(mahalanobis(known, asked).square().numpy(), wanted, rtol=1e-8)


def test_a_direction_in_which_known_images_do_not_vary_is_the_strangest() -> None:
    known = torch.cat([drawn(50, 2), torch.ones(50, 1)], 1)
    along, across = mahalanobis(known, torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 2.0]]), shrinkage=0.0).tolist()
    assert math.isfinite(across) and across > 1000 * along


@pytest.mark.parametrize("n", [1, 5])
@pytest.mark.parametrize("shrinkage", [None, 0.0, 1.0])
def test_where_nothing_varies_the_latent_distance_is_euclidean(n: int, shrinkage: float | None) -> None:
    known = torch.tensor([[1.0, 2.0]]).expand(n, -1)
    found = mahalanobis(known, torch.tensor([[4.0, 6.0], [1.0, 2.0]]), shrinkage=shrinkage)
    assert found.tolist() == [5.0, 0.0]
    with pytest.raises(DataError, match="known images"):
        mahalanobis(known[:0], known)


def test_reconstruction_error_is_the_mean_over_pixels() -> None:
    images, made = drawn(3, 2, 4, 5), drawn(3, 2, 4, 5, seed=1)
    for number, score in enumerate(reconstruction_error(images, made).tolist()):
        pairs = zip(images[number].flatten().tolist(), made[number].flatten().tolist(), strict=True)
        assert score == pytest.approx(sum((a - b) ** 2 for a, b in pairs) / 40, rel=1e-5)
    assert reconstruction_error(images, images).tolist() == [0.0] * 3


def test_reconstructions_must_fit_the_images() -> None:
    with pytest.raises(ValueError, match=r"\(3, 4\) of torch.float32 and \(3, 5\)"):
        reconstruction_error(torch.zeros(3, 4), torch.zeros(3, 5))
    with pytest.raises(ValueError, match="uint8"):  # differences would wrap around
        reconstruction_error(torch.zeros(3, 4, dtype=torch.uint8), torch.zeros(3, 4))


def test_the_references_find_what_lies_apart() -> None:
    known, ordinary, strange = drawn(200, 1, 3, 3), drawn(50, 1, 3, 3, seed=1), 4 + drawn(50, 1, 3, 3, seed=2)
    asked, is_strange = torch.cat([ordinary, strange]), torch.arange(100) >= 50
    for score in (isolation_forest, one_class_svm):
        found = score(known, asked, seed=0)
        assert found.shape == (100,) and auroc(found, is_strange) > 0.99
        torch.testing.assert_close(found, score(known, asked, seed=0), atol=0, rtol=0)
        assert score(known, asked[:0], seed=0).shape == (0,)
        assert score(known[:1], asked, seed=0).isfinite().all()
        assert score(known[:1].expand(8, -1, -1, -1), asked, seed=0).isfinite().all()
        with pytest.raises(DataError, match="known images"):
            score(known[:0], asked, seed=0)
    assert not torch.equal(isolation_forest(known, asked, seed=0), isolation_forest(known, asked, seed=1))


def test_a_one_class_svm_learns_from_so_many_images_at_most() -> None:
    known, asked = drawn(60, 4), drawn(5, 4, seed=1)
    some = one_class_svm(known, asked, seed=0, at_most=20)
    assert not torch.equal(some, one_class_svm(known, asked, seed=1, at_most=20))
    assert not torch.equal(some, one_class_svm(known, asked, seed=0))


def test_auroc_is_the_share_of_pairs_in_order() -> None:
    scores = (4 * drawn(40)).round()  # ties
    is_strange = drawn(40, seed=1) > 0.3
    pairs = [(s, o) for s in scores[is_strange].tolist() for o in scores[~is_strange].tolist()]
    wanted = sum(1.0 if s > o else 0.5 if s == o else 0.0 for s, o in pairs) / len(pairs)
    assert auroc(scores, is_strange) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("ties", [0, 1, 5])
def test_auroc_of_scikit_learn(ties: int) -> None:
    from sklearn.metrics import roc_auc_score

    scores, is_strange = drawn(300), drawn(300, seed=1) > 1
    scores = scores if not ties else (ties * scores).round()
    wanted = roc_auc_score(is_strange.numpy(), scores.numpy())
    assert auroc(scores, is_strange) == pytest.approx(wanted, abs=1e-12)
    assert auroc(-scores, is_strange) == pytest.approx(1 - wanted, abs=1e-12)


def test_auroc_at_its_ends() -> None:
    is_strange = torch.tensor([False, False, True])
    assert auroc(torch.tensor([1.0, 2.0, 3.0]), is_strange) == 1
    assert auroc(torch.tensor([2.0, 3.0, 1.0]), is_strange) == 0
    assert auroc(torch.ones(3), is_strange) == 0.5
    for one_kind in (torch.zeros(3, dtype=torch.bool), torch.ones(3, dtype=torch.bool)):
        with pytest.raises(DataError, match="ordinary and strange"):
            auroc(torch.ones(3), one_kind)


def test_combined_is_the_mean_of_standard_scores() -> None:
    known = {"a": torch.tensor([1.0, 3.0]), "b": torch.tensor([100.0, 200.0, 300.0, 200.0])}  # std 1 and sqrt(5000)
    asked = {"b": torch.tensor([200.0, 300.0]), "a": torch.tensor([2.0, 5.0])}
    wanted = [0.0, (3 / 1 + 100 / math.sqrt(5000)) / 2]
    assert combined(known, asked).tolist() == pytest.approx(wanted)


def test_units_do_not_matter_to_what_is_combined() -> None:
    known, asked = {"a": drawn(20), "b": drawn(20, seed=1)}, {"a": drawn(5, seed=2), "b": drawn(5, seed=3)}
    other = combined({**known, "b": 1000 * known["b"] - 7}, {**asked, "b": 1000 * asked["b"] - 7})
    torch.testing.assert_close(other, combined(known, asked), atol=1e-4, rtol=0)


def test_a_criterion_without_a_scale_adds_nothing() -> None:
    known, asked = {"a": torch.tensor([1.0, 3.0]), "b": torch.ones(2)}, {"a": torch.tensor([5.0]), "b": torch.ones(1)}
    assert combined(known, asked).tolist() == [1.5]
    with pytest.raises(ValueError, match=r"\['a', 'b'\] and \['a'\]"):
        combined(known, {"a": asked["a"]})


def test_percentiles_count_who_scores_lower() -> None:
    known, asked = (3 * drawn(30)).round(), (3 * drawn(20, seed=1)).round()
    for score, found in zip(asked.tolist(), percentile(known, asked).tolist(), strict=True):
        wanted = sum(1.0 if one < score else 0.5 if one == score else 0.0 for one in known.tolist()) / 30
        assert found == pytest.approx(100 * wanted)
    with pytest.raises(DataError, match="known images"):
        percentile(known[:0], asked)
