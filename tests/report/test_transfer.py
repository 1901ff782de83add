"""The page of a transfer: what its sentence and tables say, from records alone, and what is left out."""

import dataclasses
import importlib.util
import re
import statistics
import sys
from html import unescape
from pathlib import Path

import pytest
from click.testing import CliRunner

from hundredfold.cli.report import command
from hundredfold.errors import DataError
from hundredfold.report.folder import holds_transfer
from hundredfold.report.page import write_comparison, write_report_again, write_study_report, write_transfer_report
from hundredfold.report.transfer import paired_differences, settings_text, transfer_view
from hundredfold.report.transfer_answer import share_text, transfer_answer
from hundredfold.transfer_records import ArmChoice

_SPEC = importlib.util.spec_from_file_location("example_transfer", Path(__file__).with_name("example_transfer.py"))
example = importlib.util.module_from_spec(_SPEC)
sys.modules["example_transfer"] = example
_SPEC.loader.exec_module(example)


def words(html):
    """What a reader sees, on one line."""
    seen = re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", seen)).replace("\u00a0", " ").split())


def page(folder, result, **options):
    html = write_transfer_report(example.write_transfer(folder, result, **options)).read_text(encoding="utf-8")
    return html, words(html)


def rows(html, table):
    """The cells of each row of the table with that id, as text."""
    (body,) = re.findall(rf'<table[^>]*id="{table}".*?</table>', html, re.DOTALL)
    return [
        [words(cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)]
        for row in re.findall(r"<tr.*?</tr>", body, re.DOTALL)
    ]


def compared(result, arm, against, labels):
    (found,) = [one for one in result.comparisons if (one.arm, one.against, one.labels) == (arm, against, labels)]
    return found


def signed(difference):
    """Points with a sign, worked out without the report's own words."""
    return f"{100 * difference:+.1f}".replace("-", "−")


def with_comparison(result, arm, **changes):
    """The result in which an arm's comparison with scratch at 20 labels says something else."""
    changed = tuple(
        dataclasses.replace(one, **changes) if (one.arm, one.against, one.labels) == (arm, "scratch", 20) else one
        for one in result.comparisons
    )
    return dataclasses.replace(result, comparisons=changed)


def test_the_answer_is_the_gain_of_the_best_arm_at_the_fewest_labels_with_the_share_of_the_oracle():
    result = example.study()
    best = compared(result, "pseudo_both", "scratch", 20)
    own = [one for one in result.comparisons if one.labels == 20 and "oracle" not in one.arm]
    assert best.mean == max(one.mean for one in own if one.against == "scratch")
    share = next(one.share for one in result.recovered if (one.arm, one.labels) == ("pseudo_both", 20))
    answer = transfer_answer(result)
    assert answer.figure == f"{signed(best.mean)} points"
    assert answer.sentence == (
        f"Pre-training on generated images and learning from pseudo samples is worth {signed(best.mean)} points at 20 "
        f"labels ({signed(best.low)} to {signed(best.high)}, 5 draws), and recovers {100 * share:.0f} % of what the "
        "real source would give."
    )


def test_an_arm_whose_interval_is_above_zero_goes_before_a_higher_mean_that_may_be_chance():
    result = with_comparison(example.study(), "pseudo_both", mean=0.2, low=-0.1, high=0.5)
    assert transfer_answer(result).sentence.startswith("Pre-training on generated images is worth")


def test_the_answer_says_where_nothing_is_better_or_clear_or_long_scratch_does_as_well():
    names = ("pseudo_pretraining", "pseudo_both", "pseudo_semi_supervised", "soft_target")
    low = dict.fromkeys(names, (0.60, 0.80))
    assert "nothing that was tried beats training from scratch" in transfer_answer(example.study(**low)).sentence
    unclear = example.study(**dict.fromkeys(names, (0.65, 0.80)))
    for name in names:
        unclear = with_comparison(unclear, name, mean=0.004, low=-0.01, high=0.018)
    sentence = transfer_answer(unclear).sentence
    assert "nothing is clearly better" in sentence and "+0.4 points (−1.0 to +1.8, 5 draws)" in sentence
    as_good = transfer_answer(example.study(long_scratch=(0.709, 0.885))).sentence
    assert "over training from scratch for as many steps, that is not clear" in as_good
    assert "not clear" not in transfer_answer(example.study()).sentence


def test_an_untrusted_generator_is_said_in_the_answer_and_in_its_section(tmp_path):
    result = dataclasses.replace(example.study(), quality=example.quality(trusted=False))
    html, text = page(tmp_path, result)
    assert transfer_answer(result).sentence.endswith("; but the generator should not be trusted.")
    assert '<b class="wrong-text">No</b>' in html and "should not be learnt from" in text
    trusted, text = page(tmp_path / "trusted", example.study())
    assert '<b class="wrong-text">' not in trusted and "should not be" not in text


@pytest.mark.parametrize("labels", [20, 100])
def test_arms_stand_in_their_order_with_oracles_apart_and_figures_from_the_records(tmp_path, labels):
    result = example.study()
    html, _ = page(tmp_path, result)
    shown = rows(html, f"arms-{labels}")
    titles = [arm.title for arm in result.arms]
    place = next(k for k, row in enumerate(shown) if row == ["what a transfer does not have"])
    own, oracles = shown[1:place], shown[place + 1 :]
    assert len(own) == 6 and len(oracles) == 2
    for row, arm, title in zip(own + oracles, result.arms, titles, strict=True):
        assert row[0].startswith(title)
        accuracies = [one.accuracy for one in result.records if (one.model, one.labels) == (arm.name, labels)]
        assert row[1].startswith(f"{100 * statistics.fmean(accuracies):.1f} %")
        assert row[1].endswith(f"sd {100 * statistics.stdev(accuracies):.1f}")
        if arm.name != "scratch":
            found = compared(result, arm.name, "scratch", labels)
            ends = f"{signed(found.low)} to {signed(found.high)}"
            assert row[2] == f"{signed(found.mean)} {ends} better in {found.wins} of 5"
    both = compared(result, "pseudo_both", "pseudo_pretraining", labels)
    assert own[5][4].startswith(signed(both.mean)) and own[5][4].endswith("over PP")
    assert own[3][3].startswith(signed(compared(result, "pseudo_pretraining", "long_scratch", labels).mean))
    shares = {(one.arm, one.oracle): one.share for one in result.recovered if one.labels == labels}
    assert own[3][5] == share_text(shares["pseudo_pretraining", "source_oracle"]) and own[3][6] == ""
    assert own[4][5] == "" and own[4][6] == share_text(shares["pseudo_semi_supervised", "unlabelled_oracle"])
    assert own[0][2:] == [""] * 5


def test_the_best_arm_without_an_oracles_data_is_in_bold_at_each_label_count(tmp_path):
    html, _ = page(tmp_path, example.study(pseudo_pretraining=(0.72, 0.88)))
    for labels, title in ((20, "PP"), (100, "PP + P-SSL")):
        (table,) = re.findall(rf'<table[^>]*id="arms-{labels}".*?</table>', html, re.DOTALL)
        (bold,) = re.findall(r'<tr class="first[^"]*">.*?</tr>', table, re.DOTALL)
        assert f"<bdi>{title}</bdi>" in bold and table.count('class="number main"') == 1


def test_an_oracle_that_gains_nothing_leaves_no_share(tmp_path):
    result = example.study(source_oracle=(0.60, 0.80))
    assert all(one.share is None for one in result.recovered if one.oracle == "source_oracle")
    html, text = page(tmp_path, result)
    assert rows(html, "arms-20")[4][5] == "no gain"
    assert "of what real unlabelled images would give" in text and "what the real source would give" not in text


def test_one_draw_has_no_intervals(tmp_path):
    html, text = page(tmp_path, example.study(draws=1))
    assert " to +" not in " ".join(cell for row in rows(html, "arms-20") for cell in row)
    assert "better in" not in text and "sd " not in text and 'class="reach-line' not in html
    assert "one draw: its spread is not known" in text
    assert "nothing is known of the spread" in text


def test_differences_are_paired_by_draw_and_seed():
    result = example.study(draws=2)
    records = [one for one in result.records if not (one.model == "pseudo_pretraining" and one.draw == 1)]
    own = {(one.model, one.labels, one.draw): one.accuracy for one in result.records}
    expected = own["pseudo_pretraining", 20, 0] - own["scratch", 20, 0]
    assert paired_differences(records, "pseudo_pretraining", 20) == (pytest.approx(expected),)
    assert len(paired_differences(result.records, "pseudo_pretraining", 20)) == 2


def test_the_figure_has_a_dot_for_each_comparison_with_scratch_and_for_each_draw(tmp_path):
    html, _ = page(tmp_path, example.study())
    (figure,) = re.findall(r'id="differences".*?</section>', html, re.DOTALL)
    for width in re.findall(r"<svg.*?</svg>", figure, re.DOTALL):
        assert width.count('class="dot k') == 7 * 2 + 2  # arms by label counts, and the legend
        assert width.count('class="value k') == 7 * 2 * 5
        assert width.count('class="reach-line') == 7 * 2
    assert figure.count("<svg") == 2


def test_the_quality_of_the_generator_is_shown_and_missing_figures_are_left_out(tmp_path):
    html, _ = page(tmp_path, example.study())
    assert [row[1:] for row in rows(html, "quality")[1:]] == [
        ["96.2 %", ""],
        ["87.4 %", "94.1 %"],
        ["26.4", "1.23"],
        ["0.8 %", "1.0 %"],
        ["1.12", "1"],
        ["11.2 %", ""],
        ["3.1 %", ""],
    ]
    less = example.quality(classification_accuracy=None, frechet=None, memorised=None, nearest_ratio=None)
    html, text = page(tmp_path / "less", dataclasses.replace(example.study(), quality=less), exhibits=False)
    assert [row[1:] for row in rows(html, "quality")] == [["samples"], ["96.2 %"], ["11.2 %"], ["3.1 %"]]
    assert "Fréchet" not in text and "memorised" not in text


def test_of_many_classes_the_least_consistent_are_listed():
    shares = tuple(k / 1000 for k in range(1000))
    names = tuple(f"class {k}" for k in range(1000))
    quality = example.quality(classes=names, consistency_by_class=shares)
    section = transfer_view(dataclasses.replace(example.study(), quality=quality))["quality"]
    assert [name for name, _, _ in section.classes] == [f"class {k}" for k in range(20)]
    assert section.only_lowest and section.all_classes == 1000


def test_exhibits_stand_in_their_order_and_what_was_said_of_the_generator_is_not_said_twice(tmp_path):
    html, text = page(tmp_path, example.study())
    titles = (
        "What the generator draws",
        "What the source makes of the target",
        "Does the generator repeat its training images?",
    )
    places = [text.index(title) for title in titles]
    assert places == sorted(places)
    assert text.count("96.2 % of its samples are what was asked for.") == 1
    assert html.count('<ul class="tiles stacks') == 2
    (cascade,) = re.findall(r'id="exhibit-2".*?</article>', html, re.DOTALL)
    first = re.findall(r"<li>.*?</li>", cascade, re.DOTALL)[0]
    assert first.count("<img") == 3 and words(first) == "7 62 % 3, 30 % 2 40 % 3, 35 % 0"


def test_a_missing_or_damaged_exhibit_leaves_a_gap_and_a_note(tmp_path):
    folder = example.write_transfer(tmp_path, example.study())
    (folder / "exhibits" / "samples.json").write_text("{", encoding="utf-8")
    (folder / "exhibits" / "memorised.safetensors").unlink()
    text = words(write_transfer_report(folder).read_text(encoding="utf-8"))
    assert "exhibits/samples.json cannot be read" in text and "What the generator draws" not in text
    assert "There is no exhibits/memorised.safetensors" in text
    html, text = page(tmp_path / "none", example.study(), exhibits=False)
    assert 'id="exhibits"' not in html and 'href="#exhibits"' not in html and "cannot be read" not in text


def test_choices_are_counted_by_arm_and_label_count_with_what_was_tried(tmp_path):
    html, _ = page(tmp_path, example.study())
    assert rows(html, "chosen")[1:] == [
        ["PP + P-SSL", str(labels), "λ = 0.1, τ = 1 in 4 of 5 draws ; λ = 0.1, τ = 4 in 1 of 5 draws"]
        for labels in (20, 100)
    ]
    tried = rows(html, "tried")
    assert len(tried) == 1 + 10 and tried[1][:4] == ["PP + P-SSL", "20", "0", "λ = 0.1, τ = 4"]
    assert "λ = 1, τ = 4: 66.0 %" in tried[1][4]
    assert settings_text({"weight": 0.0}) == "λ = 0"
    bare = dataclasses.replace(example.study(), choices=(ArmChoice(arm="pseudo_both", labels=20, draw=0, chosen={}),))
    html, _ = page(tmp_path / "bare", bare)
    assert rows(html, "chosen")[1] == ["PP + P-SSL", "20", "nothing to choose in 1 of 1 draw"]


def test_every_record_is_there_and_paths_are_cut(tmp_path):
    result = example.study()
    html, text = page(tmp_path, result)
    shown = rows(html, "records")[1:]
    assert len(shown) == len(result.records) == 80
    first = next(one for one in result.records if (one.model, one.labels, one.draw) == ("scratch", 20, 0))
    accuracy, macro_f1 = f"{100 * first.accuracy:.2f} %", f"{100 * first.macro_f1:.2f} %"
    assert shown[0] == ["from scratch", "20", "0", "0", accuracy, macro_f1, "4.2 s"]
    assert "/home/ada" not in html and "…/digits-0-4-vae" in text
    assert "transfer.weights" in text and "Images were read as grey ones." in text and "14 min 54 s" in text
    assert "loss 0.412, sure 0.311" in text


def test_of_a_model_handed_over_the_page_says_its_accuracy_and_why(tmp_path):
    result = example.hand_over()
    html, text = page(tmp_path, result, exhibits=False)
    mean = result.summary["pseudo_pretraining"]["20"].mean
    assert transfer_answer(result).figure == f"{100 * mean:.1f} %"
    assert f"With 20 labels, the model handed over, “PP”, is right for {100 * mean:.1f} % of the test images" in text
    assert "Chosen without the test images: it predicts 71 %" in text and text.count("chosen ") >= 1
    assert "chosen" in rows(html, "arms-20")[3][0]
    assert "what a transfer does not have" not in text


def test_without_test_images_the_page_says_that_nobody_knows(tmp_path):
    html, text = page(tmp_path, example.hand_over(tested=False), exhibits=False)
    assert "nobody knows how often it is right" in text and "learnt from 20 labels" in text
    assert 'id="differences"' not in html


def test_a_transfer_without_arms_or_records_still_has_a_page(tmp_path):
    bare = dataclasses.replace(
        example.study(), arms=(), records=(), summary={}, comparisons=(), recovered=(), choices=(), label_counts=()
    )
    html, text = page(tmp_path, bare, exhibits=False)
    assert "No arm could be compared with training from scratch." in text and 'id="arms"' not in html


def test_shares_are_whole_percentages_with_a_true_sign():
    assert [share_text(share) for share in (0.683, 1.2, -0.314, -0.001)] == ["68 %", "120 %", "−31 %", "0 %"]


def test_the_report_command_finds_out_what_a_folder_holds(tmp_path):
    folder = example.write_transfer(tmp_path / "transfer", example.study(draws=1), exhibits=False)
    assert holds_transfer(folder) and not holds_transfer(tmp_path)
    run = CliRunner().invoke(command, [str(folder)])
    assert run.exit_code == 0 and run.output.strip() == str(folder / "report.html")
    assert "Can the generator be trusted?" in (folder / "report.html").read_text(encoding="utf-8")
    assert write_report_again(folder) == folder / "report.html"


def test_a_comparison_of_runs_refuses_a_transfer_in_a_sentence(tmp_path):
    folder = example.write_transfer(tmp_path / "transfer", example.study(draws=1), exhibits=False)
    with pytest.raises(DataError, match="holds a transfer, and only runs can be compared"):
        write_comparison([folder, folder], tmp_path / "both.html")
    assert not (tmp_path / "both.html").exists()


def test_what_is_no_transfer_is_refused(tmp_path):
    with pytest.raises(DataError, match="no results"):
        write_transfer_report(tmp_path)
    (tmp_path / "results.json").write_text('{"source": "digits"}', encoding="utf-8")
    with pytest.raises(DataError, match="damaged, or not that of a transfer"):
        write_transfer_report(tmp_path)
    folder = example.write_transfer(tmp_path / "transfer", example.study(draws=1), exhibits=False)
    with pytest.raises(DataError, match="not that of a study"):
        write_study_report(folder)
    newer = dataclasses.replace(example.study(draws=1), schema=99)
    with pytest.raises(DataError, match="newer version"):
        write_transfer_report(example.write_transfer(tmp_path / "newer", newer, exhibits=False))
