import pytest
import torch

from hundredfold.views._base import affine, change_chosen, chosen, column, uniform


def test_uniform_stays_within_its_limits_and_fills_them():
    numbers = uniform(10_000, -3, 5, torch.Generator().manual_seed(0))
    assert numbers.shape == (10_000,)
    assert -3 <= numbers.min() < -2.99
    assert 4.99 < numbers.max() <= 5
    assert numbers.mean().item() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_chosen_are_as_many_as_the_probability_says(probability):
    share = chosen(10_000, probability, torch.Generator().manual_seed(0)).float().mean().item()
    assert share == pytest.approx(probability, abs=0.02 if 0 < probability < 1 else 0)


def test_affine_writes_its_numbers_row_by_row():
    matrix = affine(*(torch.tensor([float(k), 10.0 * k]) for k in range(1, 7)))
    assert matrix[0].tolist() == [[1, 2, 3], [4, 5, 6], [0, 0, 1]]
    assert matrix[1].tolist() == [[10, 20, 30], [40, 50, 60], [0, 0, 1]]


@pytest.mark.parametrize("which", [[], [1], [0, 3], [0, 1, 2, 3]])
def test_only_the_chosen_change_and_the_input_stays(which):
    images = torch.arange(4.0).view(4, 1, 1, 1).expand(4, 2, 3, 3).contiguous()
    before = images.clone()
    mask = torch.zeros(4, dtype=torch.bool)
    mask[which] = True
    changed = change_chosen(images, mask, lambda some, positions: some + column(positions * 10 + 10, some))
    expected = [k + (k * 10 + 10 if k in which else 0) for k in range(4)]
    assert changed[:, 1, 2, 0].tolist() == expected
    assert torch.equal(images, before)
