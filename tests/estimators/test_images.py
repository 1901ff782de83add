"""What images an X holds, and which numbers become black and white."""

import numpy as np
import pytest
import torch

from hundredfold.errors import UserError
from hundredfold.estimators._checks import InputError
from hundredfold.estimators._images import form_of


@pytest.mark.parametrize(
    ("shape", "image_shape", "form", "rows"),
    [
        ((2, 5, 7), None, (5, 7), False),
        ((2, 5, 7, 3), None, (5, 7, 3), False),
        ((2, 64), None, (8, 8), False),
        ((2, 784), None, (28, 28), False),
        ((2, 49), None, (7, 7), True),  # too small to be taken for an image
        ((2, 35), (5, 7), (5, 7), False),
        ((2, 192), (8, 8, 3), (8, 8, 3), False),
        ((2, 5), None, (4, 4), True),
        ((2, 16), None, (4, 4), True),
        ((2, 17), None, (5, 5), True),
        ((2, 65), None, (9, 9), True),
        ((2, 1), None, (4, 4), True),
    ],
)
def test_the_form(shape, image_shape, form, rows):
    found = form_of(np.zeros(shape, np.uint8), image_shape)
    assert found.shape == form
    assert found.rows == rows


def test_a_row_that_is_no_image_is_laid_out_with_zeros_behind():
    X = np.array([[0.5, 0.25, 1.0, 0.0, 0.75], [1.0, 1.0, 1.0, 1.0, 1.0]])
    (image, _) = form_of(X, None).images(X).take(torch.arange(2))
    assert image.tolist() == [[[0.5, 0.25, 1.0, 0.0], [0.75, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]]


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        (np.array([[3, 200]], np.uint8), 0, 255),
        (np.array([[False, True]]), 0, 1),
        (np.array([[0.25, 0.5]]), 0, 1),  # within 0..1: as it is
        (np.array([[0.0, 16.0]]), 0, 16),
        (np.array([[-1.5, 0.5]], np.float32), -1.5, 0.5),
        (np.array([[7, 900]]), 7, 900),
        (np.array([[0, 1]]), 0, 1),
    ],
)
def test_what_becomes_0_and_1(values, low, high):
    X = np.repeat(values, 32, axis=1)
    form = form_of(X, None)
    assert (form.low, form.high) == (low, high)
    images = form.images(X)
    pixels = images.take(torch.tensor([0])).flatten()
    if pixels.dtype == torch.uint8:
        assert pixels.unique().tolist() in ([3, 200], [0, 255])
    else:
        expected = [(float(value) - low) / (high - low) for value in values[0]]
        assert pixels.unique().tolist() == pytest.approx(expected)


def test_an_x_of_one_value_is_black():
    X = np.full((3, 64), 5.0)
    assert form_of(X, None).images(X).take(torch.arange(3)).abs().max() == 0


def test_later_images_are_scaled_as_the_first_and_cut_off_at_their_ends():
    form = form_of(np.linspace(0, 16, 128).reshape(2, 64), None)
    later = np.full((1, 64), 8.0)
    later[0, :2] = -1, 20
    pixels = form.images(later).take(torch.tensor([0])).flatten().tolist()
    assert pixels[:2] == [0, 1]
    assert set(pixels[2:]) == {0.5}


def test_the_same_pixels_as_bytes_and_as_numbers_are_the_same_image():
    X = np.random.default_rng(0).integers(0, 256, (2, 64)).astype(np.uint8)
    form = form_of(X, None)
    as_numbers = form.images(X.astype(np.float64)).take(torch.arange(2))
    assert torch.allclose(form.images(X).take(torch.arange(2)) / 255, as_numbers)


def test_images_on_another_scale_are_refused():
    form = form_of(np.random.default_rng(0).random((2, 64)), None)
    with pytest.raises(InputError, match=r"run from 0 to 255, those of fit from 0 to 1"):
        form.images(np.array([[0, 255] * 32]))
    rows = form_of(np.random.default_rng(0).random((2, 5)), None)
    rows.images(np.full((1, 5), 90.0))  # numbers that are no pixels may be far away


@pytest.mark.parametrize(
    ("shape", "image_shape", "says"),
    [
        ((2, 100), (28, 28), "such an image has 784 values, a row of X has 100"),
        ((2, 28, 28), (28, 27), r"each image of X has the shape \(28, 28\)"),
        ((2, 100), (100,), r"possible are \(h, w\), \(h, w, c\) and \(c, h, w\)"),
        ((2, 100), (10.0, 10), "whole numbers from 1"),
        ((2, 100), (-10, -10), "whole numbers from 1"),
        ((2, 3072), None, r"give image_shape=\(32, 32, 3\) or \(3, 32, 32\)"),
        ((2, 192), None, "may be colour images of 8x8"),
    ],
)
def test_a_shape_that_does_not_fit_says_what_is_possible(shape, image_shape, says):
    with pytest.raises(ValueError, match=says) as problem:
        form_of(np.zeros(shape), image_shape)
    assert isinstance(problem.value, UserError)
    assert problem.value.what
    assert problem.value.why
    assert problem.value.fix


def test_rows_as_long_as_colour_images_can_be_laid_out_by_hand():
    assert form_of(np.zeros((2, 192)), (12, 16)).shape == (12, 16)
