"""What every generator is held to: conditions that are shares, images in 0..1, and a condition that acts."""

import pytest
import torch

from hundredfold.transfer.generator import Generator, one_hot, responds


class Blended(Generator):
    """Noise, brighter with the class: what a generator should be."""

    name = "blended"
    classes = ("dark", "grey", "bright")
    channels, size = 1, (2, 3)

    def draw(self, condition, rng):
        noise = 0.1 * torch.rand(len(condition), 1, 2, 3, generator=rng)
        return noise + (condition @ torch.tensor([0.0, 0.3, 0.6])).view(-1, 1, 1, 1)

    def place(self, engine):
        raise NotImplementedError


class Likeliest(Blended):
    """Takes the likeliest class of what it is given, without a word."""

    def draw(self, condition, rng):
        return super().draw(one_hot(condition.argmax(1), 3), rng)


class Deaf(Blended):
    """Does not listen at all."""

    def draw(self, condition, rng):
        return super().draw(torch.ones_like(condition) / 3, rng)


class Glaring(Blended):
    """Leaves 0..1."""

    def draw(self, condition, rng):
        return 4 * super().draw(condition, rng).double() - 1


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def test_a_mixture_acts_where_it_is_listened_to():
    hard, soft = responds(Blended(), count=6)
    # From 0.0 to 0.3, 0.3 to 0.6 and 0.6 to 0.0; a mixture goes 0.4 of the way.
    assert hard == pytest.approx((0.3 + 0.3 + 0.6) / 3, abs=1e-6)
    assert soft == pytest.approx(0.4 * hard, abs=1e-6)


def test_a_generator_that_takes_the_likeliest_class_has_no_soft_response():
    hard, soft = responds(Likeliest())
    assert hard > 0.1 and soft == 0


def test_a_generator_that_ignores_its_condition_has_no_response():
    assert responds(Deaf()) == (0, 0)


def test_the_answer_follows_from_the_seed():
    assert responds(Glaring(), seed=1) == responds(Glaring(), seed=1) != responds(Glaring(), seed=2)


def test_images_are_floats_in_range_and_keep_no_gradient():
    condition = one_hot(torch.tensor([0, 2]), 3).requires_grad_()
    images = Glaring().sample(condition, rng())
    assert images.dtype == torch.float32 and images.shape == (2, 1, 2, 3) and not images.requires_grad
    assert images.min() == 0 and images.max() == 1


def test_the_same_state_gives_the_same_noise_whatever_the_condition():
    first, second = (Blended().sample(one_hot(torch.tensor([k]), 3), rng(5)) for k in (0, 1))
    torch.testing.assert_close(second - first, torch.full_like(first, 0.3))


@pytest.mark.parametrize(
    "condition, problem",
    [
        (torch.ones(3), r"must be \[b, 3\].*got \[3\]"),
        (torch.ones(2, 2) / 2, r"got \[2, 2\]"),
        (torch.tensor([[1.5, -0.5, 0.0]]), ">= 0 that sum to 1"),
        (torch.tensor([[0.5, 0.4, 0.0]]), ">= 0 that sum to 1"),
        (torch.tensor([[float("nan"), 0.5, 0.5]]), ">= 0 that sum to 1"),
    ],
)
def test_conditions_that_are_no_shares(condition, problem):
    with pytest.raises(ValueError, match=problem):
        Blended().sample(condition, rng())


def test_one_hot():
    assert one_hot(torch.tensor([1, 0]), 3).tolist() == [[0, 1, 0], [1, 0, 0]]
