"""How similar two views of one image are, against views of different images: figure and how to read it."""

from __future__ import annotations

from markupsafe import Markup

from hundredfold.records import Histogram, Similarity
from hundredfold.report.figures.histogram import Hill, histogram
from hundredfold.report.figures.svg import wide_and_narrow
from hundredfold.report.wording import percent, value


def similarity_figure(similarity: Similarity) -> Markup:
    """Both histograms over the cosine similarity, means marked; nothing where they were not kept."""
    if similarity.positives is None or similarity.negatives is None:
        return Markup("")
    hills = [
        Hill(
            name="different images",
            colour="k2",
            edges=similarity.negatives.edges,
            counts=similarity.negatives.counts,
            mean=similarity.negative_mean,
        ),
        Hill(
            name="same image, two views",
            colour="k0",
            edges=similarity.positives.edges,
            counts=similarity.positives.counts,
            mean=similarity.positive_mean,
        ),
    ]
    return wide_and_narrow(
        lambda width: histogram(
            hills,
            title="Cosine similarity of pairs of views",
            description=similarity_sentence(similarity),
            x_name="cosine similarity",
            y_name="share of pairs",
            write_x=lambda number: f"{number:.2f}".replace("-", "−"),
            write_y=lambda share: f"{share * 100:.0f} %" if share >= 0.01 or share == 0 else f"{share * 100:.1f} %",
            width=width,
        )
    )


def similarity_sentence(similarity: Similarity) -> str:
    """What the figure shows, in numbers."""
    means = (
        f"Two views of the same image are {value(similarity.positive_mean, 2)} alike on average, views of different "
        f"images {value(similarity.negative_mean, 2)}"
    )
    if similarity.negatives is None:
        return f"{means}."
    above = percent(share_above(similarity.negatives, similarity.positive_mean))
    return f"{means}; {above} of the pairs of different images are more alike than the average pair of the same image."


def share_above(histogram: Histogram, threshold: float) -> float:
    """The share of a histogram above a threshold; the bin that holds it counts in proportion."""
    total = sum(histogram.counts)
    if not total:
        return 0.0
    above = 0.0
    for count, left, right in zip(histogram.counts, histogram.edges, histogram.edges[1:]):
        above += count * min(1.0, max(0.0, (right - threshold) / (right - left)))
    return above / total
