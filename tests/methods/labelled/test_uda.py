"""UDA by loops: the consistency of the authors' code, the batch that all pass in, training signal annealing."""

import math

import pytest
import torch
from safetensors.torch import load, save

from hundredfold.data.images import ImageSet, MemoryPixels
from hundredfold.data.loader import Loader
from hundredfold.encoders.build import encoder
from hundredfold.errors import Interrupted
from hundredfold.evaluate.features import features
from hundredfold.evaluate.probe import linear_probe
from hundredfold.methods.labelled.finetune import Finetune, LabelledImages
from hundredfold.methods.labelled.uda import UDA, Config, consistency, signal_threshold
from hundredfold.random import generator
from hundredfold.train.engine import choose_engine
from hundredfold.train.loop import fit
from hundredfold.train.plan import Plan
from hundredfold.train.stop import StopRequest
from hundredfold.train.watch import Watch
from hundredfold.types import ImageBatch, Progress
from hundredfold.views.chain import Chain
from hundredfold.views.erasing import Erasing
from hundredfold.views.rotation import Rotation

ENGINE = choose_engine(precision="float32")
CLASSES = 3
LABELS = torch.tensor([0, 1, 2, 0, 0])
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
        method = UDA(small(), pictures(5, 1), LABELS, CLASSES, weak=weak, strong=strong, config=config)
        method.start_from(sharp * torch.randn(CLASSES, 16), torch.zeros(CLASSES))
    return method


def batch(count=8, seed=2):
    return ImageBatch(pictures(count, seed), torch.full((count,), -1), torch.arange(count))


def logits(count=12, sharp=2.0, dtype=torch.float64):
    rng = torch.Generator().manual_seed(5)
    return tuple(sharp * torch.randn(count, CLASSES, generator=rng, dtype=dtype) for _ in range(2))


def softmax(row, temperature=1.0):
    powers = [math.exp((value - max(row)) / temperature) for value in row]
    return [power / sum(powers) for power in powers]


def by_loops(plain, augmented, temperature, threshold):
    """(loss, share that counts): KL of the sharpened plain side and the augmented one as it is; the mask looks at the
    plain side as it is; the sum is divided by all images."""
    total, kept = 0.0, 0
    for v, u in zip(plain, augmented, strict=True):
        if max(softmax(v)) > threshold:
            pairs = zip(softmax(v, temperature), softmax(u), strict=True)
            total += sum(p * (math.log(p) - math.log(q)) for p, q in pairs if p)
            kept += 1
    return total / len(plain), kept / len(plain)


@pytest.mark.parametrize("temperature", [1.0, 0.4, 2.0])
@pytest.mark.parametrize("threshold", [0.0, 0.6, 0.8])
def test_consistency_is_that_of_the_loops(temperature, threshold):
    plain, augmented = logits()
    loss, kept = consistency(plain, augmented, temperature=temperature, threshold=threshold)
    wanted, share = by_loops(plain.tolist(), augmented.tolist(), temperature, threshold)
    assert loss.item() == pytest.approx(wanted, rel=1e-9) and kept.item() == pytest.approx(share)
    assert (0 < share < 1) if threshold else share == 1


def test_the_mask_looks_at_probabilities_before_they_are_sharpened():
    plain = torch.tensor([[1.0, 0.0]])  # probability 0.73 as it is, 0.92 at a temperature of 0.4
    loss, kept = consistency(plain, torch.zeros(1, 2), temperature=0.4, threshold=0.8)
    assert loss == 0 and kept == 0
    assert consistency(plain, torch.zeros(1, 2), temperature=0.4, threshold=0.7)[1] == 1


def test_an_image_that_does_not_count_still_divides():
    plain, augmented = torch.tensor([[5.0, 0.0], [0.1, 0.0]]), torch.zeros(2, 2)
    settings = {"temperature": 1.0, "threshold": 0.8}
    alone, _ = consistency(plain[:1], augmented[:1], **settings)
    both, kept = consistency(plain, augmented, **settings)
    assert alone > 0.5 and kept == 0.5
    torch.testing.assert_close(both, alone / 2)


def test_no_gradient_reaches_the_plain_side():
    plain, augmented = (part.requires_grad_() for part in logits())
    loss, kept = consistency(plain, augmented, temperature=0.4, threshold=0.6)
    loss.backward()
    assert plain.grad is None and not kept.requires_grad
    counts = torch.tensor([max(softmax(row)) > 0.6 for row in plain.tolist()])
    assert torch.equal((augmented.grad != 0).any(1), counts)
    assert torch.autograd.gradcheck(
        lambda u: consistency(plain, u, temperature=0.4, threshold=0.6)[0], (augmented.detach().requires_grad_(),)
    )


def test_equal_views_are_consistent_unless_sharpened():
    plain, _ = logits()
    assert consistency(plain, plain, temperature=1.0, threshold=0.0)[0].item() == pytest.approx(0, abs=1e-12)
    assert consistency(plain, plain, temperature=0.4, threshold=0.0)[0].item() > 0.05
    sure = torch.tensor([[400.0, -400.0]])
    assert consistency(sure, sure, temperature=0.1, threshold=0.5)[0].isfinite()


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("settings", [{}, {"temperature": 0.4, "threshold": 0.6, "unlabelled_weight": 0.3}])
def test_the_loss_is_that_of_the_loops(training, settings):
    method = make(sharp=5.0, **settings).train(training)
    views = method.views(batch(40), generator(0, "views"))
    step = method(views)
    parts = torch.cat([views.labelled, views.plain, views.augmented])
    rows = method.logits(parts).tolist()
    known, plain, augmented = rows[:4], rows[4:44], rows[44:]
    supervised = -sum(math.log(softmax(row)[y]) for row, y in zip(known, views.labels.tolist(), strict=True)) / 4
    temperature, threshold = settings.get("temperature", 1.0), settings.get("threshold", 0.0)
    unsupervised, share = by_loops(plain, augmented, temperature, threshold)
    weight = settings.get("unlabelled_weight", 1.0)
    assert step.loss.item() == pytest.approx(supervised + weight * unsupervised, rel=1e-4)
    assert float(step.logs["supervised"]) == pytest.approx(supervised, rel=1e-4)
    assert float(step.logs["unsupervised"]) == pytest.approx(unsupervised, rel=1e-4)
    assert float(step.logs["sure"]) == pytest.approx(share) and (share < 1 or not threshold)
    assert not any(value.requires_grad for value in step.logs.values())


@pytest.mark.parametrize("weight", [1.0, 0.0])
def test_all_pass_the_encoder_in_one_batch_whose_statistics_are_those_of_all(weight):
    method, reference = make(unlabelled_weight=weight).train(), small().train()
    views = method.views(batch(), generator(0, "views"))
    passed = []
    method.encoder.register_forward_hook(lambda module, inputs, out: passed.append(inputs[0]))
    method(views)
    together = torch.cat([views.labelled, views.plain, views.augmented]) if weight else views.labelled
    assert len(passed) == 1 and torch.equal(passed[0], together)
    reference(together)
    moved = {name: value for name, value in reference.state_dict().items() if "running" in name or "batches" in name}
    assert moved and all(torch.equal(value, method.encoder.state_dict()[name]) for name, value in moved.items())
    assert not torch.equal(moved["network.features.1.running_mean"], torch.zeros(16))


def test_weight_0_is_fine_tuning_on_the_labelled_images_alone():
    method = make(unlabelled_weight=0.0).train()
    views = method.views(batch(), generator(0, "views"))
    reference = Finetune(small(), CLASSES, Chain(())).train()
    reference.head.load_state_dict(method.head.state_dict())
    step = method(views._replace(plain=views.plain * math.nan, augmented=views.augmented * math.nan))
    wanted = reference(LabelledImages(views.labelled, views.labels))
    assert torch.equal(step.loss, wanted.loss) and "unsupervised" not in step.logs
    step.loss.backward()
    wanted.loss.backward()
    assert all(torch.equal(a.grad, b.grad) for a, b in zip(method.parameters(), reference.parameters(), strict=True))


@pytest.mark.parametrize("schedule", ["linear", "log", "exp"])
@pytest.mark.parametrize("classes", [2, 10])
def test_thresholds_rise_from_chance_to_1(schedule, classes):
    """eta_t = alpha_t (1 - 1/K) + 1/K with alpha_t = t/T, 1 - exp(-5 t/T) or exp(5 (t/T - 1))."""
    found = [signal_threshold(t / 10, classes, schedule) for t in range(11)]
    for t, eta in enumerate(found):
        alpha = {"linear": t / 10, "log": 1 - math.e ** (-t / 2), "exp": math.e ** (t / 2 - 5)}[schedule]
        assert eta == pytest.approx(alpha * (1 - 1 / classes) + 1 / classes)
    assert found == sorted(found)
    assert found[0] == pytest.approx(1 / classes, abs=0 if schedule != "exp" else 0.01)
    assert found[-1] == pytest.approx(1, abs=0 if schedule != "log" else 0.01)


def test_schedules_are_in_the_papers_order():
    log, linear, exp = (signal_threshold(0.5, 10, schedule) for schedule in ("log", "linear", "exp"))
    assert log > linear > exp


@pytest.mark.parametrize("schedule", ["linear", "log", "exp"])
@pytest.mark.parametrize("step", [0, 3, 10])
def test_labelled_images_that_are_known_already_are_left_out(schedule, step):
    method = make(annealing=schedule)
    method.after_step(Progress(step, 10))
    rows, _ = logits(30, sharp=1.5, dtype=torch.float32)
    labels = torch.arange(30) % CLASSES
    eta = signal_threshold(step / 10, CLASSES, schedule)
    each = [softmax(row)[label] for row, label in zip(rows.tolist(), labels.tolist(), strict=True)]
    counted = [-math.log(p) for p in each if p <= eta]
    assert 0 < len(counted) < 30 or eta > max(each)
    leaf = rows.clone().requires_grad_()
    loss = method.supervised(leaf, labels)
    assert loss.item() == pytest.approx(sum(counted) / len(counted), rel=1e-5)
    loss.backward()
    assert (leaf.grad != 0).any(1).tolist() == [p <= eta for p in each]


def test_where_all_are_known_there_is_nothing_to_learn():
    method = make(annealing="linear")
    sure = torch.tensor([[9.0, 0.0, 0.0]], requires_grad=True)
    loss = method.supervised(sure, torch.tensor([0]))
    loss.backward()
    assert loss == 0 and not sure.grad.any()


def test_the_gradient_reaches_the_network():
    method = make()
    method.train()(method.views(batch(), generator(0, "views"))).loss.backward()
    for name, parameter in method.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert parameter.dim() == 1 or (parameter.grad != 0).any(), name


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
    assert not torch.equal(one.plain, other.plain) and not torch.equal(one.augmented, other.augmented)
    assert not torch.equal(one.plain, one.augmented)
    assert torch.equal(given.images, stored) and torch.equal(method.images, labelled)


def test_labelled_images_are_drawn_with_their_own_labels():
    method, drawn = make(), {}
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


def toy():
    """90 noisy 8x8 images of three classes, which few labels tell apart badly, and their classes."""
    rng = torch.Generator().manual_seed(7)
    truth = torch.arange(90) % CLASSES
    prototypes = torch.rand(CLASSES, 1, 8, 8, generator=rng)
    noisy = prototypes[truth] + 0.35 * torch.randn(90, 1, 8, 8, generator=rng)
    pixels = (noisy.clamp(0, 1) * 255).to(torch.uint8)
    return ImageSet(source="toy", pixels=MemoryPixels(pixels), labels=truth), truth


def toy_loader():
    return Loader(images=toy()[0].without_labels(), index=torch.arange(90), batch_size=30, seed=0)


def test_the_state_goes_through_a_file():
    trained, fresh = make(sharp=2.0), make(sharp=0.5)
    fit(trained, toy_loader(), Plan(epochs=1, batch_size=30, validate=False), ENGINE)
    state = {name: value.contiguous() for name, value in trained.state_dict().items()}
    assert "share" in state and not {"images", "labels"} & state.keys()
    fresh.load_state_dict(load(save(state)))
    views = trained.views(batch(), generator(0, "views"))
    assert fresh.share == trained.share == 1
    torch.testing.assert_close(fresh.eval()(views).loss, trained.eval()(views).loss)


def test_it_learns_more_than_its_start_knew():
    images, truth = toy()
    taught = torch.arange(6)  # two of each class
    start = small()
    probe = linear_probe(features(start, images, taught, ENGINE), truth[taught], CLASSES, seed=0)
    before = probe.probabilities(features(start, images, torch.arange(90), ENGINE)).argmax(1)
    config = Config(labelled=6, temperature=0.4, threshold=0.6)
    strong = Chain((Erasing(probability=0.5),))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        method = UDA(start, images.take(taught), truth[taught], CLASSES, weak=Chain(()), strong=strong, config=config)
    fit(method, toy_loader(), Plan(epochs=30, batch_size=30, lr=3e-3, validate=False), ENGINE)
    network, head = method.learnt()
    with torch.no_grad():
        after = head(features(network, images, torch.arange(90), ENGINE)).argmax(1)
    right, was = float((after == truth).float().mean()), float((before == truth).float().mean())
    assert was < 0.95 and right > was + 0.03


def test_an_interrupted_run_is_the_unbroken_one(tmp_path):
    class Signal(Watch):
        request = StopRequest()

        def step(self, record):
            self.request.received = 15 if record.step == 4 else None

    plan, settings = Plan(epochs=3, batch_size=30, validate=False), {"annealing": "linear"}
    unbroken, resumed = make(**settings), make(**settings)
    fit(unbroken, toy_loader(), plan, ENGINE)
    with pytest.raises(Interrupted):
        fit(make(**settings), toy_loader(), plan, ENGINE, folder=tmp_path, watches=[Signal()], stop=Signal.request)
    fit(resumed, toy_loader(), plan, ENGINE, folder=tmp_path)
    for key, value in unbroken.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[key]), key


def test_every_problem_is_named():
    bad = Config(labelled=0, unlabelled_weight=-1.0, temperature=0.0, threshold=1.0, annealing="cosine")
    named = ["labelled", "unlabelled_weight", "temperature", "threshold", "annealing"]
    assert [problem.split()[0] for problem in bad.problems()] == named
    assert not Config().problems() and not Config(annealing="exp", threshold=0.8).problems()
