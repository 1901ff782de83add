"""Keeps the figures of a finished transfer or study of transfer: a JSON record, and a table for the docs.

    python benchmarks/record_transfer.py STUDY NAME [--page MARKER FILE]

The record holds what was measured and what it was measured on, and no path or host name. With `--page` the table is put
between `<!-- MARKER:begin -->` and `<!-- MARKER:end -->` of FILE.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from record import between

from hundredfold.records import from_json, to_plain
from hundredfold.settings import read_toml
from hundredfold.transfer_records import Comparison, TransferResult

HERE = Path(__file__).parent
SOURCES = ("source_classifier", "generator", "source_data", "source_test")


def record(study: Path, name: str) -> Path:
    """Writes `benchmarks/NAME.json` from a study's folder."""
    result = read(study)
    environment = json.loads((study / "environment.json").read_text())
    asked = read_toml(study / "asked.toml")
    plain = to_plain(result)
    settings = {key: value for key, value in asked["transfer"].items() if key not in SOURCES}
    content = {
        "name": name,
        "verdict": plain["verdict"],
        "quality": plain["quality"],
        "arms": plain["arms"],
        "summary": plain["summary"],
        "accuracies": accuracies(result),
        "comparisons": plain["comparisons"],
        "recovered": plain["recovered"],
        "choices": plain["choices"],
        "logs": plain["logs"],
        "chosen": result.chosen,
        "why": result.why,
        "seconds": result.seconds,
        "encoder": {"name": result.encoder, "settings": asked.get("encoder_settings", {})},
        "settings": settings,
        "versions": environment["versions"],
        "machine": environment["machine"],
        "precision": environment["precision"],
    }
    path = HERE / f"{name}.json"
    path.write_text(json.dumps(content, indent=1) + "\n")
    return path


def accuracies(result: TransferResult) -> dict[str, dict[str, list[float]]]:
    """arm -> labels -> accuracy of each draw."""
    found: dict[str, dict[str, list[float]]] = {}
    for score in sorted(result.records, key=lambda score: score.draw):
        found.setdefault(score.model, {}).setdefault(str(score.labels), []).append(round(score.accuracy, 4))
    return found


def table(result: TransferResult) -> str:
    """Arms with their accuracies and what they are worth, as Markdown."""
    counts = result.label_counts
    head = ["arm", *(f"{count} labels | against scratch" for count in counts)]
    rows = ["| " + " | ".join(head) + " |", "|" + "---|" * (1 + 2 * len(counts))]
    against = {(one.arm, one.labels): one for one in result.comparisons if one.against == "scratch"}
    for arm in result.arms:
        cells = [f"*{arm.title}*" if arm.oracle else arm.title]
        for count in counts:
            interval = result.summary[arm.name][str(count)]
            cells += [f"{100 * interval.mean:.1f} ± {200 * interval.std:.1f}", worth(against.get((arm.name, count)))]
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)


def worth(found: Comparison | None) -> str:
    """A difference in points with its interval."""
    if found is None or found.low is None or found.high is None:
        return ""
    return f"{100 * found.mean:+.1f} ({100 * found.low:+.1f} to {100 * found.high:+.1f})".replace("-", "−")


def read(study: Path) -> TransferResult:
    """What a study's folder holds."""
    return from_json(TransferResult, (study / "results.json").read_text())


def main() -> None:
    """Records a study."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    parser.add_argument("name")
    parser.add_argument("--page", nargs=2, metavar=("MARKER", "FILE"))
    arguments = parser.parse_args()
    print(record(arguments.study, arguments.name))
    if arguments.page:
        marker, page = arguments.page
        between(table(read(arguments.study)), marker, Path(page))


if __name__ == "__main__":
    main()
