"""What the arms say together, against the same by hand."""

import math
import statistics

import pytest

from hundredfold.evaluate.score import summarise
from hundredfold.records import DataSummary, Score
from hundredfold.studies.transfer_verdict import comparisons, interval, recovered, verdict
from hundredfold.transfer.arms import ARMS, BY_NAME
from hundredfold.transfer_records import ArmChoice, Comparison, GeneratorQuality, TransferResult

T4 = 2.776445105  # 97.5 % quantile of Student's t with 4 degrees of freedom, from a table
SCRATCH = (0.60, 0.62, 0.58, 0.64, 0.61)


def scores(labels=20, **accuracies):
    """A score for each arm and draw."""
    return tuple(
        Score(
            model=name,
            labels=labels,
            draw=draw,
            seed=0,
            accuracy=accuracy,
            macro_f1=accuracy,
            seconds=1.0,
            confusion=((1,),),
            per_class=(),
        )
        for name, values in accuracies.items()
        for draw, accuracy in enumerate(values)
    )


def shifted(*by):
    return tuple(value + gain for value, gain in zip(SCRATCH, by, strict=True))


def arms(*names):
    return tuple(BY_NAME[name] for name in names)


def result(records, *, choices=(), trusted=True):
    """A result of which the verdict reads what it reads, by way of `comparisons` and `recovered`."""
    mine = tuple(arm for arm in ARMS if arm.name in {record.model for record in records})
    quality = GeneratorQuality(
        generator="toy",
        classes=("a",),
        samples=1,
        consistency=1.0,
        consistency_by_class=(1.0,),
        hard_response=1.0,
        soft_response=1.0,
        trusted=trusted,
    )
    data = DataSummary(
        source="toy",
        images=9,
        test_images=0,
        channels=1,
        height=8,
        width=8,
        classes=("x",),
        labelled=9,
        class_counts=(9,),
    )
    return TransferResult(
        source_classifier="one",
        generator="two",
        source="toy",
        encoder="convnet",
        seconds={"total": 1.0},
        data=data,
        quality=quality,
        arms=(),
        label_counts=tuple(sorted({record.labels for record in records})),
        records=records,
        summary=summarise(records),
        comparisons=comparisons(records, mine),
        recovered=recovered(records, mine),
        choices=tuple(choices),
    )


def choice(arm, draw, weight):
    return ArmChoice(arm=arm, labels=20, draw=draw, chosen={"weight": weight})


def test_a_comparison_is_the_paired_difference_by_hand():
    gains = (0.05, 0.04, 0.06, -0.01, 0.03)
    found = comparisons(scores(scratch=SCRATCH, soft_target=shifted(*gains)), arms("scratch", "soft_target"))
    (one,) = found
    mean = sum(gains) / 5
    half = T4 * math.sqrt(sum((gain - mean) ** 2 for gain in gains) / 4) / math.sqrt(5)
    assert (one.arm, one.against, one.labels, one.draws, one.wins) == ("soft_target", "scratch", 20, 5, 4)
    assert one.mean == pytest.approx(mean) == pytest.approx(statistics.fmean(gains))
    assert (one.low, one.high) == (pytest.approx(mean - half), pytest.approx(mean + half))
    assert one.clear and mean - half > 0


def test_each_arm_is_compared_with_what_it_should_beat():
    everything = scores(**{arm.name: SCRATCH for arm in ARMS})
    pairs = {(one.arm, one.against) for one in comparisons(everything, ARMS)}
    assert pairs == {(arm.name, "scratch") for arm in ARMS if arm.name != "scratch"} | {
        (arm.name, "long_scratch") for arm in ARMS if arm.pretrained
    } | {("pseudo_both", "pseudo_pretraining")}


def test_what_was_not_learnt_is_not_compared():
    records = scores(scratch=SCRATCH, pseudo_both=SCRATCH)
    found = comparisons(records, arms("scratch", "pseudo_both"))
    assert [(one.arm, one.against) for one in found] == [("pseudo_both", "scratch")]


def test_label_counts_are_apart_and_rise():
    records = scores(100, scratch=SCRATCH, soft_target=SCRATCH) + scores(
        20, scratch=SCRATCH, soft_target=shifted(*[0.1] * 5)
    )
    found = comparisons(records, arms("scratch", "soft_target"))
    assert [(one.labels, round(one.mean, 9), one.wins) for one in found] == [(20, 0.1, 5), (100, 0.0, 0)]
    assert not found[1].clear, "no difference is not clear"


def test_draws_are_paired_by_their_number():
    reversed_draws = scores(scratch=SCRATCH) + scores(soft_target=shifted(*[0.02] * 5))[::-1]
    (one,) = comparisons(reversed_draws, arms("scratch", "soft_target"))
    assert one.mean == pytest.approx(0.02) and one.high == pytest.approx(0.02) and one.wins == 5


def test_one_draw_has_no_interval():
    (one,) = comparisons(scores(scratch=(0.5,), soft_target=(0.9,)), arms("scratch", "soft_target"))
    assert (one.low, one.high, one.draws, one.clear) == (None, None, 1, False)


def test_the_share_of_an_oracles_gain():
    records = scores(
        scratch=SCRATCH,
        pseudo_pretraining=shifted(*[0.03] * 5),
        pseudo_semi_supervised=shifted(*[-0.02] * 5),
        pseudo_both=shifted(*[0.06] * 5),
        source_oracle=shifted(*[0.05] * 5),
        unlabelled_oracle=shifted(*[0.04] * 5),
    )
    found = {(one.arm, one.oracle): one.share for one in recovered(records, ARMS)}
    assert found == {
        ("pseudo_pretraining", "source_oracle"): pytest.approx(0.6),
        ("pseudo_both", "source_oracle"): pytest.approx(1.2),
        ("pseudo_semi_supervised", "unlabelled_oracle"): pytest.approx(-0.5),
    }


def test_an_oracle_that_gains_nothing_has_no_share():
    for gain in (0.0, -0.05):
        records = scores(scratch=SCRATCH, pseudo_pretraining=SCRATCH, source_oracle=shifted(*[gain] * 5))
        (found,) = recovered(records, ARMS)
        assert found.share is None


def test_without_an_oracle_there_is_nothing_to_recover():
    assert recovered(scores(scratch=SCRATCH, pseudo_both=SCRATCH), ARMS) == ()


def test_a_gain_of_pretraining_in_words():
    records = scores(
        scratch=SCRATCH,
        long_scratch=shifted(*[0.01] * 5),
        pseudo_pretraining=shifted(0.05, 0.04, 0.06, 0.05, 0.05),
        source_oracle=shifted(*[0.1] * 5),
    )
    (said,) = verdict(result(records))
    assert said == (
        "Pre-training on generated images is worth +5.0 points (+4.1 to +5.9; better in 5 of 5 draws) at 20 labels, "
        "and +4.0 points (+3.1 to +4.9; better in 5 of 5 draws) against training from scratch for as many steps; that "
        "is 50 % of what the real source's images would give."
    )


def test_no_clear_gain_and_harm_in_words():
    unclear = result(scores(scratch=SCRATCH, pseudo_pretraining=shifted(0.05, -0.04, 0.03, -0.02, 0.0)))
    assert verdict(unclear)[0].startswith("Pre-training on generated images is not clearly worth it: +0.4 points (−4.")
    harm = result(scores(scratch=SCRATCH, pseudo_pretraining=shifted(-0.05, -0.04, -0.03, -0.05, -0.04)))
    assert verdict(harm)[0].startswith(
        "Pre-training on generated images does harm: −4.2 points (−5.2 to −3.2; better in 0"
    )


def test_one_draw_claims_nothing():
    (said,) = verdict(result(scores(scratch=(0.5,), pseudo_pretraining=(0.9,))))
    assert said == "Pre-training on generated images is not clearly worth it: +40.0 points (one draw) at 20 labels."


@pytest.mark.parametrize(
    "gains, said",
    [
        ((0.05, 0.04, 0.06, 0.05, 0.05), "pseudo samples add to PP: +5.0 points"),
        ((0.05, -0.04, 0.03, -0.02, 0.0), "pseudo samples do not clearly add to PP: +0.4 points"),
        ((-0.05, -0.04, -0.03, -0.05, -0.04), "pseudo samples do harm to PP: −4.2 points"),
    ],
)
def test_pseudo_samples_in_words(gains, said):
    choices = [choice("pseudo_both", draw, weight) for draw, weight in enumerate((0.1, 0.0, 1.0, 0.0, 0.1))]
    records = scores(scratch=SCRATCH, pseudo_pretraining=SCRATCH, pseudo_both=shifted(*gains))
    sentence = verdict(result(records, choices=choices))[-1]
    assert said in sentence and sentence.endswith("held-out labels spoke for them in 3 of 5 draws.")


def test_pseudo_samples_that_no_draw_took_in_words():
    choices = [choice("pseudo_semi_supervised", draw, 0.0) for draw in range(5)]
    records = scores(scratch=SCRATCH, pseudo_semi_supervised=SCRATCH)
    assert verdict(result(records, choices=choices)) == (
        "At 20 labels, held-out labels spoke for pseudo samples in none of 5 draws: P-SSL is from scratch.",
    )


def test_an_oracle_that_does_not_help_is_told():
    records = scores(scratch=SCRATCH, unlabelled_oracle=shifted(*[-0.01] * 5))
    (said,) = verdict(result(records))
    assert "even real unlabelled images of the target do not help" in said and "(−1.0 points)" in said
    helped = scores(scratch=SCRATCH, unlabelled_oracle=shifted(*[0.01] * 5))
    assert verdict(result(helped)) == ()


def test_a_generator_that_should_not_be_trusted_is_told_last():
    records = scores(scratch=SCRATCH, pseudo_pretraining=SCRATCH)
    assert "should not be trusted" in verdict(result(records, trusted=False))[-1]
    assert all("trusted" not in sentence for sentence in verdict(result(records)))


def test_figures_in_words():
    one = Comparison(arm="a", against="b", labels=4, mean=0.01, low=-0.02, high=0.04, wins=2, draws=3)
    assert interval(one) == "+1.0 points (−2.0 to +4.0; better in 2 of 3 draws)"
