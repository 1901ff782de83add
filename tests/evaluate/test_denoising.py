"""PSNR and filters against loops; the best filter is the one that fits the noise."""

import math
import statistics

import pytest
import torch

from hundredfold.errors import DataError, SettingsError
from hundredfold.evaluate.denoising import BestFilter, best_filter, gaussian_filter, median_filter, psnr


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def blocks(n: int = 4) -> torch.Tensor:
    """Images of four flat squares, [n, 1, 16, 16]."""
    grey = torch.rand(n, 1, 2, 2, generator=torch.Generator().manual_seed(3))
    return grey.repeat_interleave(8, 2).repeat_interleave(8, 3)


def mirrored(place: int, size: int) -> int:
    """-1 -> 0, -2 -> 1, size -> size - 1, ..."""
    place %= 2 * size
    return place if place < size else 2 * size - 1 - place


def test_psnr_by_its_formula() -> None:
    clean, noisy = drawn(3, 2, 4, 5).sigmoid(), drawn(3, 2, 4, 5, seed=1).sigmoid()
    for number, found in enumerate(psnr(clean, noisy).tolist()):
        pairs = zip(clean[number].flatten().tolist(), noisy[number].flatten().tolist(), strict=True)
        assert found == pytest.approx(10 * math.log10(1 / (sum((a - b) ** 2 for a, b in pairs) / 40)), abs=1e-4)


def test_psnr_at_its_ends() -> None:
    black, white = torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2)
    assert psnr(black, white).item() == 0
    assert psnr(black, black).item() == pytest.approx(100.0)
    assert psnr(black, 0.1 * white).item() == pytest.approx(20.0, abs=1e-5)
    with pytest.raises(ValueError, match="one shape"):
        psnr(black, torch.zeros(1, 1, 2, 3))


@pytest.mark.parametrize("sigma", [0.4, 1.0])
def test_a_gaussian_filter_is_a_weighted_mean_of_each_channel(sigma: float) -> None:
    images = drawn(2, 2, 5, 6)
    found = gaussian_filter(images, sigma)
    reach = int(4 * sigma + 0.5)  # where scipy cuts the bell off
    weights = {step: math.exp(-0.5 * (step / sigma) ** 2) for step in range(-reach, reach + 1)}
    total = sum(weights.values()) ** 2
    for n, c, row, column in [(0, 0, 0, 0), (1, 1, 2, 3), (0, 1, 4, 5)]:
        wanted = sum(
            weights[dy] * weights[dx] * float(images[n, c, mirrored(row + dy, 5), mirrored(column + dx, 6)])
            for dy in weights
            for dx in weights
        )
        assert float(found[n, c, row, column]) == pytest.approx(wanted / total, abs=1e-5)


@pytest.mark.parametrize("size", [1, 3, 5])
def test_a_median_filter_is_the_median_of_the_square(size: int) -> None:
    images = drawn(2, 2, 5, 6)
    found = median_filter(images, size)
    steps = range(-(size // 2), size // 2 + 1)
    for n, c, row, column in [(0, 0, 0, 0), (1, 1, 2, 3), (0, 1, 4, 5)]:
        square = [float(images[n, c, mirrored(row + y, 5), mirrored(column + x, 6)]) for y in steps for x in steps]
        assert float(found[n, c, row, column]) == pytest.approx(statistics.median(square))


def test_filters_that_do_not_exist() -> None:
    images = drawn(1, 1, 4, 4)
    torch.testing.assert_close(gaussian_filter(images, 0), images)
    for use, strength in ((gaussian_filter, -1), (median_filter, 2), (median_filter, 0)):
        with pytest.raises(SettingsError):
            use(images, strength)


def test_single_wrong_pixels_are_removed_by_a_median() -> None:
    clean = blocks()
    wrong = torch.rand(clean.shape, generator=torch.Generator().manual_seed(0)) < 0.05
    found = best_filter(clean, torch.where(wrong, 1 - clean.round(), clean))
    assert isinstance(found, BestFilter) and found.best.kind == "median"
    assert found.best.psnr > found.noisy and found.images == 4


def test_noise_in_every_pixel_is_blurred_and_the_more_the_stronger() -> None:
    clean = blocks()
    noise = drawn(*clean.shape)
    much = best_filter(clean, clean + 0.4 * noise)
    assert much.best.kind == "gaussian" and much.best.psnr > much.noisy + 3
    little = best_filter(clean, clean + 0.05 * noise, sizes=())
    assert little.best.strength < much.best.strength


def test_the_best_of_all_that_were_tried() -> None:
    clean = blocks()
    noisy = clean + 0.2 * drawn(*clean.shape)
    found = best_filter(clean, noisy, sigmas=(0.7, 1.1), sizes=(3,))
    assert [(one.kind, one.strength) for one in found.tried] == [("gaussian", 0.7), ("gaussian", 1.1), ("median", 3)]
    assert found.best.psnr == max(one.psnr for one in found.tried)
    wanted = psnr(clean, gaussian_filter(noisy, 1.1).clamp(0, 1)).mean()
    assert found.tried[1].psnr == pytest.approx(float(wanted))
    assert found.noisy == pytest.approx(float(psnr(clean, noisy).mean()))


def test_nothing_to_compare() -> None:
    with pytest.raises(DataError, match="images"):
        best_filter(torch.zeros(0, 1, 4, 4), torch.zeros(0, 1, 4, 4))
    with pytest.raises(SettingsError, match="no filter"):
        best_filter(blocks(), blocks(), sigmas=(), sizes=())
