"""docs/theory.md shows the numbers that the example prints and that the tests find."""

import json
import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "theory.md").read_text()


def table(text: str) -> dict[str, list[float]]:
    """Lines of a name and five numbers; names that come twice get a number."""
    found: dict[str, list[float]] = {}
    for name, numbers in re.findall(r"^(\S.*?)((?: +-?\d+\.\d{3}){5})$", text, re.MULTILINE):
        found[f"{name} ({sum(key.startswith(name) for key in found)})"] = [float(x) for x in numbers.split()]
    return found


def test_the_table_is_what_the_example_prints(capsys) -> None:
    runpy.run_path(str(ROOT / "examples" / "theory_on_free_embeddings.py"), run_name="__main__")
    printed = table(capsys.readouterr().out)
    shown = table(PAGE)
    assert len(shown) == 10 and shown.keys() == printed.keys()
    for name, figures in printed.items():
        assert shown[name] == pytest.approx(figures, abs=0.01), name


def test_the_intervals_named_are_those_of_the_theorem_and_hold_the_variances() -> None:
    shown = table(PAGE)
    for m, low, high in ((2, 0.16, 0.96), (3, 0.06, 0.36)):
        assert (low, high) == (pytest.approx((6 - m) / ((m - 1) * 25)), pytest.approx(6 * (6 - m) / ((m - 1) * 25)))
        assert f"{low:.2f} to {high:.2f} (m = {m})" in PAGE
        assert low < shown[f"SimCLR, fixed batches of {m} (0)"][-1] < high


@pytest.mark.parametrize("record", ["mnist_100_labels", "mnist_one_epoch", "fashion_mnist_100_labels"])
def test_what_is_said_of_trained_networks_is_in_their_records(record: str) -> None:
    found = json.loads((ROOT / "benchmarks" / f"{record}.json").read_text())["similarity"]
    assert "within 0.0003 of 0; positives are at 0.87 to 0.95; and the negatives vary, by 0.05\nto 0.10" in PAGE
    assert abs(found["negative_mean"]) < 0.0003
    assert 0.865 < found["positive_mean"] < 0.955
    assert 0.045 < found["negative_variance"] < 0.105
