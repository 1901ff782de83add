"""Real images are matched to the generator's classes by name, or refused with a sentence."""

import pytest
import torch
from torch import Tensor

from hundredfold.data.images import ImageSet, MemoryPixels
from hundredfold.errors import DataError
from hundredfold.train.engine import Engine
from hundredfold.transfer.generator import Generator
from hundredfold.transfer.real_source import RealSource, in_order_of


class Blank(Generator):
    """Knows two classes."""

    name, classes, channels, size = "blank", ("cat", "dog"), 1, (4, 4)

    def draw(self, condition: Tensor, rng: torch.Generator) -> Tensor:
        return torch.zeros(len(condition), 1, 4, 4)

    def place(self, engine: Engine) -> None: ...


def images(labels: list[int], classes: tuple[str, ...], size: int = 4) -> ImageSet:
    pixels = torch.zeros(len(labels), 1, size, size, dtype=torch.uint8)
    return ImageSet(source="pets.npz", pixels=MemoryPixels(pixels), labels=torch.tensor(labels), classes=classes)


def source(train: ImageSet, test: ImageSet) -> RealSource:
    return RealSource(train=train, train_index=train.labelled(), test=test, test_index=test.labelled())


def test_labels_take_the_order_of_the_generator_and_other_classes_are_left_out() -> None:
    train = images([0, 1, 2, -1, 2], ("dog", "cow", "cat"))
    test = images([1, 0, -1, 0], ("cat", "dog"))
    found = in_order_of(source(train, test), Blank())
    assert found.train.classes == found.test.classes == ("cat", "dog")
    assert found.train_index.tolist() == [0, 2, 4] and found.train.labels[found.train_index].tolist() == [1, 0, 0]
    assert found.test_index.tolist() == [0, 1, 3] and found.test.labels[found.test_index].tolist() == [1, 0, 0]
    assert train.labels.tolist() == [0, 1, 2, -1, 2], "the caller's set is left as it is"


def test_only_the_given_positions_are_used() -> None:
    pets = images([0, 1, 0, 1], ("cat", "dog"))
    real = RealSource(train=pets, train_index=torch.tensor([1, 2]), test=pets, test_index=torch.tensor([3, 0]))
    found = in_order_of(real, Blank())
    assert found.train_index.tolist() == [1, 2] and found.test_index.tolist() == [3, 0]


def test_a_class_without_an_image_is_named() -> None:
    pets, cats = images([0, 1], ("cat", "dog")), images([0, 0], ("cat", "bird"))
    with pytest.raises(DataError, match=r"pets.npz has no image of the generator's class 'dog'(.|\n)*'cat', 'bird'"):
        in_order_of(source(pets, cats), Blank())
    with pytest.raises(DataError, match="those of the real images none"):
        in_order_of(source(images([-1], ()), pets), Blank())


def test_images_of_another_form_are_refused() -> None:
    pets, large = images([0, 1], ("cat", "dog")), images([0, 1], ("cat", "dog"), size=8)
    with pytest.raises(DataError, match="8 x 8 with 1 channel, the generator draws 4 x 4 with 1 channel"):
        in_order_of(source(large, pets), Blank())
