"""scikit-learn estimators: the library behind `fit`, `transform` and `predict`. Nothing is printed or written."""

from hundredfold.estimators.classifier import FewLabelClassifier
from hundredfold.estimators.transformer import SelfSupervisedTransformer

__all__ = ["FewLabelClassifier", "SelfSupervisedTransformer"]
