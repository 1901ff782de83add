import math
from dataclasses import fields

import pytest

from hundredfold.train.plan import OPTIMIZERS, Plan


def test_the_default_is_fine_and_documented():
    assert Plan().problems() == []
    assert all(f"        {field.name}: " in Plan.__doc__ for field in fields(Plan))


@pytest.mark.parametrize(
    "name, value",
    [
        ("epochs", -1),
        ("batch_size", 1),
        ("optimizer", "adam"),
        ("lr", 0.0),
        ("lr", -1.0),
        ("lr", math.nan),
        ("lr", math.inf),
        ("weight_decay", -0.1),
        ("weight_decay", math.nan),
        ("warmup", -0.1),
        ("warmup", 1.1),
        ("clip_norm", -1.0),
        ("clip_norm", math.inf),
        ("checkpoint_seconds", -1.0),
        ("checkpoint_seconds", math.nan),
        ("keep", 1),
    ],
)
def test_each_value_out_of_range_is_told_with_its_name(name, value):
    (problem,) = Plan(**{name: value}).problems()
    assert problem.startswith(name) and str(value) in problem


def test_all_are_told_together():
    assert len(Plan(epochs=-1, batch_size=0, lr=-1, keep=0, optimizer="?").problems()) == 5
    assert all(Plan(optimizer=name).problems() == [] for name in OPTIMIZERS)
