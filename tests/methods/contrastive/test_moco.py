"""What is peculiar to MoCo: a queue of keys made by an encoder that follows, and InfoNCE against it."""

import math

import pytest
import torch

from hundredfold.encoders.build import encoder
from hundredfold.methods.contrastive.moco import EMPTY, Config, Keys, MoCo, Queue, queue_nce
from hundredfold.random import generator
from hundredfold.types import ImageBatch, Progress
from hundredfold.views.chain import Chain
from hundredfold.views.rotation import Rotation


def make(**settings):
    small = encoder(
        "convnet", channels=1, size=(8, 8), mean=[0.5], std=[0.25], settings={"widths": [4], "features": 16}, seed=0
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = Config(**{"hidden": 12, "projection": 6, "queue": 16, **settings})
        return MoCo(small, Chain((Rotation(degrees=30),)), config)


def batch(positions=range(10)):
    count = len(positions)
    images = torch.randint(0, 256, (count, 1, 8, 8), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    return ImageBatch(images, torch.full((count,), -1), torch.tensor(positions))


def one_step(method, positions=range(10), step=1):
    found = method(method.views(batch(positions), generator(0, "v", step)))
    method.after_step(Progress(step, 100))
    return found


def unit(rows, d=4, seed=0):
    z = torch.randn(rows, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return z / z.norm(dim=1, keepdim=True)


def by_hand(queries, own, others, temperature, negatives):
    """The loss with floats; keys are pairs of a vector and the position of its image."""
    total = 0.0
    for query, (key, position) in zip(queries, own, strict=True):
        length = math.dist(query, [0] * len(query))

        def e(k, query=query, length=length):
            return math.exp(sum(x / length * y for x, y in zip(query, k, strict=True)) / temperature)

        told_from = [e(k) for k, where in others if where not in (EMPTY, position)]
        total -= math.log(e(key) / (e(key) + negatives * sum(told_from) / len(told_from)))
    return total / len(queries)


def pairs(keys):
    return list(zip(keys.vectors.tolist(), keys.positions.tolist(), strict=True))


@pytest.mark.parametrize("temperature", [0.1, 0.7])
def test_queue_nce_is_the_formula(temperature):
    queries = 2 * unit(3, seed=1)
    own = Keys(unit(3, seed=2), torch.tensor([5, 6, 7]))
    others = Keys(unit(6, seed=3), torch.tensor([5, 9, EMPTY, 7, 7, EMPTY]))
    loss = queue_nce(queries, own, others, temperature=temperature, negatives=20)
    assert loss.item() == pytest.approx(by_hand(queries.tolist(), pairs(own), pairs(others), temperature, 20), rel=1e-9)
    assert torch.autograd.gradcheck(
        lambda q: queue_nce(q, own, others, temperature=temperature, negatives=20), queries.requires_grad_()
    )


def test_queue_nce_of_as_many_others_as_meant_is_the_papers_loss():
    queries, own = unit(3, seed=1), Keys(unit(3, seed=2), torch.arange(3))
    others = Keys(unit(8, seed=3), torch.arange(10, 18))
    loss = queue_nce(queries, own, others, temperature=0.5, negatives=8)
    expected = 0.0
    for q, k in zip(queries.tolist(), own.vectors.tolist(), strict=True):  # algorithm 1: cross entropy of l_pos, l_neg
        logits = [sum(x * y for x, y in zip(q, v, strict=True)) / 0.5 for v in (k, *others.vectors.tolist())]
        expected += math.log(sum(map(math.exp, logits))) - logits[0]
    assert loss.item() == pytest.approx(expected / 3, rel=1e-9)


def test_with_nothing_to_be_told_from_the_loss_is_zero_and_its_gradient_too():
    queries = unit(2).requires_grad_()
    alone = Keys(unit(2, seed=1), torch.tensor([4, 4]))  # two rows of one image
    loss = queue_nce(queries, alone, alone, temperature=0.5, negatives=8)
    loss.backward()
    assert loss.item() == 0 and torch.equal(queries.grad, torch.zeros(2, 4, dtype=torch.float64))


def test_first_in_first_out():
    queue, history = Queue(5, 2), []
    for push in ([0, 1], [2, 3], [4, 5], [6], list(range(7, 19))):  # the last: more than there are rows
        queue.push(Keys(torch.tensor([[p, -p] for p in push], dtype=torch.float32), torch.tensor(push)))
        history += push
        latest = history[-5:]
        filled = queue.positions != EMPTY
        assert queue.positions[filled].tolist() == latest
        assert queue.vectors[filled].tolist() == [[p, -p] for p in latest]
        assert int(filled.sum()) == min(5, len(history))


def test_the_loss_is_that_of_both_views_against_the_batch_and_the_queue():
    method = make(temperature=0.3, momentum=0.5)
    one_step(method, range(20, 30))  # ten rows of sixteen are filled
    one_step(method, range(4, 8), step=2)
    with torch.no_grad():  # so that network and key encoder can be told apart
        for parameter in method.target.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2)))
    views = method.views(batch(), generator(0, "v", 3))
    both = torch.cat([views.a, views.b])
    z, k = method.head(method.encoder(both)), method.target(both)
    k = k / k.norm(dim=1, keepdim=True)
    waiting = pairs(method.queue.rows())
    assert sum(where == EMPTY for _, where in waiting) == 2
    total = 0.0
    for queries, keys in ((z[:10], k[10:]), (z[10:], k[:10])):
        own = list(zip(keys.tolist(), range(10), strict=True))
        total += by_hand(queries.tolist(), own, own + waiting, 0.3, 16) / 2
    step = method(views)
    assert step.loss.item() == pytest.approx(total, rel=1e-4)
    assert torch.equal(step.pair[0], z[:10]) and torch.equal(step.pair[1], z[10:])


def test_keys_of_one_view_join_after_the_step():
    method = make()
    views = method.views(batch(), generator(0, "v"))
    keys = method.target(torch.cat([views.a, views.b]))[10:]
    method(views)
    assert bool((method.queue.positions == EMPTY).all())
    method.after_step(Progress(1, 100))
    assert method.queue.positions.tolist() == [EMPTY] * 6 + list(range(10))
    torch.testing.assert_close(method.queue.vectors[6:], keys / keys.norm(dim=1, keepdim=True))
    method.after_step(Progress(2, 100))  # no forward in between: nothing to join
    assert method.queue.positions.tolist() == [EMPTY] * 6 + list(range(10))


def test_the_key_encoder_follows_after_the_step_and_has_no_gradient():
    method = make(momentum=0.9)
    followed = [*method.encoder.parameters(), *method.head.parameters()]
    optimizer = torch.optim.SGD([p for p in method.parameters() if p.requires_grad], lr=0.5)
    before = [p.clone() for p in method.target.parameters()]
    method(method.views(batch(), generator(0, "v"))).loss.backward()
    assert all(p.grad is None for p in method.target.parameters())
    optimizer.step()
    assert all(torch.equal(p, old) for p, old in zip(method.target.parameters(), before, strict=True))
    method.after_step(Progress(1, 100))
    for now, old, online in zip(method.target.parameters(), before, followed, strict=True):
        torch.testing.assert_close(now, 0.9 * old + 0.1 * online)
    assert any(not torch.equal(now, old) for now, old in zip(method.target.parameters(), before, strict=True))


def test_to_evaluate_changes_nothing():
    method = make()
    one_step(method)
    method.eval()
    before = {name: value.clone() for name, value in method.state_dict().items()}
    method(method.views(batch(range(30, 40)), generator(0, "v")))
    assert method.arrived is None
    assert all(torch.equal(value, before[name]) for name, value in method.state_dict().items())


def test_queue_and_key_encoder_are_part_of_the_state():
    names = set(make().state_dict())
    assert {"queue.vectors", "queue.positions", "target.network.1.0.weight"} <= names
    trained, fresh = make(), make()
    one_step(trained)
    fresh.load_state_dict(trained.state_dict())
    assert one_step(fresh, range(5), step=2).loss == one_step(trained, range(5), step=2).loss


def test_a_queue_larger_than_the_data_set_holds_it_several_times():
    method = make(queue=40)
    for step in range(1, 5):
        one_step(method, step=step)
    assert method.queue.positions.tolist() == list(range(10)) * 4
    views = method.views(batch(range(3, 4)), generator(0, "v"))
    loss = method.eval()(views).loss.item()
    method.queue.vectors[method.queue.positions == 3] *= -1  # an image's own keys are not told from it ...
    assert method(views).loss.item() == loss
    method.queue.vectors[method.queue.positions == 4] *= -1  # ... those of others are
    assert method(views).loss.item() != loss


def test_levels():
    chance, floor = make(temperature=0.5, queue=4).levels(5)
    assert chance == pytest.approx(math.log(5))
    alike = Keys(torch.ones(5, 4) / 2, torch.arange(5))
    assert queue_nce(alike.vectors, alike, alike, temperature=0.5, negatives=4).item() == pytest.approx(chance)
    simplex = torch.eye(5) - 1 / 5
    best = Keys(simplex / simplex.norm(dim=1, keepdim=True), torch.arange(5))
    assert queue_nce(best.vectors, best, best, temperature=0.5, negatives=4).item() == pytest.approx(floor)


def test_settings():
    assert Config().problems() == []
    problems = Config(temperature=0, hidden=0, momentum=-1, queue=0).problems()
    assert [problem.split()[0] for problem in problems] == ["temperature", "hidden", "momentum", "queue"]
