"""What every way to pre-train promises. The methods are found, not listed: a new file is tested by being there."""

import pytest
import torch
from safetensors.torch import load, save

import hundredfold
from hundredfold.data.digits import read_digits
from hundredfold.data.images import ImageSet, MemoryPixels, as_float
from hundredfold.data.loader import Loader
from hundredfold.encoders.build import encoder
from hundredfold.errors import Interrupted
from hundredfold.methods import catalogue
from hundredfold.methods._base import Method
from hundredfold.random import generator
from hundredfold.train.engine import Engine
from hundredfold.train.loop import fit
from hundredfold.train.plan import Plan
from hundredfold.train.stop import StopRequest
from hundredfold.train.watch import Watch
from hundredfold.types import Step
from hundredfold.views.chain import Chain
from hundredfold.views.rotation import Rotation

NAMES = [method.name for method in hundredfold.methods.names()]
ENGINE = Engine(device=torch.device("cpu"), precision="float32")
BATCH = 32
SMALL = {  # encoders that take a second
    "convnet": {"widths": [8, 16], "features": 32},
    "unet": {"widths": [16, 32]},
    "vit": {},
}

pytestmark = pytest.mark.parametrize("name", NAMES)


def make(name):
    kind = catalogue.info(name).encoder or "convnet"
    small = encoder(kind, channels=1, size=(8, 8), mean=[0.4], std=[0.3], settings=SMALL[kind], seed=0)
    return catalogue.build(name, small, Chain((Rotation(degrees=10),)), {}, seed=0)


def entropy(name, images):
    """The lowest loss with pixels taken for coins: the entropy of grey values, in nats an image; else 0."""
    if getattr(catalogue.config(name, {}), "likelihood", "") != "bernoulli" or "vae" not in name:
        return 0.0
    grey = as_float(images.take(torch.arange(len(images))))
    return float((torch.special.entr(grey) + torch.special.entr(1 - grey)).flatten(1).sum(1).mean())


@pytest.fixture
def images(name):
    """Random images, each unlike the others, to tell apart; digits, which have an upright and parts, for the others."""
    pixels = read_digits().train.take(torch.arange(96))
    if catalogue.info(name).family == "contrastive":
        pixels = torch.randint(0, 256, (96, 1, 8, 8), generator=torch.Generator().manual_seed(5), dtype=torch.uint8)
    return ImageSet(source="toy", pixels=MemoryPixels(pixels), labels=torch.full((96,), -1))


@pytest.fixture
def loader(images):
    return Loader(images=images, index=torch.arange(96), batch_size=BATCH, seed=2)


def first_batch(loader):
    return next(loader.batches(0, 1))


def leaves(views):
    """The tensors in what `views` returned, which may be nested."""
    if isinstance(views, torch.Tensor):
        return [views]
    return [leaf for part in views for leaf in leaves(part)] if isinstance(views, tuple | list) else []


def test_the_loss_is_a_finite_scalar_and_logs_are_detached(name, loader):
    method = make(name)
    step = method(method.views(first_batch(loader), generator(0, "views")))
    assert isinstance(method, Method) and isinstance(step, Step)
    assert step.loss.shape == () and bool(step.loss.isfinite()) and step.loss.requires_grad
    assert all(value.shape == () and not value.requires_grad for value in step.logs.values())


def test_the_gradient_reaches_every_weight_of_the_encoder(name, loader):
    method = make(name)
    method(method.views(first_batch(loader), generator(0, "views"))).loss.backward()
    for parameter_name, parameter in method.encoder.named_parameters():
        assert parameter.grad is not None and bool(parameter.grad.isfinite().all()), parameter_name
        # A bias before BatchNorm is without effect: its gradient is rounding. It has to be there, not to be large.
        if parameter.dim() > 1:
            assert bool((parameter.grad != 0).any()), parameter_name


def test_views_depend_on_the_generator_alone(name, loader):
    method, batch = make(name), first_batch(loader)
    stored = batch.images.clone()
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one = leaves(method.views(batch, generator(0, "views", 1)))
    assert torch.equal(before, torch.get_rng_state()), "the global generator was used"
    torch.manual_seed(2)
    same = leaves(method.views(batch, generator(0, "views", 1)))
    other = leaves(method.views(batch, generator(0, "views", 2)))
    assert one and all(torch.equal(a, b) for a, b in zip(one, same, strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert torch.equal(batch.images, stored), "the batch was changed"


def test_labels_are_not_looked_at(name, loader):
    if catalogue.info(name).learns_from_labels:
        pytest.skip("labels are what it learns from")
    batch = first_batch(loader)
    losses = set()
    for poison in (-1, 3, 10**9):
        method = make(name)
        poisoned = batch._replace(labels=torch.full_like(batch.labels, poison))
        losses.add(method(method.views(poisoned, generator(0, "views"))).loss.item())
    assert len(losses) == 1


def test_the_state_goes_through_a_file(name, loader):
    trained, fresh = make(name), make(name)
    fit(trained, loader, Plan(epochs=1, batch_size=BATCH), ENGINE)
    fresh.load_state_dict(load(save({key: value.contiguous() for key, value in trained.state_dict().items()})))
    batch = first_batch(loader)
    losses = [method.eval()(method.views(batch, generator(0, "views"))).loss for method in (trained, fresh.eval())]
    assert torch.allclose(*losses)


def test_learns(name, loader):
    method = make(name)
    result = fit(method, loader, Plan(epochs=25, batch_size=BATCH, lr=3e-3), ENGINE)
    floor = result.floor or entropy(name, loader.images)
    first, last = (result.epochs[row].loss - floor for row in (0, -1))  # above the lowest loss there is
    assert last < 0.6 * first
    assert result.chance is None or last < 0.6 * (result.chance - floor)
    assert result.floor is None or result.floor <= result.epochs[-1].loss + 1e-4


def test_the_same_seed_gives_the_same_start(name):
    one, same = make(name), make(name)
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), same.state_dict().values(), strict=True))


def test_an_interrupted_run_is_the_unbroken_one(name, loader, tmp_path):
    class Signal(Watch):
        request = StopRequest()

        def step(self, record):
            self.request.received = 15 if record.step == 4 else None

    plan = Plan(epochs=3, batch_size=BATCH)
    unbroken, resumed = make(name), make(name)
    fit(unbroken, loader, plan, ENGINE)
    with pytest.raises(Interrupted):
        fit(make(name), loader, plan, ENGINE, folder=tmp_path, watches=[Signal()], stop=Signal.request)
    fit(resumed, loader, plan, ENGINE, folder=tmp_path)
    for key, value in unbroken.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[key]), key


def test_is_listed_with_what_a_person_needs(name):
    (info,) = [method for method in hundredfold.methods.names() if method.name == name]
    assert info.summary.endswith(".") and 30 < len(info.summary) < 200 and "\n" not in info.summary
    assert info.family in catalogue.FAMILIES and any(letter.isdigit() for letter in info.paper)
