"""Figures of collapse against loops, and what they say of models that collapsed on purpose."""

import pytest
import torch

from hundredfold.evaluate.posterior import active_units, constant_share, explained


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def variance(values: list[float]) -> float:
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values) / len(values)


def total_variance(images: torch.Tensor) -> float:
    return sum(variance(list(column)) for column in zip(*images.flatten(1).tolist(), strict=True))


def test_active_units_have_posterior_means_that_vary() -> None:
    means = 5 + drawn(400, 6) * torch.tensor([1.0, 0.3, 0.11, 0.09, 0.001, 0.0])
    wanted = sum(variance(list(column)) > 0.01 for column in zip(*means.tolist(), strict=True))
    assert active_units(means) == wanted == 3
    assert active_units(means, threshold=0.5) == 1
    assert active_units(means[:1]) == 0


def test_explained_by_its_formula() -> None:
    images = drawn(9, 1, 3, 4)
    made = images + 0.3 * drawn(9, 1, 3, 4, seed=1)
    pairs = zip(images.flatten().tolist(), made.flatten().tolist(), strict=True)
    wanted = 1 - sum((a - b) ** 2 for a, b in pairs) / (9 * total_variance(images))
    assert explained(images, made) == pytest.approx(wanted, abs=1e-6)


def test_explained_at_its_marks() -> None:
    images = drawn(9, 1, 3, 4)
    mean = images.mean(0, keepdim=True).expand_as(images)
    assert explained(images, images) == 1
    assert explained(images, mean) == pytest.approx(0, abs=1e-6)
    assert explained(images, mean + 1) < -0.5
    assert explained(images[:1], images[:1]) == 0  # one image: nothing to tell


def test_constant_share_by_its_formula() -> None:
    images, made = drawn(9, 1, 3, 4), 0.5 * drawn(9, 1, 3, 4, seed=1)
    wanted = total_variance(made) / total_variance(images)
    assert constant_share(images, made) == pytest.approx(wanted, rel=1e-6)


def test_one_answer_to_every_image_has_no_share() -> None:
    images = drawn(9, 1, 3, 4)
    assert constant_share(images, torch.full_like(images, 0.5)) == 0
    assert constant_share(images, images) == 1
    assert constant_share(images, 2 * images + 1) == pytest.approx(4)
    assert constant_share(images[:1], images[:1]) == 1


@pytest.mark.parametrize("figure", [explained, constant_share])
def test_shapes_must_fit(figure) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=r"\(3, 4\) and \(3, 5\)"):
        figure(torch.zeros(3, 4), torch.zeros(3, 5))
