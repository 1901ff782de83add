"""Groups that are there are found, and agreement with labels against loops and scikit-learn."""

import math
from collections import Counter

import pytest
import torch

from hundredfold.errors import DataError, SettingsError
from hundredfold.evaluate.clustering import NAMES, Agreement, agreement, cluster


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def crowds(sizes: tuple[int, ...], d: int = 8, spread: float = 0.1) -> tuple[torch.Tensor, torch.Tensor]:
    """Crowds in directions at right angles, shuffled."""
    labels = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    labels = labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(5))]
    return torch.eye(d)[labels] + spread * drawn(len(labels), d), labels


def asked(how: str) -> int | None:
    return 3 if how in ("kmeans", "mixture") else None


@pytest.mark.parametrize("d", [8, 40])  # the second is reduced before densities are estimated
@pytest.mark.parametrize("how", NAMES)
def test_crowds_are_found_with_their_number(how: str, d: int) -> None:
    features, labels = crowds((240, 120, 180, 80), d=d, spread=0.07)
    found = cluster(features, how, seed=0)
    assert found.number == 4 and sum(found.sizes) + found.noise == 620
    certain = found.labels >= 0
    assert int(certain.sum()) >= 560  # densities leave out what lies far out
    assert agreement(found.labels[certain], labels[certain]).ari == pytest.approx(1)
    assert (found.eps is not None) == (how == "dbscan")


@pytest.mark.parametrize("how", NAMES)
def test_the_largest_group_comes_first_and_one_seed_gives_one_answer(how: str) -> None:
    features, _ = crowds((30, 60, 45))
    found = cluster(features, how, clusters=asked(how), seed=1)
    counts = Counter(found.labels.tolist())
    assert found.noise == counts.pop(-1, 0)
    assert [counts[number] for number in range(found.number)] == list(found.sizes) == sorted(found.sizes, reverse=True)
    assert torch.equal(found.labels, cluster(features, how, clusters=asked(how), seed=1).labels)


@pytest.mark.parametrize("how", NAMES)
def test_only_directions_count(how: str) -> None:
    features, _ = crowds((30, 60, 45))
    longer = features * torch.linspace(0.1, 10, len(features))[:, None]
    found, again = (cluster(rows, how, clusters=asked(how), seed=0) for rows in (features, longer))
    assert agreement(found.labels, again.labels).ari > 0.99


@pytest.mark.parametrize("how", ["kmeans", "mixture"])
@pytest.mark.parametrize("clusters", [1, 3, 7])
def test_so_many_groups_as_are_asked_for(how: str, clusters: int) -> None:
    features, _ = crowds((30, 60, 45))
    found = cluster(features, how, clusters=clusters, seed=0)
    assert found.number == clusters and found.noise == 0 and found.labels.unique().tolist() == list(range(clusters))


def test_a_mixture_lets_groups_be_wide_that_k_means_cuts() -> None:
    """A wide crowd and a narrow one beside it: k-means draws the border half-way."""
    narrow = torch.arange(300) % 3 == 0
    spread = torch.where(narrow, 0.02, 0.25)[:, None] * drawn(300, 2)
    features = torch.cat([torch.ones(300, 1), spread + torch.where(narrow, 0.6, 0.0)[:, None]], 1)
    mixture, k_means = (cluster(features, how, clusters=2, seed=0) for how in ("mixture", "kmeans"))
    of_mixture, of_k_means = (agreement(one.labels, narrow.long()).ari for one in (mixture, k_means))
    assert of_mixture > 0.95 and of_mixture > of_k_means + 0.1


def test_how_near_is_near() -> None:
    features, labels = crowds((30, 60, 45))
    all_one, none = (cluster(features, "dbscan", eps=eps, seed=0) for eps in (2.0, 1e-6))
    assert (all_one.number, all_one.noise) == (1, 0) and all_one.eps == 2.0
    assert (none.number, none.noise, none.sizes) == (0, 135, ())
    assert len(labels) == len(none.labels)


@pytest.mark.parametrize("how", ["dbscan", "hdbscan"])
def test_what_belongs_nowhere_is_noise(how: str) -> None:
    features, _ = crowds((80, 80), d=6, spread=0.05)
    alone = -torch.eye(6)
    found = cluster(torch.cat([features, alone]), how, seed=0)
    assert found.number == 2 and found.labels[-6:].tolist() == [-1] * 6


@pytest.mark.parametrize("how", NAMES)
@pytest.mark.parametrize("n", [1, 2, 3, 11])
def test_a_handful_of_images(how: str, n: int) -> None:
    for features in (drawn(n, 5), drawn(n, 60), torch.ones(n, 5), torch.zeros(n, 5)):
        found = cluster(features, how, seed=0)
        assert found.labels.shape == (n,) and found.labels.dtype == torch.int64
        assert sum(found.sizes) + found.noise == n and len(found.sizes) == found.number


@pytest.mark.parametrize("how", ["kmeans", "mixture"])
def test_equal_images_make_fewer_groups(how: str) -> None:
    found = cluster(torch.eye(2, 5).repeat(10, 1), how, clusters=4, seed=0)
    assert found.number == 2 and found.sizes == (10, 10)


def test_settings_that_do_not_exist() -> None:
    features = drawn(9, 4)
    for how, settings, sentence in (
        ("k-means", {}, "did you mean 'kmeans'"),
        ("kmeans", {"clusters": 10}, r"1\.\.9"),
        ("mixture", {"clusters": 0}, r"1\.\.9"),
        ("hdbscan", {"clusters": 3}, "finds the number"),
        ("dbscan", {"eps": 0.0}, "above 0"),
        ("kmeans", {"eps": 0.1}, "only of dbscan"),
    ):
        with pytest.raises(SettingsError, match=sentence):
            cluster(features, how, seed=0, **settings)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="no images"):
        cluster(features[:0], "kmeans", seed=0)


def by_loops(labels: list[int], truth: list[int]) -> tuple[float, float]:
    """Normalised mutual information from shares, adjusted Rand index from all pairs."""
    n = len(labels)

    def entropy(values: list) -> float:  # type: ignore[type-arg]
        return -sum(count / n * math.log(count / n) for count in Counter(values).values())

    both = list(zip(labels, truth, strict=True))
    shared = entropy(labels) + entropy(truth) - entropy(both)
    pairs = [(i, j) for i in range(n) for j in range(i)]
    a = sum(labels[i] == labels[j] and truth[i] == truth[j] for i, j in pairs)
    of_labels = sum(labels[i] == labels[j] for i, j in pairs)
    of_truth = sum(truth[i] == truth[j] for i, j in pairs)
    chance = of_labels * of_truth / len(pairs)
    rand = (a - chance) / ((of_labels + of_truth) / 2 - chance)
    return 2 * shared / (entropy(labels) + entropy(truth)), rand


def test_agreement_by_loops_and_by_hand() -> None:
    labels, truth = [0, 0, 0, 1, 1, 2], [4, 4, 1, 1, 1, 1]
    found = agreement(torch.tensor(labels), torch.tensor(truth))
    nmi, ari = by_loops(labels, truth)
    assert found.nmi == pytest.approx(nmi) and found.ari == pytest.approx(ari)
    assert (found.images, found.noise) == (6, 0)
    # together in both: {0, 1} and {3, 4}; in groups 3 + 1, in classes 1 + 6, of 15 pairs
    assert found.ari == pytest.approx((2 - 4 * 7 / 15) / (11 / 2 - 4 * 7 / 15))


@pytest.mark.parametrize("groups", [1, 2, 7, 60])
def test_agreement_of_scikit_learn(groups: int) -> None:
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    labels = (groups * torch.rand(60, generator=torch.Generator().manual_seed(0))).long()
    labels = torch.arange(60) if groups == 60 else labels
    truth = (4 * torch.rand(60, generator=torch.Generator().manual_seed(1))).long()
    found = agreement(labels, truth)
    assert found.nmi == pytest.approx(normalized_mutual_info_score(truth, labels), abs=1e-9)
    assert found.ari == pytest.approx(adjusted_rand_score(truth, labels), abs=1e-9)


def test_names_do_not_matter_and_chance_is_nothing() -> None:
    truth = torch.arange(300) % 3
    assert agreement(torch.tensor([7, 0, 2])[truth], truth) == Agreement(
        nmi=pytest.approx(1), ari=pytest.approx(1), images=300, noise=0
    )
    chance = (5 * torch.rand(300, generator=torch.Generator().manual_seed(0))).long()
    assert abs(agreement(chance, truth).ari) < 0.02
    assert agreement(torch.zeros(300, dtype=torch.int64), truth).nmi == 0


def test_each_image_without_a_group_is_its_own_and_without_a_label_left_out() -> None:
    labels = torch.tensor([0, 0, 1, 1, -1, -1, -1, 0])
    truth = torch.tensor([0, 0, 1, 1, 0, 0, -1, -1])
    found = agreement(labels, truth)
    nmi, ari = by_loops([0, 0, 1, 1, 8, 9], [0, 0, 1, 1, 0, 0])
    assert found == Agreement(nmi=pytest.approx(nmi), ari=pytest.approx(ari), images=6, noise=2)
    assert found.ari < agreement(labels[:4], truth[:4]).ari


def test_giving_up_is_no_agreement() -> None:
    assert agreement(torch.full((6,), -1), torch.tensor([0, 0, 0, 1, 1, 1])).ari == 0
    with pytest.raises(DataError, match="no image has one"):
        agreement(torch.zeros(3, dtype=torch.int64), torch.full((3,), -1))
    assert agreement(torch.zeros(1, dtype=torch.int64), torch.zeros(1, dtype=torch.int64)).ari == 1
