"""One form for all images of a transfer: those of the generator, of the source classifier and of the target.

A size is reached by scaling bilinearly with antialiasing, after what sticks out of the other's shape is cropped; grey
becomes RGB by repeating it, RGB grey by the weights of BT.601: as when data are read (`data.match`).
"""

from __future__ import annotations

import torch
from torch import Tensor

from hundredfold.data.match import convert
from hundredfold.errors import SettingsError
from hundredfold.train.engine import Engine
from hundredfold.transfer.generator import Generator
from hundredfold.transfer.source_classifier import SourceClassifier

Form = tuple[int, tuple[int, int]]  # channels, (height, width)


class ResizedGenerator(Generator):
    """A generator whose images are brought to another form.

    Args:
        generator: what draws.
        channels, size: of the images wanted.

    Raises:
        SettingsError: channels that are neither kept nor grey and RGB.
    """

    def __init__(self, generator: Generator, channels: int, size: tuple[int, int]) -> None:
        _raise(_channels_problem("the generator's", generator.channels, channels))
        self.generator = generator
        self.name, self.classes = generator.name, generator.classes
        self.channels, self.size = channels, size

    def draw(self, condition: Tensor, rng: torch.Generator) -> Tensor:
        """See `Generator.sample`."""
        images = self.generator.draw(condition, rng).float().clamp(0, 1)
        return convert(images, self.channels, self.size, torch.float32)

    def place(self, engine: Engine) -> None:
        """See `Generator.place`."""
        self.generator.place(engine)


class ResizedClassifier(SourceClassifier):
    """A classifier of images of another form, which are brought to its own.

    Args:
        classifier: what classifies.
        channels, size: of the images given.

    Raises:
        SettingsError: channels that are neither kept nor grey and RGB.
    """

    def __init__(self, classifier: SourceClassifier, channels: int, size: tuple[int, int]) -> None:
        _raise(_channels_problem("the target's", channels, classifier.channels))
        self.classifier = classifier
        self.classes = classifier.classes
        self.channels, self.size = channels, size

    def logits(self, images: Tensor) -> Tensor:
        """See `SourceClassifier.logits`."""
        return self.classifier.logits(self._brought(images))

    def features(self, images: Tensor) -> Tensor:
        """See `SourceClassifier.features`."""
        return self.classifier.features(self._brought(images))

    def place(self, engine: Engine) -> None:
        """See `SourceClassifier.place`."""
        self.classifier.place(engine)

    def _brought(self, images: Tensor) -> Tensor:
        return convert(images, self.classifier.channels, self.classifier.size, torch.float32)


class ReorderedClassifier(SourceClassifier):
    """A classifier whose classes are told in another order.

    Args:
        classifier: what classifies.
        classes: its names in the order wanted.
    """

    def __init__(self, classifier: SourceClassifier, classes: tuple[str, ...]) -> None:
        assert sorted(classes) == sorted(classifier.classes)
        self.classifier = classifier
        self.classes = classes
        self.order = [classifier.classes.index(name) for name in classes]
        self.channels, self.size = classifier.channels, classifier.size

    def logits(self, images: Tensor) -> Tensor:
        """See `SourceClassifier.logits`."""
        return self.classifier.logits(images)[:, self.order]

    def features(self, images: Tensor) -> Tensor:
        """See `SourceClassifier.features`."""
        return self.classifier.features(images)

    def place(self, engine: Engine) -> None:
        """See `SourceClassifier.place`."""
        self.classifier.place(engine)


def check_match(
    generator: Generator, classifier: SourceClassifier, channels: int, size: tuple[int, int], *, resize: bool
) -> tuple[Generator, SourceClassifier]:
    """The generator and the classifier as the target's images need them.

    Classes are the same if their names are, and the classifier's are put in the generator's order; if no name of one
    is a name of the other at another place, they are taken to be the same place by place (see `match_notes`).

    Args:
        generator, classifier: of the source.
        channels, size: of the target's images.
        resize: bring images to the form wanted; if not, another form is a problem.

    Raises:
        SettingsError: all that does not fit, at once.
    """
    target = (channels, size)
    problems = [*_class_problems(generator.classes, classifier.classes)]
    forms: dict[str, Form] = {
        "the generator draws": (generator.channels, generator.size),
        "the source classifier takes": (classifier.channels, classifier.size),
    }
    differing = [f"{what} images of {_words(form)}" for what, form in forms.items() if form != target]
    if differing and not resize:
        problems.append(f"{' and '.join(differing)}; the target's are of {_words(target)}")
    if resize:
        problems += _channels_problem("the generator's", generator.channels, channels)
        problems += _channels_problem("the target's", channels, classifier.channels)
    if problems:
        fix = "--resize brings the generator's images to the target's form and those to the classifier's"
        raise SettingsError(problems, fix=fix if differing and not resize else "")
    if set(generator.classes) == set(classifier.classes) and generator.classes != classifier.classes:
        classifier = ReorderedClassifier(classifier, generator.classes)
    if forms["the generator draws"] != target:
        generator = ResizedGenerator(generator, channels, size)
    if forms["the source classifier takes"] != target:
        classifier = ResizedClassifier(classifier, channels, size)
    return generator, classifier


def match_notes(
    generator: Generator, classifier: SourceClassifier, channels: int, size: tuple[int, int]
) -> tuple[str, ...]:
    """What `check_match` decides on the user's behalf about these, one sentence each.

    Args:
        generator, classifier: of the source, as they were loaded.
        channels, size: of the target's images.
    """
    target, notes = (channels, size), []
    drawn, known = generator.classes, classifier.classes
    if set(drawn) == set(known) and drawn != known:
        notes.append("the classifier's classes were put in the generator's order, by their names")
    elif drawn != known:
        pair = next((one, other) for one, other in zip(drawn, known, strict=False) if one != other)
        notes.append(
            f"the generator and the classifier name classes differently ({pair[0]!r}, {pair[1]!r}); they were taken "
            "to be the same in the same place"
        )
    if (generator.channels, generator.size) != target:
        before = _words((generator.channels, generator.size))
        notes.append(f"images of the generator ({before}) were brought to {_words(target)}")
    if (classifier.channels, classifier.size) != target:
        after = _words((classifier.channels, classifier.size))
        notes.append(f"images for the source classifier ({_words(target)}) were brought to {after}")
    return tuple(notes)


def _class_problems(drawn: tuple[str, ...], known: tuple[str, ...]) -> list[str]:
    if len(drawn) != len(known):
        return [f"the generator draws {len(drawn)} classes, the source classifier knows {len(known)}"]
    if set(drawn) == set(known):
        return []
    elsewhere = [name for name, other in zip(drawn, known, strict=True) if name != other and name in known]
    if not elsewhere:
        return []
    return [
        f"the generator and the source classifier share some classes in other places ({elsewhere[0]!r} for one) and "
        "not all of them: which is which cannot be told"
    ]


def _channels_problem(whose: str, given: int, wanted: int) -> list[str]:
    if given == wanted or {given, wanted} == {1, 3}:
        return []
    return [f"{whose} images of {given} channels cannot be brought to {wanted}: only grey (1) and RGB (3) can"]


def _raise(problems: list[str]) -> None:
    if problems:
        raise SettingsError(problems)


def _words(form: Form) -> str:
    channels, (height, width) = form
    return f"{width} x {height}, {'1 channel' if channels == 1 else f'{channels} channels'}"
