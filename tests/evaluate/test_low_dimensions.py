"""Planes of features: principal components against their definition, groups that stay groups, and trust in them."""

import sys
import types

import numpy as np
import pytest
import torch

from hundredfold.errors import DataError, SettingsError
from hundredfold.evaluate.low_dimensions import NAMES, reduce, trustworthiness


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def crowds(each: int = 30, d: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    """Three crowds far apart."""
    labels = torch.arange(3).repeat_interleave(each)
    return 10 * torch.eye(d)[labels] + drawn(3 * each, d), labels


class FirstPoints:
    """Stands in for UMAP: gives back where it was told to begin, and keeps what it was told."""

    told: dict[str, object] = {}

    def __init__(self, **settings: object) -> None:
        FirstPoints.told = settings

    def fit_transform(self, rows: np.ndarray) -> object:
        return self.told["init"]


@pytest.fixture
def umap(monkeypatch: pytest.MonkeyPatch) -> type[FirstPoints]:
    module = types.ModuleType("umap")
    module.UMAP = FirstPoints  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "umap", module)
    return FirstPoints


@pytest.mark.parametrize("shape", [(40, 6), (6, 40)])  # more images than features, and fewer
def test_principal_components_of_scikit_learn(shape: tuple[int, int]) -> None:
    from sklearn.decomposition import PCA

    features = drawn(*shape) * torch.linspace(3, 0.5, shape[1]) + 7
    wanted = PCA(2, svd_solver="full").fit_transform(features.double().numpy())
    found = reduce(features, "pca", seed=0).numpy()
    np.testing.assert_allclose(np.abs(found), np.abs(wanted), atol=1e-4)
    assert (found.max(0) >= -found.min(0)).all()  # the coordinate farthest from 0 is positive


def test_principal_components_keep_a_plane() -> None:
    flat = drawn(20, 2) @ drawn(2, 9, seed=1)
    found = reduce(flat, "pca", seed=0)
    torch.testing.assert_close(torch.cdist(found, found), torch.cdist(flat, flat), atol=1e-3, rtol=1e-3)
    assert found[:, 0].var() > found[:, 1].var()


@pytest.mark.parametrize("how", NAMES)
@pytest.mark.parametrize("shape", [(0, 3), (1, 3), (2, 3), (4, 1), (4, 300)])
def test_a_handful_of_images(how: str, shape: tuple[int, int]) -> None:
    found = reduce(drawn(*shape), how, seed=0)
    assert found.shape == (shape[0], 2) and found.dtype == torch.float32 and found.isfinite().all()


@pytest.mark.parametrize("how", NAMES)
def test_features_that_are_all_the_same_are_one_point(how: str) -> None:
    assert reduce(torch.full((9, 4), 0.3), how, seed=0).abs().max() < 1e-6


@pytest.mark.parametrize("features", [drawn(5, 3), drawn(12, 1), drawn(2, 3).repeat(6, 1)])
def test_tsne_of_few_images_and_of_equal_ones(features: torch.Tensor) -> None:
    found = reduce(features, "tsne", seed=0)
    assert found.shape == (len(features), 2) and found.isfinite().all()


def test_tsne_keeps_crowds_together_and_repeats_itself() -> None:
    features, labels = crowds()
    found = reduce(features, "tsne", seed=3)
    near = torch.cdist(found, found).fill_diagonal_(torch.inf).argmin(1)
    assert torch.equal(labels[near], labels)
    assert torch.equal(found, reduce(features, "tsne", seed=3))
    assert not torch.equal(found, reduce(features, "tsne", seed=4))


@pytest.mark.parametrize(("n", "neighbours"), [(60, 15), (8, 7)])
def test_umap_is_told_all_it_needs_to_repeat_itself(umap: type[FirstPoints], n: int, neighbours: int) -> None:
    features = drawn(n, 6) * torch.tensor([9.0, 4, 1, 1, 1, 1])
    found = reduce(features, "umap", seed=3)
    assert umap.told["n_neighbors"] == neighbours and umap.told["n_jobs"] == 1
    first = umap.told["random_state"]
    torch.testing.assert_close(found / found[:, 0].std(), _scaled(reduce(features, "pca", seed=0)), atol=1e-2, rtol=0)
    assert torch.equal(found, reduce(features, "umap", seed=3)) and umap.told["random_state"] == first
    reduce(features, "umap", seed=4)
    assert umap.told["random_state"] != first


def test_equal_images_do_not_begin_at_one_point(umap: type[FirstPoints]) -> None:
    found = reduce(torch.eye(2).repeat(6, 1), "umap", seed=0)
    assert len(found.unique(dim=0)) == 12 and len(found[:, 1].unique()) == 12


@pytest.mark.slow  # it compiles itself on first use
def test_umap_itself() -> None:
    pytest.importorskip("umap", reason="the extra hundredfold[map] is not installed")
    features, labels = crowds(each=20)
    found = reduce(features, "umap", seed=3)
    near = torch.cdist(found, found).fill_diagonal_(torch.inf).argmin(1)
    assert torch.equal(labels[near], labels)
    assert torch.equal(found, reduce(features, "umap", seed=3))
    for few in (drawn(5, 3), drawn(12, 1), drawn(2, 3).repeat(6, 1)):
        assert reduce(few, "umap", seed=0).isfinite().all()


def test_a_missing_package_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(SettingsError, match=r"umap-learn.*\n.*hundredfold\[map\]"):
        reduce(drawn(20, 5), "umap", seed=0)
    with pytest.raises(SettingsError, match="did you mean 'tsne'"):
        reduce(drawn(20, 5), "t-sne", seed=0)


def by_loops(features: torch.Tensor, points: torch.Tensor, k: int) -> float:
    """Venna & Kaski: 1 - 2 / (n k (2 n - 3 k - 1)) times the sum, over false neighbours, of their rank less k."""
    n, cost = len(features), 0
    for i in range(n):
        true = sorted((j for j in range(n) if j != i), key=lambda j: float((features[i] - features[j]).norm()))
        seen = sorted((j for j in range(n) if j != i), key=lambda j: float((points[i] - points[j]).norm()))[:k]
        cost += sum(max(0, true.index(j) + 1 - k) for j in seen)
    return 1 - 2 * cost / (n * k * (2 * n - 3 * k - 1))


@pytest.mark.parametrize("k", [1, 4])
def test_trustworthiness_by_its_formula(k: int) -> None:
    features, points = drawn(14, 5), drawn(14, 2, seed=1)
    assert trustworthiness(features, points, neighbours=k) == pytest.approx(by_loops(features, points, k))


def test_trustworthiness_at_its_marks() -> None:
    flat = drawn(200, 2)
    assert trustworthiness(torch.cat([flat, torch.zeros(200, 4)], 1), 3 * flat) == 1
    assert 0.4 < trustworthiness(drawn(200, 5), drawn(200, 2, seed=1)) < 0.6
    assert 0 <= trustworthiness(drawn(3, 5), drawn(3, 2, seed=1), neighbours=10) <= 1  # fewer images than neighbours
    assert trustworthiness(torch.ones(30, 5), torch.zeros(30, 2)) <= 1
    with pytest.raises(DataError, match="there are 2"):
        trustworthiness(drawn(2, 5), drawn(2, 2))


def _scaled(points: torch.Tensor) -> torch.Tensor:
    return points / points[:, 0].std()
