"""What a run was good for, in sentences, after what is said of its health."""

import pytest
import torch

from hundredfold.evaluate.score import interval
from hundredfold.evaluate.similarity import similarity
from hundredfold.evaluate.verdict import verdict

Z = torch.randn(64, 16, generator=torch.Generator().manual_seed(0))
HEALTHY = similarity(Z, Z, Z)


def summary(probe: float, baseline: float) -> dict[str, dict[str, object]]:
    return {"linear_probe": {"100": interval([probe])}, "baseline": {"100": interval([baseline])}}


def test_health_comes_first_and_the_gain_is_named():
    sentences = verdict(HEALTHY, None, summary(0.95, 0.85), 100)
    assert sentences[0].startswith("The representation is healthy")
    assert "adds 10.0 points over the same network from scratch (85.0 %)" in sentences[1]
    assert len(sentences) == 2


@pytest.mark.parametrize(
    ("probe", "baseline", "said"),
    [(0.9, 0.9, "makes no difference"), (0.80, 0.85, "adds nothing over the same network from scratch")],
)
def test_pre_training_that_adds_nothing_says_so(probe, baseline, said):
    assert said in verdict(None, None, summary(probe, baseline), 100)[0]


def test_a_small_test_set_is_spoken_of_and_a_large_one_is_not():
    sentences = verdict(HEALTHY, None, summary(1.0, 0.9), 100, tested=60)
    assert any("has 60 images" in one and "between 94.0 and 100.0 %" in one for one in sentences)
    assert not any("test set has" in one for one in verdict(HEALTHY, None, summary(1.0, 0.9), 100, tested=10_000))


def test_nothing_to_judge_gives_no_sentence():
    assert verdict(None, None, {}, 100) == ()
