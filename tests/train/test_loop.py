"""`fit`: the loop against one written out by hand, and everything that can come in its way."""

import errno
import json
import math
import os

import pytest
import torch

from hundredfold import atomic
from hundredfold.data.loader import Loader
from hundredfold.errors import CheckpointError, DivergedError, Interrupted, OutputError, ResourceError
from hundredfold.methods.contrastive.simclr import SimCLR
from hundredfold.random import derive, generator
from hundredfold.train import checkpoint
from hundredfold.train.loop import fit, validation_loss
from hundredfold.train.plan import Plan
from hundredfold.train.stop import StopRequest
from hundredfold.train.watch import MetricsFile, Watch
from hundredfold.types import ImageBatch, Step


class Recorder(Watch):
    """Keeps what it was told."""

    def __init__(self):
        self.steps, self.epochs, self.first, self.finished = [], [], None, 0

    def start(self, first_step):
        self.first = first_step

    def step(self, record):
        self.steps.append(record)

    def epoch(self, record):
        self.epochs.append(record)

    def finish(self):
        self.finished += 1


class StopAt(Watch):
    """Plays the signal that arrives during a step."""

    def __init__(self, step, number=15):
        self.request, self.at, self.number = StopRequest(), step, number

    def step(self, record):
        if record.step == self.at:
            self.request.received = self.number


def weights(method):
    return {name: value.clone() for name, value in method.state_dict().items()}


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def folders(root):
    return sorted(path.name for path in root.iterdir())


def interrupt(step, build, loader, plan, engine, folder, **options):
    """A new method trained until a signal comes in `step`."""
    stop = StopAt(step)
    with pytest.raises(Interrupted) as stopped:
        watches = [*options.pop("watches", ()), stop]
        fit(build(), loader, plan, engine, folder=folder, watches=watches, stop=stop.request, **options)
    return stopped.value


def test_learns(build, loader, engine):
    result = fit(build(), loader, Plan(epochs=30, batch_size=16, lr=2e-2), engine)
    assert result.chance == pytest.approx(math.log(31))
    assert result.floor < result.epochs[-1].loss < 0.9 * result.chance < result.epochs[0].loss


def test_is_the_loop_that_one_would_write(build, loader, engine):
    plan = Plan(epochs=2, batch_size=16, optimizer="sgd", lr=0.05, warmup=0.5, weight_decay=0.1, clip_norm=0.5)
    trained = build()
    fit(trained, loader, plan, engine)

    method = build().to(memory_format=torch.channels_last).train()
    matrices = [p for p in method.parameters() if p.dim() > 1]
    vectors = [p for p in method.parameters() if p.dim() <= 1]
    sgd = torch.optim.SGD(
        [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}],
        lr=0.0,
        momentum=0.9,
        nesterov=True,
    )
    for step in range(6):
        torch.manual_seed(derive(11, "dropout", step, 0))
        epoch, within = divmod(step, 3)
        order = torch.randperm(48, generator=generator(11, "shuffle", epoch))
        images = loader.images.take(order[16 * within : 16 * within + 16])
        views = method.views(ImageBatch(images, order, order), generator(11, "views", step, 0))
        sgd.zero_grad()
        method(views).loss.backward()
        norm = math.sqrt(sum(float(p.grad.double().square().sum()) for p in method.parameters()))
        rate = 0.05 * (step + 1) / 3 if step < 3 else 0.05 * 0.5 * (1 + math.cos(math.pi * (step - 3) / 3))
        for group in sgd.param_groups:
            group["lr"] = rate
        for parameter in method.parameters():
            parameter.grad.mul_(min(1.0, 0.5 / norm))
        sgd.step()
    expected = weights(method)
    for name, value in weights(trained).items():
        torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=1e-6)


def test_watches_are_told_of_every_step_and_epoch(build, loader, engine):
    watch = Recorder()
    result = fit(build(), loader, Plan(epochs=2, batch_size=16, lr=0.1, warmup=0.0), engine, watches=[watch])
    assert watch.first == 0 and watch.finished == 1
    assert [(record.step, record.epoch) for record in watch.steps] == [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2), (6, 2)]
    assert [record.lr for record in watch.steps] == pytest.approx(
        [0.1 * 0.5 * (1 + math.cos(math.pi * step / 6)) for step in range(6)]
    )
    assert tuple(watch.epochs) == result.epochs
    for epoch in (0, 1):
        losses = [record.loss for record in watch.steps[3 * epoch : 3 * epoch + 3]]
        assert result.epochs[epoch].loss == pytest.approx(sum(losses) / 3)
    assert all(record.seconds >= record.data_wait >= 0 and record.images == 16 for record in watch.steps)


def test_no_epochs_leave_the_method_as_it_was(build, loader, engine, tmp_path):
    method = build()
    before = weights(method)
    result = fit(method, loader, Plan(epochs=0, batch_size=16), engine, folder=tmp_path)
    assert result.steps == 0 and result.epochs == () and equal(before, weights(method)) and not method.training


def test_the_global_generator_is_neither_read_nor_moved(build, loader, engine):
    plan, ends = Plan(epochs=1, batch_size=16), []
    for seed in (5, 6):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        method = build()
        fit(method, loader, plan, engine)
        assert torch.equal(before, torch.get_rng_state())
        ends.append(weights(method))
    assert equal(*ends)


def test_a_gradient_longer_than_clip_norm_is_scaled_down(build, loader, engine):
    method = build()
    before = [parameter.detach().clone() for parameter in method.parameters()]
    plan = Plan(epochs=1, batch_size=48, optimizer="sgd", lr=1.0, warmup=0.0, weight_decay=0.0, clip_norm=1e-3)
    whole = Loader(images=loader.images, index=loader.index, batch_size=48, seed=1)
    fit(method, whole, plan, engine)  # one step: Nesterov momentum moves by (1 + 0.9) times the gradient
    pairs = zip(before, method.parameters(), strict=True)
    moved = math.sqrt(sum(float((a - b).detach().double().square().sum()) for a, b in pairs))
    assert moved == pytest.approx(1.9e-3, rel=1e-3)


# --- validation ---------------------------------------------------------------------------------------------------


def test_validation_sees_the_same_views_every_time_and_changes_nothing(build, validation, engine):
    method = build().train()
    before = weights(method)
    losses = {validation_loss(method, validation, engine) for _ in range(3)}
    assert len(losses) == 1 and method.training and equal(before, weights(method))
    method.eval()
    by_hand = []
    for step in range(validation.steps_per_epoch):
        (batch,) = validation.batches(step, step + 1)
        with torch.no_grad():
            by_hand.append(float(method(method.views(batch, generator(12, "validation views", step, 0))).loss))
    assert losses.pop() == pytest.approx(sum(by_hand) / len(by_hand))


def test_validating_does_not_touch_training(build, loader, validation, engine):
    ends = []
    for held_out, validate in ((None, True), (validation, False), (validation, True)):
        method = build()
        plan = Plan(epochs=2, batch_size=16, validate=validate)
        result = fit(method, loader, plan, engine, validation=held_out)
        ends.append(weights(method))
        assert (result.epochs[0].val_loss is None) == (held_out is None or not validate)
    assert equal(ends[0], ends[1]) and equal(ends[0], ends[2])


# --- divergence ---------------------------------------------------------------------------------------------------


class Poisoned(SimCLR):
    """Fine until the sixth forward pass, which is the third step of the second epoch."""

    kind, calls, seen = "loss", 0, None

    def views(self, batch, rng):
        self.seen = [parameter.detach().clone() for parameter in self.parameters()]
        return super().views(batch, rng)

    def forward(self, views):
        loss, logs, _ = super().forward(views)
        if self.training:
            self.calls += 1
            if self.calls == 6:
                if self.kind == "loss":
                    loss = loss * math.nan
                else:
                    loss.register_hook(lambda gradient: gradient * math.inf)
        elif self.kind == "validation":
            loss = loss * math.inf
        return Step(loss, logs)


@pytest.mark.parametrize("kind, what", [("loss", "loss of step 6 is nan"), ("gradient", "gradient norm of step 6 is")])
def test_a_step_that_is_not_finite_is_not_taken(build, loader, engine, tmp_path, kind, what):
    method = build(Poisoned)
    method.kind = kind
    with pytest.raises(DivergedError, match=what) as diverged:
        fit(method, loader, Plan(epochs=4, batch_size=16), engine, folder=tmp_path)
    assert diverged.value.exit_status == 4
    assert "--lr" in diverged.value.fix and str(tmp_path) in diverged.value.why
    assert all(torch.equal(a, b) for a, b in zip(method.seen, method.parameters(), strict=True))
    kept = checkpoint.find(tmp_path).newest
    assert kept.step == 3 and folders(tmp_path) == ["step-00000003"]


def test_a_validation_loss_that_is_not_finite_is_not_saved(build, loader, validation, engine, tmp_path):
    method = build(Poisoned)
    method.kind = "validation"
    with pytest.raises(DivergedError, match="validation loss of epoch 1 is inf"):
        fit(method, loader, Plan(epochs=2, batch_size=16), engine, validation=validation, folder=tmp_path)
    assert not checkpoint.find(tmp_path).newest


def test_numbers_that_a_method_logs_cannot_stop_it(build, loader, engine, tmp_path):
    class Talkative(SimCLR):
        def forward(self, views):
            loss = super().forward(views).loss
            return Step(loss, {"fine": torch.tensor(2.0), "broken": torch.tensor(math.nan)})

    result = fit(build(Talkative), loader, Plan(epochs=1, batch_size=16), engine, folder=tmp_path)
    assert result.epochs[0].logs == {"fine": 2.0}
    again = fit(build(Talkative), loader, Plan(epochs=1, batch_size=16), engine, folder=tmp_path)
    assert again.epochs == result.epochs


# --- interruption -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "lars"])
@pytest.mark.parametrize("step", [2, 3, 4])
def test_an_interrupted_run_is_the_unbroken_one(build, loader, validation, engine, tmp_path, optimizer, step):
    plan = Plan(epochs=3, batch_size=16, optimizer=optimizer, lr=5e-3)
    unbroken = build()
    expected = fit(unbroken, loader, plan, engine, validation=validation)
    stopped = interrupt(step, build, loader, plan, engine, tmp_path, validation=validation)
    assert stopped.exit_status == 143 and f"step {step} of 9" in str(stopped)
    resumed = build()
    found = fit(resumed, loader, plan, engine, validation=validation, folder=tmp_path)
    assert equal(weights(unbroken), weights(resumed))
    for a, b in zip(expected.epochs, found.epochs, strict=True):
        assert (a.epoch, a.step, a.loss, a.val_loss, a.lr) == (b.epoch, b.step, b.loss, b.val_loss, b.lr)
    assert found.steps == 9 and f"training went on from step {step}" in found.notes
    assert found.seconds > sum(record.seconds for record in found.epochs[:1])


def test_interrupted_twice_and_resumed_after_the_end(build, loader, engine, tmp_path):
    plan = Plan(epochs=3, batch_size=16)
    unbroken = build()
    fit(unbroken, loader, plan, engine)
    for step in (2, 7):
        interrupt(step, build, loader, plan, engine, tmp_path)
    for _ in range(2):
        method, watch = build(), Recorder()
        result = fit(method, loader, plan, engine, folder=tmp_path, watches=[watch])
        assert equal(weights(unbroken), weights(method)) and result.steps == 9
    assert watch.first == 9 and watch.steps == []


def test_a_signal_in_the_last_step_comes_too_late(build, loader, engine, tmp_path):
    stop = StopAt(3)
    plan = Plan(epochs=1, batch_size=16)
    result = fit(build(), loader, plan, engine, folder=tmp_path, watches=[stop], stop=stop.request)
    assert result.steps == 3


def test_without_a_folder_nothing_is_said_to_be_saved(build, loader, engine):
    assert str(interrupt(2, build, loader, Plan(epochs=1, batch_size=16), engine, None)).splitlines() == [
        "error: stopped after step 2 of 3"
    ]


def test_metrics_of_a_resumed_run_are_those_of_an_unbroken_one(build, loader, validation, engine, tmp_path):
    plan = Plan(epochs=3, batch_size=16)
    fit(build(), loader, plan, engine, validation=validation, watches=[MetricsFile(tmp_path / "unbroken")])
    metrics = MetricsFile(tmp_path / "resumed")
    interrupt(4, build, loader, plan, engine, tmp_path / "c", validation=validation, watches=[metrics])
    with metrics.path.open("a") as file:  # what a kill leaves: steps after the checkpoint, and half a line
        file.write('{"step": 5, "epoch": 2, "step_loss": 9.0, "lr": 1.0}\n[]\n{"step": 6, "ep')
    fit(build(), loader, plan, engine, validation=validation, folder=tmp_path / "c", watches=[metrics])

    def lines(name):
        clocks = ("images_per_second", "data_wait", "seconds")
        read = [json.loads(line) for line in (tmp_path / name).read_text().splitlines()]
        return [{key: value for key, value in line.items() if key not in clocks} for line in read]

    assert lines("resumed") == lines("unbroken") and len(lines("unbroken")) == 9 + 3


def test_batches_are_addressed_by_step(build, loader, engine, tmp_path):
    class Spy(SimCLR):
        def views(self, batch, rng):
            self.positions.append(batch.positions)
            return super().views(batch, rng)

    plan = Plan(epochs=2, batch_size=16)
    interrupt(4, build, loader, plan, engine, tmp_path)
    method = build(Spy)
    method.positions = []
    fit(method, loader, plan, engine, folder=tmp_path)
    assert [positions.tolist() for positions in method.positions] == [loader.positions(s).tolist() for s in (4, 5)]


# --- checkpoints --------------------------------------------------------------------------------------------------


def test_saves_after_each_epoch_and_keeps_the_last_ones(build, loader, engine, tmp_path):
    fit(build(), loader, Plan(epochs=4, batch_size=16, keep=3), engine, folder=tmp_path)
    assert folders(tmp_path) == ["step-00000006", "step-00000009", "step-00000012"]
    often = tmp_path / "often"
    fit(build(), loader, Plan(epochs=1, batch_size=16, keep=9, checkpoint_seconds=0), engine, folder=often)
    assert folders(often) == ["step-00000001", "step-00000002", "step-00000003"]


def test_a_damaged_checkpoint_costs_its_steps_and_nothing_else(build, loader, engine, tmp_path):
    plan = Plan(epochs=4, batch_size=16)
    unbroken = build()
    fit(unbroken, loader, plan, engine)
    interrupt(7, build, loader, plan, engine, tmp_path)
    (tmp_path / "step-00000007" / "method.safetensors").write_bytes(b"half")
    resumed = build()
    stop = StopAt(8)
    with pytest.raises(Interrupted):
        fit(resumed, loader, plan, engine, folder=tmp_path, watches=[stop], stop=stop.request)
    assert folders(tmp_path) == ["step-00000006", "step-00000008"], "the damaged one counted as kept"
    resumed = build()
    result = fit(resumed, loader, plan, engine, folder=tmp_path)
    assert equal(weights(unbroken), weights(resumed)) and "went on from step 8" in result.notes[-1]


def test_damage_is_told(build, loader, engine, tmp_path):
    plan = Plan(epochs=3, batch_size=16)
    interrupt(6, build, loader, plan, engine, tmp_path)
    (tmp_path / "step-00000006" / "manifest.json").unlink()
    result = fit(build(), loader, plan, engine, folder=tmp_path)
    assert "step-00000006" in result.notes[0] and "manifest.json is missing" in result.notes[0]
    assert result.notes[1] == "training went on from step 3"
    for folder in tmp_path.iterdir():
        (folder / "state.json").write_text("{}")
    unbroken, again = build(), build()
    fit(unbroken, loader, plan, engine)
    result = fit(again, loader, plan, engine, folder=tmp_path)
    assert "training began again" in result.notes[-1] and equal(weights(unbroken), weights(again))


@pytest.mark.parametrize("file", range(4))
def test_a_full_disk_keeps_the_last_good_checkpoint(build, loader, engine, tmp_path, monkeypatch, file):
    plan = Plan(epochs=3, batch_size=16)
    unbroken = build()
    fit(unbroken, loader, plan, engine)
    calls, real = [], os.fsync

    def full(descriptor):  # two calls for each of four files: of the file and of its folder
        calls.append(descriptor)
        if len(calls) > 8 + 2 * file:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(atomic.os, "fsync", full)
        with pytest.raises(ResourceError, match="No space left") as problem:
            fit(build(), loader, plan, engine, folder=tmp_path)
    assert problem.value.exit_status == 5
    assert folders(tmp_path) == ["step-00000003"]
    resumed = build()
    assert fit(resumed, loader, plan, engine, folder=tmp_path).notes == ("training went on from step 3",)
    assert equal(weights(unbroken), weights(resumed))


def test_a_folder_that_cannot_be_written(build, loader, engine, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write") as problem:
        fit(build(), loader, Plan(epochs=1, batch_size=16), engine, folder=tmp_path / "file" / "checkpoints")
    assert problem.value.exit_status == 2


def test_a_checkpoint_of_another_network_is_refused(build, loader, engine, tmp_path):
    plan = Plan(epochs=1, batch_size=16)
    fit(build(), loader, plan, engine, folder=tmp_path)
    with pytest.raises(CheckpointError, match="does not fit this run"):
        fit(build(features=20), loader, plan, engine, folder=tmp_path)
    with pytest.raises(CheckpointError, match="does not fit this run"):
        fit(build(), loader, Plan(epochs=1, batch_size=16, optimizer="sgd"), engine, folder=tmp_path)


def test_a_watch_that_fails_is_left_out_and_told(build, loader, engine):
    class Broken(Watch):
        told = 0

        def step(self, record):
            self.told += 1
            raise OSError("the network drive is gone")

    broken, recorder = Broken(), Recorder()
    result = fit(build(), loader, Plan(epochs=1, batch_size=16), engine, watches=[broken, recorder])
    assert broken.told == 1 and len(recorder.steps) == 3
    assert result.notes == ("Broken failed and was left out (the network drive is gone); training went on",)


def test_a_second_signal_ends_at_once(build, loader, engine):
    class Impatient(Watch):
        def step(self, record):
            raise KeyboardInterrupt

    recorder = Recorder()
    with pytest.raises(KeyboardInterrupt):
        fit(build(), loader, Plan(epochs=1, batch_size=16), engine, watches=[Impatient(), recorder])
    assert recorder.finished == 1
