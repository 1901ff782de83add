"""Label images that the run has never seen, and look at those it is least sure of first."""

from sklearn.datasets import load_digits

import hundredfold

digits = load_digits()
images = (digits.images * 15).astype("uint8")  # [n, 8, 8]
hundredfold.run(
    (images[:1500], digits.target[:1500]),
    out="digits-run",
    epochs=10,
    draws=1,
    label_counts=[100],
    models=["linear_probe"],
)

found = hundredfold.predict("digits-run", images[1500:])  # to="labels.csv" writes them to a file
right = sum(label == str(digit) for label, digit in zip(found.labels, digits.target[1500:]))
print(f"{right} of {len(found.labels)} right")
certainty = found.probabilities.max(dim=1).values  # [n]
for position in certainty.argsort()[:5].tolist():
    print(f"{found.names[position]}: {found.labels[position]} with {certainty[position]:.2f}")
