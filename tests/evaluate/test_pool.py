"""What is said of a pool, and that nothing is said of one without anything to say."""

import pytest

from hundredfold.evaluate.pool import pool_sentences
from hundredfold.trust_records import PoolFindings

CLASSES = ("cat", "dog", "owl")


def said(**changes):
    usual = {"labelled": (10, 10, 10), "predicted": (300, 400, 300), "unlabelled": 1000, "apart": 3}
    return list(pool_sentences(PoolFindings(**{**usual, **changes}), CLASSES))


def test_nothing_is_said_of_an_even_pool():
    assert said() == []
    assert said(apart=None) == []


@pytest.mark.parametrize(("labelled", "speaks"), [((10, 49, 10), False), ((10, 50, 10), True), ((2, 40, 0), True)])
def test_uneven_labels(labelled, speaks):
    found = said(labelled=labelled)
    assert bool(found) is speaks
    if speaks:
        few = min(count for count in labelled if count)
        assert f"{few} of “cat”, {max(labelled)} of “dog”" in found[0]


@pytest.mark.parametrize(("few", "speaks"), [(81, False), (80, True), (0, True)])
def test_uneven_pools(few, speaks):
    found = said(predicted=(100, 800, few))
    assert bool(found) is speaks
    if speaks:
        assert "“owl”" in found[0] and "recall of each" in found[0]


@pytest.mark.parametrize(("apart", "speaks"), [(9, False), (10, True), (500, True)])
def test_images_like_nothing_labelled(apart, speaks):
    found = said(apart=apart)
    assert bool(found) is speaks
    if speaks:
        assert found[0].startswith(f"{apart} of 1,000 unlabelled images ({apart / 10:.0f} %) are like nothing")


def test_a_small_pool_with_one_image_apart():
    assert said(unlabelled=20, apart=0) == []
    assert len(said(unlabelled=20, apart=1)) == 1
