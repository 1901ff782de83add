"""What the figures of a generator say of it, in sentences: whether its images may be learnt from, and what to mind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hundredfold.transfer_records import GeneratorQuality

LEAST_CONSISTENCY = 0.8  # of all samples; every fifth wrong label costs less than the samples give
LEAST_CLASS_CONSISTENCY = 0.5  # of one class: below, most of its images are of other classes
LEAST_RESPONSE = 1e-3  # of a pixel's range, a quarter of a grey level: what rounding alone may do
LARGEST_GAP = 0.2  # in accuracy on real images, between learning from real images and from samples
LARGEST_MEMORISED = 0.05  # share of samples, where chance gives 0.01


def with_verdict(
    quality: GeneratorQuality, *, least_consistency: float = LEAST_CONSISTENCY, notes: tuple[str, ...] = ()
) -> GeneratorQuality:
    """The same figures with `trusted` and `sentences` set by them.

    A generator that repeats training images, or takes a mixture for its likeliest class, gets a warning and stays
    trusted: a network can learn from its images.

    Args:
        quality: the figures.
        least_consistency: share of samples that the classifier must take for the class asked for, 0..1.
        notes: sentences to add at the end.
    """
    against = tuple(_against(quality, least_consistency))
    found = (*against, *_warnings(quality), *_in_favour(quality, least_consistency), *notes)
    return replace(quality, trusted=not against, sentences=found)


def ignores_condition(quality: GeneratorQuality) -> bool:
    """Whether images stay the same whichever class is asked for; a generator of one class has nothing to heed."""
    return len(quality.classes) > 1 and quality.hard_response < LEAST_RESPONSE


def _against(quality: GeneratorQuality, least_consistency: float) -> Iterator[str]:
    """What forbids to learn from the samples without a word."""
    if ignores_condition(quality):
        yield (
            "The generator ignores the class that it is asked for: from one class to the next a pixel changes by "
            f"{_percent(quality.hard_response, 2)} of its range. Its images teach nothing of the classes."
        )
    if quality.consistency < least_consistency:
        yield (
            f"The source classifier takes only {_percent(quality.consistency)} of {quality.samples:,} samples for the "
            f"class that was asked for; {_percent(least_consistency)} are wanted."
        )
    yield from _classes_missed(quality)
    if quality.classification_accuracy is not None and _gap(quality) > LARGEST_GAP:
        yield (
            f"{_scores(quality)}: the samples cost {_points(quality)} points, and more than "
            f"{100 * LARGEST_GAP:.0f} is too much."
        )


def _classes_missed(quality: GeneratorQuality) -> Iterator[str]:
    shares = zip(quality.classes, quality.consistency_by_class, strict=True)
    missed = sorted((share, name) for name, share in shares if share < LEAST_CLASS_CONSISTENCY)
    if missed:
        share, name = missed[0]
        others = f"; {len(missed)} classes are below {_percent(LEAST_CLASS_CONSISTENCY)}" if len(missed) > 1 else ""
        yield f"Of the samples of class {name} the source classifier takes only {_percent(share)} for it{others}."


def _warnings(quality: GeneratorQuality) -> Iterator[str]:
    """What a network can learn in spite of, but a person should know."""
    if len(quality.classes) > 1 and not ignores_condition(quality) and quality.soft_response < LEAST_RESPONSE:
        yield (
            "The generator takes a mixture of classes for its likeliest class without a word. Pseudo pre-training asks "
            "for single classes and is not touched; the soft conditions of pseudo semi-supervised learning would "
            "silently be classes."
        )
    if quality.memorised is not None and quality.memorised > LARGEST_MEMORISED:
        yield (
            f"{_percent(quality.memorised)} of the samples lie as near to one training image as 1 % of new real images "
            "do: the generator may repeat images that it learnt from. Look at the closest pairs before samples are "
            "shown to anybody who may not see the source's data."
        )


def _in_favour(quality: GeneratorQuality, least_consistency: float) -> Iterator[str]:
    """The figures that are as they should be, or judge nothing by themselves."""
    if quality.consistency >= least_consistency:
        yield (
            f"The source classifier takes {_percent(quality.consistency)} of {quality.samples:,} samples for the class "
            "that was asked for."
        )
    if quality.classification_accuracy is None:
        yield (
            "Without real images of the source nobody can tell whether a network learns the classes from samples, or "
            "whether samples repeat training images."
        )
        return
    if _gap(quality) <= LARGEST_GAP:
        yield f"{_scores(quality)}."
    if quality.frechet is not None and quality.frechet_real is not None:
        yield (
            f"The Frechet distance between samples and real images is {quality.frechet:.3g} in features of "
            f"{quality.frechet_features}; between two halves of the real images it is {quality.frechet_real:.3g}."
        )
    if quality.memorised is not None and quality.memorised <= LARGEST_MEMORISED:
        yield (
            f"{_percent(quality.memorised, 1)} of the samples lie as near to one training image as 1 % of new real "
            "images do, so 1 % is chance."
        )


def _scores(quality: GeneratorQuality) -> str:
    assert quality.classification_accuracy is not None and quality.real_accuracy is not None
    return (
        f"A network that learnt from samples alone gets {_percent(quality.classification_accuracy, 1)} of "
        f"{quality.test_images:,} real test images right, one that learnt from as many real images "
        f"{_percent(quality.real_accuracy, 1)}"
    )


def _gap(quality: GeneratorQuality) -> float:
    assert quality.classification_accuracy is not None and quality.real_accuracy is not None
    return quality.real_accuracy - quality.classification_accuracy


def _points(quality: GeneratorQuality) -> str:
    return f"{100 * _gap(quality):.1f}"


def _percent(share: float, digits: int = 0) -> str:
    return f"{100 * share:.{digits}f} %"
