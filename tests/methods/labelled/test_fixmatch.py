"""FixMatch by loops: its loss, the thresholds of FreeMatch, distribution alignment, the average that gives labels."""

import math

import pytest
import torch
from safetensors.torch import load, save

from hundredfold.data.images import ImageSet, MemoryPixels
from hundredfold.data.loader import Loader
from hundredfold.encoders.build import encoder
from hundredfold.evaluate.features import features
from hundredfold.evaluate.probe import linear_probe
from hundredfold.methods.labelled.fixmatch import Config, FixMatch
from hundredfold.random import generator
from hundredfold.train.engine import choose_engine
from hundredfold.train.loop import fit
from hundredfold.train.plan import Plan
from hundredfold.types import ImageBatch, Progress
from hundredfold.views.chain import Chain
from hundredfold.views.erasing import Erasing
from hundredfold.views.rotation import Rotation

ENGINE = choose_engine(precision="float32")
CLASSES = 3
LABELS = torch.tensor([0, 1, 2, 0, 0])  # shares 3/5, 1/5, 1/5
ROTATION = Chain((Rotation(degrees=20),))


def pictures(count, seed):
    return torch.randint(0, 256, (count, 1, 8, 8), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def small(seed=0):
    settings = {"widths": [4], "features": 16}
    return encoder("convnet", channels=1, size=(8, 8), mean=[0.5], std=[0.25], settings=settings, seed=seed)


def make(weak=Chain(()), strong=ROTATION, sharp=1.0, **settings):  # noqa: B008
    """A method whose start is as sure of itself as `sharp` is large."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = Config(labelled=4, **settings)
        method = FixMatch(small(), pictures(5, 1), LABELS, CLASSES, weak=weak, strong=strong, config=config)
        method.start_from(sharp * torch.randn(CLASSES, 16), torch.zeros(CLASSES))
    return method


def batch(count=8, seed=2):
    return ImageBatch(pictures(count, seed), torch.full((count,), -1), torch.arange(count))


def softmax(row):
    powers = [math.exp(value - max(row)) for value in row]
    return [power / sum(powers) for power in powers]


def asked(method, views):
    """What the average says of the weak views: lists of probabilities."""
    return [softmax(row) for row in method.average.logits(views.weak).tolist()]


def loss_by_loops(method, views, given, thresholds):
    """Cross entropy of the labels, and of labels that are sure; `given` are the average's (aligned) probabilities."""
    logits = method.logits(torch.cat([views.labelled, views.strong])).tolist()
    predicted = [softmax(row) for row in logits]
    known, unknown = predicted[: len(views.labels)], predicted[len(views.labels) :]
    supervised = -sum(math.log(row[label]) for row, label in zip(known, views.labels.tolist(), strict=True)) / len(
        known
    )
    total, sure = 0.0, 0
    for row, shares in zip(unknown, given, strict=True):
        label = shares.index(max(shares))
        if shares[label] >= thresholds[label]:
            total -= math.log(row[label])
            sure += 1
    return supervised, total / len(unknown), sure / len(unknown)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    "settings", [{"threshold_momentum": 0.1}, {"threshold": 0.7, "unlabelled_weight": 0.3}, {"unit_length": True}]
)
def test_the_loss_is_that_of_the_loops(training, settings):
    method = make(sharp=5.0, **settings).train(training)
    views = method.views(batch(40), generator(0, "views"))
    given = asked(method, views)
    step = method(views)
    thresholds = method.thresholds().tolist()
    supervised, unsupervised, sure = loss_by_loops(method.train(training), views, given, thresholds)
    weight = settings.get("unlabelled_weight", 1.0)
    assert step.loss.item() == pytest.approx(supervised + weight * unsupervised, rel=1e-4)
    assert float(step.logs["supervised"]) == pytest.approx(supervised, rel=1e-4)
    assert float(step.logs["unsupervised"]) == pytest.approx(unsupervised, rel=1e-4)
    assert float(step.logs["sure"]) == pytest.approx(sure) and sure > 0
    assert sure < 1 or "threshold" not in settings, "both kinds are there"
    assert not any(value.requires_grad for value in step.logs.values())


def test_thresholds_follow_the_equations_for_three_steps():
    """FreeMatch: tau_t = m tau_t-1 + (1 - m) mean max q (5), p_t = m p_t-1 + (1 - m) mean q (6), both from 1 / classes;
    tau_t(c) = p_t(c) / max p_t * tau_t (8)."""
    method, m = make(sharp=3.0, threshold_momentum=0.7), 0.7
    tau, p = 1 / CLASSES, [1 / CLASSES] * CLASSES
    assert method.thresholds().tolist() == pytest.approx([1 / CLASSES] * CLASSES)
    for number in range(3):
        views = method.views(batch(seed=number), generator(0, "views", number))
        q = asked(method, views)
        step = method.train()(views)
        tau = m * tau + (1 - m) * sum(max(row) for row in q) / len(q)
        p = [m * p[c] + (1 - m) * sum(row[c] for row in q) / len(q) for c in range(CLASSES)]
        wanted = [p[c] / max(p) * tau for c in range(CLASSES)]
        assert method.thresholds().tolist() == pytest.approx(wanted, rel=1e-5)
        assert max(wanted) == pytest.approx(tau)
        sure = sum(max(row) >= wanted[row.index(max(row))] for row in q) / len(q)
        assert float(step.logs["sure"]) == pytest.approx(sure), "the thresholds of this step are those in force"


def test_a_fixed_threshold_is_the_same_for_all_and_stays():
    method = make(sharp=10.0, threshold=0.9)
    for number in range(3):
        views = method.views(batch(40, seed=number), generator(0, "views", number))
        sure = sum(max(row) >= 0.9 for row in asked(method, views)) / 40
        assert float(method.train()(views).logs["sure"]) == pytest.approx(sure) and 0 < sure < 1
        torch.testing.assert_close(method.thresholds(), torch.full((CLASSES,), 0.9))


def test_evaluation_moves_no_threshold():
    method = make(sharp=3.0).eval()
    method(method.views(batch(), generator(0, "views")))
    assert method.thresholds().tolist() == pytest.approx([1 / CLASSES] * CLASSES)
    assert float(method.confidence) == pytest.approx(1 / CLASSES)


@pytest.mark.parametrize("threshold", [0.0, 0.6])
def test_alignment_divides_by_the_running_mean_of_predictions_as_they_are(threshold):
    """ReMixMatch, section 3.1: q p(y) / p~(y) brought to sum 1, p~ being of q as it is, before alignment."""
    method, m = make(sharp=2.0, align=True, threshold=threshold, threshold_momentum=0.5), 0.5
    p, wanted = [1 / CLASSES] * CLASSES, [3 / 5, 1 / 5, 1 / 5]
    tau = 1 / CLASSES
    for number in range(3):
        views = method.views(batch(seed=number), generator(0, "views", number))
        q = asked(method, views)
        step = method.train()(views)
        p = [m * p[c] + (1 - m) * sum(row[c] for row in q) / len(q) for c in range(CLASSES)]
        tau = m * tau + (1 - m) * sum(max(row) for row in q) / len(q)
        assert method.shares.tolist() == pytest.approx(p, rel=1e-5)
        aligned = [[row[c] * wanted[c] / p[c] for c in range(CLASSES)] for row in q]
        aligned = [[value / sum(row) for value in row] for row in aligned]
        thresholds = [threshold or p[c] / max(p) * tau for c in range(CLASSES)]
        _, unsupervised, sure = loss_by_loops(method, views, aligned, thresholds)
        assert float(step.logs["sure"]) == pytest.approx(sure)
        assert float(step.logs["unsupervised"]) == pytest.approx(unsupervised, rel=1e-4)


def test_alignment_settles_where_its_classes_come_as_often_as_the_labels():
    """On one batch for ever, p~ becomes the mean prediction. Following the aligned ones it would never settle there."""
    method = make(sharp=1.0, align=True, threshold_momentum=0.5)
    views = method.views(batch(64), generator(0, "views"))
    for _ in range(40):
        method.train()(views)
    raw = method.average.logits(views.weak).softmax(1)
    torch.testing.assert_close(method.shares, raw.mean(0), atol=1e-4, rtol=0)


def test_the_gradient_reaches_the_network_and_not_the_average():
    method = make()
    method.train()(method.views(batch(), generator(0, "views"))).loss.backward()
    for name, parameter in method.encoder.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert parameter.dim() == 1 or (parameter.grad != 0).any(), name
    assert (method.head.linear.weight.grad != 0).any()
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in method.average.parameters())


def test_the_average_follows_weights_and_running_statistics():
    method, momentum = make(momentum=0.6), 0.6
    start, head = method.learnt()
    assert start is method.average.encoder and head is method.average.head

    def state(network, head):
        found = {f"encoder.{name}": value.clone() for name, value in network.state_dict().items()}
        return found | {f"head.{name}": value.clone() for name, value in head.state_dict().items()}

    expected = state(*method.learnt())
    for step in range(1, 4):
        method.train()(method.views(batch(seed=step), generator(0, "views", step)))  # moves the statistics
        with torch.no_grad():
            for parameter in (*method.encoder.parameters(), *method.head.parameters()):
                parameter += step * 0.1
        method.after_step(Progress(step, 3))
        keep = min(momentum, 1 - 1 / (step + 1))  # 1/2, 0.6, 0.6
        current = state(method.encoder, method.head)
        for name, value in state(*method.learnt()).items():
            floating = value.is_floating_point()
            expected[name] = keep * expected[name] + (1 - keep) * current[name] if floating else current[name]
            torch.testing.assert_close(value, expected[name])
            assert not ("running" in name and torch.equal(value, current[name])), "an average, not a copy"
    assert any("running_mean" in name for name in expected) and any("batches" in name for name in expected)


def test_the_average_is_asked_in_evaluation_mode():
    method = make().train()
    before = {name: value.clone() for name, value in method.average.named_buffers()}
    images = batch(2).images / 255
    one, both = method.average.logits(images[:1]), method.average.logits(images)
    torch.testing.assert_close(one, both[:1])
    assert all(torch.equal(value, before[name]) for name, value in method.average.named_buffers())


def test_the_classifier_starts_from_a_probe_in_both_networks():
    method = make()
    weight, bias = (
        torch.randn(CLASSES, 16, generator=torch.Generator().manual_seed(4)),
        torch.tensor([0.1, -math.inf, 2]),
    )
    method.start_from(weight, bias)
    for head in (method.head, method.average.head):
        assert torch.equal(head.linear.weight, weight)
        assert head.linear.bias[0].item() == pytest.approx(0.1) and head.linear.bias.isfinite().all()
    shares = method.average.logits(batch().images / 255).softmax(1)
    assert not shares[:, 1].any(), "a class without a label"


def test_views_depend_on_the_generator_alone():
    method = make(weak=Chain((Rotation(degrees=5),)))
    given = batch()
    stored, labelled = given.images.clone(), method.images.clone()
    torch.manual_seed(1)
    state = torch.get_rng_state()
    one = method.views(given, generator(0, "views", 1))
    assert torch.equal(state, torch.get_rng_state()), "the global generator was used"
    torch.manual_seed(2)
    same, other = method.views(given, generator(0, "views", 1)), method.views(given, generator(0, "views", 2))
    assert all(torch.equal(a, b) for a, b in zip(one, same, strict=True))
    assert not torch.equal(one.strong, other.strong) and not torch.equal(one.weak, other.weak)
    assert not torch.equal(one.weak, one.strong)
    assert torch.equal(given.images, stored) and torch.equal(method.images, labelled)


def test_labelled_images_are_drawn_with_their_own_labels():
    method = make(strong=Chain(()))
    drawn = {}
    for number in range(20):
        views = method.views(batch(), generator(0, "views", number))
        for image, label in zip(views.labelled, views.labels.tolist(), strict=True):
            (position,) = [p for p in range(5) if torch.equal(image, method.images[p] / 255)]
            drawn[position] = label
    assert [drawn[position] for position in range(5)] == LABELS.tolist()


def test_labels_of_the_batch_are_not_looked_at():
    losses = set()
    for poison in (-1, 2, 10**9):
        method = make()
        poisoned = batch()._replace(labels=torch.full((8,), poison))
        losses.add(method(method.views(poisoned, generator(0, "views"))).loss.item())
    assert len(losses) == 1


def test_the_state_goes_through_a_file():
    trained, fresh = make(sharp=2.0), make(sharp=0.5)
    loader = Loader(images=toy()[0], index=torch.arange(90), batch_size=30, seed=0)
    fit(trained, loader, Plan(epochs=1, batch_size=30, validate=False), ENGINE)
    state = {name: value.contiguous() for name, value in trained.state_dict().items()}
    assert {"confidence", "shares"} < state.keys() and not {"images", "labels"} & state.keys()
    fresh.load_state_dict(load(save(state)))
    views = trained.views(batch(), generator(0, "views"))
    assert torch.equal(fresh.thresholds(), trained.thresholds())
    torch.testing.assert_close(fresh.eval()(views).loss, trained.eval()(views).loss)


def toy():
    """90 noisy 8x8 images of three classes, which few labels tell apart badly, and their classes."""
    rng = torch.Generator().manual_seed(7)
    truth = torch.arange(90) % CLASSES
    prototypes = torch.rand(CLASSES, 1, 8, 8, generator=rng)
    noisy = prototypes[truth] + 0.35 * torch.randn(90, 1, 8, 8, generator=rng)
    pixels = (noisy.clamp(0, 1) * 255).to(torch.uint8)
    return ImageSet(source="toy", pixels=MemoryPixels(pixels), labels=truth), truth


def test_it_learns_more_than_its_start_knew():
    images, truth = toy()
    taught = torch.arange(6)  # two of each class
    start = small()
    probe = linear_probe(features(start, images, taught, ENGINE), truth[taught], CLASSES, seed=0)
    before = probe.probabilities(features(start, images, torch.arange(90), ENGINE)).argmax(1)
    config = Config(labelled=6, momentum=0.9, threshold_momentum=0.9, unit_length=True)
    strong = Chain((Erasing(probability=0.5),))
    with torch.random.fork_rng(devices=[]):
        method = FixMatch(
            start, images.take(taught), truth[taught], CLASSES, weak=Chain(()), strong=strong, config=config
        )
    method.start_from(probe.weight, probe.bias)
    loader = Loader(images=images.without_labels(), index=torch.arange(90), batch_size=30, seed=0)
    fit(method, loader, Plan(epochs=30, batch_size=30, lr=3e-3, validate=False), ENGINE)
    network, head = method.learnt()
    with torch.no_grad():
        after = head(features(network, images, torch.arange(90), ENGINE)).argmax(1)
    right, was = float((after == truth).float().mean()), float((before == truth).float().mean())
    assert was < 0.95 and right > was + 0.03
