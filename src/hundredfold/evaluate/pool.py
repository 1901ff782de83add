"""The pool beside its labels, in sentences: uneven labels, rare classes, images of no labelled kind.

When to use it: always; each sentence is said only where its figure is out of the ordinary. What the limits are for:
accuracy hides rare classes (He & Garcia, "Learning from Imbalanced Data", TKDE 2009), and images of no known class are
labelled all the same (open-set recognition: Scheirer et al., TPAMI 2013).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hundredfold.trust_records import PoolFindings

UNEVEN_LABELS = 5  # times as many labels of one class as of another
UNEVEN_POOL = 10  # times as many images
FEW_APART = 0.01  # share of the pool below which images apart are not spoken of: 0.3 % are so among digits alone


def pool_sentences(found: PoolFindings, classes: Sequence[str]) -> Iterator[str]:
    """What a person should know before trusting an accuracy.

    Args:
        found: about the pool.
        classes: names, in the order of the counts.
    """
    yield from _labels(found.labelled, classes)
    yield from _classes(found.predicted, classes)
    yield from _apart(found)


def _apart(found: PoolFindings) -> Iterator[str]:
    if found.apart is None or found.apart < max(1, FEW_APART * found.unlabelled):
        return
    share = 100 * found.apart / found.unlabelled
    yield (
        f"{found.apart:,} of {found.unlabelled:,} unlabelled images ({share:.0f} %) are like nothing that is labelled: "
        "of no known class, or of a kind of which none was labelled. Models that learn from unlabelled images left "
        "them out. predictions.csv shows which (reach below 0.5); label some of them if they matter."
    )


def _labels(counts: Sequence[int], classes: Sequence[str]) -> Iterator[str]:
    present = [(count, name) for count, name in zip(counts, classes, strict=True) if count]
    if len(present) < 2:
        return
    (few, rare), (many, common) = min(present), max(present)
    if many >= UNEVEN_LABELS * few:
        yield (
            f"The labels are uneven: {few} of “{rare}”, {many} of “{common}”. Look at macro F1 and at the recall of "
            "each class rather than at accuracy."
        )


def _classes(counts: Sequence[int], classes: Sequence[str]) -> Iterator[str]:
    total = sum(counts)
    if total == 0 or len(counts) < 2:
        return
    (few, rare), (many, common) = min(zip(counts, classes, strict=True)), max(zip(counts, classes, strict=True))
    if many >= UNEVEN_POOL * max(few, 1):
        yield (
            f"The pool looks uneven: by the chosen model {100 * many / total:.0f} % of it is “{common}” and "
            f"{100 * few / total:.1f} % “{rare}”. A test set of the same make hides mistakes in rare classes; see the "
            "recall of each."
        )
