import itertools

import pytest
import torch
from torch import nn

from hundredfold.encoders.heads import normalised_head, prediction_head, projection_head


def test_projection_head_is_the_formula():
    torch.manual_seed(0)
    head = projection_head(3, 4, 2).double()
    first, second = (parameter.tolist() for parameter in head.parameters())
    h = [0.5, -1.0, 2.0]
    inner = [max(0.0, sum(w * x for w, x in zip(row, h, strict=True))) for row in first]
    expected = [sum(w * x for w, x in zip(row, inner, strict=True)) for row in second]
    torch.testing.assert_close(head(torch.tensor([h]).double()), torch.tensor([expected]).double())


def test_projection_head_with_batch_norm_is_centred_and_stays_so():
    torch.manual_seed(0)
    head = projection_head(3, 4, 2, batch_norm=True)
    z = head(torch.randn(64, 3) + 5)
    torch.testing.assert_close(z.mean(0), torch.zeros(2), atol=1e-6, rtol=0)
    z.square().sum().backward()
    offset = head[-1].bias
    assert offset.grad is None and not offset.requires_grad
    assert all(p.grad is not None for p in head.parameters() if p.requires_grad)


def by_hand(linear, rows):
    bias = linear.bias.tolist() if linear.bias is not None else [0.0] * linear.out_features
    weight = linear.weight.tolist()
    return [[sum(w * x for w, x in zip(out, row, strict=True)) + b for out, b in zip(weight, bias)] for row in rows]


def normalised_by_hand(rows, eps=1e-5):
    columns = []
    for column in zip(*rows):
        mean = sum(column) / len(column)
        deviation = (sum((x - mean) ** 2 for x in column) / len(column) + eps) ** 0.5
        columns.append([(x - mean) / deviation for x in column])
    return [list(row) for row in zip(*columns)]


def relu_by_hand(rows):
    return [[max(0.0, x) for x in row] for row in rows]


def test_prediction_head_is_the_formula():
    torch.manual_seed(0)
    head = prediction_head(3, 4, 2).double()
    h = torch.randn(5, 3).double()
    inner = relu_by_hand(normalised_by_hand(by_hand(head[0], h.tolist())))
    torch.testing.assert_close(head(h), torch.tensor(by_hand(head[-1], inner)).double())


@pytest.mark.parametrize("layers", [2, 3])
def test_normalised_head_is_the_formula(layers):
    torch.manual_seed(0)
    head = normalised_head(3, 4, 2, layers=layers).double()
    linear = [module for module in head if isinstance(module, nn.Linear)]
    assert len(linear) == layers
    h = torch.randn(6, 3).double()
    rows = h.tolist()
    for module in linear[:-1]:
        rows = relu_by_hand(normalised_by_hand(by_hand(module, rows)))
    rows = normalised_by_hand(by_hand(linear[-1], rows))
    torch.testing.assert_close(head(h), torch.tensor(rows).double())
    assert not list(head[-1].parameters())  # neither scale nor offset


def test_no_bias_stands_before_batch_norm():
    for head in (prediction_head(3, 4, 2), normalised_head(3, 4, 2)):
        for module, following in itertools.pairwise(head):
            if isinstance(following, nn.BatchNorm1d):
                assert module.bias is None
