"""Relational distillation against loops over pairs and triplets, its invariants, and rows that coincide."""

import math

import pytest
import torch

from hundredfold.losses.relational_distillation import relational_distillation


def pair(b, d=3, e=5, dtype=torch.float64):
    rng = torch.Generator().manual_seed(0)
    return torch.randn(b, d, generator=rng, dtype=dtype), 4 * torch.randn(b, e, generator=rng, dtype=dtype)


def huber(x, y):
    return (x - y) ** 2 / 2 if abs(x - y) <= 1 else abs(x - y) - 1 / 2


def relative_distances(rows):
    """psi_D of all ordered pairs of different places."""
    found = {(i, j): math.dist(x, y) for i, x in enumerate(rows) for j, y in enumerate(rows) if i != j}
    apart = [length for length in found.values() if length > 0]
    return {where: length / (sum(apart) / len(apart)) if apart else 0.0 for where, length in found.items()}


def cosine(rows, i, j, k):
    """psi_A: the angle at j; None where one of its sides has no length."""
    to_i, to_k = ([a - b for a, b in zip(rows[end], rows[j], strict=True)] for end in (i, k))
    lengths = math.hypot(*to_i) * math.hypot(*to_k)
    return sum(a * b for a, b in zip(to_i, to_k, strict=True)) / lengths if lengths else None


def distance_by_loops(student, teacher):
    s, t = relative_distances(student), relative_distances(teacher)
    return sum(huber(s[where], t[where]) for where in s) / len(s)


def angle_by_loops(student, teacher):
    total, count = 0.0, 0
    places = range(len(student))
    for i, j, k in ((i, j, k) for i in places for j in places for k in places if len({i, j, k}) == 3):
        s, t = cosine(student, i, j, k), cosine(teacher, i, j, k)
        if s is not None and t is not None:
            total += huber(s, t)
            count += 1
    return total / count if count else 0.0


@pytest.mark.parametrize(("b", "d", "e"), [(3, 2, 2), (5, 3, 5), (6, 4, 1)])
@pytest.mark.parametrize(("distance_weight", "angle_weight"), [(1.0, 2.0), (1.0, 0.0), (0.0, 1.0), (0.3, 0.7)])
def test_it_is_what_the_loops_say(b, d, e, distance_weight, angle_weight):
    student, teacher = pair(b, d, e)
    rows = student.tolist(), teacher.tolist()
    wanted = distance_weight * distance_by_loops(*rows) + angle_weight * angle_by_loops(*rows)
    weights = {"distance_weight": distance_weight, "angle_weight": angle_weight}
    assert float(relational_distillation(student, teacher, **weights)) == pytest.approx(wanted, rel=1e-9)


def test_both_sides_of_the_huber_loss_are_met():
    """One far image: relative distances differ by more than 1 for some pairs and by less for others."""
    student, teacher = pair(5)
    student[0] += 100
    rows = student.tolist(), teacher.tolist()
    s, t = relative_distances(rows[0]), relative_distances(rows[1])
    gaps = [abs(s[where] - t[where]) for where in s]
    assert min(gaps) < 1 < max(gaps)
    found = relational_distillation(student, teacher, angle_weight=0.0)
    assert float(found) == pytest.approx(distance_by_loops(*rows), rel=1e-9)


def test_the_papers_weights_are_the_default():
    student, teacher = pair(5)
    wanted = relational_distillation(student, teacher, distance_weight=1.0, angle_weight=2.0)
    assert torch.equal(relational_distillation(student, teacher), wanted)


def test_place_length_orientation_and_the_order_of_images_do_not_matter():
    student, teacher = pair(6, 3, 3)
    turn = torch.linalg.qr(pair(3, 3, 3)[0]).Q
    value = relational_distillation(student, teacher)
    torch.testing.assert_close(relational_distillation(0.1 * student @ turn - 7, 30 * teacher + 2), value)
    order = torch.randperm(6, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(relational_distillation(student[order], teacher[order]), value)
    assert float(relational_distillation(5 * teacher @ turn + 3, teacher)) == pytest.approx(0, abs=1e-12)
    assert float(value) > 0.01


def test_the_gradient_is_the_students_alone():
    student, teacher = (part.requires_grad_() for part in pair(4))
    assert torch.autograd.gradcheck(lambda mine: relational_distillation(mine, teacher), (student,))
    relational_distillation(student, teacher).backward()
    assert teacher.grad is None


@pytest.mark.parametrize("which", ["both", "student", "teacher"])
def test_rows_that_coincide_have_a_distance_and_no_angle(which):
    student, teacher = pair(5)
    for name, rows in (("student", student), ("teacher", teacher)):
        if which in (name, "both"):
            rows[3] = rows[1]
    student.requires_grad_()
    loss = relational_distillation(student, teacher)
    rows = student.tolist(), teacher.tolist()
    wanted = distance_by_loops(*rows) + 2 * angle_by_loops(*rows)
    assert loss.item() == pytest.approx(wanted, rel=1e-9)
    loss.backward()
    assert student.grad.isfinite().all() and (student.grad != 0).any()
    if which == "both":
        torch.testing.assert_close(student.grad[3], student.grad[1])


@pytest.mark.parametrize("b", [1, 2, 4])
def test_a_constant_student_has_no_gradient_and_no_infinity(b):
    student, teacher = torch.ones(b, 3, requires_grad=True), pair(b, dtype=torch.float32)[1]
    loss = relational_distillation(student, teacher)
    loss.backward()
    assert loss.isfinite() and not student.grad.any()
    assert relational_distillation(pair(b)[0], torch.ones(b, 2)).isfinite()


def test_one_image_has_no_relations_and_two_have_no_angle():
    assert float(relational_distillation(*pair(1))) == 0
    assert float(relational_distillation(*pair(2))) == pytest.approx(0, abs=1e-12)  # their distance is the mean


@pytest.mark.parametrize("gap", [1e-4, 1e-7, 1e-20, 1e-30])
def test_rows_that_all_but_coincide_do_not_make_the_gradient_large(gap):
    student, teacher = pair(6, dtype=torch.float32)
    student[3] = student[1]
    student[1, 0], student[3, 0] = 0.0, gap
    student.requires_grad_()
    relational_distillation(student, teacher).backward()
    assert student.grad.isfinite().all() and float(student.grad.abs().max()) < 1


def test_half_precision_is_computed_in_float32():
    student, teacher = (part.bfloat16() for part in pair(6))
    half = relational_distillation(student, teacher)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, relational_distillation(student.float(), teacher.float()))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(relational_distillation(student.float(), teacher.float()), half)


@pytest.mark.parametrize(
    ("a", "b"), [((2, 3), (3, 3)), ((3,), (3,)), ((2, 3), (2,)), ((0, 3), (0, 3)), ((2, 0), (2, 3))]
)
def test_shapes_that_cannot_serve_are_said(a, b):
    with pytest.raises(ValueError, match=r"\[b, d\] and \[b, e\], not empty, got \(.*\) and \(.*\)"):
        relational_distillation(torch.zeros(a), torch.zeros(b))


@pytest.mark.parametrize("name", ["distance_weight", "angle_weight"])
@pytest.mark.parametrize("value", [-1.0, math.inf, math.nan])
def test_weights_that_cannot_serve_are_refused(name, value):
    with pytest.raises(ValueError, match=f"{name} must be >= 0 and finite, got"):
        relational_distillation(*pair(3), **{name: value})
