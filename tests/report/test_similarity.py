"""The similarity part of the page: what is marked where, what is left out where it is not known."""

import re
from dataclasses import replace

import pytest
import torch

from hundredfold.evaluate.similarity import similarity
from hundredfold.records import EpochRecord
from hundredfold.report.figures.histogram import Hill, Mark, histogram
from hundredfold.report.similarity import (
    share_above,
    similarity_curves,
    similarity_facts,
    similarity_figure,
    similarity_sentence,
    theory_marks,
)

RNG = torch.Generator().manual_seed(0)
Z = torch.randn(40, 8, generator=RNG)
FOUND = similarity(Z + 0.1 * torch.randn(40, 8, generator=RNG), Z, Z, temperature=0.5)
OFFSET = torch.full((40, 1), 3.0)
APART = similarity(torch.cat([Z, OFFSET], 1), torch.cat([Z, -OFFSET], 1), Z)
EPOCH = EpochRecord(epoch=1, step=9, loss=2.0, lr=1e-3, images_per_second=1, data_wait=0, seconds=1, similarity=FOUND)
OLD = replace(
    FOUND, images=0, bound=None, sharp_bound=None, excess=None, within_mean=None, withins=None, projection_rank=None
)


def texts(figure):
    return re.findall(r"<text[^>]*>([^<]*)</text>", figure)


def test_the_optimum_and_both_bounds_are_marked():
    assert [mark.text for mark in theory_marks(APART)] == [
        "optimum −1/39",
        f"bound {APART.bound:.2f}".replace("-", "−"),
        f"sharp bound {APART.sharp_bound:.2f}".replace("-", "−"),
    ]
    assert [mark.value for mark in theory_marks(APART)] == [-1 / 39, APART.bound, APART.sharp_bound]
    figure = similarity_figure(APART)
    assert {mark.text for mark in theory_marks(APART)} <= set(texts(figure))
    assert figure.count('class="level"') == 2 * 3  # on the wide picture and on the narrow one


def test_bounds_that_allow_everything_share_a_text_beyond_the_axis():
    close = replace(FOUND, bound=1.02, sharp_bound=1.04)
    assert [mark.text for mark in theory_marks(close)] == ["optimum −1/39", "bound 1.02 and 1.04"]
    assert "bound 1.02 and 1.04 →" in texts(similarity_figure(close))


def test_a_record_of_before_has_a_figure_without_what_it_lacks():
    assert theory_marks(OLD) == []
    figure = similarity_figure(OLD)
    assert "different images, same view" not in figure and "different images" in figure
    assert "excess (above 0: too far apart)" not in similarity_facts(OLD)


def test_figures_alone_are_a_sentence_without_a_histogram():
    bare = replace(FOUND, positives=None, negatives=None, withins=None)
    assert similarity_figure(bare) == ""
    assert similarity_sentence(bare).endswith(".") and "pairs" not in similarity_sentence(bare)


def test_the_sentence_counts_the_negatives_above_the_mean_positive():
    above = (FOUND.negatives.counts, FOUND.negatives.edges)
    assert similarity_sentence(FOUND).startswith(f"Two views of the same image are {FOUND.positive_mean:.2f} alike")
    total = sum(above[0])
    half = share_above(FOUND.negatives, 0.0)
    assert half == pytest.approx(sum(n for n, left in zip(*above, strict=False) if left > -1e-6) / total)


def test_facts_name_each_figure_and_write_no_minus_before_nothing():
    facts = similarity_facts(replace(FOUND, negative_mean=-0.0002, excess=-0.1234))
    assert facts["different images, mean"] == "0.000" and facts["excess (above 0: too far apart)"] == "−0.123"
    assert facts["effective rank of the features"].endswith(" of 8")
    assert facts["negatives that count in the loss"].endswith("%")


def test_curves_begin_with_the_second_epoch():
    assert similarity_curves([]) == [] and similarity_curves([EPOCH]) == []
    (_, views), (_, ranks) = similarity_curves(
        [EPOCH, replace(EPOCH, epoch=2), replace(EPOCH, epoch=3, similarity=None)]
    )
    assert f"epoch 2: different images {FOUND.negative_mean:.3g}".replace("-", "−") in views
    assert "their variance" in views and "projections" in ranks
    (_, old) = similarity_curves([replace(EPOCH, similarity=OLD), replace(EPOCH, epoch=2, similarity=OLD)])[1]
    assert "features" in old and "projections" not in old


def test_labels_of_marks_do_not_stand_on_each_other():
    hill = Hill(name="h", colour="k0", edges=(-1.0, 0.0, 1.0), counts=(1, 3), mean=0.5)
    marks = [Mark(text=f"a rather long text {k}", value=0.5 + k / 100) for k in range(4)]
    for width in (340.0, 720.0):
        figure = histogram(
            [hill],
            marks=marks,
            title="t",
            description="d",
            x_name="x",
            y_name="y",
            write_x=str,
            write_y=str,
            width=width,
        )
        heights = {
            text: float(y) for y, text in re.findall(r'y="([0-9.-]+)"[^>]*>((?:a rather|mean)[^<]*)</text>', figure)
        }
        assert len(heights) == 5 and len(set(heights.values())) == 5
        assert min(heights.values()) > 20
