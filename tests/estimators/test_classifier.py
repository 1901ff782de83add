"""The few-label classifier: what -1 means, which model it takes, what it says of bad input."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from hundredfold import FewLabelClassifier, SelfSupervisedTransformer
from hundredfold.errors import UserError
from hundredfold.evaluate.learner import CANDIDATES

QUICK = {"finetune": {"steps": 2}, "pseudo_label": {"steps": 2}, "fixmatch": {"steps": 2}}


def test_it_learns_digits_from_a_hundred_labels():
    X, truth = load_digits(return_X_y=True)
    y = np.where(np.arange(len(truth)) < 100, truth, -1)
    model = FewLabelClassifier(SelfSupervisedTransformer(epochs=4), random_state=0).fit(X, y)
    unlabelled = y == -1
    assert (model.transduction_[unlabelled] == truth[unlabelled]).mean() > 0.8
    assert model.score(X[unlabelled], truth[unlabelled]) > 0.8
    assert [candidate.model for candidate in model.candidates_] == ["linear_probe", "label_propagation", "knn"]
    assert model.model_ in ("linear_probe", "label_propagation", "knn")


def test_minus_one_is_no_class(bars, tiny):
    model = FewLabelClassifier(tiny, model="knn", random_state=0).fit(bars.images, bars.y)
    assert model.classes_.tolist() == [0, 1]
    assert model.predict_proba(bars.images).shape == (60, 2)
    assert np.allclose(model.predict_proba(bars.images).sum(1), 1, atol=1e-6)
    known = bars.y != -1
    assert np.array_equal(model.transduction_[known], bars.y[known])
    assert np.array_equal(model.transduction_[~known], model.predict(bars.images)[~known])
    assert np.array_equal(model.label_distributions_[known], np.eye(2)[bars.y[known]])
    assert model.label_distributions_.shape == (60, 2)


@pytest.mark.parametrize("nothing", ["", None, -1, np.nan])
def test_labels_can_be_names(bars, tiny, nothing):
    names = np.array(["lies", "stands"], dtype=object)
    y = np.where(bars.y == -1, nothing, names[bars.y])
    model = FewLabelClassifier(tiny, model="knn", random_state=0).fit(bars.images, y)
    numbers = FewLabelClassifier(tiny, model="knn", random_state=0).fit(bars.images, bars.y)
    assert model.classes_.tolist() == ["lies", "stands"]
    assert np.array_equal(model.transduction_, names[numbers.transduction_])


@pytest.mark.parametrize("name", CANDIDATES)
def test_every_model_has_its_name_and_the_same_form(bars, tiny, name):
    model = FewLabelClassifier(tiny, model=name, model_settings=QUICK, random_state=0).fit(bars.images, bars.y)
    assert model.model_ == name
    assert model.candidates_ == ()
    shares = model.predict_proba(bars.images[:3])
    assert shares.shape == (3, 2)
    assert np.allclose(shares.sum(1), 1, atol=1e-5)
    again = clone(model).fit(bars.images, bars.y)
    assert np.array_equal(again.predict_proba(bars.images[:3]), shares)


def test_models_are_compared_by_halves_of_their_labels(bars, tiny):
    model = FewLabelClassifier(tiny, model=["knn", "finetune"], model_settings=QUICK, random_state=0)
    model.fit(bars.images, bars.y)
    assert [candidate.model for candidate in model.candidates_] == ["knn", "finetune"]
    assert all(0 <= share <= 1 for found in model.candidates_ for share in (found.held_out, found.agreement))


def test_with_a_single_label_of_a_class_the_safest_is_taken(bars, tiny):
    y = np.full(60, -1)
    y[:3] = 0, 1, 0
    model = FewLabelClassifier(tiny, random_state=0).fit(bars.images, y)
    assert (model.model_, model.candidates_) == ("linear_probe", ())


def test_one_class_is_all_there_is_to_predict(bars, tiny):
    model = FewLabelClassifier(tiny).fit(bars.images, np.where(np.arange(60) < 5, 7, -1))
    assert model.classes_.tolist() == [7]
    assert set(model.predict(bars.images)) == {7}
    assert model.predict_proba(bars.images).tolist() == [[1]] * 60
    assert model.model_ == ""


def test_all_unlabelled_says_what_is_missing_and_the_transformer_works(bars, tiny):
    y = np.full(60, -1)
    with pytest.raises(ValueError, match="no label: all 60 values of y stand for unlabelled") as problem:
        FewLabelClassifier(tiny).fit(bars.images, y)
    assert isinstance(problem.value, UserError)
    assert tiny.fit(bars.images, y).transform(bars.images).shape == (60, 16)


def test_an_unfitted_transformer_is_cloned_and_a_fitted_one_is_used(bars, tiny):
    model = FewLabelClassifier(tiny, model="knn").fit(bars.images, bars.y)
    with pytest.raises(NotFittedError):
        check_is_fitted(tiny)
    tiny.fit(bars.images)
    assert FewLabelClassifier(tiny, model="knn").fit(bars.images, bars.y).transformer_ is tiny
    assert model.transformer_ is not tiny
    with pytest.raises(NotFittedError):
        check_is_fitted(clone(model.set_params(transformer=tiny)).transformer)


def test_a_frozen_transformer_is_kept_through_a_search(bars, tiny):
    kept = FrozenEstimator(tiny.fit(bars.images))
    search = GridSearchCV(
        FewLabelClassifier(kept, random_state=0), {"model": ["knn", "label_propagation"]}, cv=2, error_score="raise"
    )
    search.fit(bars.images, bars.y)
    assert search.best_estimator_.transformer_ is tiny
    assert search.best_score_ > 0.5


def test_settings_of_the_transformer_can_be_searched(bars, tiny):
    search = GridSearchCV(
        FewLabelClassifier(tiny, model="knn", random_state=0),
        {"transformer__epochs": [1, 2]},
        cv=2,
        error_score="raise",
    ).fit(bars.images, bars.y)
    assert search.best_estimator_.transformer_.n_iter_ == search.best_params_["transformer__epochs"]


def test_the_score_is_over_the_rows_with_a_label(bars, tiny):
    model = FewLabelClassifier(tiny.set_params(epochs=10), model="linear_probe", random_state=0)
    model.fit(bars.images, bars.y)
    right = model.predict(bars.images) == bars.kinds
    known = bars.y != -1
    assert model.score(bars.images, bars.y) == right[known].mean()
    weight = np.arange(60.0)
    assert model.score(bars.images, bars.y, weight) == pytest.approx(np.average(right[known], weights=weight[known]))
    with pytest.raises(ValueError, match="nothing to score"):
        model.score(bars.images, np.full(60, -1))
    assert 0 <= cross_val_score(model, bars.images, bars.y, cv=2, error_score="raise").min() <= 1


def test_the_same_random_state_gives_the_same_model(bars, tiny):
    tiny.set_params(random_state=None)

    def shares(random_state):
        model = FewLabelClassifier(tiny, model="linear_probe", random_state=random_state)
        return model.fit(bars.images, bars.y).predict_proba(bars.images)

    assert np.array_equal(shares(5), shares(5))
    assert not np.array_equal(shares(5), shares(6))


def test_without_a_transformer_it_takes_one_with_its_defaults(bars, monkeypatch):
    made = []

    def fit(self, X, y=None):
        made.append(self.get_params())
        raise InterruptedError

    monkeypatch.setattr(SelfSupervisedTransformer, "fit", fit)
    with pytest.raises(InterruptedError):
        FewLabelClassifier(random_state=0).fit(bars.images, bars.y)
    (found,) = made
    assert isinstance(found.pop("random_state"), int)
    defaults = SelfSupervisedTransformer().get_params()
    assert found == {name: value for name, value in defaults.items() if name != "random_state"}


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"model": "linear_prob"}, "did you mean 'linear_probe'"),
        ({"model": "pixels"}, "unknown model 'pixels'"),
        ({"model": []}, "names nothing to learn"),
        ({"model": ["knn", "nkk"]}, "'nkk'"),
        ({"model_settings": {"finetune": {"stps": 3}}}, "model_settings.finetune.steps"),
        ({"model_settings": {"finetune": {"steps": 0}}}, "steps must be >= 1"),
        ({"transformer": StandardScaler()}, "transformer is StandardScaler"),
    ],
)
def test_a_setting_that_cannot_be_used_is_a_value_error_before_training(bars, tiny, parameters, says):
    model = FewLabelClassifier(tiny).set_params(**parameters)
    with pytest.raises(ValueError, match=says) as problem:
        model.fit(bars.images, bars.y)
    assert isinstance(problem.value, UserError)
    assert not hasattr(model, "transformer_")


def test_more_labels_than_images_are_refused(bars, tiny):
    with pytest.raises(ValueError, match=r"inconsistent numbers of samples: \[60, 61\]"):
        FewLabelClassifier(tiny).fit(bars.images, np.zeros(61))


def test_a_fitted_transformer_of_other_images_is_refused(bars, tiny):
    tiny.fit(bars.images)
    with pytest.raises(ValueError, match="1 x 16 x 4"):
        FewLabelClassifier(tiny).fit(bars.images.reshape(60, 16, 4), bars.y)
