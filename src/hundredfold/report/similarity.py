"""How similar two views of one image are, against views of different images: figures and how to read them."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from hundredfold.records import EpochRecord, Histogram, Similarity
from hundredfold.report.curves import epoch_ticks
from hundredfold.report.figures.histogram import Hill, Mark, histogram
from hundredfold.report.figures.line_chart import Line, line_chart
from hundredfold.report.figures.svg import wide_and_narrow
from hundredfold.report.wording import count, percent, value

SMALL = 440  # px: two charts side by side


def similarity_figure(similarity: Similarity) -> Markup:
    """Histograms over the cosine similarity, with means and what theory says; nothing where they were not kept."""
    hills = [
        Hill(name=name, colour=colour, edges=kept.edges, counts=kept.counts, mean=mean, outline=outline)
        for name, colour, kept, mean, outline in (
            ("different images", "k2", similarity.negatives, similarity.negative_mean, False),
            ("different images, same view", "k3", similarity.withins, similarity.within_mean or 0.0, True),
            ("same image, two views", "k0", similarity.positives, similarity.positive_mean, False),
        )
        if kept is not None
    ]
    if not hills:
        return Markup("")
    return wide_and_narrow(
        lambda width: histogram(
            hills,
            marks=theory_marks(similarity),
            title="Cosine similarity of pairs of views",
            description=similarity_sentence(similarity),
            x_name="cosine similarity",
            y_name="share of pairs",
            write_x=_two_digits,
            write_y=lambda share: f"{share * 100:.0f} %" if share >= 0.01 or share == 0 else f"{share * 100:.1f} %",
            width=width,
            height=340,
        )
    )


def theory_marks(similarity: Similarity) -> list[Mark]:
    """Where different images lie in the optimum of the full batch, and what their mean leaves the same image."""
    marks = []
    if similarity.images > 1:
        between = similarity.images - 1
        marks.append(Mark(text=f"optimum −1/{count(between)}", value=-1 / between))
    bounds = [similarity.bound, similarity.sharp_bound]
    known = sorted(bound for bound in bounds if bound is not None)
    if known and known[0] > 1:  # both allow everything: one text for both
        return [*marks, Mark(text=f"bound {' and '.join(_two_digits(bound) for bound in known)}", value=known[0])]
    for name, bound in (("bound", similarity.bound), ("sharp bound", similarity.sharp_bound)):
        if bound is not None:
            marks.append(Mark(text=f"{name} {_two_digits(bound)}", value=bound))
    return marks


def similarity_sentence(similarity: Similarity) -> str:
    """What the figure shows, in numbers."""
    means = (
        f"Two views of the same image are {_two_digits(similarity.positive_mean)} alike on average, views of "
        f"different images {_two_digits(similarity.negative_mean)}"
    )
    if similarity.negatives is None:
        return f"{means}."
    above = percent(share_above(similarity.negatives, similarity.positive_mean))
    return f"{means}; {above} of the pairs of different images are more alike than the average pair of the same image."


def similarity_facts(similarity: Similarity) -> dict[str, str]:
    """The figures by name, without those that are not known."""
    known = {
        "same image, mean": _number(similarity.positive_mean),
        "different images, mean": _number(similarity.negative_mean),
        "their variance": _number(similarity.negative_variance),
        "in the same view, mean": _number(similarity.within_mean),
        "excess (above 0: too far apart)": _number(similarity.excess),
        "alignment (lower is tighter)": _number(similarity.alignment),
        "uniformity (lower is more even)": _number(similarity.uniformity),
        "spread (0 collapsed, 1 even)": _number(similarity.spread),
        "effective rank of the features": _of(similarity.effective_rank, similarity.dimensions),
        "effective rank of the projections": _of(similarity.projection_rank, similarity.projection_dimensions),
    }
    if similarity.effective_negatives is not None:
        known["negatives that count in the loss"] = percent(similarity.effective_negatives)
    return {name: fact for name, fact in known.items() if fact}


def similarity_curves(epochs: Sequence[EpochRecord]) -> list[tuple[str, Markup]]:
    """Title and chart of the figures after each epoch; nothing where there are fewer than two."""
    seen = [(record.epoch, record.similarity) for record in epochs if record.similarity is not None]
    if len(seen) < 2:
        return []
    similar = {
        ("same image", "k0"): [(epoch, found.positive_mean) for epoch, found in seen],
        ("different images", "k2"): [(epoch, found.negative_mean) for epoch, found in seen],
        ("their variance", "k1"): [(epoch, found.negative_variance) for epoch, found in seen],
    }
    ranks = {
        ("features", "k0"): [(epoch, found.effective_rank) for epoch, found in seen],
        ("projections", "k3"): [
            (epoch, found.projection_rank) for epoch, found in seen if found.projection_rank is not None
        ],
    }
    return [
        ("Similarity of views", _curves(similar, "Similarity of views against epochs", "cosine similarity", (-1, 1))),
        ("Dimensions in use", _curves(ranks, "Effective rank against epochs", "effective rank", (0, float("inf")))),
    ]


def share_above(histogram: Histogram, threshold: float) -> float:
    """The share of a histogram above a threshold; the bin that holds it counts in proportion."""
    total = sum(histogram.counts)
    if not total:
        return 0.0
    above = 0.0
    for number, left, right in zip(histogram.counts, histogram.edges, histogram.edges[1:]):
        above += number * min(1.0, max(0.0, (right - threshold) / (right - left)))
    return above / total


def _curves(
    named: dict[tuple[str, str], list[tuple[int, float]]], title: str, y_name: str, limits: tuple[float, float]
) -> Markup:
    lines = [
        Line(
            name=name,
            colour=colour,
            points=points,
            notes=[f"epoch {epoch}: {name} {value(figure, 3)}" for epoch, figure in points],
            dots=len(points) <= 40,
            strong=colour == "k0",
        )
        for (name, colour), points in named.items()
    ]
    return wide_and_narrow(
        lambda width: line_chart(
            lines,
            title=title,
            description="; ".join(line.notes[-1] for line in lines if line.notes),
            x_name="epochs",
            y_name=y_name,
            write_x=count,
            write_y=lambda figure: value(figure, 3),
            limits=limits,
            x_ticks=epoch_ticks(int(lines[0].points[-1][0])),
            width=width,
            height=280,
        ),
        wide=SMALL,
    )


def _two_digits(number: float) -> str:
    return _decimals(number, 2)


def _number(figure: float | None) -> str:
    return "" if figure is None else _decimals(figure, 3)


def _decimals(number: float, digits: int) -> str:
    """So many digits after the point, without a minus before nothing."""
    text = f"{number:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text.replace("-", "−")


def _of(figure: float | None, dimensions: int | None) -> str:
    return "" if figure is None or dimensions is None else f"{value(figure, 3)} of {count(dimensions)}"
