import io
import json
import os
import time
from dataclasses import replace

import pytest

from hundredfold.records import EpochRecord, Histogram, Similarity
from hundredfold.train.watch import Lines, MetricsFile, ProgressBar, StepRecord, TensorBoard, Watch, Watches, describe


def step(number, steps=200):
    return StepRecord(
        step=number, steps=steps, epoch=1, epochs=1, loss=1.5, lr=0.1, images=10, data_wait=0.1, seconds=0.5
    )


EPOCH = EpochRecord(
    epoch=2, step=6, loss=1.25, val_loss=1.5, lr=1e-3, images_per_second=1234.0, data_wait=0.07, seconds=3.0
)


SEEN = Similarity(
    positive_mean=0.9,
    positive_variance=0.01,
    negative_mean=-0.1,
    negative_variance=0.04,
    alignment=0.2,
    uniformity=-3.0,
    effective_rank=12.5,
    dimensions=64,
    images=32,
    negatives=Histogram(edges=(-1.0, 1.0), counts=(992,)),
)


def test_an_epoch_in_one_line():
    assert describe(EPOCH) == "epoch 2  loss 1.2500  validation 1.5000  lr 1.0e-03  1,234 images/s  data 7 %"


def test_metrics_are_a_line_an_epoch_and_twenty_for_its_steps(tmp_path):
    metrics = MetricsFile(tmp_path / "m")
    (tmp_path / "m").write_text("of another run\n")
    metrics.start(0)
    for number in range(1, 201):
        metrics.step(step(number))
    metrics.epoch(EPOCH)
    lines = [json.loads(line) for line in (tmp_path / "m").read_text().splitlines()]
    assert [line["step"] for line in lines[:-1]] == list(range(10, 201, 10))
    assert lines[0] == {"step": 10, "epoch": 1, "step_loss": 1.5, "lr": 0.1}
    assert (lines[-1]["epoch"], lines[-1]["loss"], lines[-1]["val_loss"]) == (2, 1.25, 1.5)


def test_similarities_are_a_few_numbers_in_the_line_of_their_epoch(tmp_path):
    metrics = MetricsFile(tmp_path / "m")
    metrics.start(0)
    metrics.epoch(EPOCH)
    metrics.epoch(replace(EPOCH, similarity=SEEN))
    without, seen = (json.loads(line) for line in (tmp_path / "m").read_text().splitlines())
    assert "similarity" not in without
    assert seen["similarity"]["negative_mean"] == -0.1 and seen["similarity"]["images"] == 32
    assert not {"negatives", "within_mean"} & seen["similarity"].keys()  # no histograms, nothing unknown


def test_a_resumed_run_drops_the_lines_of_steps_to_come(tmp_path):
    metrics = MetricsFile(tmp_path / "m")
    (tmp_path / "m").write_bytes(b'{"step": 1}\n{"step": 2}\n{"step": 3}\n\xff\n7\n{"epoch": 2}\n{"ste')
    metrics.start(2)
    assert (tmp_path / "m").read_text() == '{"step": 1}\n{"step": 2}\n'


def test_lines_are_few(monkeypatch):
    stream, clock = io.StringIO(), [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    lines = Lines(stream, every=15)
    for number in range(1, 41):
        clock[0] += 1
        lines.step(step(number))
    lines.epoch(EPOCH)
    assert stream.getvalue().splitlines() == [
        "step 15/200  loss 1.5000",
        "step 30/200  loss 1.5000",
        describe(EPOCH),
    ]


def test_the_bar_shows_speed_wait_and_time_left(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("FORCE_COLOR", "1")
    bar = ProgressBar()
    bar.start(0)
    bar.step(step(7))
    bar.epoch(EPOCH)
    bar.finish()
    captured = capsys.readouterr()
    assert captured.out == ""
    for part in ("pre-training", "7/200", "loss 1.500", "20 images/s", "data 20 %", describe(EPOCH)[:20]):
        assert part in captured.err


def test_a_bar_that_never_began_can_finish(capsys):
    ProgressBar().finish()


def scalars(folder):
    """Tag -> [(step, value)], as TensorBoard itself reads the files."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(folder)).Reload()
    return {tag: [(found.step, found.value) for found in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_tensorboard_gets_what_there_is(tmp_path):
    pytest.importorskip("tensorboard")
    watch = TensorBoard(tmp_path / "t")
    assert not (tmp_path / "t").exists(), "nothing is opened before training begins"
    watch.start(0)
    watch.epoch(replace(EPOCH, epoch=1, step=3, val_loss=None))
    watch.epoch(EPOCH)
    watch.finish()
    found = scalars(tmp_path / "t")
    assert found.keys() == {"loss", "val_loss", "lr", "images_per_second", "data_wait"}
    assert found["loss"] == [(3, 1.25), (6, 1.25)] and found["val_loss"] == [(6, 1.5)]
    (path,) = (tmp_path / "t").iterdir()
    assert os.uname().nodename not in path.name.split(".")


def test_tensorboard_of_a_resumed_run_shows_each_step_once(tmp_path):
    pytest.importorskip("tensorboard")
    for first, steps in ((0, (3, 6)), (3, (6, 9))):
        watch = TensorBoard(tmp_path)
        watch.start(first)
        for step in steps:
            watch.epoch(replace(EPOCH, step=step, loss=first + step))
        watch.finish()
    assert scalars(tmp_path)["loss"] == [(3, 3.0), (6, 9.0), (9, 12.0)]


def test_tensorboard_has_a_curve_for_each_figure_of_similarity(tmp_path):
    pytest.importorskip("tensorboard")
    watch = TensorBoard(tmp_path)
    watch.start(0)
    watch.epoch(replace(EPOCH, similarity=SEEN))
    watch.finish()
    found = scalars(tmp_path)
    assert found["similarity/effective_rank"] == [(6, 12.5)]
    assert "similarity/negatives" not in found and "similarity/spread" not in found


def test_tensorboard_that_never_began_can_finish(tmp_path):
    TensorBoard(tmp_path).finish()


def test_one_that_fails_is_told_nothing_more():
    class Fails(Watch):
        def __init__(self, where):
            self.where, self.told = where, []

        def __getattribute__(self, name):
            if name not in ("start", "step", "epoch", "finish"):
                return super().__getattribute__(name)

            def tell(*_):
                self.told.append(name)
                if name == self.where:
                    raise RuntimeError(f"in {name}")

            return tell

    for where in ("start", "step", "epoch", "finish"):
        notes: list[str] = []
        broken, fine = Fails(where), Fails("nowhere")
        with Watches([broken, fine], notes) as watches:
            watches.start(0)
            watches.step(step(1))
            watches.epoch(EPOCH)
        assert fine.told == ["start", "step", "epoch", "finish"]
        assert broken.told == fine.told[: fine.told.index(where) + 1]
        assert notes == [f"Fails failed and was left out (in {where}); training went on"]


def test_quick_epochs_are_not_a_line_each_but_the_first_and_the_last_are():
    stream = io.StringIO()
    lines = Lines(stream, every=1000)
    for number in range(1, 6):
        step = StepRecord(
            step=number, steps=5, epoch=number, epochs=5, loss=1.0, lr=0.1, images=8, data_wait=0.0, seconds=0.1
        )
        lines.step(step)
        lines.epoch(
            EpochRecord(epoch=number, step=number, loss=1.0, lr=0.1, images_per_second=1, data_wait=0, seconds=1)
        )
    assert [line.split()[:2] for line in stream.getvalue().splitlines()] == [["epoch", "1"], ["epoch", "5"]]
