import math

import pytest
import torch
import torch.nn.functional as F

from hundredfold.views.blur import Blur
from hundredfold.views.chain import Chain
from hundredfold.views.colour_jitter import ColourJitter
from hundredfold.views.crop import Crop
from hundredfold.views.elastic import Elastic
from hundredfold.views.erasing import Erasing
from hundredfold.views.flip import Flip
from hundredfold.views.grey import Grey
from hundredfold.views.rotation import Rotation
from hundredfold.views.scale import Scale
from hundredfold.views.shear import Shear
from hundredfold.views.solarise import Solarise
from hundredfold.views.translation import Translation

EVERYTHING = (
    Flip(horizontal=0.5, vertical=0.5),
    Rotation(degrees=180),
    Shear(degrees=20),
    Scale(factor=(0.7, 1.4)),
    Translation(fraction=0.2),
    Crop(area=(0.2, 1.0)),
    Elastic(strength=0.05),
    ColourJitter(),
    Grey(probability=0.5),
    Blur(sigma=(0.1, 2.0)),
    Solarise(probability=0.5),
    Erasing(probability=0.5),
)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def numbers(**drawn):
    return {name: torch.tensor([value]) for name, value in drawn.items()}


@pytest.mark.parametrize("shape", [(2, 1, 28, 28), (2, 3, 9, 14)])
def test_views_that_are_set_to_nothing_change_nothing(shape):
    nothing = (
        Flip(horizontal=0, vertical=0),
        Rotation(degrees=0),
        Shear(degrees=0),
        Scale(factor=(1, 1)),
        Translation(fraction=0),
        Crop(area=(1, 1)),
        Elastic(strength=0),
        Blur(probability=0),
        Solarise(probability=0),
        Erasing(probability=0),
        ColourJitter(saturation=0, hue=0, probability=0),
    )
    # A ramp: its steps are small, as the differences that rounding of the coordinates is multiplied by.
    images = torch.linspace(0, 1, math.prod(shape)).view(shape)
    assert torch.allclose(Chain(nothing)(images, rng()), images, atol=1e-6, rtol=0)


def test_no_views_return_the_images_themselves():
    images = torch.rand(2, 1, 5, 6)
    assert torch.equal(Chain(())(images, rng()), images)


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("quarters", [1, 2, 3, -1])
def test_rotation_by_right_angles_is_rot90(padding, quarters):
    images = torch.rand(2, 3, 11, 11)
    drawn = [{"degrees": torch.full((2,), 90.0 * quarters)}]
    got = Chain((Rotation(),), padding=padding).apply(images, drawn)
    assert torch.allclose(got, torch.rot90(images, quarters, dims=(2, 3)), atol=1e-5)


@pytest.mark.parametrize(("horizontal", "vertical", "dims"), [(1, 0, [3]), (0, 1, [2]), (1, 1, [2, 3])])
def test_flip_is_torch_flip(horizontal, vertical, dims):
    images = torch.rand(2, 3, 7, 12)
    got = Chain((Flip(horizontal=horizontal, vertical=vertical),))(images, rng())
    assert torch.allclose(got, torch.flip(images, dims), atol=1e-5)


def test_one_grid_is_the_matrices_one_after_the_other():
    """Points taken back through the last view first, each with its own matrix, in plain loops."""
    height, width = 10, 16
    chain = Chain((Rotation(degrees=90), Shear(degrees=20), Translation(fraction=0.3), Crop(area=(0.3, 0.8))))
    drawn = chain.draw(3, (height, width), rng())
    grid = chain.grid(drawn, (height, width), torch.device("cpu"))
    for image in range(3):
        matrices = [view.matrix(one, (height, width))[image].tolist() for view, one in zip(chain.views, drawn)]
        for i, j in [(0, 0), (4, 11), (9, 15)]:
            point = [(2 * j + 1) / width - 1, (2 * i + 1) / height - 1, 1.0]
            for matrix in reversed(matrices):
                point = [sum(row[k] * point[k] for k in range(3)) for row in matrix]
            assert grid[image, i, j].tolist() == pytest.approx(point[:2], abs=1e-5)


def test_views_act_in_the_order_given():
    """To the right by half the width, then a quarter turn counter-clockwise: what was in the middle ends at the top."""
    images = torch.zeros(1, 1, 9, 9)
    images[0, 0, 4, 4] = 1
    move, turn = numbers(x=4 / 9, y=0.0), numbers(degrees=90.0)
    after = Chain((Translation(), Rotation())).apply(images, [move, turn])
    assert after[0, 0, 0, 4].item() == pytest.approx(1, abs=1e-5)
    swapped = Chain((Rotation(), Translation())).apply(images, [turn, move])
    assert swapped[0, 0, 4, 8].item() == pytest.approx(1, abs=1e-5)


def test_one_sampling_of_whole_pixel_moves_equals_one_after_the_other():
    images = torch.rand(1, 2, 8, 8)
    views = (Translation(), Flip(), Rotation())
    drawn = [numbers(x=0.25, y=-0.125), numbers(horizontal=True, vertical=False), numbers(degrees=90.0)]
    step_by_step = images
    for view, one in zip(views, drawn, strict=True):
        step_by_step = Chain((view,)).apply(step_by_step, [one])
    assert torch.allclose(Chain(views).apply(images, drawn), step_by_step, atol=1e-5)


def test_displacements_act_after_the_matrices_wherever_they_stand():
    height, width = 6, 9
    drawn = {
        Rotation: numbers(degrees=30.0),
        Elastic: Elastic().draw(1, (height, width), rng()),
    }
    shift = Elastic().displacement(drawn[Elastic], (height, width), torch.device("cpu"))[0]  # [2, h, w]
    matrix = Rotation().matrix(drawn[Rotation], (height, width))[0].tolist()
    for views in [(Rotation(), Elastic()), (Elastic(), Rotation())]:
        grid = Chain(views).grid([drawn[type(view)] for view in views], (height, width), torch.device("cpu"))
        for i, j in [(0, 0), (3, 7), (5, 8)]:
            x = (2 * j + 1) / width - 1 + shift[0, i, j].item()
            y = (2 * i + 1) / height - 1 + shift[1, i, j].item()
            expected = [row[0] * x + row[1] * y + row[2] for row in matrix[:2]]
            assert grid[0, i, j].tolist() == pytest.approx(expected, abs=1e-5)


def test_elastic_alone_moves_pixels():
    images = torch.rand(2, 1, 16, 16)
    got = Chain((Elastic(strength=0.1),))(images, rng())
    assert got.shape == images.shape
    assert (got - images).abs().mean() > 0.05


@pytest.mark.parametrize("views", [(), (Elastic(strength=0),), (Crop(area=(1, 1)),)])
def test_output_of_another_size_is_bilinear_resizing(views):
    images = torch.rand(3, 2, 8, 10)
    got = Chain(views, padding="border", output_size=(12, 15))(images, rng())
    assert torch.allclose(got, F.interpolate(images, size=(12, 15), mode="bilinear"), atol=1e-5)


@pytest.mark.parametrize(("padding", "expected"), [("zeros", 0.0), ("border", 0.75), ("reflection", 0.5)])
def test_padding_says_what_lies_outside(padding, expected):
    images = torch.tensor([0.25, 0.25, 0.5, 0.75]).view(1, 1, 1, 4).expand(1, 1, 4, 4)
    # Two pixels to the left: the last column shows what lies two pixels outside.
    got = Chain((Translation(),), padding=padding).apply(images, [numbers(x=-0.5, y=0.0)])
    assert got[0, 0, 2, 3].item() == pytest.approx(expected, abs=1e-5)


def test_bytes_are_taken_as_shares_of_255():
    images = torch.randint(0, 256, (2, 1, 6, 6), dtype=torch.uint8)
    before = images.clone()
    got = Chain((Flip(horizontal=1.0),))(images, rng())
    assert got.dtype == torch.float32
    assert torch.allclose(got, torch.flip(images, [3]) / 255, atol=1e-5)
    assert torch.equal(images, before)


@pytest.mark.parametrize(("channels", "size"), [(3, (20, 20)), (3, (13, 22))])
def test_everything_at_once_stays_in_range_and_leaves_the_input(channels, size):
    images = torch.rand(40, channels, *size)
    before = images.clone()
    got = Chain(EVERYTHING, padding="reflection")(images, rng())
    assert got.shape == images.shape
    assert got.dtype == torch.float32
    assert got.min() >= 0
    assert got.max() <= 1
    assert torch.equal(images, before)
    assert (got - images).abs().flatten(1).mean(dim=1).min() > 0.01  # none was forgotten


def test_views_depend_on_their_generator_alone():
    images = torch.rand(16, 3, 12, 12)
    chain = Chain(EVERYTHING)
    torch.manual_seed(1)
    first = chain(images, rng(7))
    torch.manual_seed(2)
    state = torch.get_rng_state()
    again = chain(images, rng(7))
    assert torch.equal(first, again)
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(first, chain(images, rng(8)))


def test_drawn_numbers_can_be_replayed():
    images = torch.rand(8, 3, 12, 12)
    chain = Chain(EVERYTHING)
    generator = rng(3)
    drawn = chain.draw(8, (12, 12), generator)
    kept = [{name: value.clone() for name, value in one.items()} for one in drawn]
    assert torch.equal(chain.apply(images, drawn), chain(images, rng(3)))
    assert torch.equal(chain.apply(images, kept), chain.apply(images, drawn))
    assert not torch.equal(chain(images, generator), chain.apply(images, drawn))


def test_each_image_gets_numbers_of_its_own():
    images = torch.rand(1, 1, 12, 12).expand(6, 1, 12, 12).contiguous()
    views = Chain((Rotation(),))(images, rng())
    assert all(not torch.equal(views[i], views[j]) for i in range(6) for j in range(i))


def test_an_image_does_not_depend_on_its_neighbours():
    images = torch.rand(6, 3, 12, 12)
    chain = Chain(EVERYTHING)
    drawn = chain.draw(6, (12, 12), rng())
    alone = chain.apply(images[2:3], [{name: value[2:3] for name, value in one.items()} for one in drawn])
    assert torch.allclose(chain.apply(images, drawn)[2:3], alone, atol=1e-5)


def test_coordinates_keep_their_precision_under_autocast():
    images = torch.rand(4, 1, 28, 28)
    chain = Chain((Rotation(), Crop(), Blur()))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under = chain(images, rng())
    assert under.dtype == torch.float32
    assert torch.equal(under, chain(images, rng()))


@pytest.mark.parametrize("images", [torch.zeros(3, 8, 8), torch.zeros(1, 1, 8, 8, dtype=torch.int64)])
def test_images_of_another_kind_are_refused(images):
    with pytest.raises(ValueError, match=r"\[b, c, h, w\] of uint8 or float32, got"):
        Chain(()).apply(images, [])


def test_numbers_for_another_batch_are_refused():
    chain = Chain((Rotation(),))
    with pytest.raises(ValueError, match="Rotation: degrees was drawn for 3 images, there are 2"):
        chain.apply(torch.zeros(2, 1, 8, 8), chain.draw(3, (8, 8), rng()))
