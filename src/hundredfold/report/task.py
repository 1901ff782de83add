"""How a pretext task or a generative model did on held-out images: a sentence and the figures that there are."""

from __future__ import annotations

from typing import Any

from hundredfold.records import RunResult
from hundredfold.report.wording import count, counted, fixed, percent, value
from hundredfold.task_records import TaskFindings


def task_section(result: RunResult) -> dict[str, Any] | None:
    """The names that `_task.html.j2` uses; None for a method without a task of its own."""
    if result.task is None:
        return None
    return {"sentence": task_sentence(result.task), "facts": task_facts(result.task)}


def task_sentence(task: TaskFindings) -> str:
    """What the figures say, and of how many images."""
    held_out = counted(task.images, "held-out image")
    said = [part for part in (_answers(task), _explained(task), _latent(task)) if part]
    if not said:
        return f"Looked at on {held_out}."
    return f"On {held_out}, {'; '.join(said)}."


def task_facts(task: TaskFindings) -> dict[str, str]:
    """The figures by name, without those that this method does not have."""
    known = {
        "questions answered rightly": _percent(task.accuracy),
        "by guessing": _percent(task.chance),
        "variance of the pixels explained": _percent(task.explained),
        "variance of the answers, of that of the images": _percent(task.constant),
        "dimensions of the latent in use": active(task),
        "divergence from the prior": _nats(task.kl),
        "negative ELBO": _nats(task.negative_elbo),
        "effective rank of the features": f"{value(task.effective_rank, 3)} of {count(task.dimensions)}",
    }
    return {name: fact for name, fact in known.items() if fact}


def active(task: TaskFindings) -> str:
    """Active units of all units, or the empty text."""
    if task.active_units is None:
        return ""
    return count(task.active_units) + (f" of {count(task.latent)}" if task.latent is not None else "")


def _answers(task: TaskFindings) -> str:
    if task.accuracy is None:
        return ""
    guessing = f", where guessing gives {percent(task.chance)}" if task.chance is not None else ""
    return f"{percent(task.accuracy)} of the task's questions are answered rightly{guessing}"


def _explained(task: TaskFindings) -> str:
    if task.explained is None:
        return ""
    if task.explained <= 0:
        return "the pixels asked for are predicted no better than by the mean image"
    return f"{percent(task.explained)} of the variance of the pixels asked for is predicted"


def _latent(task: TaskFindings) -> str:
    used = active(task)
    return f"{used} dimensions of the latent variable tell of the image" if used else ""


def _percent(share: float | None) -> str:
    return "" if share is None else percent(share).replace("-", "−")


def _nats(number: float | None) -> str:
    return "" if number is None else f"{fixed(number, 1)} nats"
