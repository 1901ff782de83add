"""From a pile of unlabelled images and a hundred labels to a trusted classifier, with the proof.

    import hundredfold
    run = hundredfold.run("digits", labels=100)

Importing does no work: each name is loaded when it is first used.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hundredfold import losses as losses
    from hundredfold import methods as methods
    from hundredfold.data.read import read as read
    from hundredfold.encoders.folder import load_encoder as load_encoder
    from hundredfold.estimators.classifier import FewLabelClassifier as FewLabelClassifier
    from hundredfold.estimators.transformer import SelfSupervisedTransformer as SelfSupervisedTransformer
    from hundredfold.records import RunResult as RunResult
    from hundredfold.studies.anomalies import anomalies as anomalies
    from hundredfold.studies.batch_size import study_batch_size as study_batch_size
    from hundredfold.studies.cluster import cluster as cluster
    from hundredfold.studies.denoise import denoise as denoise
    from hundredfold.studies.few_labels import evaluate as evaluate
    from hundredfold.studies.few_labels import pretrain as pretrain
    from hundredfold.studies.few_labels import run as run
    from hundredfold.studies.generate import generate as generate
    from hundredfold.studies.inference import embed as embed
    from hundredfold.studies.inference import predict as predict
    from hundredfold.studies.interpolate import interpolate as interpolate
    from hundredfold.studies.map_features import map_features as map_features
    from hundredfold.studies.methods import study_methods as study_methods
    from hundredfold.studies.reconstruct import reconstruct as reconstruct
    from hundredfold.studies.suggest import Suggestions as Suggestions
    from hundredfold.studies.suggest import suggest as suggest
    from hundredfold.studies.transfer import study_transfer as study_transfer
    from hundredfold.studies.transfer import transfer as transfer
    from hundredfold.study_records import StudyResult as StudyResult
    from hundredfold.transfer_records import TransferResult as TransferResult

__version__ = "0.1.0"

_PUBLIC = {
    "FewLabelClassifier": "hundredfold.estimators.classifier",
    "RunResult": "hundredfold.records",
    "SelfSupervisedTransformer": "hundredfold.estimators.transformer",
    "StudyResult": "hundredfold.study_records",
    "Suggestions": "hundredfold.studies.suggest",
    "TransferResult": "hundredfold.transfer_records",
    "anomalies": "hundredfold.studies.anomalies",
    "cluster": "hundredfold.studies.cluster",
    "denoise": "hundredfold.studies.denoise",
    "embed": "hundredfold.studies.inference",
    "evaluate": "hundredfold.studies.few_labels",
    "generate": "hundredfold.studies.generate",
    "interpolate": "hundredfold.studies.interpolate",
    "load_encoder": "hundredfold.encoders.folder",
    "losses": "",
    "map_features": "hundredfold.studies.map_features",
    "methods": "",
    "predict": "hundredfold.studies.inference",
    "pretrain": "hundredfold.studies.few_labels",
    "read": "hundredfold.data.read",
    "reconstruct": "hundredfold.studies.reconstruct",
    "run": "hundredfold.studies.few_labels",
    "study_batch_size": "hundredfold.studies.batch_size",
    "study_methods": "hundredfold.studies.methods",
    "study_transfer": "hundredfold.studies.transfer",
    "suggest": "hundredfold.studies.suggest",
    "transfer": "hundredfold.studies.transfer",
}
__all__ = [*sorted(_PUBLIC)]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'hundredfold' has no attribute {name!r}; possible: {', '.join(sorted(_PUBLIC))}")
    if not _PUBLIC[name]:
        return importlib.import_module(f"hundredfold.{name}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


class _Package(ModuleType):
    """This module, whose `evaluate` and `transfer` stay the functions.

    Importing anything of the layer `hundredfold/evaluate/` binds the layer's module to that name, and likewise
    `hundredfold/transfer/`. Nobody needs it there: `from hundredfold.evaluate.probe import ...` finds it without.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in ("evaluate", "transfer") and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __dir__() -> list[str]:
    return sorted([*_PUBLIC, "__version__"])
