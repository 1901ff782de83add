"""Going on with the encoder of another run: the settings that follow, and whether the images are for it."""

from __future__ import annotations

from pathlib import Path

from hundredfold.encoders._base import Encoder
from hundredfold.errors import CheckpointError
from hundredfold.settings import Table
from hundredfold.studies.prepare import Prepared


def settings_of(encoder: Encoder, origin: Path) -> Table:
    """The settings of a run that uses the encoder of `origin` as it is."""
    spec = encoder.spec
    nothing = {"epochs": 0, "validate": False}
    settings = {"encoder": spec.name, "encoder_settings": spec.settings, "init_from": str(origin), "plan": nothing}
    return {**settings, "image_size": spec.height} if spec.height == spec.width else settings


def check_fit(encoder: Encoder, prepared: Prepared, origin: Path) -> None:
    """Raises CheckpointError unless the images have the form that the encoder takes."""
    images, spec = prepared.images, encoder.spec
    if (spec.channels, spec.height, spec.width) != (images.channels, *images.size):
        raise CheckpointError(
            f"the encoder of {origin} takes {spec.channels}x{spec.height}x{spec.width} images",
            why=f"{prepared.settings.source} holds {images.channels}x{images.size[0]}x{images.size[1]}",
            fix="evaluate on the kind of images it was trained on",
        )
