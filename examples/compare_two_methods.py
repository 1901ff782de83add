"""A study: several methods on the same images, one result and one page. Call it again with resume=True to widen it."""

import hundredfold

study = hundredfold.study_methods(
    "digits", methods=["simclr", "vicreg"], out="comparison", labels=50, draws=2, epochs=3, seed=1
)

for cell in study.cells:
    probe, found = cell.summary["linear_probe"]["50"], cell.similarity
    print(f"{cell.name:<8} {probe.mean:.3f}, negatives {found.negative_mean:+.2f}, rank {found.effective_rank:.0f}")
print(*study.verdict, sep="\n")
print(f"open {study.folder}/report.html")
