"""The part of the page on a pretext task or a generative model: what there is, and nothing of what there is not."""

import dataclasses
import importlib.util
import re
import sys
from html import unescape
from pathlib import Path

from hundredfold.report.page import write_report
from hundredfold.report.task import task_facts, task_section, task_sentence
from hundredfold.task_records import TaskFindings

_SPEC = importlib.util.spec_from_file_location("example_run", Path(__file__).with_name("example_run.py"))
example = importlib.util.module_from_spec(_SPEC)
sys.modules["example_run"] = example
_SPEC.loader.exec_module(example)

BARE = TaskFindings(images=1_234, effective_rank=64.21, dimensions=512)
ROTATION = dataclasses.replace(BARE, accuracy=0.9712, chance=0.25)
VAE = dataclasses.replace(
    BARE, explained=0.7118, constant=0.66, latent=20, active_units=14, kl=25.314, negative_elbo=98.72
)
RANK = {"effective rank of the features": "64.2 of 512"}


def page(folder, task):
    result = dataclasses.replace(example.full_run(draws=1), similarity=None, task=task)
    html = write_report(example.write_run(folder, result)).read_text(encoding="utf-8").split("</style>")[1]
    return html, " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).replace("\u00a0", " ").split())


def test_what_a_method_does_not_have_is_not_shown():
    assert task_facts(BARE) == RANK
    assert task_facts(ROTATION) == {"questions answered rightly": "97.1 %", "by guessing": "25.0 %", **RANK}
    assert task_facts(VAE) == {
        "variance of the pixels explained": "71.2 %",
        "variance of the answers, of that of the images": "66.0 %",
        "dimensions of the latent in use": "14 of 20",
        "divergence from the prior": "25.3 nats",
        "negative ELBO": "98.7 nats",
        **RANK,
    }


def test_nought_is_a_figure_and_not_a_gap():
    none = dataclasses.replace(VAE, explained=0.0, constant=0.0, active_units=0, kl=0.0)
    facts = task_facts(none)
    assert facts["dimensions of the latent in use"] == "0 of 20" and facts["divergence from the prior"] == "0.0 nats"
    assert facts["variance of the pixels explained"] == "0.0 %"
    assert "no better than by the mean image" in task_sentence(none)
    worse = task_facts(dataclasses.replace(VAE, explained=-0.123, negative_elbo=-3.21))
    assert worse["variance of the pixels explained"] == "−12.3 %" and worse["negative ELBO"] == "−3.2 nats"


def test_the_sentence_sets_accuracy_against_chance():
    assert task_sentence(ROTATION) == (
        "On 1,234 held-out images, 97.1 % of the task's questions are answered rightly, where guessing gives 25.0 %."
    )
    assert task_sentence(BARE) == "Looked at on 1,234 held-out images."
    assert task_sentence(VAE) == (
        "On 1,234 held-out images, 71.2 % of the variance of the pixels asked for is predicted; 14 of 20 dimensions of "
        "the latent variable tell of the image."
    )


def test_the_page_has_the_task_in_the_place_of_the_similarity(tmp_path):
    html, text = page(tmp_path, VAE)
    assert task_sentence(VAE) in text and "negative ELBO 98.7 nats" in text
    assert 'id="task"' in html and 'href="#task"' in html
    assert 'id="similarity"' not in html and "How far apart images lie" not in text
    assert text.index("Pre-training with") < text.index("The task On") < text.index("What the network was shown")


def test_a_method_without_a_task_has_no_such_part(tmp_path):
    assert task_section(example.full_run(draws=1)) is None
    html, _ = page(tmp_path, None)
    assert 'id="task"' not in html and 'href="#task"' not in html
