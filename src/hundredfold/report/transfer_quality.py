"""The quality of a generator as a small table: each figure, and how to read it in a line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup

from hundredfold.report.figures.strip import share_bar
from hundredfold.report.wording import counted, percent, value, visible
from hundredfold.transfer_records import GeneratorQuality

CLASSES = 20  # that are listed one by one
CHANCE = 0.01  # of real images that no one learnt from, as many are nearest by definition


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure as text: its name, its value for samples, that of real images or the empty text, and how to read it."""

    name: str
    samples: str
    reading: str
    real: str = ""


@dataclass(frozen=True, kw_only=True)
class QualitySection:
    """What the page shows of a generator.

    Attributes:
        record: what was found.
        figures: those that are known.
        classes: name, consistency and its bar; the lowest only where there are many.
        all_classes: how many there are.
    """

    record: GeneratorQuality
    figures: tuple[Figure, ...]
    classes: tuple[tuple[str, float, Markup], ...]
    all_classes: int

    @property
    def beside_real(self) -> bool:
        """Whether any figure has one of real images beside it."""
        return any(figure.real for figure in self.figures)

    @property
    def only_lowest(self) -> bool:
        """Whether classes are left out."""
        return len(self.classes) < self.all_classes


def quality_section(quality: GeneratorQuality) -> QualitySection:
    """The section from the record alone."""
    pairs = list(zip(quality.classes, quality.consistency_by_class))
    shown = pairs if len(pairs) <= CLASSES else sorted(pairs, key=lambda pair: pair[1])[:CLASSES]
    return QualitySection(
        record=quality,
        figures=tuple(_figures(quality)),
        classes=tuple(
            (name, share, share_bar(share, title=f"{visible(name)}: {percent(share)}")) for name, share in shown
        ),
        all_classes=len(pairs),
    )


def _said(name: str, share: float) -> str:
    return f"{visible(name, 60)}: {percent(share)}"


def _figures(quality: GeneratorQuality) -> Iterator[Figure]:
    yield Figure(
        name="consistency",
        samples=percent(quality.consistency),
        reading=f"of {counted(quality.samples, 'sample')}, those that the source classifier takes for the class meant",
    )
    yield from _against_real(quality)
    yield from _copies(quality)
    yield Figure(
        name="response to the class",
        samples=percent(quality.hard_response),
        reading="mean change of a pixel from one class to the next at the same noise; 0 ignores the class",
    )
    yield Figure(
        name="response to a mixture",
        samples=percent(quality.soft_response),
        reading="mean change of a pixel from a mixture of two classes to the likelier; 0 ignores the mixture",
    )


def _against_real(quality: GeneratorQuality) -> Iterator[Figure]:
    if quality.classification_accuracy is not None:
        tested = counted(quality.test_images, "real test image") if quality.test_images else "real test images"
        yield Figure(
            name="classification accuracy score",
            samples=percent(quality.classification_accuracy),
            real="" if quality.real_accuracy is None else percent(quality.real_accuracy),
            reading=f"share of {tested} that a network tells rightly, after learning from samples alone or from as "
            "many real images",
        )
    if quality.frechet is not None:
        whose = f" in features of {visible(quality.frechet_features, 80)}" if quality.frechet_features else ""
        yield Figure(
            name="Fréchet distance",
            samples=value(quality.frechet, 3),
            real="" if quality.frechet_real is None else value(quality.frechet_real, 3),
            reading=f"from real images{whose}, lower is nearer; that of real images, between two halves of them, is "
            "what no generator can beat",
        )


def _copies(quality: GeneratorQuality) -> Iterator[Figure]:
    if quality.memorised is not None:
        yield Figure(
            name="memorised",
            samples=percent(quality.memorised),
            real=percent(CHANCE),
            reading="share that lies nearer to a training image than 99 % of new real images do",
        )
    if quality.nearest_ratio is not None:
        yield Figure(
            name="distance to the nearest training image",
            samples=value(quality.nearest_ratio, 3),
            real="1",
            reading="median, in units of that of new real images; far below 1 training images are repeated",
        )
