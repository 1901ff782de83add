"""The two curves of a run: accuracy against labels, and loss against epochs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from hundredfold.records import Interval, TrainingResult
from hundredfold.report.answer import BASELINE
from hundredfold.report.figures.axes import Level
from hundredfold.report.figures.line_chart import Line, line_chart
from hundredfold.report.figures.svg import wide_and_narrow
from hundredfold.report.wording import count, counted, percent, points, value, visible

NAME = 20  # characters of a name beside a line
COLOURS = 7  # k1 .. k7; k0 is the chosen model's, k8 the baseline's


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Accuracy by number of labels, rising, under a name and in a style class."""

    name: str
    colour: str
    intervals: Mapping[int, Interval]


def colours(models: Iterable[str], chosen: str | None) -> dict[str, str]:
    """model -> style class: the chosen one has the page's accent, the baseline is grey, the others take turns."""
    named: dict[str, str] = {}
    for model in models:
        if model == chosen:
            named[model] = "k0"
        elif model == BASELINE:
            named[model] = "k8"
        else:
            named[model] = f"k{1 + sum(style not in ('k0', 'k8') for style in named.values()) % COLOURS}"
    return named


def learning_curve(curves: Sequence[Curve], title: str) -> Markup:
    """Accuracy against the number of labels; nothing where there is only one number of labels."""
    shown = sorted({labels for curve in curves for labels in curve.intervals})
    if len(shown) < 2:
        return Markup("")
    lines = [
        Line(
            name=visible(curve.name, NAME),
            colour=curve.colour,
            points=[(labels, interval.mean) for labels, interval in curve.intervals.items()],
            band=[(max(0.0, interval.low), min(1.0, interval.high)) for interval in curve.intervals.values()],
            notes=[_point(curve.name, labels, interval) for labels, interval in curve.intervals.items()],
            dashed=curve.colour == "k8",
            strong=curve.colour == "k0",
        )
        for curve in sorted(curves, key=lambda curve: curve.colour == "k0")  # the accent is drawn last, on top
    ]
    return wide_and_narrow(
        lambda width: line_chart(
            lines,
            title=title,
            description="; ".join(line.notes[-1] for line in lines if line.notes),
            x_name="labels",
            y_name="test accuracy",
            write_x=count,
            write_y=lambda share: f"{share * 100:.0f} %",
            limits=(0.0, 1.0),
            x_ticks=shown,
            width=width,
            height=400 if width > 480 else 360,
        )
    )


def loss_curve(training: TrainingResult) -> Markup:
    """Training and validation loss against epochs, with what chance gives and the lowest that can be reached."""
    epochs = training.epochs
    lines = [
        Line(
            name="training",
            colour="k0",
            points=[(record.epoch, record.loss) for record in epochs],
            notes=[f"epoch {record.epoch}: training loss {value(record.loss)}" for record in epochs],
            dots=len(epochs) <= 40,
            strong=True,
        ),
        Line(
            name="validation",
            colour="k2",
            points=[(record.epoch, record.val_loss) for record in epochs if record.val_loss is not None],
            notes=[
                f"epoch {record.epoch}: validation loss {value(record.val_loss)}"
                for record in epochs
                if record.val_loss is not None
            ],
            dots=len(epochs) <= 40,
            dashed=True,
        ),
    ]
    known = [("chance", training.chance), ("floor", training.floor)]
    return wide_and_narrow(
        lambda width: line_chart(
            lines,
            title="Loss against epochs",
            description=f"Training loss from {value(epochs[0].loss)} to {value(epochs[-1].loss)}.",
            x_name="epochs",
            y_name="loss",
            write_x=count,
            write_y=value,
            levels=[Level(name=name, value=level) for name, level in known if level is not None],
            x_ticks=epoch_ticks(epochs[-1].epoch) if epochs else (),
            width=width,
            height=320,
        )
    )


def epoch_ticks(last: int) -> tuple[int, ...]:
    """Round numbers of epochs to write below an axis that ends at `last`, about ten."""
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10**9) if last / step <= 10)
    return (1, *(epoch for epoch in range(step, last + 1, step) if epoch > 1))


def _point(name: str, labels: int, interval: Interval) -> str:
    spread = f" ± {points(2 * interval.std, signed=False)}" if interval.draws > 1 else ""
    return (
        f"{visible(name)}, {counted(labels, 'label')}: {percent(interval.mean)}{spread}"
        f" over {counted(interval.draws, 'draw')}"
    )
