"""Solving a task against being useful: which methods can be compared, and how alike the two orders are."""

import re
from html import unescape

import numpy as np
import pytest
from scipy.stats import spearmanr

from hundredfold.records import EpochRecord
from hundredfold.report.study_tasks import (
    Solved,
    loss_left,
    rank_correlation,
    small_loss_curve,
    tasks_figure,
    tasks_sentence,
)


def epochs(*losses):
    return tuple(
        EpochRecord(epoch=k, step=k, loss=loss, lr=1e-3, images_per_second=1, data_wait=0, seconds=1)
        for k, loss in enumerate(losses, 1)
    )


def solved(title, left, accuracy, family="pretext"):
    return Solved(title=title, family=family, left=left, accuracy=accuracy)


THREE = [solved("Rotation", 0.1, 0.80), solved("VAE", 0.8, 0.83, "generative"), solved("SimCLR", 0.9, 0.88, "other")]


def texts(figure):
    return [unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)</text>", figure)]


def test_a_loss_is_compared_with_its_own_first_epoch():
    assert loss_left(epochs(4.0, 7.0, 1.0)) == 0.25
    assert loss_left(epochs(2.0, 3.0)) == 1.5  # it rose
    assert loss_left(epochs(2.0, 0.0)) == 0.0


@pytest.mark.parametrize("losses", [(), (2.0,), (-1.0, -2.0), (1.0, -1.0), (0.0, 0.0), (float("nan"), 1.0)])
def test_a_loss_that_is_no_measure_is_left_out(losses):
    assert loss_left(epochs(*losses)) is None


def test_the_rank_correlation_is_that_of_scipy():
    rng = np.random.default_rng(0)
    for size in (3, 5, 20):
        one, other = rng.integers(0, 6, size).tolist(), rng.normal(size=size).tolist()
        if len(set(one)) > 1:
            assert rank_correlation(one, other) == pytest.approx(spearmanr(one, other).statistic)
    assert rank_correlation([1, 2, 3], [10, 20, 30]) == pytest.approx(1)
    assert rank_correlation([1, 2, 3], [30, 20, 10]) == pytest.approx(-1)
    assert rank_correlation([1, 1, 1], [1, 2, 3]) is None and rank_correlation([], []) is None


def test_the_sentence_says_who_solved_most_and_who_is_most_useful():
    assert tasks_sentence(THREE) == (
        "Rotation took its own loss down furthest, to 10.0 %, and is number 3 of 3 by accuracy; the most useful, "
        "SimCLR, took its own to 90.0 %. Rank correlation of the two over 3 methods: −1.00."
    )
    assert tasks_sentence([solved("A", 0.1, 0.9), solved("B", 0.5, 0.4)]) == (
        "A took its own loss down furthest, to 10.0 %, and is also the most useful."
    )


def test_each_method_is_a_named_point_in_the_colour_of_its_family():
    figure = tasks_figure(THREE, ("random encoder", 0.79))
    wide, narrow = figure.split('<div class="narrow">')
    for part in (wide, narrow):
        names = texts(part)
        assert all(names.count(one.title) == 1 for one in THREE) and "random encoder 79 %" in names
        assert {"pretext", "generative"} <= set(names)
        for title, colour in (("Rotation", "k1"), ("VAE", "k2"), ("SimCLR", "k8")):
            note = next(one for one in re.findall(r"<g><title>.*?</g>", part) if f"<title>{title}:" in one)
            assert f'class="dot {colour}"' in note
    assert "Rotation: 80.0 % accurate, 10.0 % of the loss left" in wide


def test_fewer_than_two_are_no_comparison():
    assert tasks_figure(THREE[:1], None) == "" and tasks_figure([], None) == ""
    assert tasks_figure([THREE[0], THREE[0]], None) != ""  # equal values are a picture


def test_the_small_curve_needs_two_epochs():
    assert small_loss_curve(epochs(2.0), "x") == ""
    assert "epoch 2: loss 0.5" in small_loss_curve(epochs(2.0, 0.5), "x")
