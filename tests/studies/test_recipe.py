"""What the recipe chooses looks at the data, and what a person gave stays as given."""

import torch

from hundredfold.data.images import ImageSet, MemoryPixels
from hundredfold.studies.recipe import curve, recommend


def grey(value: int, thing: int, side: int = 28) -> ImageSet:
    """Images of `value` with a square of `thing` pixels a side in the middle."""
    images = torch.full((40, 1, side, side), value, dtype=torch.uint8)
    start = (side - thing) // 2
    images[:, :, start : start + thing, start : start + thing] = 255 - value
    return ImageSet(source="made", pixels=MemoryPixels(images), labels=torch.full((40,), -1))


def test_strokes_things_and_white_paper_get_views_of_their_own() -> None:
    strokes, _ = recommend({}, grey(0, 8), 1000, 200)
    things, reasons = recommend({}, grey(0, 20), 1000, 200)
    paper, _ = recommend({}, grey(255, 8), 1000, 200)
    assert strokes.views.elastic and not strokes.views.flip and strokes.views.padding == "zeros"
    assert things.views.flip and not things.views.elastic
    assert any("things and not strokes" in reason for reason in reasons)
    assert paper.views.elastic and paper.views.padding == "border"


def test_what_was_given_stays() -> None:
    given = {"plan": {"epochs": 3, "batch_size": 64}, "views": {"rotation": 1.0}, "encoder": "resnet18"}
    settings, reasons = recommend(given, grey(0, 8), 1000, 200)
    assert (settings.plan.epochs, settings.plan.batch_size, settings.views.rotation) == (3, 64, 1.0)
    assert settings.encoder == "resnet18"
    assert not any(reason.startswith(("epochs", "encoder")) for reason in reasons)


def test_length_follows_the_pool_and_batch_follows_validation() -> None:
    large, _ = recommend({}, grey(0, 8), 50_000, 10_000)
    small, _ = recommend({}, grey(0, 8), 300, 60)
    assert (large.plan.batch_size, large.plan.epochs) == (256, 8)
    assert (small.plan.batch_size, small.plan.epochs) == (32, 100)


def test_the_curve_goes_from_one_label_a_class_to_all() -> None:
    assert curve(100, 10) == (10, 20, 40, 60, 80, 100)
    assert curve(12, 10) == (10, 12)
    assert curve(3, 3) == (3,)
