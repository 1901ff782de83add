"""Every block of docs/scikit-learn.md runs, one after the other."""

import re
from pathlib import Path

import numpy as np

from hundredfold.estimators._models import AUTO

PAGE = (Path(__file__).parents[2] / "docs" / "scikit-learn.md").read_text()


def test_the_python_runs(bars, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict = {"X": bars.images, "y": bars.y}
    for code in re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        exec(code, names)
    assert (names["labels"][bars.y == -1] == bars.kinds[bars.y == -1]).mean() > 0.8
    assert names["shares"].shape == (5, 2)
    assert names["features"].shape == (16, 512)
    assert "transformer__lr" in names["search"].best_params_
    assert names["encoder"].spec == names["transformer"].encoder_.spec
    assert np.isin(names["pipeline"].predict(bars.images), [0, 1]).all()


def test_the_models_compared_by_default_are_named():
    assert ", ".join(f"`{name}`" for name in AUTO[:-1]) + f" and `{AUTO[-1]}`" in PAGE
