"""What ails a pretext task or a generative model: solved by a shortcut, answered alike for all, a code unused.

Sources: Doersch, Gupta & Efros, "Unsupervised Visual Representation Learning by Context Prediction", ICCV 2015 (arXiv
1505.05192), section 3.1 (trivial solutions); Bowman et al., "Generating Sentences from a Continuous Space", CoNLL 2016,
and Burda, Grosse & Salakhutdinov, "Importance Weighted Autoencoders", ICLR 2016, section 5.2 (units that are not used).
"""

from __future__ import annotations

from collections.abc import Iterator

from hundredfold.evaluate.diagnosis import (
    CONSTANT,
    HEALTHY,
    NOT_LEARNING,
    POSTERIOR_COLLAPSE,
    SHORTCUT,
    Diagnosis,
    Worth,
)
from hundredfold.task_records import TaskFindings

LEAST_ACTIVE = 0.1  # share of the latent dimensions, and one at least
LEAST_VARIED = 0.05  # share of the images' variance that reconstructions have
LEAST_EXPLAINED = 0.02  # share of the variance of what is missing
NEARLY_SOLVED = 0.95  # share of the way from chance to every answer right
NO_GAIN = 0.01  # of the probe over that of a random encoder, a share


def task_ills(task: TaskFindings | None, worth: Worth | None) -> Iterator[Diagnosis]:
    """What held-out images show of a task that went wrong.

    Args:
        task: how it was solved, or None.
        worth: what the features were good for, or None where nothing was learnt from labels.
    """
    if task is None:
        return
    if task.active_units is not None and task.latent and task.active_units < max(1, LEAST_ACTIVE * task.latent):
        yield _unused_code(task)
    elif task.constant is not None and task.constant < LEAST_VARIED:
        yield _constant(task)
    elif task.explained is not None and task.explained < LEAST_EXPLAINED:
        yield _nothing_explained(task)
    if worth and _nearly_solved(task) and worth.probe < worth.random + NO_GAIN:
        yield _shortcut(task, worth)


def healthy_task(task: TaskFindings) -> Diagnosis:
    """The sentence where nothing is wrong."""
    said = [
        (task.accuracy, f"answers {100 * (task.accuracy or 0):.1f} % of its questions rightly on held-out images"),
        (task.explained, f"explains {100 * (task.explained or 0):.0f} % of the variance of held-out pixels"),
        (task.active_units, f"uses {task.active_units} of {task.latent} dimensions of its code"),
    ]
    known = [text for figure, text in said if figure is not None] or ["was learnt"]
    return Diagnosis(
        illness=HEALTHY,
        sentence=f"The task {' and '.join(known)}; the features use {task.effective_rank:.0f} of {task.dimensions} "
        "dimensions.",
    )


def _nearly_solved(task: TaskFindings) -> bool:
    if task.accuracy is None:
        return False
    chance = task.chance or 0.0
    return task.accuracy - chance > NEARLY_SOLVED * (1 - chance)


def _unused_code(task: TaskFindings) -> Diagnosis:
    kl = f" and a divergence of {task.kl:.2f} nats from the prior" if task.kl is not None else ""
    return Diagnosis(
        illness=POSTERIOR_COLLAPSE,
        sentence=f"The posterior has collapsed: {task.active_units} of {task.latent} dimensions of the code tell of "
        f"the image (active units){kl}. Lower beta, warm the divergence up for longer, or grant free bits "
        "(method_settings: beta, warm_up, free_bits).",
    )


def _constant(task: TaskFindings) -> Diagnosis:
    return Diagnosis(
        illness=CONSTANT,
        sentence=f"Nearly the same image comes back whatever went in: reconstructions vary by "
        f"{100 * (task.constant or 0):.1f} % of what held-out images do. Train longer, change the learning rate, or "
        "give the code more dimensions.",
    )


def _nothing_explained(task: TaskFindings) -> Diagnosis:
    return Diagnosis(
        illness=NOT_LEARNING,
        sentence=f"What is asked for is predicted no better than by the mean image: "
        f"{100 * (task.explained or 0):.1f} % of its variance is explained on held-out images. Train longer, or take "
        "less away; if it stays so, the parts of these images do not tell of each other.",
    )


def _shortcut(task: TaskFindings, worth: Worth) -> Diagnosis:
    return Diagnosis(
        illness=SHORTCUT,
        sentence=f"The task is solved by a shortcut: {100 * (task.accuracy or 0):.1f} % of its answers are right, yet "
        f"a probe on the features gets {100 * worth.probe:.1f} %, a random encoder {100 * worth.random:.1f} %. Look "
        "for what gives the answer away (borders, watermarks, blur, one bright corner), or take another method.",
    )
