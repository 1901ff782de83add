"""An encoder as a folder: what it is, its weights, and the proof that neither has changed.

`config.json` describes the encoder, `model.safetensors` holds its weights, `manifest.json` their sizes and SHA-256.
Nothing in the folder is ever executed, and a file that asks for another network than the description is refused
before memory is taken for it.
"""

from __future__ import annotations

import dataclasses
from importlib.metadata import version
from pathlib import Path

import torch
from pydantic import ValidationError
from torch import Tensor

from hundredfold import atomic
from hundredfold.encoders._base import Encoder, EncoderSpec
from hundredfold.encoders.build import rebuild
from hundredfold.errors import CheckpointError, SettingsError
from hundredfold.records import from_json, to_json

CONFIG, WEIGHTS = "config.json", "model.safetensors"
SCHEMA = 1
LARGEST_CONFIG = 4 << 20  # bytes
LARGEST_HEADER = 8 << 20  # bytes: about fifty thousand tensors


@dataclasses.dataclass(frozen=True, kw_only=True)
class EncoderFile:
    """The content of `config.json`.

    Attributes:
        encoder: what rebuilds it.
        versions: of the packages that wrote it.
        schema: version of this layout.
    """

    encoder: EncoderSpec
    versions: dict[str, str] = dataclasses.field(default_factory=dict)
    schema: int = SCHEMA


def save_encoder(encoder: Encoder, folder: Path) -> None:
    """Write `encoder` to `folder`, which is made if it is not there.

    An encoder that was there is replaced file by file; stopped half-way, the folder says that it is not whole.

    Raises:
        ResourceError: the disk is full.
        OutputError: the folder cannot be written.
    """
    atomic.make_folder(folder)
    versions = {"hundredfold": version("hundredfold"), "torch": torch.__version__}
    atomic.write_text(folder / CONFIG, to_json(EncoderFile(encoder=encoder.spec, versions=versions)))
    atomic.write_tensors(folder / WEIGHTS, encoder.state_dict())
    atomic.write_manifest(folder)


def load_encoder(folder: Path | str) -> Encoder:
    """The encoder of a run folder, or of its `encoder/`, ready to use (evaluation mode, on the CPU).

    Raises:
        CheckpointError: there is none, it was changed or cut short, or its parts do not belong together.
    """
    folder = _find(Path(folder))
    problems = atomic.check_manifest(folder)
    if problems:
        raise _refused(folder, "; ".join(problems), fix="copy it again from where it came from, or train it again")
    spec = _read_spec(folder)
    encoder = _skeleton(folder, spec)  # shapes alone, no memory
    _compare(folder, {name: tuple(tensor.shape) for name, tensor in encoder.state_dict().items()})
    encoder = rebuild(spec)
    encoder.load_state_dict(_read_weights(folder))
    return encoder.eval()


def _find(folder: Path) -> Path:
    for candidate in (folder, folder / "encoder"):
        if (candidate / WEIGHTS).is_file() or (candidate / CONFIG).is_file():
            return candidate
    why = "there is no such folder" if not folder.is_dir() else f"neither it nor its encoder/ holds {WEIGHTS}"
    raise CheckpointError(f"no encoder in {folder}", why=why, fix="name the folder of a run that has finished")


def _read_spec(folder: Path) -> EncoderSpec:
    path = folder / CONFIG
    try:
        if path.stat().st_size > LARGEST_CONFIG:
            raise _refused(folder, f"{CONFIG} has more than {LARGEST_CONFIG} bytes")
        found = from_json(EncoderFile, path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise _refused(folder, f"{CONFIG} is missing") from None
    except (OSError, UnicodeDecodeError) as problem:
        raise _refused(folder, f"{CONFIG} cannot be read: {problem}") from problem
    except ValidationError as problem:
        first = problem.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise _refused(folder, f"{CONFIG} does not describe an encoder: {where}: {first['msg']}") from None
    if found.schema != SCHEMA:
        why = f"its layout is version {found.schema}, this package reads version {SCHEMA}"
        raise _refused(folder, why, fix="install the version of hundredfold that wrote it, or a newer one")
    return found.encoder


def _skeleton(folder: Path, spec: EncoderSpec) -> Encoder:
    try:
        with torch.device("meta"):
            return rebuild(spec)
    except SettingsError as problem:
        raise _refused(folder, "; ".join(problem.problems)) from problem
    except (RuntimeError, ValueError, TypeError, OverflowError) as problem:
        raise _refused(folder, f"{CONFIG} describes no network: {str(problem).splitlines()[0]}") from problem


def _compare(folder: Path, expected: dict[str, tuple[int, ...]]) -> None:
    found = _read_shapes(folder)
    problems = [f"{name} is missing" for name in sorted(expected.keys() - found.keys())]
    problems += [f"{name} is not part of it" for name in sorted(found.keys() - expected.keys())]
    for name in sorted(expected.keys() & found.keys()):
        if found[name] != expected[name]:
            problems.append(f"{name} is {list(found[name])}, not {list(expected[name])}")
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise _refused(folder, f"{WEIGHTS} does not fit {CONFIG}: {'; '.join(problems[:3])}{more}")


def _read_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    from safetensors import SafetensorError, safe_open

    path = folder / WEIGHTS
    try:
        with path.open("rb") as file:
            header = int.from_bytes(file.read(8), "little")
        if header > LARGEST_HEADER:
            raise _refused(folder, f"{WEIGHTS} has a header of {header} bytes, more than {LARGEST_HEADER}")
        with safe_open(path, "pt") as tensors:
            return {name: tuple(tensors.get_slice(name).get_shape()) for name in tensors.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise _refused(folder, f"{WEIGHTS} is missing") from None
    except (OSError, SafetensorError) as problem:
        raise _refused(folder, f"{WEIGHTS} cannot be read: {problem}") from problem


def _read_weights(folder: Path) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    weights = load_file(folder / WEIGHTS)
    for name, tensor in weights.items():
        if not tensor.isfinite().all():
            raise _refused(folder, f"{name} holds values that are not finite: training diverged before it was saved")
    return weights


def _refused(folder: Path, why: str, *, fix: str = "") -> CheckpointError:
    return CheckpointError(f"the encoder in {folder} cannot be used", why=why, fix=fix or "train it again")
