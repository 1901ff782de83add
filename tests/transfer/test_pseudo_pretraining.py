"""Pseudo pre-training: images come from the generator alone, and so does all else that the inner method sees."""

import pytest
import torch

from hundredfold.data.images import ImageSet, MemoryPixels
from hundredfold.data.loader import Loader
from hundredfold.errors import CheckpointError, Interrupted
from hundredfold.methods.contrastive import simclr
from hundredfold.methods.labelled.finetune import Finetune
from hundredfold.train.loop import fit
from hundredfold.train.plan import Plan
from hundredfold.train.stop import StopRequest
from hundredfold.train.watch import Watch
from hundredfold.transfer.pseudo_pretraining import POSITIVES, PseudoPretraining, nothing
from hundredfold.transfer.samples import Samples, SampleSettings
from hundredfold.types import ImageBatch
from hundredfold.views.chain import Chain
from hundredfold.views.rotation import Rotation

PLAIN = Chain(())
TURNED = Chain((Rotation(degrees=10),))
LIMIT = SampleSettings(least_probability=0.5)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def places(count):
    return ImageBatch(torch.zeros(count, 1, 1, 1), torch.full((count,), -1), torch.arange(count))


def supervised(small, samples, chain=PLAIN, seed=0):
    torch.manual_seed(seed)
    return PseudoPretraining(Finetune(small(), 4, chain), samples)


def contrastive(small, samples, positive, chain=PLAIN):
    torch.manual_seed(0)
    config = simclr.Config(hidden=8, projection=4)
    return PseudoPretraining(simclr.SimCLR(small(), chain, config), samples, positive=positive)


def loader(steps, batch=16):
    images = nothing(steps * batch, 1)
    return Loader(images=images, index=torch.arange(len(images)), batch_size=batch, seed=3)


def test_images_come_from_the_generator_and_not_the_loader(small, generator, classifier):
    method = supervised(small, Samples(generator))
    views = method.views(ImageBatch(torch.ones(12, 1, 8, 8), torch.zeros(12).long(), torch.arange(12)), rng())
    assert len(views.images) == 12 and torch.equal(classifier.logits(views.images).argmax(1), views.labels)
    assert len(views.labels.unique()) > 1, "labels are those asked for, not the loader's"


@pytest.mark.parametrize("positive", POSITIVES)
def test_a_batch_depends_on_the_generator_of_random_numbers_alone(small, generator, positive):
    method = contrastive(small, Samples(generator), positive, TURNED)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one = method.views(places(6), rng(4))
    assert torch.equal(before, torch.get_rng_state()), "the global generator was used"
    torch.manual_seed(2)
    same, other = method.views(places(6), rng(4)), method.views(places(6), rng(5))
    assert torch.equal(one.a, same.a) and torch.equal(one.b, same.b)
    assert not torch.equal(one.a, other.a) and not torch.equal(one.b, other.b)
    assert torch.equal(method(one).loss, method(same).loss), "forward draws nothing"


def test_each_step_draws_new_images(small, generator, engine):
    seen = []
    method = supervised(small, Samples(generator))
    method.inner.register_forward_pre_hook(lambda _, views: seen.append(views[0].images))
    fit(method, loader(4), Plan(epochs=1, batch_size=16), engine)
    assert len(torch.cat(seen).flatten(1).unique(dim=0)) == 4 * 16


def test_generator_and_classifier_are_no_part_of_the_method(small, generator, classifier, engine):
    method = supervised(small, Samples(generator, classifier, LIMIT))
    frozen = {id(generator.weight), id(classifier.weight)}
    assert not frozen & {id(parameter) for parameter in method.parameters()}
    inner = Finetune(small(), 4, PLAIN)
    assert set(method.state_dict()) == {f"inner.{name}" for name in inner.state_dict()}
    assert sum(p.numel() for p in method.parameters()) == sum(p.numel() for p in inner.parameters())
    fit(method, loader(2), Plan(epochs=1, batch_size=16, lr=0.1), engine)
    assert generator.weight == 1 and generator.weight.grad is None
    assert classifier.weight == 1 and classifier.weight.grad is None


def test_the_encoder_is_that_of_the_inner_method_and_is_listed_once(small, generator):
    method = supervised(small, Samples(generator))
    assert method.encoder is method.inner.encoder
    names = [name for name, module in method.named_modules(remove_duplicate=False) if module is method.encoder]
    assert names == ["inner.encoder"]


def test_an_interrupted_training_is_the_unbroken_one(small, generator, engine, tmp_path):
    class Signal(Watch):
        request = StopRequest()

        def step(self, record):
            self.request.received = 15 if record.step == 3 else None

    plan = Plan(epochs=1, batch_size=16)
    unbroken, resumed = (supervised(small, Samples(generator), TURNED, seed) for seed in (0, 5))
    fit(unbroken, loader(6), plan, engine)
    with pytest.raises(Interrupted):
        broken = supervised(small, Samples(generator), TURNED)
        fit(broken, loader(6), plan, engine, folder=tmp_path, watches=[Signal()], stop=Signal.request)
    fit(resumed, loader(6), plan, engine, folder=tmp_path)
    for name, value in unbroken.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_positives_of_a_view_are_one_image(small, generator):
    views = contrastive(small, Samples(generator), "view").views(places(20), rng())
    assert torch.equal(views.a, views.b) and len(views.a.flatten(1).unique(dim=0)) == 20
    turned = contrastive(small, Samples(generator), "view", TURNED).views(places(20), rng())
    assert not torch.equal(turned.a, turned.b)


def test_positives_of_a_class_share_it_and_nothing_else(small, generator, classifier):
    views = contrastive(small, Samples(generator), "class").views(places(20), rng())
    first, second = (classifier.logits(part).argmax(1) for part in views)
    assert torch.equal(first, second) and len(first.unique()) > 1
    noise = [part - generator.tiles[kind] for part, kind in zip(views, (first, second), strict=True)]
    assert (noise[0] - noise[1]).abs().flatten(1).amax(1).min() > 0.05


def test_positives_of_a_noise_share_it_under_classes_drawn_apart(small, generator, classifier):
    views = contrastive(small, Samples(generator), "noise").views(places(40), rng())
    first, second = (classifier.logits(part).argmax(1) for part in views)
    noise = [part - generator.tiles[kind] for part, kind in zip(views, (first, second), strict=True)]
    torch.testing.assert_close(noise[0], noise[1])
    assert len(noise[0].flatten(1).unique(dim=0)) == 40, "each pair has a noise of its own"
    assert 0.5 < (first != second).float().mean() < 0.95, "of four classes drawn apart three in four differ"


@pytest.mark.parametrize("positive", ["view", "class"])
def test_images_refused_to_the_last_are_left_out(small, make_generator, classifier, positive):
    generator = make_generator(false={2: 0})
    method = contrastive(small, Samples(generator, classifier, LIMIT), positive)
    asked = Samples(generator).labels(30, rng())
    views = method.views(places(30), rng())
    wanted = asked[asked != 2]
    assert len(wanted) < 30
    for part in views:
        assert torch.equal(classifier.logits(part).argmax(1), wanted)


def test_supervised_images_refused_to_the_last_are_left_out_with_their_labels(small, make_generator, classifier):
    method = supervised(small, Samples(make_generator(false={2: 0, 3: 1}), classifier, LIMIT))
    views = method.views(places(30), rng())
    assert set(views.labels.tolist()) == {0, 1} and len(views.images) == len(views.labels) < 30
    assert torch.equal(classifier.logits(views.images).argmax(1), views.labels)
    assert method(views).loss.isfinite()


@pytest.mark.parametrize("positive", [None, "view", "class"])
def test_a_batch_of_which_nothing_is_left_is_told(small, make_generator, classifier, positive):
    samples = Samples(make_generator(false={0: 1, 1: 2, 2: 3, 3: 0}), classifier, LIMIT)
    method = contrastive(small, samples, positive) if positive else supervised(small, samples)
    with pytest.raises(CheckpointError, match="refused 10 of 10 images of the generator") as refused:
        method.views(places(10), rng())
    assert "least_probability" in refused.value.fix


def test_only_a_method_of_two_views_knows_pairs(small, generator):
    for positive in ("class", "noise"):
        with pytest.raises(ValueError, match="Finetune compares no two views"):
            PseudoPretraining(Finetune(small(), 4, PLAIN), Samples(generator), positive=positive)
    with pytest.raises(ValueError, match="positive must be one of view, class, noise, got 'code'"):
        PseudoPretraining(Finetune(small(), 4, PLAIN), Samples(generator), positive="code")


def test_it_learns_the_classes_of_the_source(small, generator, engine):
    method = supervised(small, Samples(generator))
    fit(method, loader(60), Plan(epochs=1, batch_size=16, lr=1e-2), engine)
    batch = Samples(generator).batch(200, rng(9))
    with torch.no_grad():
        right = method.inner.logits(batch.images).argmax(1) == batch.labels
    assert right.float().mean() > 0.95


def test_pairs_of_a_class_bring_the_class_together(small, generator, engine):
    method = contrastive(small, Samples(generator), "class")
    fit(method, loader(60), Plan(epochs=1, batch_size=16, lr=1e-2), engine)
    batch = Samples(generator).batch(200, rng(9))
    with torch.no_grad():
        features = torch.nn.functional.normalize(method.encoder(batch.images), dim=1)
    alike = features @ features.T
    same = batch.labels[:, None] == batch.labels
    assert alike[same].mean() > alike[~same].mean() + 0.3


def test_what_the_loop_asks_is_asked_of_the_inner_method(small, generator):
    method = contrastive(small, Samples(generator), "view")
    assert method.levels(16) == method.inner.levels(16) != (None, None)
    views = method.views(places(6), rng())
    for mine, inner in zip(method.project(views), method.inner.project(views), strict=True):
        assert torch.equal(mine, inner)


def test_places_without_images():
    found = nothing(7, 3)
    assert isinstance(found, ImageSet) and isinstance(found.pixels, MemoryPixels)
    assert len(found) == 7 and found.channels == 3 and len(found.labelled()) == 0
