"""Equal numbers on both sides, and the sets that were asked for."""

import pytest
import torch

from hundredfold.data.images import ImageSet, MemoryPixels
from hundredfold.train.engine import Engine
from hundredfold.transfer import real_comparison
from hundredfold.transfer.classification_accuracy_score import ScoreSettings
from hundredfold.transfer.real_comparison import features_of, frechet_distances, memorised, real_scores
from hundredfold.transfer.real_source import RealSource

ENGINE = Engine(device=torch.device("cpu"), precision="float32")


def images(count: int, seed: int, shift: int = 0) -> ImageSet:
    """Grey images [n, 1, 4, 4] of two classes: dark and bright."""
    labels = torch.arange(count) % 2
    noise = torch.randint(0, 60, (count, 1, 4, 4), generator=torch.Generator().manual_seed(seed))
    pixels = (noise + 100 * labels.view(-1, 1, 1, 1) + shift).to(torch.uint8)
    return ImageSet(source="grey", pixels=MemoryPixels(pixels), labels=labels, classes=("dark", "bright"))


def source(train: ImageSet, test: ImageSet) -> RealSource:
    return RealSource(train=train, train_index=train.labelled(), test=test, test_index=test.labelled())


def flat(batch: torch.Tensor) -> torch.Tensor:
    return batch.flatten(1)


def test_features_are_those_of_images_in_0_to_1_in_order() -> None:
    grey = images(1100, 1)  # more than two blocks
    index = torch.arange(1099, -1, -1)
    found = features_of(grey, index, read=flat, engine=ENGINE)
    torch.testing.assert_close(found, grey.take(index).flatten(1).float() / 255)


def test_distances_are_between_sets_of_one_size_and_the_same_classes() -> None:
    drawn, test = images(40, 1, shift=50), images(31, 3)
    rare = torch.cat([torch.arange(0, 31, 2), torch.arange(1, 11, 2)])  # 16 dark and 5 bright
    real = RealSource(train=drawn, train_index=drawn.labelled(), test=test, test_index=rare)
    seen: list[torch.Tensor] = []

    def read(batch: torch.Tensor) -> torch.Tensor:
        seen.append(batch)
        return flat(batch)

    found = frechet_distances(drawn, real, read=read, most=100, engine=ENGINE, seed=0)
    bright = [(batch.mean((1, 2, 3)) * 255 - shift > 80) for batch, shift in zip(seen, (50, 0, 0), strict=True)]
    assert [(len(part), int(part.sum())) for part in bright] == [(10, 2)] * 3
    assert not any((seen[2] == one).flatten(1).all(1).any() for one in seen[1]), "the halves share no image"
    assert found is not None and found.generated > found.real + 0.5 * 16 * (50 / 255) ** 2
    frechet_distances(drawn, real, read=read, most=5, engine=ENGINE, seed=0)
    assert [len(batch) for batch in seen[3:]] == [5, 5, 5]  # three and two


def test_real_images_in_place_of_generated_ones_are_as_far_as_the_halves() -> None:
    real = source(images(10, 2), images(2000, 3))
    found = frechet_distances(images(1000, 4), real, read=flat, most=1000, engine=ENGINE, seed=0)
    assert found is not None and found.generated == pytest.approx(found.real, rel=0.3)
    few = frechet_distances(images(1000, 4), real, read=flat, most=20, engine=ENGINE, seed=0)
    assert few is not None and few.real > 5 * found.real, "few images lie further apart"


def test_three_test_images_have_no_two_halves() -> None:
    real = source(images(4, 2), images(3, 3))
    assert frechet_distances(images(10, 1), real, read=flat, most=9, engine=ENGINE, seed=0) is None


def test_both_networks_learn_from_as_many_images(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int, int]] = []

    def score(learnt: ImageSet, index: torch.Tensor, *, test_index: torch.Tensor, **_: object) -> float:
        asked.append((learnt.source, len(index.unique()), len(test_index)))
        return 0.25 * len(asked)

    monkeypatch.setattr(real_comparison, "classification_accuracy_score", score)
    drawn = ImageSet(
        source="drawn", pixels=images(50, 1).pixels, labels=images(50, 1).labels, classes=("dark", "bright")
    )
    found = real_scores(
        drawn, source(images(30, 2), images(8, 3)), settings=ScoreSettings(images=100), engine=ENGINE, seed=0
    )
    assert asked == [("drawn", 30, 8), ("grey", 30, 8)]
    assert (found.generated, found.real, found.test_images) == (0.25, 0.5, 8)


def test_positions_of_copies_are_those_of_the_given_training_images() -> None:
    train, test = images(60, 2), images(40, 3)
    kept = torch.arange(10, 60)
    real = RealSource(train=train, train_index=kept, test=test, test_index=test.labelled())
    found = memorised(train, real, count=20)  # of the first twenty, ten are in the training set
    assert found.nearest[10:].tolist() == list(range(10)) and found.share == pytest.approx(0.5, abs=0.1)
    assert len(found.nearest) == found.held_out == 20
