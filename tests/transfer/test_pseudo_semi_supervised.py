"""Pseudo samples of target images, and an algorithm for semi-supervised learning that sees nothing else of them."""

import math

import pytest
import torch

from hundredfold.data.loader import Loader
from hundredfold.errors import Interrupted
from hundredfold.methods.labelled import fixmatch, uda
from hundredfold.methods.labelled.finetune import Finetune, LabelledImages
from hundredfold.methods.labelled.fixmatch import FixMatch
from hundredfold.methods.labelled.uda import UDA
from hundredfold.train.loop import fit
from hundredfold.train.plan import Plan
from hundredfold.train.stop import StopRequest
from hundredfold.train.watch import Watch
from hundredfold.transfer.pseudo_semi_supervised import CONDITIONS, Cascade, CascadeSettings, PseudoSemiSupervised
from hundredfold.types import ImageBatch
from hundredfold.views.chain import Chain
from hundredfold.views.rotation import Rotation

PLAIN = Chain(())
TURNED = Chain((Rotation(degrees=10),))
TAUGHT = torch.arange(12)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def cascade(generator, classifier, **settings):
    return Cascade(classifier, generator, CascadeSettings(**settings))


def method(small, target, generator, classifier, algorithm="uda", *, weight=1.0, chain=TURNED, seed=0, **given):
    torch.manual_seed(seed)
    images, labels = target.take(TAUGHT), target.labels[TAUGHT]
    kind, config = {"uda": (UDA, uda.Config), "fixmatch": (FixMatch, fixmatch.Config)}[algorithm]
    settings = config(labelled=8, unlabelled_weight=weight, **given)
    inner = kind(small(), images, labels, 3, weak=chain, strong=chain, config=settings)
    return PseudoSemiSupervised(inner, cascade(generator, classifier))


def batch(target, count=12):
    index = torch.arange(count)
    return ImageBatch(target.take(index), target.labels[index], index)


def images(target, count=12):
    return target.take(torch.arange(count)) / 255


def test_a_soft_condition_is_what_the_classifier_says(target, generator, classifier):
    shown = images(target)
    found = cascade(generator, classifier).conditions(shown, rng())
    for row, logits in zip(found.tolist(), classifier.logits(shown).tolist(), strict=True):
        total = sum(math.exp(logit) for logit in logits)
        assert row == pytest.approx([math.exp(logit) / total for logit in logits], abs=1e-6)


def test_a_temperature_flattens(target, generator, classifier):
    shown = images(target)
    found = [cascade(generator, classifier, temperature=tau).conditions(shown, rng()) for tau in (0.5, 1.0, 4.0, 1e6)]
    entropies = [float(torch.special.entr(rows).sum(1).mean()) for rows in found]
    assert entropies == sorted(entropies) and entropies[0] < entropies[1] < entropies[2]
    torch.testing.assert_close(found[3], torch.full_like(found[3], 0.25), atol=1e-4, rtol=0)
    torch.testing.assert_close(found[2], (classifier.logits(shown) / 4).softmax(1))


def test_a_hard_condition_is_the_likeliest_class(target, generator, classifier):
    shown = images(target)
    found = cascade(generator, classifier, condition="hard", temperature=4.0).conditions(shown, rng())
    assert torch.equal(found, torch.eye(4)[classifier.logits(shown).argmax(1)])


def test_a_sampled_condition_is_a_class_drawn_from_the_probabilities(target, generator, classifier):
    shown = images(target, 1).expand(4000, -1, -1, -1)
    found = cascade(generator, classifier, condition="sampled", temperature=4.0).conditions(shown, rng())
    assert torch.equal(found.sum(1), torch.ones(4000)) and set(found.unique().tolist()) == {0.0, 1.0}
    wanted = (classifier.logits(shown[:1]) / 4).softmax(1)[0]
    assert found.mean(0).tolist() == pytest.approx(wanted.tolist(), abs=0.03)  # four standard deviations


def test_a_uniform_condition_does_not_look(target, generator, classifier):
    settings = cascade(generator, classifier, condition="uniform")
    found = settings.conditions(images(target, 1).expand(4000, -1, -1, -1), rng())
    assert found.mean(0).tolist() == pytest.approx([0.25] * 4, abs=0.03)
    other = settings.conditions(images(target, 2)[1:].expand(4000, -1, -1, -1), rng())
    assert torch.equal(found, other), "the image does not matter"


def test_a_cascade_is_the_generator_at_what_the_classifier_says(target, generator, classifier):
    shown = images(target)
    found = cascade(generator, classifier)(shown, rng())
    wanted = generator.sample(classifier.probabilities(shown), rng())
    assert torch.equal(found, wanted) and found.shape == (12, 1, 8, 8)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_pseudo_samples_follow_from_the_random_numbers(target, generator, classifier, condition):
    made = cascade(generator, classifier, condition=condition)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    one, same, other = (made(images(target), rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state()), "the global generator was used"
    assert torch.equal(one, same) and not torch.equal(one, other)


def test_settings_that_cannot_be():
    assert CascadeSettings(temperature=0.01, condition="sampled").problems() == []
    found = CascadeSettings(temperature=0.0, condition="sure").problems()
    assert found == [
        "temperature must be > 0, got 0.0",
        "condition must be one of soft, hard, sampled, uniform, got 'sure'",
    ]
    for wrong in (math.inf, math.nan, -1.0):
        assert CascadeSettings(temperature=wrong).problems()


@pytest.mark.parametrize("algorithm", ["uda", "fixmatch"])
def test_the_inner_method_sees_pseudo_samples_and_no_label(small, target, generator, classifier, algorithm):
    made = method(small, target, generator, classifier, algorithm, chain=PLAIN)
    seen = []
    views = made.inner.views

    def spied(given, rng):
        seen.append(given)
        return views(given, rng)

    made.inner.views = spied
    given = batch(target)
    made.views(given, rng())
    (shown,) = seen
    assert torch.equal(shown.images, made.cascade(given.images / 255, rng()))
    assert shown.labels.tolist() == [-1] * 12 and torch.equal(shown.positions, given.positions)
    assert torch.equal(classifier.seen[0], given.images / 255), "the target's images, in 0..1"


@pytest.mark.parametrize("algorithm", ["uda", "fixmatch"])
def test_views_depend_on_random_numbers_and_not_on_labels(small, target, generator, classifier, algorithm):
    made = method(small, target, generator, classifier, algorithm)
    stored = batch(target)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one = made.views(stored, rng(4))
    assert torch.equal(before, torch.get_rng_state()), "the global generator was used"
    other_labels = made.views(batch(target)._replace(labels=torch.zeros(12).long()), rng(4))
    other = made.views(stored, rng(5))
    assert all(torch.equal(a, b) for a, b in zip(one, other_labels, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert torch.equal(stored.images, batch(target).images), "the batch was changed"


@pytest.mark.parametrize("algorithm", ["uda", "fixmatch"])
def test_generator_and_classifier_are_no_part_of_the_method(small, target, generator, classifier, algorithm, engine):
    made = method(small, target, generator, classifier, algorithm)
    frozen = {id(generator.weight), id(classifier.weight)}
    assert not frozen & {id(parameter) for parameter in made.parameters()}
    assert set(made.state_dict()) == {f"inner.{name}" for name in made.inner.state_dict()}
    fit(made, loader(target, 2), Plan(epochs=1, batch_size=12, lr=0.1), engine)
    assert generator.weight == 1 and generator.weight.grad is None
    assert classifier.weight == 1 and classifier.weight.grad is None


def test_encoder_and_head_are_those_of_the_inner_method_and_are_listed_once(small, target, generator, classifier):
    made = method(small, target, generator, classifier)
    assert made.encoder is made.inner.encoder and made.head is made.inner.head
    names = [
        name
        for name, module in made.named_modules(remove_duplicate=False)
        if module is made.encoder or module is made.head
    ]
    assert names == ["inner.encoder", "inner.head"]
    torch.testing.assert_close(made.logits(images(target)), made.inner.logits(images(target)))


def test_a_linear_classifier_is_taken_over_by_the_inner_method(small, target, generator, classifier):
    made = method(small, target, generator, classifier, "fixmatch")
    weight, bias = torch.randn(3, 16, generator=rng()), torch.tensor([0.0, 1.0, -math.inf])
    made.start_from(weight, bias)
    encoder, head = made.learnt()
    assert encoder is made.inner.average.encoder and torch.equal(head.linear.weight, weight)
    assert torch.equal(made.head.linear.weight, weight)


def test_what_changes_after_a_step_changes_in_the_inner_method(small, target, generator, classifier, engine):
    made = method(small, target, generator, classifier, "fixmatch", momentum=0.5)
    start = made.learnt()[1].linear.weight.clone()
    fit(made, loader(target, 3), Plan(epochs=1, batch_size=12, lr=0.05), engine)
    assert not torch.equal(made.learnt()[1].linear.weight, start), "the moving average follows"
    annealed = method(small, target, generator, classifier, annealing="linear")
    fit(annealed, loader(target, 3), Plan(epochs=1, batch_size=12), engine)
    assert annealed.inner.share == 1


def test_without_weight_it_is_supervised_learning_of_the_same_images(small, target, generator, classifier):
    made = method(small, target, generator, classifier, weight=0.0)
    torch.manual_seed(0)
    plain = Finetune(small(), 3, TURNED)
    plain.load_state_dict({name.removeprefix("inner."): value for name, value in made.state_dict().items()}, False)
    optimizers = [torch.optim.SGD(one.parameters(), lr=0.1) for one in (made, plain)]
    for step in range(4):
        views = made.views(batch(target), rng(step))
        steps = made(views), plain(LabelledImages(views.labelled, views.labels))
        for found, optimizer in zip(steps, optimizers, strict=True):
            found.loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        torch.testing.assert_close(steps[0].loss, steps[1].loss)
    torch.testing.assert_close(made.head.linear.weight, plain.head.linear.weight)
    for mine, theirs in zip(made.encoder.state_dict().values(), plain.encoder.state_dict().values(), strict=True):
        # Batch statistics too: pseudo samples are left out of the batch.
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("algorithm", ["uda", "fixmatch"])
def test_pseudo_samples_move_the_weights(small, target, generator, classifier, algorithm):
    found = []
    for weight in (0.1, 1.0):
        made = method(small, target, generator, classifier, algorithm, weight=weight)
        views = made.views(batch(target), rng())
        made(views).loss.backward()
        found.append(torch.cat([p.grad.flatten() for p in made.encoder.parameters() if p.grad is not None]))
    assert not torch.allclose(*found)


@pytest.mark.parametrize("algorithm", ["uda", "fixmatch"])
def test_an_interrupted_training_is_the_unbroken_one(small, target, generator, classifier, algorithm, engine, tmp_path):
    class Signal(Watch):
        request = StopRequest()

        def step(self, record):
            self.request.received = 15 if record.step == 3 else None

    plan = Plan(epochs=1, batch_size=12)
    unbroken, broken = (method(small, target, generator, classifier, algorithm) for _ in range(2))
    resumed = method(small, target, generator, classifier, algorithm, seed=5)
    fit(unbroken, loader(target, 5), plan, engine)
    with pytest.raises(Interrupted):
        fit(broken, loader(target, 5), plan, engine, folder=tmp_path, watches=[Signal()], stop=Signal.request)
    fit(resumed, loader(target, 5), plan, engine, folder=tmp_path)
    for name, value in unbroken.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


@pytest.mark.parametrize("algorithm", ["uda", "fixmatch"])
def test_it_learns_the_target(small, target, generator, classifier, algorithm, engine):
    given = {"momentum": 0.9} if algorithm == "fixmatch" else {}
    made = method(small, target, generator, classifier, algorithm, weight=0.1, chain=PLAIN, **given)
    fit(made, loader(target, 40), Plan(epochs=1, batch_size=12, lr=1e-2), engine)
    encoder, head = made.learnt()
    encoder.eval()
    with torch.no_grad():
        right = head(encoder(images(target, 90))).argmax(1) == target.labels
    assert right[12:].float().mean() > 0.9


def loader(target, steps):
    return Loader(images=target.without_labels(), index=TAUGHT.repeat(steps), batch_size=12, seed=3)
