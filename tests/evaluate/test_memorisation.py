"""Copies are found, new draws are not, and the figures are those of loops."""

import math
import statistics

import pytest
import torch

from hundredfold.errors import DataError
from hundredfold.evaluate import memorisation as memorisation_file
from hundredfold.evaluate.memorisation import memorisation


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_the_figures_are_those_of_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memorisation_file, "AROUND", 4)
    samples, training, held_out = 0.9 * drawn(40, 5), drawn(30, 5, seed=1), drawn(60, 5, seed=2)

    def near(row: list[float]) -> tuple[float, int, float]:
        ranked = sorted((math.dist(row, other), n) for n, other in enumerate(training.tolist()))
        return *ranked[0], ranked[0][0] / statistics.mean(distance for distance, _ in ranked[1:5])

    new, mine = ([near(row) for row in rows.tolist()] for rows in (held_out, samples))
    apart = sorted(nearness for _, _, nearness in new)
    threshold = apart[0] + 0.01 * 59 * (apart[1] - apart[0])  # between the first two of sixty
    found = memorisation(samples, training=training, held_out=held_out)
    assert found.distances.tolist() == pytest.approx([distance for distance, _, _ in mine], abs=1e-5)
    assert found.nearness.tolist() == pytest.approx([nearness for _, _, nearness in mine], abs=1e-5)
    assert found.nearest.tolist() == [place for _, place, _ in mine]
    assert found.threshold == pytest.approx(threshold, abs=1e-5)
    assert found.share == sum(nearness < threshold for _, _, nearness in mine) / 40
    wanted = statistics.median([row[0] for row in mine]) / statistics.median([row[0] for row in new])
    assert found.ratio == pytest.approx(wanted, rel=1e-5)
    ordered = [mine[place][2] for place in found.order.tolist()]
    assert ordered == sorted(ordered) and sorted(found.order.tolist()) == list(range(40))
    assert (found.held_out, found.duplicates) == (60, 0)


def test_new_draws_are_not_taken_for_copies() -> None:
    found = memorisation(drawn(1000, 6), training=drawn(500, 6, seed=1), held_out=drawn(1000, 6, seed=2))
    assert found.share < 0.03 and found.ratio == pytest.approx(1, abs=0.05)


def test_a_few_copies_with_a_little_noise_are_found_and_come_first() -> None:
    training = drawn(500, 6, seed=1)
    samples = drawn(1000, 6)
    samples[100:200] = training[:100] + 0.01 * drawn(100, 6, seed=3)
    found = memorisation(samples, training=training, held_out=drawn(1000, 6, seed=2))
    assert 0.1 <= found.share < 0.13 and found.ratio < 1
    assert set(found.order[:100].tolist()) == set(range(100, 200))
    assert found.nearest[100:200].tolist() == list(range(100))


def test_images_that_lie_near_to_all_are_not_taken_for_copies() -> None:
    blurred, training, new = 0.5 * drawn(1000, 20), drawn(500, 20, seed=1), drawn(1000, 20, seed=2)
    found = memorisation(blurred, training=training, held_out=new)
    of_new = memorisation(new, training=training, held_out=new).distances
    assert found.ratio < 0.8 and (found.distances < of_new.quantile(0.01)).float().mean() > 0.1
    assert found.share < 0.03


def test_held_out_images_that_are_training_images_hide_no_copies() -> None:
    training, new = drawn(50, 4, seed=1), drawn(100, 4, seed=2)
    found = memorisation(training, training=training, held_out=torch.cat([training[:20], new]))
    assert (found.held_out, found.duplicates) == (100, 20)
    assert found.share == 1 and found.ratio == 0 and found.distances.max() == 0
    assert found.threshold == memorisation(training, training=training, held_out=new).threshold > 0


def test_copies_of_an_image_that_is_in_the_training_set_many_times_are_found() -> None:
    training, held_out = drawn(200, 6, seed=1), drawn(300, 6, seed=2)
    samples = torch.cat([drawn(50, 6), training[:1] + 0.01 * drawn(50, 6, seed=3)])
    once = memorisation(samples, training=training, held_out=held_out)
    often = memorisation(samples, training=torch.cat([training[:1].expand(100, 6), training]), held_out=held_out)
    torch.testing.assert_close(often.nearness, once.nearness)
    assert often.share == once.share >= 0.5 and often.threshold == pytest.approx(once.threshold)
    assert often.nearest[50:].tolist() == [0] * 50
    moved = torch.where(often.nearest > 0, often.nearest - 100, 0)
    assert moved.equal(once.nearest)


def test_one_image_of_each_is_enough() -> None:
    near, far = torch.tensor([[0.0, 1.0]]), torch.tensor([[3.0, 4.0]])
    found = memorisation(near, training=torch.zeros(1, 2), held_out=far)
    assert (found.share, found.ratio, found.threshold) == (1, pytest.approx(0.2), 5)  # nothing lies around
    assert found.order.tolist() == found.nearest.tolist() == [0]


def test_what_cannot_be_compared_is_refused() -> None:
    rows = drawn(4, 3)
    with pytest.raises(DataError, match="all 4 held-out images are in the training set too"):
        memorisation(rows, training=rows, held_out=rows)
    for empty in ("samples", "training", "held_out"):
        sets = {"samples": rows, "training": rows, "held_out": rows + 1, empty: rows[:0]}
        with pytest.raises(DataError, match=r"as vectors \[n, d\]"):
            memorisation(sets["samples"], training=sets["training"], held_out=sets["held_out"])
    with pytest.raises(DataError, match=r"3 \(samples\), 3 \(training images\), 2 \(held-out images\)"):
        memorisation(rows, training=rows, held_out=rows[:, :2])
