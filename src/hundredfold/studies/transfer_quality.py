"""The generator of a transfer, looked at before anything is learnt from it, and refused if it should not be."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from hundredfold import atomic
from hundredfold.errors import CheckpointError
from hundredfold.random import derive
from hundredfold.records import from_json, to_json
from hundredfold.studies.exhibits import keep
from hundredfold.studies.generator_exhibits import generator_exhibits
from hundredfold.studies.job import Surroundings
from hundredfold.studies.run_folder import RunFolder
from hundredfold.studies.transfer_prepare import Ready
from hundredfold.train.stop import StopRequest
from hundredfold.transfer.generator_quality import Judged, judge
from hundredfold.transfer_records import GeneratorQuality

QUALITY = "quality.json"  # beside the cells, with which it goes when a transfer is replaced


@dataclass(frozen=True, kw_only=True)
class KnownQuality:
    """What a transfer that goes on need not look at again.

    Attributes:
        identity: of artefacts and settings, see `Ready.identity`.
        quality: of the generator.
    """

    identity: str
    quality: GeneratorQuality


def known_quality(ready: Ready, folder: RunFolder) -> GeneratorQuality | None:
    """What this transfer found before of the same artefacts; None if they are to be looked at (again)."""
    with suppress(OSError, ValueError):  # damaged: cheaper to look again than to mend
        kept = from_json(KnownQuality, (folder.cells / QUALITY).read_text(encoding="utf-8"))
        return kept.quality if kept.identity == ready.identity() else None
    return None


def judged(ready: Ready, talk: Surroundings, stop: StopRequest) -> Judged:
    """What is found of the generator; nothing is written.

    Raises:
        CheckpointError: it should not be trusted, and nobody said to use it anyway.
        Interrupted: a signal came.
    """
    talk.tell("looking at the generator's images")
    classifier, generator = ready.own
    engine, seed = ready.prepared.engine, ready.prepared.settings.seed
    found = judge(generator, classifier, real=ready.real, engine=engine, seed=derive(seed, "quality"), stop=stop)
    for sentence in found.quality.sentences:
        talk.tell(sentence)
    if not found.quality.trusted and not ready.request.use_anyway:
        raise CheckpointError(
            f"the generator in {ready.request.generator} should not be learnt from",
            why=" ".join(found.quality.sentences),
            fix="train a better one, or say --use-anyway if this is what you want to see",
        )
    return found


def keep_quality(found: Judged, ready: Ready, folder: RunFolder) -> None:
    """Writes the generator's section of the report, and what a transfer that goes on takes from here."""
    for exhibit, pictures in generator_exhibits(found):
        keep(folder, exhibit, pictures)
    known = KnownQuality(identity=ready.identity(), quality=found.quality)
    atomic.make_folder(folder.cells)
    atomic.write_text(folder.cells / QUALITY, to_json(known))
