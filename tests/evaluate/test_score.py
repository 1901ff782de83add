"""Scores against loops and against scikit-learn."""

import math

import pytest
import torch
from sklearn.metrics import confusion_matrix as sklearn_confusion
from sklearn.metrics import f1_score, precision_recall_fscore_support

from hundredfold.evaluate.score import interval, score, summarise, wilson


def scored(seed: int, **changes: object) -> object:
    rng = torch.Generator().manual_seed(seed)
    true, predicted = torch.randint(4, (200,), generator=rng), torch.randint(4, (200,), generator=rng)
    facts = dict(model="knn", labels=10, draw=0, seed=0, seconds=0.0, hyperparameters={}, cross_validation=None)
    return true, predicted, score(true, predicted, "abcd", **{**facts, **changes})


def test_equal_to_scikit_learn() -> None:
    true, predicted, record = scored(0)
    assert record.accuracy == pytest.approx(float((true == predicted).float().mean()))
    assert record.confusion == tuple(map(tuple, sklearn_confusion(true, predicted).tolist()))
    assert record.macro_f1 == pytest.approx(f1_score(true, predicted, average="macro"))
    precision, recall, _, support = precision_recall_fscore_support(true, predicted)
    for row, found in enumerate(record.per_class):
        assert (found.name, found.support) == ("abcd"[row], support[row])
        assert (found.precision, found.recall) == pytest.approx((precision[row], recall[row]))


def test_a_class_that_is_never_predicted_and_one_that_never_occurs() -> None:
    facts = dict(model="knn", labels=1, draw=0, seed=0, seconds=0.0, hyperparameters={}, cross_validation=None)
    record = score(torch.tensor([0, 0, 1]), torch.tensor([0, 0, 0]), ["a", "b", "c"], **facts)
    assert [found.precision for found in record.per_class] == [pytest.approx(2 / 3), 0, 0]
    assert record.macro_f1 == pytest.approx((0.8 + 0) / 2)  # "c" does not occur and does not count


def test_interval_by_hand() -> None:
    found = interval([0.9, 0.94, 0.98])
    assert (found.mean, found.draws) == (pytest.approx(0.94), 3)
    assert found.std == pytest.approx(math.sqrt((0.04**2 + 0 + 0.04**2) / 2))
    assert (found.low, found.high) == (pytest.approx(0.86), 1.0)  # 1.02 is no accuracy
    assert interval([0.5]).std == 0


@pytest.mark.parametrize(("right", "count"), [(60, 60), (45, 60), (0, 10), (960, 1000)])
def test_wilson_bounds_are_where_the_deviation_is_z_standard_errors(right: int, count: int) -> None:
    share = right / count
    for bound in wilson(share, count):
        if 1e-9 < bound < 1 - 1e-9:  # at 0 and 1 the deviation is 0
            assert abs(share - bound) == pytest.approx(1.96 * math.sqrt(bound * (1 - bound) / count))
    low, high = wilson(share, count)
    assert 0 <= low <= share <= high <= 1 and high - low > 0


def test_summary_groups_by_model_and_count() -> None:
    records = [scored(seed, draw=seed, labels=labels)[2] for seed in range(3) for labels in (10, 20)]
    summary = summarise(records)
    assert set(summary["knn"]) == {"10", "20"}
    assert summary["knn"]["10"].draws == 3
