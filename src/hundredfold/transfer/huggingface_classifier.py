"""A source classifier from a folder of the transformers library, as `save_pretrained` of an image classifier writes it.

The folder holds `config.json` (with the names of the classes, `id2label`), `model.safetensors` and, if the model was
trained with one, `preprocessor_config.json`: the mean and deviation of each channel, and the size of images. Without
it, images go in as they are, in 0..1, at the size of the configuration.

When to use it: a classifier that was trained elsewhere, on the classes of the generator. When not: one of other classes
than the generator's; the two must know the same ones.

Weights are read from safetensors alone and from disk alone, and code that comes with a model is never run. Needs the
extra: `pip install 'hundredfold[hf]'`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hundredfold.encoders import _transformers as library
from hundredfold.errors import CheckpointError
from hundredfold.train.engine import Engine
from hundredfold.transfer.foreign_folder import description, needs_safetensors, short
from hundredfold.transfer.source_classifier import SourceClassifier

CONFIG, PREPROCESSING = "config.json", "preprocessor_config.json"
USUAL_SIZE = 224  # pixels, where neither file says


class HuggingFaceClassifier(SourceClassifier):
    """An image classifier of the transformers library behind its own normalisation.

    Args:
        model: `AutoModelForImageClassification`; images [b, c, h, w] in, logits [b, k] out.
        classes: k names.
        size: (height, width) of the images it takes.
        mean, std: of each channel, of images in 0..1.

    Raises:
        CheckpointError: its logits are of another number of classes, or no linear layer makes them.
    """

    def __init__(
        self,
        model: nn.Module,
        classes: tuple[str, ...],
        *,
        size: tuple[int, int],
        mean: tuple[float, ...],
        std: tuple[float, ...],
    ) -> None:
        self.model = model.eval().requires_grad_(False)
        self.classes = classes
        self.channels, self.size = len(mean), size
        self.mean = torch.tensor(mean).view(1, -1, 1, 1)
        self.std = torch.tensor(std).view(1, -1, 1, 1)
        self.last = _last_layer(model, len(classes))
        self._try_out()

    @torch.no_grad()
    def logits(self, images: Tensor) -> Tensor:
        """See `SourceClassifier.logits`."""
        logits: Tensor = self.model(pixel_values=self._normal(images), return_dict=True).logits
        return logits.float()

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """See `SourceClassifier.features`."""
        read: list[Tensor] = []
        # Models gather places in many ways before their last layer; what it is given is the same question for all.
        handle = self.last.register_forward_pre_hook(lambda _, given: read.append(given[0]))
        try:
            self.logits(images)
        finally:
            handle.remove()
        return read[-1].float()

    def place(self, engine: Engine) -> None:
        """See `SourceClassifier.place`."""
        engine.place(self.model)
        self.mean, self.std = self.mean.to(engine.device), self.std.to(engine.device)

    def _normal(self, images: Tensor) -> Tensor:
        return (images - self.mean) / self.std

    def _try_out(self) -> None:
        images = torch.zeros(2, self.channels, *self.size)
        wanted = (2, len(self.classes))
        try:
            found, features = tuple(self.logits(images).shape), self.features(images)
        except (RuntimeError, ValueError, TypeError, IndexError) as problem:
            size = f"{self.channels} x {self.size[0]} x {self.size[1]}"
            raise CheckpointError(f"the classifier cannot take images of {size}", why=short(problem)) from problem
        if found != wanted or features.dim() != 2:
            raise CheckpointError(
                "the classifier is none of whole images",
                why=f"for 2 images it answers logits {list(found)} of features {list(features.shape)}",
            )


def read_huggingface_classifier(folder: Path) -> HuggingFaceClassifier:
    """The classifier in a folder (see above).

    Raises:
        CheckpointError: it is none of images, its weights are pickles or not all there.
        SettingsError: the extra is missing, or the configuration cannot be used.
    """
    library.check()
    raw = description(folder, CONFIG)
    needs_safetensors(folder)
    model = _model(folder, raw)
    names: dict[int, str] = model.config.id2label
    config = model.config.to_dict()
    channels = int(config.get("num_channels") or 3)
    mean, std = library.normalisation(str(folder), channels) or ((0.0,) * channels, (1.0,) * channels)
    classes = tuple(str(names[place]) for place in sorted(names))
    return HuggingFaceClassifier(model, classes, size=_size(folder, config), mean=mean, std=std)


def _model(folder: Path, raw: dict[str, Any]) -> Any:
    from transformers import AutoConfig, AutoModelForImageClassification

    # Without whatever could make the library run code beside the weights; then the names of the classes again.
    plain = library.complete(library.named_config(str(folder)))
    named = {key: raw[key] for key in ("id2label", "label2id") if key in raw}
    try:
        config = AutoConfig.for_model(**plain, **named)
        with library.quiet():
            model, loaded = AutoModelForImageClassification.from_pretrained(
                folder,
                config=config,
                dtype=torch.float32,
                use_safetensors=True,
                output_loading_info=True,
                local_files_only=True,
                trust_remote_code=False,
            )
    except (OSError, RuntimeError, ValueError, TypeError, KeyError, AttributeError, ImportError) as problem:
        raise CheckpointError(f"the classifier in {folder} cannot be loaded", why=short(problem)) from problem
    if loaded["missing_keys"]:
        missing = sorted(loaded["missing_keys"])
        raise CheckpointError(
            f"the weights in {folder} are not all there",
            why=f"{len(missing)} of them would be random, {missing[0]} for one",
            fix="name the folder of a model that was trained to classify, not of a backbone",
        )
    return model


def _last_layer(model: nn.Module, classes: int) -> nn.Linear:
    linear = [part for part in model.modules() if isinstance(part, nn.Linear) and part.out_features == classes]
    if not linear:
        raise CheckpointError(
            "the classifier has no features to read",
            why=f"no linear layer of it makes {classes} numbers, one for each class",
        )
    return linear[-1]


def _size(folder: Path, config: Mapping[str, Any]) -> tuple[int, int]:
    path = folder / PREPROCESSING
    asked: dict[str, Any] = {}
    if path.is_file():
        try:
            asked = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as problem:
            raise CheckpointError(f"{path} cannot be read", why=short(problem)) from problem
    cropped = asked.get("crop_size") if asked.get("do_center_crop") else None
    scaled = asked.get("size") if asked.get("do_resize", True) else None
    found = cropped or scaled or config.get("image_size") or USUAL_SIZE
    if isinstance(found, Mapping):
        side = found.get("shortest_edge") or found.get("longest_edge") or USUAL_SIZE
        return int(found.get("height") or side), int(found.get("width") or side)
    height, width = found if isinstance(found, (list, tuple)) else (found, found)
    return int(height), int(width)
