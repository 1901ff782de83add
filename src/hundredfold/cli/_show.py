"""Results for a person at a terminal: at most a dozen lines, and where to look next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from hundredfold.records import RunResult
    from hundredfold.studies.estimate import Estimate
    from hundredfold.studies.study import StudyEstimate
    from hundredfold.study_records import StudyResult
    from hundredfold.transfer_records import TransferResult


def show_result(result: RunResult, seconds: float) -> None:
    """The table of models at the largest label count, the verdict, and the files."""
    if result.summary:
        labels = max(int(count) for by in result.summary.values() for count in by)
        click.echo(f"accuracy with {labels} labels on {result.data.source}, mean and 2 standard deviations")
        at = {model: by[str(labels)] for model, by in result.summary.items() if str(labels) in by}
        width = max(map(len, at), default=0)
        for model, found in sorted(at.items(), key=lambda pair: -pair[1].mean):
            spread = f"± {200 * found.std:.1f}  ({found.draws} draws)" if found.draws > 1 else "(one draw)"
            mark = "  <- chosen" if result.chosen and result.chosen.model == model else ""
            click.echo(f"  {model:<{width}} {100 * found.mean:5.1f} %  {spread}{mark}")
    if result.chosen:
        click.echo(f"Handed over: {result.chosen.model}. Why: {result.chosen.why}.")
    for sentence in result.verdict:
        click.echo(sentence)
    click.echo(f"{seconds:.0f} s. Report: {result.folder}/report.html")


def show_estimate(found: Estimate) -> None:
    """The resolved settings and what they would take."""
    from hundredfold.settings import toml_text

    click.echo(toml_text(found.settings).rstrip())
    click.echo("")
    data = found.data
    click.echo(f"{data.images:,} images of {data.channels}x{data.height}x{data.width}, {len(data.classes)} classes")
    for note in found.notes:
        click.echo(note)
    click.echo(
        f"{found.parameters:,} parameters; {found.steps:,} steps of {1000 * found.seconds_per_step:.0f} ms: about "
        f"{found.pretrain_seconds / 60:.1f} minutes of pre-training"
    )
    click.echo(f"about {found.memory_bytes / 1e6:,.0f} MB of memory and {found.disk_bytes / 1e6:,.0f} MB of disk")
    click.echo("dry run: nothing was written")


def show_study(result: StudyResult) -> None:
    """A line a cell, the verdict, and the file."""
    width = max([len(cell.name) for cell in result.cells] + [len(model) for model in result.reference])
    click.echo(f"accuracy with {result.labels} labels on {result.data.source}")
    lines = [(cell.name, cell.summary, cell.failure) for cell in result.cells]
    lines += [(model, {model: by_count}, "") for model, by_count in result.reference.items()]
    for name, summary, failure in lines:
        found = [(model, by_count.get(str(result.labels))) for model, by_count in summary.items()]
        figures = "  ".join(f"{model} {100 * interval.mean:5.1f} %" for model, interval in found if interval)
        click.echo(f"  {name:<{width}}  {failure or figures}")
    for sentence in result.verdict:
        click.echo(sentence)
    click.echo(f"{result.seconds['total']:.0f} s. Report: {result.folder}/report.html")


def show_study_estimate(found: StudyEstimate) -> None:
    """The cells and what they would take."""
    width = max(map(len, found.cells))
    for name, seconds in zip(found.cells, found.seconds, strict=True):
        click.echo(f"  {name:<{width}}  about {seconds / 60:.1f} minutes of pre-training")
    total = sum(found.seconds) / 60
    click.echo(f"{len(found.cells)} cells: about {total:.0f} minutes and {found.disk_bytes / 1e6:,.0f} MB of disk")
    click.echo("dry run: nothing was written")


def show_transfer(result: TransferResult) -> None:
    """A table of arms for each number of labels, the verdict, and the file."""
    width = max(len(arm.title) for arm in result.arms)
    for labels in result.label_counts:
        click.echo(f"accuracy with {labels} labels on {result.data.source}, mean and 2 standard deviations")
        against = {one.arm: one for one in result.comparisons if one.labels == labels and one.against == "scratch"}
        for arm in result.arms:
            found = result.summary[arm.name][str(labels)]
            gain = f"  {100 * against[arm.name].mean:+5.1f} points" if arm.name in against else ""
            mark = "  <- handed over" if result.chosen == arm.name and labels == result.label_counts[-1] else ""
            click.echo(f"  {arm.title:<{width}} {100 * found.mean:5.1f} %  ± {200 * found.std:4.1f}{gain}{mark}")
    if result.chosen:
        click.echo(f"Handed over: {result.chosen}. Why: {result.why}.")
    for sentence in result.verdict:
        click.echo(sentence)
    click.echo(f"{result.seconds['total']:.0f} s. Report: {result.folder}/report.html")
