import pytest
import torch
from torch import nn

from hundredfold.train.lars import LARS
from hundredfold.train.optimizer import optimizer
from hundredfold.train.plan import OPTIMIZERS, Plan


def network():
    layers = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3), nn.Linear(3, 2))
    for parameter in layers[4].parameters():
        parameter.requires_grad_(False)
    return layers


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_matrices_and_filters_decay_and_nothing_else(name):
    layers = network()
    made = optimizer(layers, Plan(optimizer=name, lr=0.3, weight_decay=0.25))
    decayed, exempt = made.param_groups
    assert [id(p) for p in decayed["params"]] == [id(layers[0].weight), id(layers[3].weight)]
    assert {id(p) for p in exempt["params"]} == {
        id(p) for p in (layers[0].bias, layers[1].weight, layers[1].bias, layers[3].bias)
    }
    assert (decayed["weight_decay"], exempt["weight_decay"]) == (0.25, 0.0)
    assert all(group["lr"] == 0.3 for group in made.param_groups)


def test_the_kinds():
    layers = network()
    assert isinstance(optimizer(layers, Plan(optimizer="adamw")), torch.optim.AdamW)
    sgd = optimizer(layers, Plan(optimizer="sgd"))
    assert isinstance(sgd, torch.optim.SGD)
    assert all(group["nesterov"] and group["momentum"] == 0.9 for group in sgd.param_groups)
    lars = optimizer(layers, Plan(optimizer="lars"))
    assert isinstance(lars, LARS) and [group["adapt"] for group in lars.param_groups] == [True, False]


@pytest.mark.parametrize("bias, adapt", [(False, True), (True, False)])
def test_lars_where_one_kind_of_parameter_is_missing(bias, adapt):
    only = nn.Linear(2, 2, bias=False) if not bias else nn.BatchNorm1d(2)
    assert [group["adapt"] for group in optimizer(only, Plan(optimizer="lars")).param_groups] == [adapt]
