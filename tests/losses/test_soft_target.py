"""Soft targets against loops, the limit of large temperatures, and what is refused."""

import math

import pytest
import torch

from hundredfold.losses.soft_target import soft_target


def logits(b=4, k=3, dtype=torch.float64):
    rng = torch.Generator().manual_seed(0)
    return torch.randn(b, k, generator=rng, dtype=dtype), 3 * torch.randn(b, k, generator=rng, dtype=dtype)


def softmax(row, temperature):
    """Equation 1."""
    powers = [math.exp(value / temperature) for value in row]
    return [power / sum(powers) for power in powers]


def by_loops(student, teacher, temperature):
    """(cross entropy, entropy of the teacher): their difference is the divergence; both the mean over images."""
    cross, entropy = 0.0, 0.0
    for z, v in zip(student, teacher, strict=True):
        for q, p in zip(softmax(z, temperature), softmax(v, temperature), strict=True):
            cross -= p * math.log(q) / len(student)
            entropy -= p * math.log(p) / len(student)
    return cross, entropy


@pytest.mark.parametrize(("b", "k"), [(1, 2), (4, 3), (2, 7)])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_it_is_the_cross_entropy_less_its_floor(b, k, temperature):
    student, teacher = logits(b, k)
    cross, entropy = by_loops(student.tolist(), teacher.tolist(), temperature)
    found = float(soft_target(student, teacher, temperature=temperature))
    assert found == pytest.approx(temperature**2 * (cross - entropy), rel=1e-9) and found > 0


def test_the_gradient_is_that_of_the_papers_cross_entropy():
    """Section 2.1: dC/dz_i = (q_i - p_i) / T, here times T^2 and over b images."""
    temperature = 2.5
    student, teacher = (part.requires_grad_() for part in logits())
    soft_target(student, teacher, temperature=temperature).backward()
    for row, z, v in zip(student.grad.tolist(), student.tolist(), teacher.tolist(), strict=True):
        pairs = zip(softmax(z, temperature), softmax(v, temperature), strict=True)
        assert row == pytest.approx([temperature * (q - p) / 4 for q, p in pairs], abs=1e-12)
    assert teacher.grad is None
    assert torch.autograd.gradcheck(lambda mine: soft_target(mine, teacher, temperature=temperature), (student,))


def test_a_large_temperature_matches_logits_less_their_mean():
    """Section 2.1, equation 4: 1 / (2 k) sum (z - v)^2 of logits that were brought to mean 0."""
    student, teacher = logits()
    centred = [part - part.mean(1, keepdim=True) for part in (student, teacher)]
    wanted = float((centred[0] - centred[1]).square().mean() / 2)
    assert float(soft_target(student, teacher, temperature=1e4)) == pytest.approx(wanted, rel=1e-3)
    assert float(soft_target(student, teacher, temperature=1.0)) != pytest.approx(wanted, rel=0.1)


def test_a_constant_added_to_all_logits_of_an_image_says_nothing():
    student, teacher = logits()
    shift = torch.tensor([[7.0], [-3.0], [0.0], [1.0]], dtype=torch.float64)
    value = soft_target(student, teacher, temperature=2.0)
    torch.testing.assert_close(soft_target(student + shift, teacher - shift, temperature=2.0), value)
    assert float(soft_target(teacher + shift, teacher, temperature=2.0)) == pytest.approx(0, abs=1e-12)


def test_a_teacher_that_is_quite_sure_gives_no_infinity():
    student, teacher = torch.zeros(1, 2, requires_grad=True), torch.tensor([[500.0, -500.0]])
    loss = soft_target(student, teacher, temperature=1.0)
    loss.backward()
    assert loss.item() == pytest.approx(math.log(2)) and student.grad.tolist() == [[-0.5, 0.5]]


def test_half_precision_is_computed_in_float32():
    student, teacher = (part.bfloat16() for part in logits())
    half = soft_target(student, teacher, temperature=2.0)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, soft_target(student.float(), teacher.float(), temperature=2.0))


@pytest.mark.parametrize(("a", "b"), [((2, 3), (2, 4)), ((3,), (3,)), ((0, 3), (0, 3))])
def test_shapes_that_cannot_serve_are_said(a, b):
    with pytest.raises(ValueError, match=r"must have the same shape \[b, k\], not empty, got \(.*\) and \(.*\)"):
        soft_target(torch.zeros(a), torch.zeros(b), temperature=1.0)


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.inf])
def test_a_temperature_that_is_not_positive_is_refused(temperature):
    with pytest.raises(ValueError, match="temperature must be > 0"):
        soft_target(*logits(), temperature=temperature)
