"""Pseudo-labels by loops: the weighted cross entropy, the certainty that weighs, and the average that is kept."""

import math

import pytest
import torch
from safetensors.torch import load, save

from hundredfold.data.images import ImageSet, MemoryPixels
from hundredfold.data.loader import Loader
from hundredfold.encoders.build import encoder
from hundredfold.evaluate.features import features
from hundredfold.methods.labelled.pseudo_label import Config, PseudoLabel, certainty
from hundredfold.random import generator
from hundredfold.train.engine import choose_engine
from hundredfold.train.loop import fit
from hundredfold.train.plan import Plan
from hundredfold.types import ImageBatch, Progress
from hundredfold.views.chain import Chain
from hundredfold.views.rotation import Rotation

ENGINE = choose_engine(precision="float32")
IMAGES, CLASSES = 12, 3


def targets():
    """Distributions [12, 3]; the first is certain."""
    drawn = torch.rand(IMAGES, CLASSES, generator=torch.Generator().manual_seed(3)) ** 3
    drawn[0] = torch.tensor([0.0, 1.0, 0.0])
    return drawn / drawn.sum(1, keepdim=True)


def make(chain=Chain(()), weights=None, **settings):  # noqa: B008
    small = encoder(
        "convnet", channels=1, size=(8, 8), mean=[0.5], std=[0.25], settings={"widths": [4], "features": 16}, seed=0
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        given = torch.linspace(0, 1, IMAGES) if weights is None else weights
        return PseudoLabel(small, targets(), given, chain, Config(**settings))


def batch(positions=(7, 2, 0, 11, 5, 2)):
    images = torch.randint(0, 256, (IMAGES, 1, 8, 8), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    index = torch.tensor(positions)
    return ImageBatch(images[index], torch.full((len(index),), -1), index)


@pytest.mark.parametrize("settings", [{}, {"unit_length": True}])
def test_the_loss_is_that_of_the_loops(settings):
    method, given = make(**settings), batch()
    step = method(method.views(given, generator(0, "views")))
    total = weights = agree = 0.0
    for row, position in zip(method.logits(given.images / 255).tolist(), given.positions.tolist(), strict=True):
        logs = [value - math.log(sum(math.exp(other) for other in row)) for value in row]
        wanted, weight = targets()[position].tolist(), position / (IMAGES - 1)
        total -= weight * sum(share * log for share, log in zip(wanted, logs, strict=True))
        weights += weight
        agree += row.index(max(row)) == wanted.index(max(wanted))
    assert step.loss.item() == pytest.approx(total / weights, rel=1e-5)
    assert float(step.logs["agreement"]) == pytest.approx(agree / 6)
    assert not step.logs["agreement"].requires_grad


def test_an_image_of_weight_0_is_ignored():
    """Whatever it should be taken for. It is in the batch all the same, and normalised with it."""
    weights = torch.ones(IMAGES)
    weights[2] = 0.0
    losses = []
    for other in (targets()[2], torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 0.0, 1.0])):
        method = make(weights=weights)
        method.targets[2] = other
        losses.append(method(method.views(batch(), generator(0, "views"))).loss.item())
    assert losses[0] == losses[1] == losses[2]
    method = make()
    method.targets[2] = torch.tensor([0.0, 0.0, 1.0])
    plain = make()
    one, two = (m(m.views(batch(), generator(0, "views"))).loss.item() for m in (method, plain))
    assert one != two, "with a weight it counts"


def test_a_batch_without_any_weight_has_no_loss_and_no_gradient():
    method = make(weights=torch.zeros(IMAGES))
    step = method(method.views(batch(), generator(0, "views")))
    step.loss.backward()
    assert step.loss.item() == 0
    assert all(parameter.grad.isfinite().all() for parameter in method.encoder.parameters())


def test_certainty_is_that_of_the_loop():
    given = torch.cat([targets(), torch.full((1, CLASSES), 1 / CLASSES)])
    for row, found in zip(given.tolist(), certainty(given).tolist(), strict=True):
        entropy = -sum(share * math.log(share) for share in row if share > 0)
        assert found == pytest.approx(1 - entropy / math.log(CLASSES), abs=1e-6) and 0 <= found <= 1
    assert certainty(given)[0] == 1 and certainty(given)[-1] == pytest.approx(0, abs=1e-6)


def test_the_gradient_reaches_every_weight_and_not_the_average():
    method = make()
    method.train()(method.views(batch(), generator(0, "views"))).loss.backward()
    for name, parameter in (*method.encoder.named_parameters(), *method.head.named_parameters()):
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        # A bias before BatchNorm is without effect: its gradient is rounding.
        assert parameter.dim() == 1 or (parameter.grad != 0).any(), name
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in method.average.parameters())


def test_what_is_learnt_is_the_average():
    method, momentum = make(momentum=0.9), 0.9
    network, head = method.learnt()
    assert network is method.average.encoder and head is method.average.head
    assert all(one is not two for one, two in zip(network.parameters(), method.encoder.parameters(), strict=True))
    expected = head.linear.weight.clone()
    for step in range(1, 4):
        with torch.no_grad():
            method.head.linear.weight += 1.0
        method.after_step(Progress(step, 3))
        keep = min(momentum, 1 - 1 / (step + 1))
        expected = keep * expected + (1 - keep) * method.head.linear.weight.detach()
        torch.testing.assert_close(head.linear.weight, expected)


def test_both_networks_start_from_a_classifier():
    method, weight = make(), torch.randn(CLASSES, 16, generator=torch.Generator().manual_seed(4))
    method.start_from(weight, torch.tensor([0.5, -math.inf, 0.0]))
    for head in (method.head, method.learnt()[1]):
        assert torch.equal(head.linear.weight, weight) and head.linear.bias.isfinite().all()
        shares = head(torch.rand(5, 16, generator=torch.Generator().manual_seed(5))).softmax(1)
        assert not shares[:, 1].any(), "a class without a label"


def test_views_depend_on_the_generator_alone_and_go_with_their_targets():
    method, given = make(Chain((Rotation(degrees=20),))), batch()
    stored = given.images.clone()
    torch.manual_seed(1)
    state = torch.get_rng_state()
    one = method.views(given, generator(0, "views", 1))
    assert torch.equal(state, torch.get_rng_state()), "the global generator was used"
    same, other = method.views(given, generator(0, "views", 1)), method.views(given, generator(0, "views", 2))
    assert all(torch.equal(a, b) for a, b in zip(one, same, strict=True))
    assert not torch.equal(one.images, other.images) and not torch.equal(one.images, stored / 255)
    assert torch.equal(given.images, stored)
    torch.testing.assert_close(one.targets, targets()[given.positions])
    torch.testing.assert_close(one.weights, given.positions / (IMAGES - 1))


def test_labels_of_the_batch_are_not_looked_at():
    losses = set()
    for poison in (-1, 2, 10**9):
        method = make()
        poisoned = batch()._replace(labels=torch.full((6,), poison))
        losses.add(method(method.views(poisoned, generator(0, "views"))).loss.item())
    assert len(losses) == 1


def toy():
    """60 noisy 8x8 images of three classes, and their classes."""
    rng = torch.Generator().manual_seed(7)
    truth = torch.arange(60) % CLASSES
    noisy = torch.rand(CLASSES, 1, 8, 8, generator=rng)[truth] + 0.3 * torch.randn(60, 1, 8, 8, generator=rng)
    pixels = MemoryPixels((noisy.clamp(0, 1) * 255).to(torch.uint8))
    return ImageSet(source="toy", pixels=pixels, labels=torch.full((60,), -1)), truth


def taught_by(given, weights, epochs):
    """A student of these distributions, trained on the toy."""
    method = make(momentum=0.9)
    method.targets, method.weights = given, weights
    loader = Loader(images=toy()[0], index=torch.arange(60), batch_size=20, seed=0)
    fit(method, loader, Plan(epochs=epochs, batch_size=20, lr=3e-3, validate=False), ENGINE)
    return method


def test_a_student_of_a_teacher_that_errs_at_random_is_better_than_it():
    """About a sixth of the labels are wrong, and as certain as the others."""
    images, truth = toy()
    wrong = torch.rand(60, generator=torch.Generator().manual_seed(2)) < 0.25
    said = torch.where(wrong, (truth + 1) % CLASSES, truth)
    given = 0.9 * torch.nn.functional.one_hot(said, CLASSES).float() + 0.1 / CLASSES
    method = taught_by(given, certainty(given), epochs=15)
    network, head = method.learnt()
    with torch.no_grad():
        learnt = head(features(network, images, torch.arange(60), ENGINE)).argmax(1)
    assert wrong.float().mean() > 0.1
    assert (learnt == truth).float().mean() > (said == truth).float().mean() + 0.05


def test_the_state_goes_through_a_file():
    given = torch.full((60, CLASSES), 1 / CLASSES)
    trained, fresh = taught_by(given, torch.ones(60), epochs=1), make()
    state = {name: value.contiguous() for name, value in trained.state_dict().items()}
    assert not {"targets", "weights"} & state.keys()
    fresh.load_state_dict(load(save(state)))
    fresh.targets, fresh.weights = trained.targets, trained.weights
    views = trained.views(batch(), generator(0, "views"))
    torch.testing.assert_close(fresh.eval()(views).loss, trained.eval()(views).loss)
    for one, two in zip(fresh.learnt()[0].parameters(), trained.learnt()[0].parameters(), strict=True):
        assert torch.equal(one, two)
