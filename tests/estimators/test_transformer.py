"""The transformer: layouts of X, searches and pipelines, what it says of bad input."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from hundredfold import SelfSupervisedTransformer
from hundredfold.errors import SettingsError, UserError
from hundredfold.views.recipe import ViewSettings


def grey_layouts(images):
    flat = images.reshape(len(images), -1)
    return {
        "n h w": (images, None),
        "n 1 h w": (images[:, None], None),
        "n h w 1": (images[..., None], None),
        "flat": (flat, None),
        "flat with its shape": (flat, (8, 8)),
        "flat with channels": (flat, (1, 8, 8)),
        "tensor": (torch.from_numpy(images), None),
        "list": (flat.astype(float).tolist(), None),
    }


def test_every_layout_of_grey_images_gives_the_same_features(bars, tiny):
    expected = clone(tiny).fit_transform(bars.images)
    assert expected.shape == (60, 16)
    assert expected.dtype == np.float32
    for name, (X, image_shape) in grey_layouts(bars.images).items():
        features = clone(tiny).set_params(image_shape=image_shape).fit_transform(X)
        exact = name != "list"  # whose numbers are floats, scaled by their range
        assert np.array_equal(features, expected) == exact, name


def test_every_layout_of_colour_images_gives_the_same_features(bars, tiny):
    images = np.stack([bars.images, bars.images[:, ::-1], 255 - bars.images], axis=-1)  # [n, h, w, 3]
    first = np.moveaxis(images, 3, 1)
    expected = clone(tiny).fit_transform(images)
    assert np.array_equal(clone(tiny).fit_transform(first), expected)
    for X, image_shape in ((images, (8, 8, 3)), (first, (3, 8, 8))):
        features = clone(tiny).set_params(image_shape=image_shape).fit_transform(X.reshape(60, -1))
        assert np.array_equal(features, expected)


def test_what_was_fitted_to_one_layout_takes_the_others(bars, tiny):
    tiny.fit(bars.images)
    expected = tiny.transform(bars.images)
    assert tiny.n_features_in_ == 64
    for X, _ in grey_layouts(bars.images).values():
        assert np.allclose(tiny.transform(X), expected, atol=1e-6)


def test_the_scale_of_numbers_does_not_matter(bars, tiny):
    X = bars.images / 255
    expected = clone(tiny).fit_transform((X - X.min()) / (X.max() - X.min()))
    assert np.allclose(clone(tiny).fit_transform(X * 16 - 3), expected, atol=1e-4)


def test_it_learns_and_says_how_that_went(bars, tiny):
    tiny.set_params(epochs=20).fit(bars.images)
    losses = [epoch.loss for epoch in tiny.training_.epochs]
    assert tiny.n_iter_ == len(losses) == 20
    assert losses[-1] < losses[0]
    assert losses[-1] < tiny.training_.chance
    assert not tiny.encoder_.training
    assert tiny.views_.rotation > 0
    assert tiny.get_feature_names_out().tolist() == [f"selfsupervisedtransformer{number}" for number in range(16)]


def test_labels_are_not_looked_at(bars, tiny):
    assert np.array_equal(
        clone(tiny).fit_transform(bars.images, bars.y), clone(tiny).fit_transform(bars.images, np.full(60, -1))
    )


def test_the_same_random_state_gives_the_same_features_and_the_global_one_is_left_alone(bars, tiny):
    def features(random_state):
        return clone(tiny).set_params(random_state=random_state).fit_transform(bars.images)

    before, torch_before = np.random.get_state()[1].copy(), torch.random.get_rng_state()
    assert np.array_equal(features(3), features(3))
    assert np.array_equal(features(np.random.RandomState(3)), features(3))
    assert not np.array_equal(features(4), features(3))
    assert np.array_equal(np.random.get_state()[1], before)
    assert torch.equal(torch.random.get_rng_state(), torch_before)


def test_nothing_is_printed_or_written(bars, tiny, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    tiny.fit(bars.images).transform(bars.images)
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


def test_it_is_a_step_of_a_pipeline(bars, tiny):
    tiny.set_params(epochs=10)
    model = make_pipeline(tiny, LogisticRegression(max_iter=1000)).fit(bars.images, bars.kinds)
    assert model.score(bars.images, bars.kinds) > 0.8


def test_its_settings_can_be_searched(bars, tiny):
    model = make_pipeline(tiny, LogisticRegression())
    grid = {
        "selfsupervisedtransformer__lr": np.array([1e-3, 1e-2]),
        "selfsupervisedtransformer__epochs": np.arange(1, 2),
    }
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(bars.images, bars.kinds)
    assert search.best_params_["selfsupervisedtransformer__lr"] in (1e-3, 1e-2)
    assert search.n_features_in_ == 64


def test_settings_of_a_run_can_be_given(bars, tiny):
    tiny.set_params(
        method="vicreg", views={"rotation": 5, "crop_area_min": 0.5}, plan={"optimizer": "sgd", "weight_decay": 0.0}
    )
    tiny.fit(bars.images)
    assert tiny.views_.rotation == 5
    assert tiny.views_.crop_area_min == 0.5


def test_rows_that_are_no_images_are_not_moved(tiny):
    X = np.random.default_rng(0).normal(size=(20, 5))
    assert clone(tiny).fit(X).views_ == ViewSettings(jitter=0.5, erasing_probability=1.0)
    assert clone(tiny).set_params(views={"jitter": 0.1}).fit(X).views_.jitter == 0.1


def test_the_lengths_left_to_it_are_those_of_a_run(bars):
    transformer = SelfSupervisedTransformer(encoder_settings={"widths": [2], "features": 4}, random_state=0)
    transformer.fit(bars.images)
    assert transformer.n_iter_ == 100
    assert transformer.training_.batch_size == 32
    assert transformer.encoder_.spec.name == "convnet"


def test_a_batch_is_no_larger_than_the_set(bars, tiny):
    assert tiny.set_params(batch_size=1000).fit(bars.images).training_.batch_size == 60


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"method": "simcrl"}, "did you mean 'simclr'"),
        ({"encoder": "convnat"}, "did you mean 'convnet'"),
        ({"epochs": -1}, "epochs must be >= 0"),
        ({"epochs": "many"}, "epochs"),
        ({"lr": 0}, "lr must be > 0"),
        ({"views": {"rotaton": 5}}, "views.rotation"),
        ({"views": {"grey_probability": 0.5}}, "only images of 3 channels turn grey"),
        ({"accelerator": "gpu"}, "accelerator"),
        ({"precision": "float16"}, "precision"),
        ({"method_settings": {"temprature": 1}}, "temperature"),
        ({"image_shape": (7, 7)}, "7, 7"),
    ],
)
def test_a_setting_that_cannot_be_used_is_a_value_error_of_ours(bars, tiny, parameters, says):
    with pytest.raises(ValueError, match=says) as problem:
        tiny.set_params(**parameters).fit(bars.images.reshape(60, 64))
    assert isinstance(problem.value, UserError)
    assert not hasattr(tiny, "encoder_")


def test_all_bad_settings_are_told_together(bars, tiny):
    with pytest.raises(ValueError, match="2 settings cannot be used") as problem:
        tiny.set_params(lr=-1, method="simcrl").fit(bars.images)
    assert isinstance(problem.value.__cause__, SettingsError)
    assert "simclr" in str(problem.value)
    assert "lr must be > 0" in str(problem.value)


@pytest.mark.parametrize(
    ("X", "says"),
    [
        (np.zeros((2, 2, 8, 8, 3)), "does not hold images"),
        (np.zeros((1, 8, 8)), "minimum of 2 is required"),
        (np.full((4, 8, 8), np.nan), "contains NaN"),
        (np.zeros(64), "1D array"),
        (np.array([["a", "b"], ["c", "d"]]), "could not convert|dtype"),
    ],
)
def test_an_x_that_holds_no_images_is_a_value_error(tiny, X, says):
    with pytest.raises(ValueError, match=says):
        tiny.fit(X)


def test_images_of_another_form_say_both_forms(bars, tiny):
    tiny.fit(bars.images)
    with pytest.raises(ValueError, match=r"1 x 16 x 4 .* 1 x 8 x 8") as problem:
        tiny.transform(bars.images.reshape(60, 16, 4))
    assert problem.value.fix
    with pytest.raises(ValueError, match="X has 63 features, but SelfSupervisedTransformer is expecting 64"):
        tiny.transform(bars.images.reshape(60, 64)[:, 1:])
