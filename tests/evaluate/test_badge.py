"""BADGE against outer products that are written out, and what its draws promise."""

import pytest
import torch

from hundredfold.evaluate.badge import badge, output_gradient, squared_length


def rows(n: int = 8, d: int = 3, classes: int = 4, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    features = torch.randn(n, d, generator=rng, dtype=torch.float64)
    return features, (3 * torch.randn(n, classes, generator=rng, dtype=torch.float64)).softmax(1)


def embedding(feature: list[float], shares: list[float]) -> list[float]:
    """(p - onehot(argmax p)) ⊗ h, written out."""
    top = max(range(len(shares)), key=shares.__getitem__)
    return [(share - (label == top)) * value for label, share in enumerate(shares) for value in feature]


def squared_distance(a: list[float], b: list[float]) -> float:
    return sum((x - y) ** 2 for x, y in zip(a, b, strict=True))


def weights_after(written: list[list[float]], chosen: list[int]) -> list[float]:
    """Squared distance of each row to the nearest chosen one: what k-means++ draws the next by."""
    return [min(squared_distance(row, written[other]) for other in chosen) for row in written]


def test_the_gradient_of_the_last_layer_is_what_autograd_finds() -> None:
    features, _ = rows(n=1)
    weight = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True)
    logits = features @ weight.T
    torch.nn.functional.cross_entropy(logits, logits.argmax(1)).backward()
    error = output_gradient(logits.detach().softmax(1))
    torch.testing.assert_close(weight.grad, error.T @ features)
    assert float(squared_length(features, error)) == pytest.approx(float(weight.grad.square().sum()))


def test_the_first_is_the_longest_gradient_and_each_next_is_drawn_by_squared_distance() -> None:
    features, shares = rows()
    written = [embedding(*pair) for pair in zip(features.tolist(), shares.tolist(), strict=True)]
    length = [sum(value * value for value in row) for row in written]
    draws = [badge(features, shares, 2, rng=torch.Generator().manual_seed(seed)).tolist() for seed in range(3000)]
    first = max(range(8), key=length.__getitem__)
    assert {draw[0] for draw in draws} == {first}
    weights = weights_after(written, [first])
    for row in range(8):
        expected = weights[row] / sum(weights)
        seen = sum(draw[1] == row for draw in draws) / len(draws)
        assert seen == pytest.approx(expected, abs=4 * (0.25 / len(draws)) ** 0.5)


def test_a_third_goes_by_the_nearest_of_the_chosen() -> None:
    features, shares = rows(n=5)
    written = [embedding(*pair) for pair in zip(features.tolist(), shares.tolist(), strict=True)]
    draws = [badge(features, shares, 3, rng=torch.Generator().manual_seed(seed)).tolist() for seed in range(4000)]
    first = draws[0][0]
    for second in set(range(5)) - {first}:
        third = [draw[2] for draw in draws if draw[1] == second]
        weights = weights_after(written, [first, second])
        for row in range(5):
            expected, error = weights[row] / sum(weights), 4.5 * (0.25 / max(1, len(third))) ** 0.5
            assert len(third) < 100 or third.count(row) / len(third) == pytest.approx(expected, abs=error)


def test_no_row_comes_twice_also_where_all_are_the_same() -> None:
    features, shares = torch.ones(6, 2), torch.tensor([[0.6, 0.4]]).repeat(6, 1)
    for count in range(7):
        found = badge(features, shares, count, rng=torch.Generator().manual_seed(count))
        assert len(found) == count == len(found.unique())


def test_a_sure_model_gives_nothing_to_go_by_and_still_an_answer() -> None:
    shares = torch.eye(3)[torch.arange(9) % 3]
    assert len(badge(rows(n=9)[0].float(), shares, 9, rng=torch.Generator().manual_seed(0)).unique()) == 9


def test_the_generator_decides() -> None:
    features, shares = rows(n=50)
    same = [badge(features, shares, 10, rng=torch.Generator().manual_seed(3)) for _ in range(2)]
    other = badge(features, shares, 10, rng=torch.Generator().manual_seed(4))
    assert torch.equal(*same) and not torch.equal(same[0], other)


def test_a_batch_is_more_varied_than_the_most_unsure() -> None:
    """Two crowds of unsure images: the most unsure ones are all of the first, the batch has both."""
    features = torch.cat([torch.tensor([[1.0, 0.0]]).repeat(20, 1), torch.tensor([[0.0, 1.0]]).repeat(20, 1)])
    shares = torch.cat([torch.tensor([[0.5, 0.5]]).repeat(20, 1), torch.tensor([[0.45, 0.55]]).repeat(20, 1)])
    for seed in range(20):
        found = badge(features, shares, 2, rng=torch.Generator().manual_seed(seed))
        assert {int(row) // 20 for row in found} == {0, 1}


def test_more_than_there_are() -> None:
    features, shares = rows()
    for count in (-1, 9):
        with pytest.raises(ValueError, match=r"count must be in 0\.\.8"):
            badge(features, shares, count, rng=torch.Generator())
