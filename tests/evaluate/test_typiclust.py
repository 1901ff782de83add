"""TypiClust on groups that are known, against loops, and what its order promises."""

import importlib
import itertools

import pytest
import torch
from torch.nn import functional

from hundredfold.evaluate.typiclust import (
    Clusters,
    by_centrality,
    by_coverage,
    centres,
    clusters,
    diffused,
    typiclust,
)

module = importlib.import_module("hundredfold.evaluate.typiclust")
CENTRES = functional.normalize(torch.eye(6) + 0.1, dim=1)  # six directions far apart
SIZES = (30, 25, 20, 15, 10, 5)


def groups(sizes: tuple[int, ...] = SIZES, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of length 1 in tight groups, shuffled, and the group of each."""
    rng = torch.Generator().manual_seed(seed)
    of = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    of = of[torch.randperm(len(of), generator=rng)]
    return functional.normalize(CENTRES[of] + 0.05 * torch.randn(len(of), 6, generator=rng), dim=1), of


def test_one_of_each_group_the_nearest_to_its_centre() -> None:
    rows, of = groups()
    found = typiclust(rows, 6, seed=0)
    assert sorted(of[found.positions].tolist()) == list(range(6))
    for position, size in zip(found.positions.tolist(), found.sizes.tolist(), strict=True):
        members = (of == of[position]).nonzero().squeeze(1)
        centre = rows[members].mean(0)
        away = {int(member): float((rows[member] - centre).norm()) for member in members}
        assert position == min(away, key=away.__getitem__) and size == len(members)


def test_groups_of_equal_distance_come_by_size() -> None:
    rows, of = groups()
    assert of[typiclust(rows, 6, seed=0).positions].tolist() == [0, 1, 2, 3, 4, 5]


def test_groups_with_a_label_come_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CLUSTERS", 6)
    rows, of = groups()
    known = torch.tensor([int((of == group).nonzero()[0]) for group in (0, 2, 3)])
    found = typiclust(rows, 5, known=known, seed=0)
    assert not torch.isin(found.positions, known).any()
    assert of[found.positions[:3]].tolist() == [1, 4, 5]
    assert sorted(of[found.positions[3:]].tolist()) == [0, 1], "then the largest, which have one label like all others"


def test_more_than_groups_gives_the_next_typical_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CLUSTERS", 6)
    rows, of = groups()
    found = typiclust(rows, 14, seed=0)
    # Two rounds over the groups, the third begins with the largest.
    assert of[found.positions].bincount().tolist() == [3, 3, 2, 2, 2, 2]
    assert sorted(of[found.positions[:6]].tolist()) == list(range(6)), "the first of each come first"


def test_all_that_are_left_can_be_had() -> None:
    rows, _ = groups((7, 5))
    known = torch.tensor([0, 3, 3])
    found = typiclust(rows, 10, known=known, seed=1)
    assert sorted([*found.positions.tolist(), 0, 3]) == list(range(12))


@pytest.mark.parametrize("count", [0, 106])
def test_counts_that_cannot_be(count: int) -> None:
    with pytest.raises(ValueError, match=r"count must be in 1\.\.105"):
        typiclust(groups()[0], count, seed=0)


def test_the_same_image_many_times() -> None:
    rows = functional.normalize(torch.tensor([[1.0, 0.0]] * 8 + [[0.0, 1.0]] * 4), dim=1)
    found = typiclust(rows, 5, seed=0)
    assert len(found.positions.unique()) == 5
    assert {int(position) // 8 for position in found.positions[:2]} == {0, 1}


def test_the_seed_decides() -> None:
    rows = functional.normalize(torch.randn(200, 8, generator=torch.Generator().manual_seed(0)), dim=1)
    same = [typiclust(rows, 10, seed=3).positions for _ in range(2)]
    assert torch.equal(*same) and not torch.equal(same[0], typiclust(rows, 10, seed=4).positions)


def test_batches_of_many_rows_find_the_groups_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_EXACT", 50)
    rows, of = groups((60, 50, 40))
    assert sorted(of[typiclust(rows, 3, seed=0).positions].tolist()) == [0, 1, 2]


def test_clusters_say_what_they_hold() -> None:
    rows, _ = groups()
    found = clusters(rows, 6, seed=0)
    assert found.sizes.sum() == len(rows) and sorted(found.sizes.tolist()) == sorted(SIZES)
    for number, members in enumerate(by_centrality(rows, found)):
        assert torch.equal(members.sort().values, (found.of == number).nonzero().squeeze(1))
        torch.testing.assert_close(found.centres[number], rows[members].mean(0))
        away = (rows[members] - found.centres[number]).norm(dim=1)
        assert (away.diff() >= -1e-6).all()


def test_diffusion_is_the_mean_of_the_nearest_again_and_again() -> None:
    rows = functional.normalize(torch.randn(9, 3, generator=torch.Generator().manual_seed(0)), dim=1)
    alike = (rows @ rows.T).tolist()
    near = [sorted(range(9), key=lambda other, row=row: -alike[row][other])[:3] for row in range(9)]
    expected = rows.tolist()
    for _ in range(2):
        means = [[sum(expected[other][axis] for other in near[row]) for axis in range(3)] for row in range(9)]
        expected = [[value / sum(v * v for v in mean) ** 0.5 for value in mean] for mean in means]
    torch.testing.assert_close(diffused(rows, 2, steps=2), torch.tensor(expected))
    assert torch.equal(diffused(rows, 0), rows)


def test_diffusion_brings_groups_together() -> None:
    rows, of = groups((60, 50, 40))
    closer = diffused(rows, 10)
    spread = [sum(float(x[of == group].var(0).sum()) for group in range(3)) for x in (rows, closer)]
    assert spread[1] < spread[0] / 5


def test_centres_are_means() -> None:
    rows = torch.tensor([[1.0, 0], [3, 0], [0, 1]])
    found = Clusters(of=torch.tensor([0, 0, 2]), centres=torch.zeros(3, 2), sizes=torch.tensor([2, 0, 1]))
    assert centres(rows, found).tolist() == [[2, 0], [0, 0], [0, 1]]


def covered(chosen: list[int], alike: torch.Tensor, sizes: list[int], before: list[float]) -> float:
    """What the order maximises, with loops: how well each group is covered by the best so far, times its size."""
    return sum(
        size * max([before[group], *(float(alike[group, row]) for row in chosen)]) for group, size in enumerate(sizes)
    )


@pytest.mark.parametrize("labelled", [0, 2])
def test_each_next_one_covers_most_and_any_beginning_nearly_what_is_possible(labelled: int) -> None:
    rng = torch.Generator().manual_seed(7)
    centres = functional.normalize(torch.randn(6, 3, generator=rng), dim=1)
    known = functional.normalize(torch.randn(labelled, 3, generator=rng), dim=1)
    chosen = functional.normalize(centres + 0.1 * torch.randn(6, 3, generator=rng), dim=1)
    sizes = [9, 1, 4, 7, 2, 5]
    found = Clusters(of=torch.empty(0), centres=2 * centres, sizes=torch.tensor(sizes))
    order = by_coverage(chosen, found, covered=known).tolist()
    alike = centres @ chosen.T
    before = [max([-1.0, *(float(row) for row in known @ centre)]) if labelled else -1.0 for centre in centres]
    assert sorted(order) == list(range(6))
    nothing = covered([], alike, sizes, before)
    for k in range(1, 7):
        gains = {row: covered([*order[: k - 1], row], alike, sizes, before) for row in order[k - 1 :]}
        assert gains[order[k - 1]] == pytest.approx(max(gains.values()))
        best = max(covered(list(some), alike, sizes, before) for some in itertools.combinations(range(6), k))
        assert covered(order[:k], alike, sizes, before) - nothing >= (1 - 1 / 2.71828) * (best - nothing) - 1e-6
