"""A folder of image files, and a table that labels some of them: the form in which labels often arrive."""

import csv
from pathlib import Path

from PIL import Image
from sklearn.datasets import load_digits

import hundredfold

digits = load_digits()
Path("scans").mkdir(exist_ok=True)
with Path("scans.csv").open("w", newline="") as file:
    table = csv.writer(file)
    table.writerow(["file", "label"])
    for number, (image, digit) in enumerate(zip(digits.images[:600], digits.target)):
        Image.fromarray((image * 15).astype("uint8")).save(f"scans/{number:03}.png")
        table.writerow([f"scans/{number:03}.png", digit if number < 150 else ""])  # the rest has no label

found = hundredfold.read("scans.csv").train
print(f"{len(found)} images of {found.size}, {len(found.labelled())} labelled, classes {', '.join(found.classes)}")
run = hundredfold.run(
    "scans.csv", labels=40, out="scans-run", epochs=5, draws=1, label_counts=[40], models=["linear_probe"]
)
print(run.data.labelled, "labelled;", run.chosen.why)
