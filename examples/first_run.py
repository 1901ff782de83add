"""The main job in one call: learn from all images, then from 50 labels, and see what each model is worth."""

import hundredfold

run = hundredfold.run(
    "digits", labels=50, out="first-run", epochs=10, draws=2, label_counts=[20, 50], models=["pixels", "linear_probe"]
)

for model, by_labels in run.summary.items():
    found = by_labels["50"]
    print(f"{model:<14} {found.mean:.3f} ± {2 * found.std:.3f} over {found.draws} draws")
for sentence in run.verdict:
    print(sentence)
print(f"open {run.folder}/report.html")
