"""What is asked of the transformers library, with its many errors turned into ours.

Configurations are plain dicts here, without anything that could make the library fetch or run more than the model
itself: code beside the weights, kernels, quantisation.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from hundredfold.errors import CheckpointError, SettingsError

OLDEST = (5, 3)  # before, code of a model could run though it was not trusted (CVE-2026-4372)
INSTALL = "pip install 'hundredfold[hf]'"
DROPPED = {
    *("auto_map", "custom_pipelines", "trust_remote_code"),  # code beside the weights
    *("attn_implementation", "experts_implementation", "kernel_config", "use_kernels"),  # code from elsewhere
    *("quantization_config", "compression_config", "dtype", "torch_dtype"),  # other weights than float32
    *("architectures", "transformers_version", "id2label", "label2id"),  # of no use here
}
Answer = TypeVar("Answer")


def check() -> None:
    """Nothing, if the library can be used.

    Raises:
        SettingsError: it is missing, or too old to be safe.
    """
    try:
        found = version("transformers")
    except PackageNotFoundError:
        raise SettingsError(["hf: encoders need the transformers library"], fix=INSTALL) from None
    if tuple(int(part) for part in found.split(".")[:2]) < OLDEST:
        needed = ".".join(map(str, OLDEST))
        raise SettingsError([f"transformers {found} is too old to be safe, {needed} is needed"], fix=INSTALL)


def is_kind(name: str) -> bool:
    """Whether `name` is a kind of model ("vit"), not a model of the hub or a folder."""
    with _explained(name):
        from transformers import CONFIG_MAPPING

        return name in CONFIG_MAPPING and not Path(name).is_dir()


def named_config(name: str) -> dict[str, Any]:
    """What the configuration of a model of the hub, or of a folder, says beside the library's defaults.

    Raises:
        CheckpointError: it cannot be had.
    """
    from transformers import AutoConfig

    found = _fetched(name, lambda **where: AutoConfig.from_pretrained(_place(name), **where))
    return _plain(found, use_diff=True)


def complete(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration with every field that the library has for its `model_type`.

    Raises:
        SettingsError: there is no such model, or a field has another type.
    """
    with _explained(str(config.get("model_type"))):
        return _plain(_config(config), use_diff=False)


def random_model(config: dict[str, Any]) -> nn.Module:
    """A model with weights from torch's global generator.

    Raises:
        SettingsError: the configuration cannot be used, or is not that of a model of images.
    """
    kind = str(config.get("model_type"))
    with _explained(kind, RuntimeError, IndexError), quiet():
        from transformers import AutoModel

        return _of_images(kind, AutoModel.from_config(_config(config), trust_remote_code=False).float())


def pretrained_model(name: str, config: dict[str, Any]) -> tuple[nn.Module, set[str]]:
    """A model with the weights of `name`, in float32, and the names of the weights that it lacked.

    Raises:
        CheckpointError: they cannot be had, or do not fit.
        SettingsError: the configuration cannot be used, or is not that of a model of images.
    """
    from transformers import AutoModel

    def load(**where: Any) -> tuple[nn.Module, dict[str, Any]]:
        options = {"dtype": torch.float32, "use_safetensors": True, "output_loading_info": True}
        return AutoModel.from_pretrained(_place(name), config=_config(config), **options, **where)

    model, found = _fetched(name, load)
    return _of_images(name, model), set(found["missing_keys"])


def normalisation(name: str, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Mean and standard deviation by channel that `name` was trained with, or None if it does not come with them."""
    try:
        path = _preprocessing(name)
        values = json.loads(path.read_text(encoding="utf-8")) if path else {}
        if values.get("do_normalize") is False:
            return (0.0,) * channels, (1.0,) * channels
        mean, std = [float(value) for value in values["image_mean"]], [float(value) for value in values["image_std"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    if channels == 1:  # grey is repeated over the model's channels: one number must do for all
        mean, std = [sum(mean) / len(mean)], [sum(std) / len(std)]
    return (tuple(mean), tuple(std)) if len(mean) == len(std) == channels and min(std) > 0 else None


def _preprocessing(name: str) -> Path | None:
    from transformers.utils import cached_file

    if folder := _folder(name):
        return folder / "preprocessor_config.json"
    for cached_only in (True, False):
        with quiet():
            found = cached_file(
                name,
                "preprocessor_config.json",
                local_files_only=cached_only,
                _raise_exceptions_for_missing_entries=False,
                _raise_exceptions_for_connection_errors=False,
            )
        if found:
            return Path(found)
    return None


def _fetched(name: str, load: Callable[..., Answer]) -> Answer:
    """What `load` finds in the folder or the cache, and only if it is not there, on the hub."""
    problem: Exception | None = None
    for cached_only in (True,) if _folder(name) else (True, False):
        try:
            with _explained(name), quiet():
                return load(local_files_only=cached_only, trust_remote_code=False)
        except (OSError, RuntimeError) as error:
            problem = error
    fix = "check the name and the network, or name a folder that save_pretrained wrote (safetensors)"
    raise CheckpointError(f"no model to be had for {name!r}", why=_short(problem), fix=fix) from problem


def _folder(name: str) -> Path | None:
    path = Path(name).expanduser()
    if path.is_dir():
        return path
    if name.startswith((".", "/", "~")):
        raise CheckpointError(f"no folder {name}", fix="name a folder that save_pretrained wrote")
    return None


def _place(name: str) -> str:
    return str(_folder(name) or name)


def _config(plain: dict[str, Any]) -> Any:
    from transformers import AutoConfig

    return AutoConfig.for_model(**_without_dropped(plain))


def _plain(config: Any, *, use_diff: bool) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(config.to_json_string(use_diff=use_diff))
    return _without_dropped(found)


def _without_dropped(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: _without_dropped(each) for key, each in value.items() if key not in DROPPED and key[:1] != "_"}


def _of_images(name: str, model: nn.Module) -> nn.Module:
    if model.main_input_name != "pixel_values":
        raise SettingsError([f"{name!r} reads {model.main_input_name}, not images"], fix="name an image backbone")
    if getattr(model.config, "mask_ratio", 0):
        fix = "name one that sees whole images, a vit for instance"
        raise SettingsError([f"{name!r} hides parts of every image at random: no encoder"], fix=fix)
    return model


@contextlib.contextmanager
def _explained(name: str, *more: type[Exception]) -> Iterator[None]:
    """Import errors and unusable configurations as settings errors."""
    unusable: tuple[type[Exception], ...] = (ValueError, TypeError, AttributeError, KeyError, ZeroDivisionError, *more)
    try:
        yield
    except ImportError as problem:
        raise SettingsError([f"transformers cannot load {name!r}: {_short(problem)}"], fix=_mend()) from problem
    except unusable as problem:
        raise SettingsError([f"{name!r} cannot be built: {_short(problem)}"]) from problem
    except Exception as problem:
        from huggingface_hub.errors import StrictDataclassError  # a bare Exception to Python

        if not isinstance(problem, StrictDataclassError):
            raise
        raise SettingsError([f"{name!r} cannot be built: {_short(problem)}"]) from problem


def _short(problem: Exception | None) -> str:
    return " ".join(str(problem).split())[:300] or type(problem).__name__


def _mend() -> str:
    try:  # transformers imports a torchvision that is there; one built for another torch stops all of its models
        version("torchvision")
    except PackageNotFoundError:
        return f"install what it asks for, or take another model; for transformers itself: {INSTALL}"
    return "pip uninstall torchvision: it is not needed, and one that does not match torch stops transformers"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No progress bars, loading reports and retries on the terminal: what matters of them is raised."""
    from transformers.utils import logging as theirs

    hub = logging.getLogger("huggingface_hub")
    before, hub_before, bars = theirs.get_verbosity(), hub.level, theirs.is_progress_bar_enabled()
    theirs.set_verbosity_error()
    hub.setLevel(logging.CRITICAL)
    theirs.disable_progress_bar()
    try:
        yield
    finally:
        theirs.set_verbosity(before)
        hub.setLevel(hub_before)
        if bars:
            theirs.enable_progress_bar()
