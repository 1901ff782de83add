"""Free bits: the larger of lambda and the batch's mean, dimension by dimension."""

import pytest
import torch

from hundredfold.losses.free_bits import free_bits


def divergences():
    return 3 * torch.rand(6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("nats", [0.0, 1.0, 1.5, 100.0])
def test_it_is_the_formula(nats):
    rows = divergences().tolist()
    wanted = sum(max(nats, sum(row[j] for row in rows) / len(rows)) for j in range(4))
    assert free_bits(divergences(), nats=nats).item() == pytest.approx(wanted, rel=1e-12)


def test_none_free_is_the_mean_divergence():
    torch.testing.assert_close(free_bits(divergences(), nats=0.0), divergences().sum(1).mean())


def test_the_mean_counts_and_not_each_image():
    uneven = torch.tensor([[0.0], [2.0]])
    assert free_bits(uneven, nats=1.0).item() == 1.0  # image by image it would be (1 + 2) / 2


def test_a_dimension_below_has_no_gradient_and_one_above_has():
    mixed = torch.tensor([[0.1, 3.0], [0.3, 5.0]], dtype=torch.float64, requires_grad=True)
    free_bits(mixed, nats=0.5).backward()
    assert mixed.grad.tolist() == [[0.0, 0.5], [0.0, 0.5]]
    assert torch.autograd.gradcheck(lambda part: free_bits(part, nats=0.5), mixed)


def test_what_cannot_serve_is_said():
    with pytest.raises(ValueError, match="nats must be >= 0, got -1"):
        free_bits(torch.zeros(2, 2), nats=-1)
    for shape in ((3,), (0, 3)):
        with pytest.raises(ValueError, match=r"\[b, k\]"):
            free_bits(torch.zeros(shape), nats=0.0)
