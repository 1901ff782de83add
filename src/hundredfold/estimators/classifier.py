"""A classifier from images of which few are labelled, in the form of `sklearn.semi_supervised`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone

from hundredfold.estimators.transformer import SelfSupervisedTransformer

if TYPE_CHECKING:
    from hundredfold.estimators._models import Task


class FewLabelClassifier(ClassifierMixin, BaseEstimator):
    """Learns an encoder from all of X, then classes from the rows that carry a label.

    When to use it: in place of `LabelSpreading` or `SelfTrainingClassifier`, where X holds images. In y, -1 stands for
    unlabelled as it does there, and so do NaN, None and "" for other kinds of labels.

    Args:
        transformer: what learns the encoder; None takes a `SelfSupervisedTransformer` with its defaults. It is cloned
            and fitted to X; one that is fitted already is used as it is, without learning again. A clone is not fitted:
            to keep an encoder through `GridSearchCV` put it into `sklearn.frozen.FrozenEstimator`.
        model: "linear_probe" (one linear layer on frozen features), "label_propagation" (labels spread over the
            neighbours in the features), "knn" (the nearest labelled images vote), "finetune" (the whole network,
            trained further), "pseudo_label" or "fixmatch" (the whole network, trained on all of X; minutes); several
            names to choose from, as a run does, by the labels alone; or "auto", which chooses from the first three.
        model_settings: of the models that train a network, by their names: {"finetune": {"steps": 200}}. See
            `FinetuneSettings`, `PseudoLabelSettings` and `FixMatchSettings`.
        random_state: int, RandomState or None, as in scikit-learn; also of a transformer that has none.

    Attributes:
        classes_: [k] the classes among the labels.
        transformer_: the fitted transformer.
        model_: name of the model that was learnt; empty where a single class is labelled.
        candidates_: the models that were compared, each a `Candidate`; empty where there was nothing to compare, or a
            class has a single label.
        label_distributions_: [n, k] probabilities of the rows of `fit`; a row with a label is certain of it.
        transduction_: [n] labels of the rows of `fit`: its own where there is one.
        n_features_in_, feature_names_in_: as in scikit-learn.

    Example:
        >>> from sklearn.datasets import load_digits
        >>> images, digits = load_digits().images[:300], load_digits().target[:300]
        >>> y = np.where(np.arange(300) < 50, digits, -1)  # the others have no label
        >>> model = FewLabelClassifier(SelfSupervisedTransformer(epochs=2), model="knn", random_state=0)
        >>> model.fit(images, y).predict_proba(images[50:]).shape
        (250, 10)
    """

    def __init__(
        self,
        transformer: Any = None,
        *,
        model: str | Sequence[str] = "auto",
        model_settings: Mapping[str, Any] | None = None,
        random_state: Any = None,
    ) -> None:
        self.transformer = transformer
        self.model = model
        self.model_settings = model_settings
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> FewLabelClassifier:
        """Learns the encoder from all rows and the classes from the labelled ones.

        Args:
            X: images, see `SelfSupervisedTransformer`.
            y: [n] labels, -1 for unlabelled.

        Raises:
            ValueError: X, y or a setting cannot be used; nothing is labelled.
            DivergedError: the loss is not a number any more.
        """
        from sklearn.utils import check_random_state, column_or_1d
        from sklearn.utils.validation import check_consistent_length

        from hundredfold.estimators._checks import as_value_errors, checked
        from hundredfold.estimators._labels import numbered
        from hundredfold.estimators._models import asked_for, teach

        with as_value_errors():
            names = asked_for(self.model, self.model_settings or {})
            values = checked(self, X, y, reset=True)
            labels = column_or_1d(y, warn=True)
            check_consistent_length(values, labels)
            self.classes_, numbers = numbered(labels)
            seed = int(check_random_state(self.random_state).randint(2**31))
            self.transformer_ = self._fitted(X, seed)
            task = self._task(X, numbers, seed)
            self._taught = teach(names, task)
        self.model_, self.candidates_ = self._taught.name, self._taught.candidates
        shares = self._taught.probabilities(task.images, task.engine).numpy()
        labelled = numbers >= 0
        shares[labelled] = np.eye(len(self.classes_), dtype=shares.dtype)[numbers[labelled]]
        self.label_distributions_ = shares
        self.transduction_ = self.classes_[shares.argmax(1)]
        return self

    def predict_proba(self, X: Any) -> np.ndarray[Any, Any]:
        """Probabilities [n, k] float32 of the classes, for images X."""
        from sklearn.utils.validation import check_is_fitted

        from hundredfold.estimators._checks import checked

        check_is_fitted(self)
        checked(self, X, reset=False)
        images, engine = self.transformer_._images(X), self.transformer_._engine()
        return self._taught.probabilities(images, engine).numpy()

    def predict(self, X: Any) -> np.ndarray[Any, Any]:
        """The most probable class [n] for images X."""
        shares = self.predict_proba(X)
        return self.classes_[shares.argmax(1)]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy on the rows that carry a label, so that a search over settings may hold out unlabelled rows too.

        Raises:
            ValueError: no row carries one.
        """
        from sklearn.utils import _safe_indexing, column_or_1d

        from hundredfold.estimators._checks import InputError
        from hundredfold.estimators._labels import known

        labels = column_or_1d(y)
        rows = known(labels).nonzero()[0]
        if not len(rows):
            raise InputError("there is nothing to score: no value of y is a label", fix="give rows with labels")
        weight = None if sample_weight is None else _safe_indexing(sample_weight, rows)
        return float(super().score(_safe_indexing(X, rows), labels[rows], weight))

    def _fitted(self, X: Any, seed: int) -> SelfSupervisedTransformer:
        """The transformer that was given if it is fitted, else a clone fitted to X."""
        from sklearn.exceptions import NotFittedError
        from sklearn.frozen import FrozenEstimator
        from sklearn.utils.validation import check_is_fitted

        given = SelfSupervisedTransformer() if self.transformer is None else self.transformer
        given = given.estimator if isinstance(given, FrozenEstimator) else given
        _require_ours(given)
        try:
            check_is_fitted(given)
        except NotFittedError:
            fresh: SelfSupervisedTransformer = clone(given)
            if fresh.random_state is None:
                fresh.set_params(random_state=seed)
            return fresh.fit(X)
        return given

    def _task(self, X: Any, numbers: np.ndarray[Any, Any], seed: int) -> Task:
        import torch

        from hundredfold.estimators._models import Task

        transformer = self.transformer_
        return Task(
            encoder=transformer.encoder_,
            images=replace(transformer._images(X), labels=torch.from_numpy(numbers)),
            classes=len(self.classes_),
            views=transformer.views_,
            settings=self.model_settings or {},
            engine=transformer._engine(),
            seed=seed,
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


def _require_ours(given: Any) -> None:
    from hundredfold.estimators._checks import InputError

    if not isinstance(given, SelfSupervisedTransformer):
        raise InputError(
            f"transformer is {type(given).__name__}",
            why="the models need an encoder, which only a SelfSupervisedTransformer has",
            fix="for features of another kind, make a pipeline with a classifier of scikit-learn",
        )
