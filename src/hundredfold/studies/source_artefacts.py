"""The generator and the classifier of a source task, from whatever folder holds them.

A generator: a run of this package (conditional_vae, diffusion), a pipeline folder of the diffusers library, or a
BigGAN. A classifier: a run of this package, its `classifier` folder, or an image classifier of the transformers
library. What a folder holds shows from its files; none of them is ever executed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hundredfold.errors import CheckpointError
from hundredfold.methods.generative.conditional_vae import ConditionalVAE
from hundredfold.methods.generative.diffusion import Diffusion
from hundredfold.studies.generator import load_generator
from hundredfold.studies.hand_over import Classifier, load_classifier, read_classifier
from hundredfold.transfer.biggan import read_biggan
from hundredfold.transfer.diffusers_pipeline import INDEX, read_diffusers
from hundredfold.transfer.foreign_folder import pickles, refused_pickles
from hundredfold.transfer.from_diffusion import DiffusionGenerator
from hundredfold.transfer.from_run import ConditionalVAEGenerator, RunClassifier
from hundredfold.transfer.generator import Generator
from hundredfold.transfer.huggingface_classifier import read_huggingface_classifier
from hundredfold.transfer.source_classifier import SourceClassifier

CONFIG = "config.json"
SHOWN = 8  # names of files that an error lists
GENERATORS = "a run of conditional_vae or diffusion, a diffusers pipeline (model_index.json), or a BigGAN folder"
CLASSIFIERS = "a run with labels, its classifier folder, or a transformers image classifier (config.json)"


def load_source_generator(folder: Path) -> Generator:
    """The conditional generator in a folder, by what the folder holds.

    Raises:
        CheckpointError: none that can be used; it says what was found and what is possible.
        SettingsError: an extra that is not installed.
    """
    _check_there(folder)
    if (folder / INDEX).is_file():
        return read_diffusers(folder)
    if (folder / "generator").is_dir():
        return _from_run(folder)
    if _is_run(folder):
        raise CheckpointError(
            f"the run {folder} holds no generator",
            why="it was trained for features or for labels, and keeps nothing that draws new images",
            fix="pre-train on the source with --method conditional_vae or diffusion",
        )
    config = _config(folder)
    if "method" in config and folder.name == "generator":
        return _from_run(folder.absolute().parent)
    if {"z_dim", "layers"} <= set(config):
        return read_biggan(folder)
    raise _unknown(folder, "generator", GENERATORS)


def load_source_classifier(folder: Path) -> SourceClassifier:
    """The classifier in a folder, by what the folder holds.

    Raises:
        CheckpointError: none that can be used; it says what was found and what is possible.
        SettingsError: an extra that is not installed.
    """
    _check_there(folder)
    if _is_run(folder) or (folder / "classifier").is_dir():
        return _source_classifier(load_classifier(folder))
    config = _config(folder)
    if (folder / "encoder").is_dir() and "classes" in config:
        return _source_classifier(read_classifier(folder))
    if "model_type" in config:
        return read_huggingface_classifier(folder)
    raise _unknown(folder, "classifier", CLASSIFIERS)


def _from_run(run: Path) -> Generator:
    kept = load_generator(run)
    if isinstance(kept.model, Diffusion) and kept.classes:
        return DiffusionGenerator(kept.model, kept.classes)
    if isinstance(kept.model, ConditionalVAE) and kept.classes:
        return ConditionalVAEGenerator(kept.model, kept.classes)
    raise CheckpointError(
        f"the generator of the run {run} cannot be asked for a class",
        why=f"it was pre-trained with {kept.name}, which learnt from no labels",
        fix="pre-train on the source, with labels, with --method conditional_vae or diffusion",
    )


def _source_classifier(found: Classifier) -> RunClassifier:
    return RunClassifier(found.encoder, found.head, found.classes, temperature=found.temperature)


def _check_there(folder: Path) -> None:
    if folder.is_dir():
        return
    if folder.exists():
        raise CheckpointError(f"{folder} is a file, not a folder", fix="name the folder that holds the model")
    raise CheckpointError(f"there is no folder {folder}", fix="check the path")


def _is_run(folder: Path) -> bool:
    # A classifier folder holds an encoder too, and a file of its own beside it.
    return (folder / "results.json").is_file() or ((folder / "encoder").is_dir() and not (folder / CONFIG).is_file())


def _config(folder: Path) -> dict[str, Any]:
    """What `config.json` says; nothing where it cannot be read."""
    try:
        found = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _unknown(folder: Path, wanted: str, possible: str) -> CheckpointError:
    names = sorted(path.name + "/" * path.is_dir() for path in folder.iterdir())
    if pickled := pickles(folder):
        return refused_pickles(folder, pickled)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return CheckpointError(
        f"{folder} holds no {wanted} that can be used",
        why=f"it holds {', '.join(names[:SHOWN]) + more if names else 'nothing'}",
        fix=f"name {possible}",
    )
