"""What is known of the digits 0 to 4 helps with 5 to 9, though no image of 0 to 4 is used."""

import numpy as np
from sklearn.datasets import load_digits

import hundredfold

digits = load_digits()
images, low = (digits.images * 15).astype("uint8"), digits.target < 5  # [n, 8, 8], [n]
np.savez("low.npz", images=images[low], labels=digits.target[low])

# What a source leaves: a classifier and a generator of its classes, both folders.
hundredfold.run("low.npz", out="classifier", labels=300, draws=1, epochs=2, models=["linear_probe"], label_counts=[300])
hundredfold.pretrain("low.npz", method="conditional_vae", out="generator", epochs=30)

# What a target has: a few labels.
result = hundredfold.transfer(
    (images[~low], digits.target[~low]),
    source_classifier="classifier",
    generator="generator",
    labels=20,
    draws=2,
    out="transferred",
    overrides=["transfer.pretrain_steps=60", "transfer.steps=40", "transfer.weights=[0.0]"],
)
print(*result.quality.sentences, sep="\n")
for arm in result.arms:
    print(f"{arm.title}: {100 * result.summary[arm.name]['20'].mean:.1f} %")
print(*result.verdict, sep="\n")

found = hundredfold.predict("transferred", images[~low][:5])
print(f"handed over: {result.chosen}; it takes five images for {', '.join(found.labels)}")
