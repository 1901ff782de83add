"""Elements of an SVG picture as markup that is safe by construction.

Every text and attribute value is escaped here, and every number formatted here. Colours are classes, never inline
styles: the page's policy forbids those, and one picture serves the light and the dark page.
"""

from __future__ import annotations

from collections.abc import Callable

from markupsafe import Markup, escape

GLYPH = 0.58  # mean width of a character, in units of the font size, for laying out text unseen
FONT = 12.5  # px, of all text in figures


def element(tag: str, *children: str, **attributes: str | float | None) -> Markup:
    """One element: `class_` is "class", `stroke_width` is "stroke-width"; attributes that are None are left out.

    >>> element("text", "a < b", x=1.0, text_anchor="end")
    Markup('<text x="1" text-anchor="end">a &lt; b</text>')
    """
    written = Markup("").join(
        Markup(' {}="{}"').format(name.rstrip("_").replace("_", "-"), _written(value))
        for name, value in attributes.items()
        if value is not None
    )
    content = Markup("").join(escape(child) for child in children)
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(tag), written, content)


def figure(width: float, height: float, title: str, description: str, *children: str, class_: str = "") -> Markup:
    """A whole picture, with the name and description that a screen reader says."""
    return element(
        "svg",
        element("title", title),
        element("desc", description),
        *children,
        viewBox=f"0 0 {coordinate(width)} {coordinate(height)}",
        width=width,
        height=height,
        role="img",
        class_=f"figure {class_}".strip(),
    )


def path(points: list[tuple[float, float]], *, closed: bool = False) -> str:
    """The `d` of a broken line through `points`."""
    steps = " ".join(
        f"{'M' if position == 0 else 'L'}{coordinate(x)} {coordinate(y)}" for position, (x, y) in enumerate(points)
    )
    return steps + ("Z" if closed else "")


def coordinate(number: float) -> str:
    """A number of pixels to a tenth.

    >>> coordinate(3.0), coordinate(2.449), coordinate(-0.01)
    ('3', '2.4', '0')
    """
    text = f"{number:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def text_width(text: str, font: float = FONT) -> float:
    """About how wide a text will be, in px."""
    return len(text) * font * GLYPH


def _written(value: str | float) -> str:
    return value if isinstance(value, str) else coordinate(value)


def wide_and_narrow(draw: Callable[[float], Markup], *, wide: float = 720, narrow: float = 340) -> Markup:
    """The same picture laid out for a page and for a phone; the style shows the one that fits."""
    return Markup('<div class="wide">{}</div><div class="narrow">{}</div>').format(draw(wide), draw(narrow))
