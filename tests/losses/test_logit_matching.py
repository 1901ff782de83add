"""Logit matching against loops, its invariants and what it refuses."""

import pytest
import torch

from hundredfold.losses.logit_matching import logit_matching


def logits(b=4, k=3, dtype=torch.float64):
    rng = torch.Generator().manual_seed(0)
    return torch.randn(b, k, generator=rng, dtype=dtype), torch.randn(b, k, generator=rng, dtype=dtype)


@pytest.mark.parametrize(("b", "k"), [(1, 1), (4, 3), (2, 7)])
def test_it_is_the_loss_of_section_2_2_over_half_the_logits(b, k):
    """1 / (2 b) sum |g - z|^2 by loops, divided by k / 2."""
    student, teacher = logits(b, k)
    total = 0.0
    for g, z in zip(student.tolist(), teacher.tolist(), strict=True):
        total += sum((mine - its) ** 2 for mine, its in zip(g, z, strict=True))
    assert float(logit_matching(student, teacher)) == pytest.approx(total / (2 * b) / (k / 2), rel=1e-12)


def test_it_sees_what_a_softmax_does_not():
    student, teacher = logits()
    assert float(logit_matching(teacher, teacher)) == 0
    assert float(logit_matching(teacher + 2, teacher)) == pytest.approx(4)
    torch.testing.assert_close(logit_matching(student + 5, teacher + 5), logit_matching(student, teacher))


def test_the_gradient_is_the_students_alone():
    student, teacher = (part.requires_grad_() for part in logits())
    assert torch.autograd.gradcheck(lambda mine: logit_matching(mine, teacher), (student,))
    logit_matching(student, teacher).backward()
    assert teacher.grad is None and student.grad.isfinite().all()


def test_half_precision_is_computed_in_float32():
    student, teacher = (part.bfloat16() for part in logits())
    half = logit_matching(student, teacher)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, logit_matching(student.float(), teacher.float()))


@pytest.mark.parametrize(("a", "b"), [((2, 3), (2, 4)), ((3,), (3,)), ((2, 3), (1, 3)), ((0, 3), (0, 3))])
def test_shapes_that_cannot_serve_are_said(a, b):
    with pytest.raises(ValueError, match=r"must have the same shape \[b, k\], not empty, got \(.*\) and \(.*\)"):
        logit_matching(torch.zeros(a), torch.zeros(b))
