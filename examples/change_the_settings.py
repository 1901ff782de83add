"""Any setting of settings.toml is a keyword or part of a table; problems are reported before any training."""

from pathlib import Path

import hundredfold
from hundredfold.errors import SettingsError

gentle = hundredfold.run(
    "digits",
    out="gentle",
    views={"rotation": 10, "crop_area_min": 0.9, "translation": 0.1},
    plan={"epochs": 5, "lr": 1e-3},
    method_settings={"temperature": 0.5},
    labels=20,
    draws=1,
    models=["linear_probe"],
)
print(f"{gentle.summary['linear_probe']['20'].mean:.2f}")
print([line for line in Path("gentle/settings.toml").read_text().splitlines() if line.startswith("rotation")])

try:
    hundredfold.run("digits", out="typo", views={"rotaton": 10}, plan={"lr": -1})
except SettingsError as problem:
    print(*problem.problems, sep="\n")
