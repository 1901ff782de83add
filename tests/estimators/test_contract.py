"""What scikit-learn asks of every estimator, asked of ours, with small networks and short training."""

from typing import Any

import pytest
from sklearn.utils.estimator_checks import check_classifiers_classes, parametrize_with_checks

from hundredfold import FewLabelClassifier, SelfSupervisedTransformer
from hundredfold.evaluate import probe

TINY = SelfSupervisedTransformer(epochs=3, batch_size=64, encoder_settings={"widths": [4, 8], "features": 16})
FAILS = {
    "check_classifiers_classes": "it takes -1 for a class; here, as in sklearn.semi_supervised, whose classifiers it "
    "excepts by their names, -1 is no label"
}


def expected(estimator: Any) -> dict[str, str]:
    return FAILS if isinstance(estimator, FewLabelClassifier) else {}


@pytest.fixture(autouse=True)
def two_penalties(monkeypatch):
    """The probe chooses from two penalties and not from nine, which would take most of the time."""
    monkeypatch.setattr(probe, "GRID", (1.0, 10.0))


@parametrize_with_checks([TINY, FewLabelClassifier(TINY)], expected_failed_checks=expected, xfail_strict=True)
def test_the_contract(estimator, check):
    check(estimator)


def test_the_check_that_fails_passes_with_labels_that_are_classes():
    """It knows semi-supervised classifiers by name alone, and spares them a class called -1."""
    check_classifiers_classes("LabelSpreading", FewLabelClassifier(TINY, model="knn"))
