"""Self-supervised features as a scikit-learn transformer: learnt from X alone, in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin

if TYPE_CHECKING:
    import numpy as np

    from hundredfold.data.images import ImageSet
    from hundredfold.settings import Table


class SelfSupervisedTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Learns an encoder from images without labels; `transform` gives its features.

    When to use it: as a step of a pipeline, or wherever features of images are wanted in Python. For a report on what
    they are worth, and for images that do not fit in memory, use `hundredfold.pretrain`.

    X holds images as [n, h, w], [n, h, w, c] or [n, c, h, w], or flat as [n, d] with `image_shape`. A flat X without it
    is taken as square grey images if d is 64, 81, 100, ...; a row of any other length is laid out on the smallest
    square that holds it, which works but is not what this is made for. uint8 stands for 0..255 and floats within 0..1
    for themselves; any other numbers are scaled by the range that `fit` sees, and cut off at its ends in `transform`.

    Args:
        method: how to pre-train; `hundredfold methods` lists them.
        encoder: "auto" (by the size of the images), "convnet", "resnet18" or "hf:NAME".
        epochs: passes over the images; "auto" makes about 1,600 steps, in 8 to 100 passes.
        batch_size: images in a step, at most those there are; "auto" takes up to 256.
        lr: peak learning rate; "auto" takes the default of `Plan`.
        image_shape: (h, w), (h, w, c) or (c, h, w) of the images in a flat X.
        views: settings of the random views in place of those chosen from the images, see `ViewSettings`.
        plan: further settings of the training, see `Plan`.
        method_settings: of the method's `Config`.
        encoder_settings: of the encoder's `Config`.
        variance_reduction: weight of the loss that reduces the variance of negative similarities, 0 for none.
        accelerator: "auto", "cpu", "cuda" or "mps".
        precision: of training: "auto", "float32" or "bfloat16". Features are always float32.
        random_state: int, RandomState or None, as in scikit-learn.

    Attributes:
        encoder_: the trained `Encoder`, a torch module, on the CPU.
        training_: a `TrainingResult`: losses, seconds, device.
        views_: the `ViewSettings` that it was trained with.
        n_iter_: epochs done.
        n_features_in_: numbers in an image of X.
        feature_names_in_: the columns of X, where it had names.

    Example:
        >>> from sklearn.datasets import load_digits
        >>> images = load_digits().images[:300]  # [300, 8, 8]
        >>> features = SelfSupervisedTransformer(epochs=1, random_state=0).fit_transform(images)
        >>> features.shape
        (300, 512)
    """

    def __init__(
        self,
        *,
        method: str = "simclr",
        encoder: str = "auto",
        epochs: int | str = "auto",
        batch_size: int | str = "auto",
        lr: float | str = "auto",
        image_shape: Sequence[int] | None = None,
        views: Mapping[str, Any] | None = None,
        plan: Mapping[str, Any] | None = None,
        method_settings: Mapping[str, Any] | None = None,
        encoder_settings: Mapping[str, Any] | None = None,
        variance_reduction: float = 0.0,
        accelerator: str = "auto",
        precision: str = "auto",
        random_state: Any = None,
    ) -> None:
        self.method = method
        self.encoder = encoder
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.image_shape = image_shape
        self.views = views
        self.plan = plan
        self.method_settings = method_settings
        self.encoder_settings = encoder_settings
        self.variance_reduction = variance_reduction
        self.accelerator = accelerator
        self.precision = precision
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> SelfSupervisedTransformer:
        """Learns the encoder.

        Args:
            X: images, see the class.
            y: not looked at.

        Raises:
            ValueError: X or a setting cannot be used.
            DivergedError: the loss is not a number any more.
        """
        from hundredfold.estimators._checks import as_value_errors, checked
        from hundredfold.estimators._images import form_of
        from hundredfold.estimators._pretraining import pretrain

        values = checked(self, X, reset=True, least=2)
        with as_value_errors():
            form = form_of(values, self.image_shape)
            found = pretrain(form.images(values), self._tables(), rows=form.rows)
        self.encoder_, self.training_, self.views_ = found.encoder, found.training, found.views
        self.n_iter_ = len(found.training.epochs)
        self._form = form
        self._n_features_out = found.encoder.features
        return self

    def transform(self, X: Any) -> np.ndarray[Any, Any]:
        """Features [n, d] float32 of images X.

        Raises:
            NotFittedError: before `fit`.
            ValueError: images of another form or range than those of `fit`.
        """
        from hundredfold.estimators._alike import of_all
        from hundredfold.evaluate.features import features

        images, engine = self._images(X), self._engine()
        found = of_all(len(images), lambda index: features(self.encoder_, images, index, engine))
        self.encoder_.cpu()
        return found.numpy()

    def _images(self, X: Any) -> ImageSet:
        """X as the images that the encoder takes."""
        from sklearn.utils.validation import check_is_fitted

        from hundredfold.estimators._checks import as_value_errors, checked
        from hundredfold.estimators._images import require_fit

        check_is_fitted(self)
        values = checked(self, X, reset=False)
        with as_value_errors():
            images = self._form.images(values)
            require_fit(images, self.encoder_.spec)
        return images

    def _engine(self) -> Any:
        from hundredfold.estimators._checks import as_value_errors
        from hundredfold.train.engine import choose_engine

        with as_value_errors():
            return choose_engine(accelerator=self.accelerator, precision=self.precision)

    def _tables(self) -> Table:
        """The parameters as settings of a run, those on "auto" left out."""
        from sklearn.utils import check_random_state

        asked = {"epochs": self.epochs, "batch_size": self.batch_size, "lr": self.lr}
        short = {name: _plain(value) for name, value in asked.items() if value != "auto"}
        return {
            "method": self.method,
            "encoder": self.encoder,
            "plan": {**(self.plan or {}), **short},
            "views": dict(self.views or {}),
            "method_settings": dict(self.method_settings or {}),
            "encoder_settings": dict(self.encoder_settings or {}),
            "variance_reduction": self.variance_reduction,
            "accelerator": self.accelerator,
            "precision": self.precision,
            "seed": int(check_random_state(self.random_state).randint(2**31)),
        }

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def _plain(value: Any) -> Any:
    """A number of numpy's, as searches over settings draw them, as Python's."""
    return value.item() if hasattr(value, "item") else value
