"""What a report shows of a generator that was judged: its figures, samples of each class, and the closest copies."""

from __future__ import annotations

from torch import Tensor

from hundredfold.exhibit_records import Exhibit, PictureRow, Table
from hundredfold.transfer.generator_quality import Judged
from hundredfold.transfer_records import GeneratorQuality

MOST_CLASSES = 20  # rows of samples that are shown
SAMPLES, CLOSEST = "samples", "memorised"


def generator_exhibits(judged: Judged) -> tuple[tuple[Exhibit, dict[str, Tensor]], ...]:
    """The sections of a report and the pictures [n, c, h, w] of each, for `studies.exhibits.keep`.

    The first has the figures and samples of each class; the second, where there were real images to compare with, the
    samples that lie nearest to a training image, with that image below each.
    """
    found = [(_samples(judged), _by_class(judged))]
    if len(judged.closest_samples):
        pictures = {"closest_samples": judged.closest_samples, "closest_training": judged.closest_training}
        found.append((_closest(judged), pictures))
    return tuple(found)


def _samples(judged: Judged) -> Exhibit:
    quality = judged.quality
    more = len(quality.classes) - MOST_CLASSES
    note = (f"The first {MOST_CLASSES} of {len(quality.classes)} classes are shown.",) if more > 0 else ()
    return Exhibit(
        name=SAMPLES,
        title="What the generator draws",
        sentences=quality.sentences + note,
        rows=tuple(
            PictureRow(title=name, key=f"class_{place}") for place, name in enumerate(quality.classes[:MOST_CLASSES])
        ),
        tables=(_figures(quality),),
    )


def _by_class(judged: Judged) -> dict[str, Tensor]:
    each = len(judged.samples) // len(judged.quality.classes)
    rows = judged.samples.split(each)[:MOST_CLASSES]
    return {f"class_{place}": images for place, images in enumerate(rows)}


def _closest(judged: Judged) -> Exhibit:
    return Exhibit(
        name=CLOSEST,
        title="Does the generator repeat its training images?",
        sentences=(
            "These samples stand out most as near to one image of the source's training set, pixel by pixel. Simple "
            "images are alike by nature; a copy shows in what is particular to one image.",
        ),
        rows=(
            PictureRow(title="samples", key="closest_samples"),
            PictureRow(title="the training image nearest to each", key="closest_training"),
        ),
    )


def _figures(quality: GeneratorQuality) -> Table:
    """The figures that there are, as text."""
    worst = min(zip(quality.consistency_by_class, quality.classes, strict=True))
    rows = [
        ("samples of the class asked for, as the source classifier sees them", _percent(quality.consistency)),
        (f"the same of the worst class, {worst[1]}", _percent(worst[0])),
        ("change of a pixel from one class to the next", _percent(quality.hard_response)),
        ("change of a pixel from a mixture of two classes to the likelier", _percent(quality.soft_response)),
        ("accuracy on real images after learning from samples", _percent(quality.classification_accuracy)),
        ("accuracy on real images after learning from as many real images", _percent(quality.real_accuracy)),
        ("Frechet distance between samples and real images", _number(quality.frechet)),
        ("Frechet distance between two halves of the real images", _number(quality.frechet_real)),
        ("samples as near to one training image as 1 % of new real images are", _percent(quality.memorised)),
        ("distance to the nearest training image, samples over new images", _number(quality.nearest_ratio)),
    ]
    return Table(header=("figure", "value"), rows=tuple((name, value) for name, value in rows if value))


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"
