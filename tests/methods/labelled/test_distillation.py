"""Distillation: labels as in fine-tuning, and a teacher of other classes that is asked of the same views."""

import math

import pytest
import torch
from torch import nn

from hundredfold.data.images import ImageSet, MemoryPixels
from hundredfold.data.loader import Loader
from hundredfold.encoders.build import encoder
from hundredfold.errors import Interrupted, SettingsError
from hundredfold.losses.logit_matching import logit_matching
from hundredfold.losses.relational_distillation import relational_distillation
from hundredfold.losses.soft_target import soft_target
from hundredfold.methods.labelled.distillation import KINDS, Config, Distillation
from hundredfold.methods.labelled.finetune import Finetune
from hundredfold.random import generator
from hundredfold.train.engine import choose_engine
from hundredfold.train.loop import fit
from hundredfold.train.plan import Plan
from hundredfold.train.stop import StopRequest
from hundredfold.train.watch import Watch
from hundredfold.types import ImageBatch
from hundredfold.views.chain import Chain
from hundredfold.views.rotation import Rotation

ENGINE = choose_engine(precision="float32")
CLASSES = 3
ROTATION = Chain((Rotation(degrees=30),))


class Source(nn.Module):
    """Of four classes, with features of length 5; a module, and it keeps what it was shown."""

    classes = ("bag", "boot", "coat", "shirt")

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            self.body, self.last = nn.Linear(64, 5), nn.Linear(5, 4)
        self.shown = []

    def features(self, images):
        self.shown.append(images)
        return self.body(images.flatten(1))

    def logits(self, images):
        return self.last(self.features(images))


def small():
    settings = {"widths": [4], "features": 16}
    return encoder("convnet", channels=1, size=(8, 8), mean=[0.5], std=[0.25], settings=settings, seed=0)


def make(teacher=None, chain=ROTATION, **settings):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Distillation(small(), CLASSES, chain, teacher or Source(), Config(**settings))


def finetune():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Finetune(small(), CLASSES, ROTATION)


def batch(count=6):
    rng = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (count, 1, 8, 8), generator=rng, dtype=torch.uint8)
    return ImageBatch(images, torch.arange(count) % CLASSES, torch.arange(count))


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_is_that_of_the_labels_and_of_the_answers(kind):
    teacher = Source()
    method = make(teacher, kind=kind, weight=0.7, temperature=3.0, distance_weight=0.5, angle_weight=1.5)
    views = method.views(batch(), generator(0, "v"))
    step = method(views)
    features = method.encoder(views.images)
    total = 0.0
    for row, label in zip(method.head(features).tolist(), batch().labels.tolist(), strict=True):
        total -= (row[label] - math.log(sum(math.exp(value) for value in row))) / 6
    distilled = {
        "logits": lambda: logit_matching(method.auxiliary(features), teacher.logits(views.images)),
        "soft_target": lambda: soft_target(method.auxiliary(features), teacher.logits(views.images), temperature=3.0),
        "relational": lambda: relational_distillation(
            features, teacher.features(views.images), distance_weight=0.5, angle_weight=1.5
        ),
    }[kind]().item()
    assert step.loss.item() == pytest.approx(total + 0.7 * distilled, rel=1e-5)
    assert float(step.logs["supervised"]) == pytest.approx(total, rel=1e-5)
    assert float(step.logs["distilled"]) == pytest.approx(distilled, rel=1e-5) and distilled > 0.01
    assert not any(value.requires_grad for value in step.logs.values())


@pytest.mark.parametrize("kind", KINDS)
def test_weight_0_is_fine_tuning_and_does_not_ask(kind):
    teacher = Source()
    method, reference = make(teacher, kind=kind, weight=0.0), finetune()
    step, wanted = (one(one.views(batch(), generator(0, "v"))) for one in (method, reference))
    assert torch.equal(step.loss, wanted.loss)
    step.loss.backward()
    wanted.loss.backward()
    assert all(torch.equal(a.grad, b.grad) for a, b in zip(method.parameters(), reference.parameters(), strict=True))
    assert not teacher.shown


@pytest.mark.parametrize("kind", KINDS)
def test_the_teacher_sees_what_the_student_sees(kind):
    teacher = Source()
    method = make(teacher, kind=kind)
    views = method.views(batch(), generator(0, "v"))
    (shown,) = teacher.shown
    assert torch.equal(shown, views.images) and not torch.equal(shown, batch().images / 255)
    assert views.answers.shape == ((6, 5) if kind == "relational" else (6, 4))
    assert not views.answers.requires_grad


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_reaches_the_student_and_not_the_teacher(kind):
    teacher = Source()
    method = make(teacher, kind=kind)
    method(method.views(batch(), generator(0, "v"))).loss.backward()
    for name, parameter in method.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert parameter.dim() == 1 or (parameter.grad != 0).any(), name
    assert all(parameter.grad is None for parameter in teacher.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_the_teacher_is_no_part_of_the_method(kind):
    teacher = Source().eval()
    method = make(teacher, kind=kind).train()
    assert not teacher.training, "left in its own mode"
    theirs = {id(parameter) for parameter in teacher.parameters()}
    assert not theirs & {id(parameter) for parameter in method.parameters()}
    assert not any(module is teacher for module in method.modules())
    added = set(method.state_dict()) - set(finetune().state_dict())
    assert added == (set() if kind == "relational" else {"auxiliary.weight", "auxiliary.bias"})


def test_what_is_learnt_is_the_encoder_and_the_head_of_the_target():
    method = make(kind="logits")
    network, head = method.learnt()
    assert network is method.encoder and head is method.head and head.linear.out_features == CLASSES
    assert method.auxiliary.out_features == 4


def test_forward_draws_nothing():
    method = make(kind="relational").eval()
    views = method.views(batch(), generator(0, "v"))
    state = torch.get_rng_state()
    assert torch.equal(method(views).loss, method(views).loss)
    assert torch.equal(state, torch.get_rng_state())


def test_views_depend_on_the_generator_alone():
    method, given = make(), batch()
    stored, state = given.images.clone(), torch.get_rng_state()
    one, same, other = (method.views(given, generator(0, "v", number)) for number in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(one, same, strict=True))
    assert not torch.equal(one.images, other.images) and not torch.equal(one.answers, other.answers)
    assert torch.equal(given.images, stored) and torch.equal(state, torch.get_rng_state())


def test_an_image_that_is_twice_in_the_batch_gives_a_finite_gradient():
    method = make(kind="relational", chain=Chain(()))
    given = batch()
    twice = given._replace(images=given.images[[0, 1, 2, 0, 1, 0]])
    method(method.views(twice, generator(0, "v"))).loss.backward()
    assert all(parameter.grad.isfinite().all() for parameter in method.parameters())


def toy():
    pixels = batch(48).images
    return ImageSet(source="toy", pixels=MemoryPixels(pixels), labels=torch.arange(48) % CLASSES)


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns_labels_and_answers(kind):
    method = make(kind=kind, chain=Chain(()))
    given = ImageBatch(toy().take(torch.arange(48)), toy().labels, torch.arange(48))
    views = method.views(given, generator(0, "v"))
    before = method(views).logs
    loader = Loader(images=toy(), index=torch.arange(48), batch_size=16, seed=0)
    fit(method, loader, Plan(epochs=30, batch_size=16, lr=1e-2, validate=False), ENGINE)
    after = method(views).logs
    assert float(after["accuracy"]) > 0.9 > float(before["accuracy"])
    assert float(after["distilled"]) < 0.6 * float(before["distilled"])


def test_an_interrupted_run_is_the_unbroken_one(tmp_path):
    class Signal(Watch):
        request = StopRequest()

        def step(self, record):
            self.request.received = 15 if record.step == 4 else None

    plan = Plan(epochs=3, batch_size=16, validate=False)
    loader = Loader(images=toy(), index=torch.arange(48), batch_size=16, seed=0)
    unbroken, resumed = make(), make()
    fit(unbroken, loader, plan, ENGINE)
    with pytest.raises(Interrupted):
        fit(make(), loader, plan, ENGINE, folder=tmp_path, watches=[Signal()], stop=Signal.request)
    fit(resumed, loader, plan, ENGINE, folder=tmp_path)
    for key, value in unbroken.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[key]), key


def test_every_problem_is_named():
    bad = Config(kind="logit", weight=-1.0, temperature=0.0, distance_weight=math.inf, angle_weight=-2.0)
    named = ["kind", "temperature", "weight", "distance_weight", "angle_weight"]
    assert [problem.split()[0] for problem in bad.problems()] == named
    assert not Config().problems()
    with pytest.raises(SettingsError) as caught:
        Distillation(small(), CLASSES, ROTATION, Source(), bad)
    assert caught.value.problems == tuple(bad.problems())
