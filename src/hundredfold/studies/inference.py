"""Using what a run learnt: features (`embed`) and labels (`predict`) for any images, in input order."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hundredfold import atomic
from hundredfold.encoders.folder import load_encoder
from hundredfold.errors import SettingsError, unknown_name
from hundredfold.evaluate.features import features
from hundredfold.studies.hand_over import load_classifier
from hundredfold.studies.run_images import in_form
from hundredfold.studies.spreadsheet import write_csv
from hundredfold.train.engine import choose_engine


@dataclass(frozen=True, kw_only=True, eq=False)
class Embedding:
    """Features of a source.

    Attributes:
        names: [n] texts, in input order.
        features: [n, d] float32.
    """

    names: tuple[str, ...]
    features: Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class Prediction:
    """Labels for a source.

    Attributes:
        names: [n] texts, in input order.
        labels: [n] class names.
        probabilities: [n, classes].
        classes: names in column order.
    """

    names: tuple[str, ...]
    labels: tuple[str, ...]
    probabilities: Tensor
    classes: tuple[str, ...]


def embed(run: str | Path, source: Any, *, to: str | Path | None = None, accelerator: str = "auto") -> Embedding:
    """One feature row per image of `source`; the test part of a source, if it has one, comes after the other.

    Args:
        run: a run folder.
        source: a SOURCE or arrays.
        to: a .csv, .npz or .parquet file to write, or None.
        accelerator: see `run`.

    Raises:
        CheckpointError: no encoder in `run`. DataError: images that do not fit. SettingsError: a file type that is
            not one of the three.
    """
    write = _writer(to, {".csv": _embedding_csv, ".npz": _embedding_npz, ".parquet": _embedding_parquet})
    encoder = load_encoder(Path(run))
    engine = choose_engine(accelerator=accelerator)
    parts = in_form(source, encoder.spec)
    found = Embedding(
        names=tuple(part.name(position) for part in parts for position in range(len(part))),
        features=torch.cat([features(encoder, part, torch.arange(len(part)), engine) for part in parts]),
    )
    if write:
        write(found)
    return found


def predict(run: str | Path, source: Any, *, to: str | Path | None = None, accelerator: str = "auto") -> Prediction:
    """Label and probabilities of each image of `source`, by the model that the run chose. Arguments as `embed`.

    Raises:
        CheckpointError: no classifier in `run`. DataError: images that do not fit. SettingsError: not a .csv file.
    """
    write = _writer(to, {".csv": _prediction_csv})
    classifier = load_classifier(Path(run))
    engine = choose_engine(accelerator=accelerator)
    parts = in_form(source, classifier.encoder.spec)
    shares = torch.cat(
        [
            classifier.probabilities(features(classifier.encoder, part, torch.arange(len(part)), engine))
            for part in parts
        ]
    )
    found = Prediction(
        names=tuple(part.name(position) for part in parts for position in range(len(part))),
        labels=tuple(classifier.classes[position] for position in shares.argmax(1).tolist()),
        probabilities=shares,
        classes=classifier.classes,
    )
    if write:
        write(found)
    return found


def _writer(to: str | Path | None, kinds: dict[str, Any]) -> Any:
    if to is None:
        return None
    path = Path(to)
    if path.suffix not in kinds:
        raise SettingsError([unknown_name("file type", path.suffix or str(path), kinds)])
    if not path.absolute().parent.is_dir():
        raise SettingsError([f"--to {path}: there is no folder {path.absolute().parent}"])
    return lambda found: kinds[path.suffix](path, found)


def _embedding_csv(path: Path, found: Embedding) -> None:
    header = ["name", *(f"feature_{position}" for position in range(found.features.shape[1]))]
    rows = ([name, *map(repr, row)] for name, row in zip(found.names, found.features.tolist(), strict=True))
    write_csv(path, header, rows)


def _embedding_npz(path: Path, found: Embedding) -> None:
    import numpy as np

    buffer = io.BytesIO()
    np.savez(buffer, features=found.features.numpy(), names=np.array(found.names, dtype=np.str_))
    atomic.write_bytes(path, buffer.getvalue())


def _embedding_parquet(path: Path, found: Embedding) -> None:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as problem:
        raise SettingsError(
            ["writing parquet needs pyarrow, which is not installed"], fix="pip install 'hundredfold[parquet]'"
        ) from problem
    width = found.features.shape[1]
    rows = pa.FixedSizeListArray.from_arrays(pa.array(found.features.flatten().numpy()), width)
    buffer = io.BytesIO()
    pq.write_table(pa.table({"name": pa.array(found.names), "features": rows}), buffer)
    atomic.write_bytes(path, buffer.getvalue())


def _prediction_csv(path: Path, found: Prediction) -> None:
    header = ["name", "label", "probability", *(f"probability_{name}" for name in found.classes)]
    rows = (
        [name, label, f"{max(row):.6f}", *(f"{value:.6f}" for value in row)]
        for name, label, row in zip(found.names, found.labels, found.probabilities.tolist(), strict=True)
    )
    write_csv(path, header, rows)
