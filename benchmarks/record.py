"""Keeps the figures of a finished run: a JSON record beside this file and, if named, a table in the README.

    python benchmarks/record.py RUN NAME [--readme MARKER]

The record holds what was measured and what it was measured on, and no path or host name.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from hundredfold.evaluate.learner import MODELS
from hundredfold.records import RunResult, from_json, to_plain
from hundredfold.settings import read_toml

HERE = Path(__file__).parent
NONE = ""  # where a model was not learnt from so few labels


def record(run: Path, name: str) -> Path:
    """Writes `benchmarks/NAME.json` from a run folder."""
    result = from_json(RunResult, (run / "results.json").read_text())
    environment = json.loads((run / "environment.json").read_text())
    settings = {key: value for key, value in read_toml(run / "settings.toml").items() if key not in ("source", "test")}
    similarity = to_plain(result.similarity) if result.similarity else {}
    content = {
        "name": name,
        "summary": to_plain(result)["summary"],
        "chosen": to_plain(result.chosen) if result.chosen else None,
        "trust": to_plain(result.trust) if result.trust else None,
        "verdict": result.verdict,
        "seconds": result.seconds,
        "epochs": to_plain(result.training)["epochs"] if result.training else [],
        "similarity": {key: value for key, value in similarity.items() if not isinstance(value, dict)},
        "settings": settings,
        "versions": environment["versions"],
        "machine": environment["machine"],
        "precision": environment["precision"],
    }
    path = HERE / f"{name}.json"
    path.write_text(json.dumps(content, indent=1) + "\n")
    return path


def table(result: RunResult) -> str:
    """The accuracies of a run as a Markdown table: a row a model, a column a label count."""
    counts = sorted({int(count) for by in result.summary.values() for count in by})
    rows = [f"| labels | {' | '.join(map(str, counts))} |", f"|---|{'---|' * len(counts)}"]
    for model in (name for name in MODELS if name in result.summary):
        found = [result.summary[model].get(str(count)) for count in counts]
        cells = " | ".join(f"{100 * one.mean:.1f} ± {200 * one.std:.1f}" if one else NONE for one in found)
        rows.append(f"| `{model}` | {cells} |")
    return "\n".join(rows)


def into_readme(text: str, marker: str) -> None:
    """Puts `text` between `<!-- MARKER:begin -->` and `<!-- MARKER:end -->` of the README."""
    between(text, marker, HERE.parent / "README.md")


def between(text: str, marker: str, page: Path) -> None:
    """As `into_readme`, of any page."""
    content = page.read_text()
    begin, end = f"<!-- {marker}:begin -->", f"<!-- {marker}:end -->"
    before, after = content[: content.index(begin) + len(begin)], content[content.index(end) :]
    page.write_text(f"{before}\n{text}\n{after}")


def main() -> None:
    """Records a run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    parser.add_argument("--readme", metavar="MARKER")
    arguments = parser.parse_args()
    print(record(arguments.run, arguments.name))
    if arguments.readme:
        result = from_json(RunResult, (arguments.run / "results.json").read_text())
        into_readme(table(result), arguments.readme)


if __name__ == "__main__":
    main()
