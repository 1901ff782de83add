"""The pictures of a run that its report shows, kept as tensors in `pictures.safetensors`."""

from __future__ import annotations

import torch
from safetensors.torch import load_file
from torch import Tensor

from hundredfold import atomic
from hundredfold.studies.run_folder import RunFolder


def as_bytes(images: Tensor) -> Tensor:
    """Images as uint8 on the CPU, for pictures."""
    stored = images if images.dtype == torch.uint8 else (images.clamp(0, 1) * 255).round().to(torch.uint8)
    return stored.cpu().contiguous()


def write_pictures(folder: RunFolder, pictures: dict[str, Tensor]) -> None:
    """Adds to `pictures.safetensors`, which the report shows."""
    known = load_file(folder.pictures) if folder.pictures.exists() else {}
    atomic.write_tensors(folder.pictures, {**known, **pictures})
