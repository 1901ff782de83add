"""Labelled images whose label looks wrong, each with its picture and what it more probably is."""

from __future__ import annotations

from typing import Any

from hundredfold.report import pictures
from hundredfold.report.folder import RunFolder
from hundredfold.report.wording import counted, percent


def suspects_section(run: RunFolder) -> dict[str, Any] | None:
    """The names that `_suspects.html.j2` uses; None where no label looks wrong."""
    found = run.result.suspects
    if not found:
        return None
    addresses = pictures.suspect_addresses(run.pictures)
    shown = found[: pictures.SUSPECTS]
    return {
        "sentence": suspects_sentence(len(found), sum(suspect.score for suspect in found)),
        "shown": [(one, addresses[k] if k < len(addresses) else None) for k, one in enumerate(shown)],
        "more": len(found) - len(shown),
    }


def suspects_sentence(count: int, expected: float) -> str:
    """How many there are, and how many of them are probably wrong: the sum of their probabilities.

    >>> suspects_sentence(9, 8.2)
    '9 labels look wrong; about 8 of them probably are.'
    >>> suspects_sentence(1, 0.97)
    '1 label looks wrong, with a probability of 97.0 %.'
    """
    if count == 1:
        return f"1 label looks wrong, with a probability of {percent(expected)}."
    about = max(1, round(expected))
    return f"{counted(count, 'label')} look wrong; about {about} of them probably {'is' if about == 1 else 'are'}."
