"""The arms: same start, same steps, same labels, and nothing else in common."""

import dataclasses

import pytest
import torch

from hundredfold.data.images import ImageSet, MemoryPixels
from hundredfold.errors import Interrupted
from hundredfold.methods.labelled.uda import Config as UDASettings
from hundredfold.train.stop import StopRequest
from hundredfold.transfer import fit_steps as module
from hundredfold.transfer.arms import ARMS, BY_NAME, Task, Workshop
from hundredfold.transfer.samples import Samples, SampleSettings
from hundredfold.transfer.settings import TransferSettings
from hundredfold.views.chain import Chain
from hundredfold.views.rotation import Rotation

QUICK = {
    "pretrain_steps": 3,
    "pretrain_batch": 8,
    "steps": 4,
    "batch": 8,
    "unlabelled_batch": 8,
    "uda": UDASettings(),
}
TAUGHT = torch.arange(12)
CHOSEN = {"weight": 0.5, "temperature": 2.0}
NAMES = [arm.name for arm in ARMS]


@pytest.fixture
def task(target, make_generator, classifier, small, engine):
    """task(steps=9): the toy target and source, with these settings."""

    def made(**settings):
        source = Samples(make_generator()).image_set(60, seed=5)
        return Task(
            images=target,
            classes=3,
            encoder=small(dropout=0.1).spec,
            classifier=classifier,
            generator=make_generator(),
            views=Chain((Rotation(degrees=5),)),
            engine=engine,
            seed=1,
            settings=TransferSettings(**{**QUICK, **settings}),
            unlabelled=torch.arange(12, 60),
            source=source,
        )

    return made


def weights(learnt):
    return {**learnt.encoder.state_dict(), "head": learnt.head.weight, "bias": learnt.head.bias}


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(weights(one).values(), weights(other).values(), strict=True))


@pytest.fixture
def fitted(monkeypatch):
    """Every call of `fit`: (method, loader, plan, result)."""
    calls, fit = [], module.fit

    def spied(method, loader, plan, engine, **keywords):
        result = fit(method, loader, plan, engine, **keywords)
        calls.append((method, loader, plan, result))
        return result

    monkeypatch.setattr(module, "fit", spied)
    return calls


@pytest.mark.parametrize("name", NAMES)
def test_every_arm_learns_the_target(task, name):
    given = task(pretrain_steps=40, steps=40, lr=1e-2, pretrain_lr=1e-2, batch=16, unlabelled_batch=16)
    workshop = Workshop(given)
    outcome = workshop.learn(BY_NAME[name], TAUGHT, {"weight": 0.1, "temperature": 1.0})
    test = torch.arange(60, 90)
    shares = workshop.probabilities(outcome.learnt, given.images, test)
    assert shares.shape == (30, 3) and torch.allclose(shares.sum(1), torch.ones(30))
    assert (shares.argmax(1) == given.images.labels[test]).float().mean() > 0.8
    assert outcome.logs and all(value == value for value in outcome.logs.values())


@pytest.fixture
def learnt(task):
    """learnt(**changes): every arm, by name, learnt in one workshop; changes are of the task."""

    def all_arms(names=NAMES, **changes):
        workshop = Workshop(dataclasses.replace(task(steps=2, pretrain_steps=1), **changes))
        return {name: workshop.learn(BY_NAME[name], TAUGHT, CHOSEN).learnt for name in names}

    return all_arms


def test_an_arm_does_not_depend_on_what_was_learnt_before(learnt):
    forwards = learnt()
    torch.rand(3)  # the global generator moves too
    backwards = learnt(NAMES[::-1])
    assert [name for name in NAMES if not same(forwards[name], backwards[name])] == []


def test_labels_that_were_not_taught_are_not_read(learnt, target):
    known = learnt()
    taught = torch.arange(90) < 12
    for others in ((target.labels + 1) % 3, torch.full_like(target.labels, -1)):
        images = dataclasses.replace(target, labels=torch.where(taught, target.labels, others))
        found = learnt(images=images)
        assert [name for name in NAMES if not same(found[name], known[name])] == []
    moved = learnt(["scratch"], images=dataclasses.replace(target, labels=(target.labels + 1) % 3))
    assert not same(moved["scratch"], known["scratch"]), "those at `taught` are"


def test_a_start_is_pretrained_once_and_left_as_it_is(task, fitted):
    workshop = Workshop(task())
    start = workshop.start("samples")
    kept = {name: value.clone() for name, value in start.state_dict().items()}
    for name in ("pseudo_pretraining", "pseudo_both", "pseudo_pretraining"):
        workshop.learn(BY_NAME[name], TAUGHT, CHOSEN)
    assert len(fitted) == 1 + 3 and workshop.start("samples") is start
    assert all(torch.equal(value, start.state_dict()[name]) for name, value in kept.items())


def test_all_starts_begin_with_the_same_random_weights(task):
    random = Workshop(task()).start("random")
    assert all(torch.equal(a, b) for a, b in zip(random.parameters(), Workshop(task()).start("random").parameters()))
    still = Workshop(task(pretrain_steps=1, pretrain_lr=1e-12))
    for name in ("samples", "contrastive_samples", "real_source"):
        for mine, theirs in zip(still.start(name).parameters(), random.parameters(), strict=True):
            torch.testing.assert_close(mine, theirs, atol=1e-6, rtol=0)
    moved = Workshop(task()).start("samples")
    assert not torch.allclose(next(iter(moved.parameters())), next(iter(random.parameters())), atol=1e-6)


def test_starts_differ_by_what_they_learn_from(task):
    workshop = Workshop(task())
    starts = [workshop.start(name) for name in ("random", "samples", "contrastive_samples", "real_source")]
    firsts = [torch.cat([p.flatten() for p in start.parameters()]) for start in starts]
    assert all(not torch.equal(a, b) for i, a in enumerate(firsts) for b in firsts[:i])


@pytest.mark.parametrize(
    "names",
    [
        ("scratch", "logit_matching", "soft_target", "relational", "pseudo_semi_supervised", "unlabelled_oracle"),
        ("pseudo_pretraining", "pseudo_both"),
    ],
)
def test_arms_of_one_start_without_weight_are_equal(task, names):
    workshop = Workshop(task())
    first, *others = (workshop.learn(BY_NAME[name], TAUGHT, {"weight": 0.0}).learnt for name in names)
    assert all(same(first, other) for other in others)
    weighed = workshop.learn(BY_NAME[names[-1]], TAUGHT, CHOSEN).learnt
    assert not same(first, weighed), "a weight acts"


@pytest.mark.parametrize("name", ["scratch", "long_scratch", "soft_target", "pseudo_both", "unlabelled_oracle"])
def test_there_are_as_many_steps_as_were_asked_for(task, fitted, name):
    workshop = Workshop(task(steps=5))
    for labels in (3, 7, 8, 15, 16, 40):
        workshop.learn(BY_NAME[name], torch.arange(labels), CHOSEN)
        assert fitted[-1][3].steps == (8 if name == "long_scratch" else 5)
    assert fitted[0][3].steps == {"pseudo_both": 3, "long_scratch": 8}.get(name, 5)


@pytest.mark.parametrize("images", [5, 13, 60])
def test_pretraining_takes_as_many_steps_from_a_fixed_set_of_any_size(task, fitted, images):
    Workshop(task(samples=images, pretrain_steps=6)).start("samples")
    ((_, loader, plan, result),) = fitted
    assert result.steps == 6 and plan.batch_size == 8
    assert len(loader.images) == images and loader.images.source == "samples of tiles"


def test_images_of_a_set_are_seen_equally_often(task, fitted):
    Workshop(task(steps=7)).learn(BY_NAME["scratch"], torch.arange(20), {})
    ((_, loader, _, _),) = fitted
    seen = torch.cat([loader.positions(step) for step in range(7)])
    counts = seen.bincount(minlength=20)
    assert counts.sum() == 56 and counts[:20].min() == 2 and counts.max() == 3


def test_of_a_set_too_large_for_the_steps_any_image_may_be_seen(task, fitted, generator):
    # 60 real images in the order of their classes, of which three steps see 24: not the first 24.
    source = Samples(generator).image_set(60, seed=5)
    order = source.labels.argsort()
    ordered = ImageSet(
        source="real",
        pixels=MemoryPixels(source.take(order)),
        labels=source.labels[order],
        classes=source.classes,
    )
    Workshop(dataclasses.replace(task(pretrain_steps=3), source=ordered)).start("real_source")
    ((_, loader, _, _),) = fitted
    seen = torch.cat([loader.positions(step) for step in range(3)])
    assert len(seen.unique()) == 24 and set(ordered.labels[seen].tolist()) == {0, 1, 2, 3}


def test_the_batch_is_that_of_the_settings_whatever_the_number_of_labels(task, fitted):
    workshop = Workshop(task(batch=10, unlabelled_batch=6))
    for labels, name, wanted in ((40, "scratch", 10), (4, "scratch", 10), (40, "pseudo_semi_supervised", 6)):
        workshop.learn(BY_NAME[name], torch.arange(labels), CHOSEN)
        assert fitted[-1][1].batch_size == wanted
    assert fitted[-1][0].inner.config.labelled == 10


def test_what_an_arm_sees_beside_labels_is_what_its_name_says(task, fitted):
    workshop = Workshop(task())
    for name in NAMES:
        workshop.learn(BY_NAME[name], TAUGHT, CHOSEN)
    seen = {type(method).__name__ for method, *_ in fitted}
    assert seen == {"Finetune", "Distillation", "PseudoPretraining", "PseudoSemiSupervised", "UDA"}
    for method, loader, _, _ in fitted:
        kind = type(method).__name__
        shown = set(loader.index.tolist()) if loader.images.source == "target" else set()
        if kind == "UDA":
            assert shown <= set(range(12, 60)), "the oracle's real unlabelled images"
        elif kind in ("Distillation", "PseudoSemiSupervised"):
            assert shown == set(range(12)), "the labelled images alone"
        if kind in ("UDA", "PseudoSemiSupervised"):
            assert len(loader.images.labelled()) == 0, "their labels are hidden"
    kinds = [method.config.kind for method, *_ in fitted if type(method).__name__ == "Distillation"]
    assert kinds == ["logits", "soft_target", "relational"]


def test_the_temperature_of_the_cascade_is_the_chosen_one(task, fitted):
    Workshop(task()).learn(BY_NAME["pseudo_semi_supervised"], TAUGHT, {"weight": 1.0, "temperature": 7.0})
    assert fitted[-1][0].cascade.settings.temperature == 7.0 and fitted[-1][0].inner.config.unlabelled_weight == 1.0


def test_fixmatch_in_place_of_uda(task, fitted):
    workshop = Workshop(task(algorithm="fixmatch"))
    found = [workshop.learn(BY_NAME[name], TAUGHT, CHOSEN) for name in ("pseudo_semi_supervised", "unlabelled_oracle")]
    inner = [getattr(method, "inner", method) for method, *_ in fitted]
    assert [type(one).__name__ for one in inner] == ["FixMatch", "FixMatch"]
    assert found[0].learnt.encoder is inner[0].average.encoder, "the moving average is what was learnt"


def test_a_limit_on_samples_reaches_pretraining(task, make_generator, fitted):
    given = task(samples=40, sampling=SampleSettings(least_probability=0.5))
    Workshop(dataclasses.replace(given, generator=make_generator(false={2: 0}))).start("samples")
    loader = fitted[0][1]
    shown = loader.images.labels[loader.index]
    assert len(loader.images) == 40 and set(shown.tolist()) == {0, 1, 3}, "refused images are not shown"


def test_the_positive_is_of_contrastive_pretraining_alone(task, fitted):
    workshop = Workshop(task(samples=40, positive="class"))
    workshop.start("samples")
    workshop.start("contrastive_samples")
    (supervised, fixed, _, _), (contrastive, drawn, _, _) = fitted
    assert type(supervised).__name__ == "Finetune" and fixed.images.source == "samples of tiles"
    assert contrastive.positive == "class" and drawn.images.source == "nothing", "pairs are drawn anew"


def test_another_seed_is_another_network(task):
    given = task()
    first = Workshop(given).learn(BY_NAME["pseudo_both"], TAUGHT, CHOSEN).learnt
    other = Workshop(dataclasses.replace(given, seed=2)).learn(BY_NAME["pseudo_both"], TAUGHT, CHOSEN).learnt
    assert not same(first, other)


def test_global_randomness_is_left_as_it_was(task):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    Workshop(task()).learn(BY_NAME["pseudo_both"], TAUGHT, CHOSEN)
    assert torch.equal(before, torch.get_rng_state())


def test_a_signal_stops_an_arm(task):
    stop = StopRequest()
    stop.received = 15
    with pytest.raises(Interrupted) as stopped:
        Workshop(dataclasses.replace(task(), stop=stop)).learn(BY_NAME["scratch"], TAUGHT, {})
    assert stopped.value.exit_status == 143


def test_arms_say_what_they_are():
    assert len(BY_NAME) == len(ARMS) and NAMES[0] == "scratch"
    for arm in ARMS:
        assert arm.title and arm.meaning and (not arm.against or arm.against in BY_NAME), arm.name
        assert arm.oracle == (arm.name in ("source_oracle", "unlabelled_oracle"))
        base = BY_NAME.get(arm.against)
        assert base is None or (base.start == arm.start and not base.lesson), "an arm goes on from one of its start"
