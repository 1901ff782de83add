import math

import pytest
import torch

from hundredfold.views.blur import Blur, blur


def by_hand(image, sigma):
    """A Gaussian blur along one axis and then the other; weights that fall outside are shared out."""

    def along(line):
        blurred = []
        for i in range(len(line)):
            weight = [math.exp(-((i - j) ** 2) / (2 * sigma**2)) for j in range(len(line))]
            blurred.append(sum(w * x for w, x in zip(weight, line, strict=True)) / sum(weight))
        return blurred

    rows = [along(row) for row in image]
    columns = [along(list(column)) for column in zip(*rows, strict=True)]
    return [list(row) for row in zip(*columns, strict=True)]


@pytest.mark.parametrize("shape", [(1, 6, 6), (3, 5, 9)])
def test_blur_by_hand(shape):
    images = torch.rand(3, *shape)
    sigma = [0.3, 1.0, 2.5]
    got = blur(images, torch.tensor(sigma))
    for k in range(3):
        for channel in range(shape[0]):
            expected = torch.tensor(by_hand(images[k, channel].tolist(), sigma[k]))
            assert torch.allclose(got[k, channel], expected, atol=1e-5)


def test_even_images_stay_even_up_to_the_border():
    images = torch.full((2, 1, 7, 7), 0.6)
    assert torch.allclose(blur(images, torch.tensor([0.5, 20.0])), images, atol=1e-6)


def test_only_the_chosen_are_blurred_and_a_width_of_nothing_changes_nothing():
    images = torch.rand(4, 1, 8, 8)
    drawn = {"chosen": torch.tensor([True, False, True, True]), "sigma": torch.tensor([1.0, 1.0, 0.0, 1e-30])}
    got = Blur().apply(images, drawn)
    assert not torch.allclose(got[0], images[0], atol=0.01)
    assert torch.equal(got[1:], images[1:])


def test_numbers_are_as_asked():
    drawn = Blur(sigma=(0.5, 2.0), probability=0.25).draw(5_000, (8, 8), torch.Generator().manual_seed(0))
    assert drawn["chosen"].float().mean().item() == pytest.approx(0.25, abs=0.03)
    assert 0.5 <= drawn["sigma"].min() < 0.51
    assert 1.99 < drawn["sigma"].max() <= 2.0
