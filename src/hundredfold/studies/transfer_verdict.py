"""What the arms of a transfer say together: paired differences, shares of an oracle's gain, and sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from hundredfold.evaluate.paired import paired_difference
from hundredfold.records import Score
from hundredfold.report.wording import points
from hundredfold.transfer.arms import BY_NAME, Arm
from hundredfold.transfer_records import Comparison, Recovered, TransferResult

SCRATCH, LONG = "scratch", "long_scratch"


def comparisons(records: Sequence[Score], arms: Sequence[Arm]) -> tuple[Comparison, ...]:
    """Each arm against scratch, the pre-trained ones against scratch for as long, and those that go on from another."""
    by_arm = _by_arm(records)
    pairs = [
        (arm.name, against)
        for arm in arms
        for against in dict.fromkeys((SCRATCH, LONG if arm.pretrained else "", arm.against))
        if against and against != arm.name
    ]
    counts = sorted({record.labels for record in records})
    return tuple(
        _compared(arm, against, labels, by_arm)
        for labels in counts
        for arm, against in pairs
        if (arm, labels) in by_arm and (against, labels) in by_arm
    )


def recovered(records: Sequence[Score], arms: Sequence[Arm]) -> tuple[Recovered, ...]:
    """What each pre-trained arm has of the gain over scratch that the real source would give, and likewise pseudo
    samples of what real unlabelled images would."""
    by_arm = _by_arm(records)
    counts = sorted({record.labels for record in records})
    pairs = [(arm.name, oracle.name) for oracle in arms if oracle.oracle for arm in arms if _stands_in_for(arm, oracle)]
    found = []
    for labels in counts:
        for arm, oracle in pairs:
            if all((name, labels) in by_arm for name in (arm, oracle, SCRATCH)):
                gain, best = (_compared(name, SCRATCH, labels, by_arm).mean for name in (arm, oracle))
                share = gain / best if best > 0 else None
                found.append(Recovered(arm=arm, oracle=oracle, labels=labels, share=share))
    return tuple(found)


def verdict(result: TransferResult) -> tuple[str, ...]:
    """Sentences a person can act on, the most important first."""
    return tuple(_sentences(result))


def _sentences(result: TransferResult) -> Iterator[str]:
    found = {(one.arm, one.against, one.labels): one for one in result.comparisons}
    shares = {(one.arm, one.oracle, one.labels): one.share for one in result.recovered}
    for labels in result.label_counts:
        pretrained = found.get(("pseudo_pretraining", SCRATCH, labels))
        if pretrained:
            yield _of_pretraining(
                pretrained,
                found.get(("pseudo_pretraining", LONG, labels)),
                shares.get(("pseudo_pretraining", "source_oracle", labels)),
            )
        for arm, against in (("pseudo_both", "pseudo_pretraining"), ("pseudo_semi_supervised", SCRATCH)):
            beside = found.get((arm, against, labels))
            if beside:
                yield _of_pseudo_samples(beside, _taken(result, arm, labels))
        real = found.get(("unlabelled_oracle", SCRATCH, labels))
        if real and real.mean <= 0:
            yield (
                f"At {labels} labels even real unlabelled images of the target do not help this way of semi-supervised "
                f"learning ({points(real.mean)} points), so nothing can be said of pseudo samples."
            )
    if not result.quality.trusted:
        yield "The generator should not be trusted (see its quality), so neither should these figures."


def _of_pretraining(scratch: Comparison, longer: Comparison | None, share: float | None) -> str:
    worth = "is worth" if scratch.clear and scratch.mean > 0 else "is not clearly worth it:"
    if scratch.clear and scratch.mean < 0:
        worth = "does harm:"
    sentence = f"Pre-training on generated images {worth} {interval(scratch)} at {scratch.labels} labels"
    if longer:
        sentence += f", and {interval(longer)} against training from scratch for as many steps"
    if share is not None:
        sentence += f"; that is {100 * share:.0f} % of what the real source's images would give"
    return f"{sentence}."


def _of_pseudo_samples(beside: Comparison, taken: int) -> str:
    name, base = BY_NAME[beside.arm].title, BY_NAME[beside.against].title
    if not taken:
        return (
            f"At {beside.labels} labels, held-out labels spoke for pseudo samples in none of {beside.draws} draws: "
            f"{name} is {base}."
        )
    said = "add to" if beside.clear and beside.mean > 0 else "do not clearly add to"
    if beside.clear and beside.mean < 0:
        said = "do harm to"
    return (
        f"At {beside.labels} labels, pseudo samples {said} {base}: {interval(beside)}; held-out labels spoke for them "
        f"in {taken} of {beside.draws} draws."
    )


def _taken(result: TransferResult, arm: str, labels: int) -> int:
    """In how many draws the extra loss was given a weight; all of them where there was no choice."""
    choices = [one for one in result.choices if one.arm == arm and one.labels == labels]
    if not choices:
        return result.summary[arm][str(labels)].draws
    return sum(1 for one in choices if one.chosen.get("weight"))


def interval(found: Comparison) -> str:
    """The difference with its interval and the draws that agree."""
    if found.low is None or found.high is None:
        return f"{points(found.mean)} points (one draw)"
    ends = f"{points(found.low)} to {points(found.high)}"
    return f"{points(found.mean)} points ({ends}; better in {found.wins} of {found.draws} draws)"


def _stands_in_for(arm: Arm, oracle: Arm) -> bool:
    """Whether an arm does without the data what the oracle does with them."""
    if arm.oracle:
        return False
    if oracle.start == "real_source":
        return arm.pretrained
    return arm.lesson == "pseudo_samples" and not arm.pretrained


def _by_arm(records: Sequence[Score]) -> Mapping[tuple[str, int], dict[int, float]]:
    """(arm, labels) -> draw -> accuracy."""
    found: dict[tuple[str, int], dict[int, float]] = {}
    for record in records:
        found.setdefault((record.model, record.labels), {})[record.draw] = record.accuracy
    return found


def _compared(arm: str, against: str, labels: int, by_arm: Mapping[tuple[str, int], Mapping[int, float]]) -> Comparison:
    mine, theirs = by_arm[arm, labels], by_arm[against, labels]
    draws = sorted(mine.keys() & theirs.keys())
    found = paired_difference([theirs[draw] for draw in draws], [mine[draw] for draw in draws])
    return Comparison(
        arm=arm,
        against=against,
        labels=labels,
        mean=found.mean,
        low=found.low,
        high=found.high,
        wins=sum(mine[draw] > theirs[draw] for draw in draws),
        draws=found.count,
    )
