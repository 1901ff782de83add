"""The triplet loss against loops written from the paper, and which negatives each mining takes."""

import math

import pytest
import torch

from hundredfold.losses.triplet_margin import TripletMarginLoss, triplet_margin, violating_share


def by_loops(za, zb, margin, mining):
    views, n = za + zb, len(za)
    unit = [[value / math.hypot(*view) for value in view] for view in views]

    def distance(i, k):
        return sum((a - b) ** 2 for a, b in zip(unit[i], unit[k]))

    found = []
    for i in range(2 * n):
        positive = distance(i, (i + n) % (2 * n))
        negatives = sorted(distance(i, k) for k in range(2 * n) if k % n != i % n)
        if mining == "all":
            found += [positive - negative + margin for negative in negatives if positive - negative + margin > 0]
            continue
        farther = [negative for negative in negatives if negative > positive]
        chosen = negatives[0] if mining == "hard" else farther[0] if farther else negatives[-1]
        found.append(max(0.0, positive - chosen + margin))
    return sum(found) / len(found) if found else 0.0


def on_circle(*degrees):
    return torch.tensor([[math.cos(math.radians(x)), math.sin(math.radians(x))] for x in degrees], dtype=torch.float64)


@pytest.mark.parametrize("mining", ["all", "hard", "semi-hard"])
@pytest.mark.parametrize(("n", "d", "margin"), [(2, 3, 0.2), (5, 4, 0.5), (9, 2, 2.0), (30, 8, 0.2)])
def test_equals_the_formula(n, d, margin, mining):
    rng = torch.Generator().manual_seed(0)
    za = torch.randn(n, d, generator=rng, dtype=torch.float64)
    for noise in (0.2, 1.0):
        zb = za + noise * torch.randn(n, d, generator=rng, dtype=torch.float64)
        expected = by_loops(za.tolist(), zb.tolist(), margin, mining)
        assert float(triplet_margin(za, zb, margin=margin, mining=mining)) == pytest.approx(expected, rel=1e-9)


def squared(degrees):
    return 2 - 2 * math.cos(math.radians(degrees))


def test_hard_takes_the_nearest_and_semi_hard_the_next_beyond_the_positive():
    """Views at 0 and 40 degrees; the other image's at 10 and 50: from 0 the nearest negative is 10, the next is 50."""
    za, zb = on_circle(0, 10), on_circle(40, 50)
    margin = 1.0
    hard = [squared(40) - squared(10) + margin] * 4  # 0: 10, 10: 0, 40: 50, 50: 40
    semi_hard = [squared(40) - squared(50) + margin]  # 0: 50 is beyond its positive
    semi_hard += [squared(40) - squared(30) + margin]  # 10: nothing is, 40 at 30 is the farthest
    semi_hard += [squared(40) - squared(30) + margin, squared(40) - squared(50) + margin]  # 40 and 50: as 10 and 0
    assert float(triplet_margin(za, zb, margin=margin, mining="hard")) == pytest.approx(sum(hard) / 4)
    assert float(triplet_margin(za, zb, margin=margin, mining="semi-hard")) == pytest.approx(sum(semi_hard) / 4)


def test_all_is_the_mean_over_the_triplets_that_violate_the_margin():
    za, zb = on_circle(0, 90, 180), on_circle(20, 95, 180)
    margin = squared(75) - squared(20) + 0.1
    violations = [0.1, squared(20) + margin - squared(70)]  # of anchor 20 with 95 and with 90, 75 and 70 apart
    violations += [squared(5) + margin - squared(70)]  # of anchor 90 with 20; 95 keeps the margin, as do all others
    assert all(value > 0 for value in violations) and squared(5) + margin - squared(75) < 0
    assert float(triplet_margin(za, zb, margin=margin, mining="all")) == pytest.approx(sum(violations) / 3)


def test_the_share_of_violating_triplets():
    za, zb = on_circle(0, 90, 180), on_circle(20, 95, 180)
    assert violating_share(za, zb, margin=squared(75) - squared(20) + 0.1) == 3 / 24  # the three of above
    assert violating_share(za, zb, margin=4.1) == 1 and violating_share(za, za, margin=1.9) == 0
    assert not violating_share(za.requires_grad_(), zb).requires_grad
    with pytest.raises(ValueError, match="margin must be > 0 and finite, got 0"):
        violating_share(za, zb, margin=0)


@pytest.mark.parametrize("mining", ["all", "hard", "semi-hard"])
def test_where_every_triplet_keeps_the_margin_the_loss_and_the_gradient_are_zero(mining):
    za = torch.eye(4).requires_grad_()
    loss = triplet_margin(za, torch.eye(4), margin=1.9, mining=mining)
    loss.backward()
    assert loss.item() == 0 and torch.equal(za.grad, torch.zeros(4, 4))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"margin": 0}, "margin must be > 0 and finite, got 0"),
        ({"margin": math.nan}, "margin must be > 0 and finite, got nan"),
        ({"mining": "soft"}, "mining must be one of all, hard, semi-hard, got 'soft'"),
    ],
)
def test_settings_that_cannot_serve_are_said(settings, says):
    with pytest.raises(ValueError, match=says):
        triplet_margin(torch.eye(2), torch.eye(2), **settings)
    with pytest.raises(ValueError, match=says):
        TripletMarginLoss(**settings)
