"""LARS against algorithm 1 of the paper, written with floats and loops."""

import math

import pytest
import torch

from hundredfold.train.lars import LARS


def by_hand(weights, gradients, *, lr, momentum, decay, trust, adapt):
    """Algorithm 1 of arXiv 1708.03888 for one layer given as a list; returns the weights after each step."""
    velocity, history = [0.0] * len(weights), []
    for gradient in gradients:
        directions = [g + decay * w for g, w in zip(gradient, weights, strict=True)]
        size = math.sqrt(sum(w * w for w in weights))
        change = math.sqrt(sum(d * d for d in directions))
        local = trust * size / change if adapt and size > 0 and change > 0 else 1.0
        velocity = [momentum * v + lr * local * d for v, d in zip(velocity, directions, strict=True)]
        weights = [w - v for w, v in zip(weights, velocity, strict=True)]
        history.append(weights)
    return history


@pytest.mark.parametrize("adapt", [True, False])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_is_the_algorithm_of_the_paper(adapt, decay):
    start = [0.5, -1.0, 2.0, 0.0]
    gradients = [[0.1, -0.2, 0.3, 0.4], [1.0, 0.0, -0.5, 0.2], [0.0, 0.3, 0.1, -0.1]]
    expected = by_hand(start, gradients, lr=0.2, momentum=0.8, decay=decay, trust=0.01, adapt=adapt)
    parameter = torch.nn.Parameter(torch.tensor(start, dtype=torch.float64).view(2, 2))
    optimizer = LARS([{"params": [parameter], "adapt": adapt}], lr=0.2, momentum=0.8, weight_decay=decay, trust=0.01)
    for gradient, weights in zip(gradients, expected, strict=True):
        parameter.grad = torch.tensor(gradient, dtype=torch.float64).view(2, 2)
        optimizer.step()
        assert parameter.detach().flatten().tolist() == pytest.approx(weights, abs=1e-12)


@pytest.mark.parametrize("start, gradient", [([0.0, 0.0], [1.0, 2.0]), ([1.0, 2.0], [0.0, 0.0])])
def test_zeros_neither_divide_nor_stand_still(start, gradient):
    parameter = torch.nn.Parameter(torch.tensor(start))
    optimizer = LARS([parameter], lr=0.1)
    parameter.grad = torch.tensor(gradient)
    optimizer.step()
    assert parameter.tolist() == pytest.approx([w - 0.1 * g for w, g in zip(start, gradient, strict=True)])


def test_parameters_without_a_gradient_stay_and_a_closure_is_called():
    moved, still = torch.nn.Parameter(torch.ones(2)), torch.nn.Parameter(torch.ones(2))
    optimizer = LARS([moved, still], lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = moved.square().sum()
        loss.backward()
        return loss.item()

    assert optimizer.step(closure) == 2.0
    assert still.tolist() == [1.0, 1.0] and moved.tolist() != [1.0, 1.0]
