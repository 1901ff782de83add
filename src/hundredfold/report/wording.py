"""Numbers and names as a person reads them on the page.

Plain text in, plain text out: markup is escaped later, where the text is put into the page.
"""

from __future__ import annotations

import math
import re
import unicodedata

LONGEST = 300  # characters of a name or value that are shown
UNKNOWN = "–"

TITLES = {
    "baseline": "from scratch",
    "pixels": "pixels",
    "random_encoder": "random encoder",
    "knn": "nearest neighbours",
    "linear_probe": "linear probe",
    "finetune": "fine-tuning",
    "label_propagation": "label propagation",
    "pseudo_label": "pseudo-labels",
    "fixmatch": "FixMatch",
}
METHODS = {
    "simclr": "SimCLR",
    "byol": "BYOL",
    "moco": "MoCo",
    "vicreg": "VICReg",
    "rotation": "Rotation",
    "flip": "Flip",
    "jigsaw": "Jigsaw",
    "inpainting": "Inpainting",
    "masked_patch": "Masked patches",
    "mae": "MAE",
    "autoencoder": "Autoencoder",
    "denoising_autoencoder": "Denoising autoencoder",
    "vae": "VAE",
    "conditional_vae": "Conditional VAE",
    "diffusion": "Diffusion",
}

HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # Unicode categories that show nothing, or move what follows
JOINERS = "\u200c\u200d"  # part of how Persian and some pictographs are spelt

# An absolute path says who ran this and where; its last part says what was read.
ABSOLUTE_PATH = re.compile(r"(?<![\w.:/\\<])(?:~|[A-Za-z]:)?[/\\](?:[^\s/\\'\"<>,;]+[/\\])+(?=[^\s/\\'\"<>,;])")


def model_title(model: str) -> str:
    """What a person calls a model: "linear_probe" is a linear probe."""
    return TITLES.get(model, visible(model.replace("_", " ")))


def method_title(method: str) -> str:
    """How the literature spells a method."""
    return METHODS.get(method, visible(method))


def visible(text: object, longest: int = LONGEST) -> str:
    """Text that shows what it is: control and direction-changing characters as escapes, absolute paths cut to their
    last part, at most `longest` characters.

    >>> visible("tab" + chr(9) + "end")
    'tab\\\\x09end'
    >>> visible("read /home/ada/photos/cat.png")
    'read …/cat.png'
    """
    shown = ABSOLUTE_PATH.sub("…/", str(text)[: longest * 4])
    shown = "".join(_shown(character) for character in shown)
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def percent(share: float, digits: int = 1) -> str:
    """A share 0..1 as a percentage, never rounded up to certainty.

    >>> percent(0.9614), percent(0.99996), percent(1.0), percent(0.00001)
    ('96.1 %', '> 99.9 %', '100.0 %', '< 0.1 %')
    """
    if not math.isfinite(share):
        return UNKNOWN
    smallest = 10.0**-digits
    if 0 < share * 100 < smallest / 2:
        return f"< {smallest:.{digits}f} %"
    if share < 1 and round(share * 100, digits) >= 100:
        return f"> {100 - smallest:.{digits}f} %"
    return f"{share * 100:.{digits}f} %"


def percent_tick(share: float) -> str:
    """A round share on an axis: as many decimals as its step needs, so that no two ticks read the same.

    >>> percent_tick(0.94), percent_tick(0.945), percent_tick(0.30000000000000004)
    ('94 %', '94.5 %', '30 %')
    """
    return f"{share * 100:.6g} %"


def points(difference: float, *, signed: bool = True) -> str:
    """A difference of shares in percentage points, without the unit.

    >>> points(0.132), points(-0.004), points(0.132, signed=False)
    ('+13.2', '−0.4', '13.2')
    """
    if not math.isfinite(difference):
        return UNKNOWN
    size = f"{abs(difference) * 100:.1f}"
    if not signed or float(size) == 0:
        return size
    return ("+" if difference > 0 else "−") + size


def count(number: float) -> str:
    """A whole number with commas between thousands.

    >>> count(50000)
    '50,000'
    """
    return f"{number:,.0f}"


def counted(number: int, singular: str, plural: str = "") -> str:
    """A count with its noun.

    >>> counted(1, "draw"), counted(5, "draw"), counted(2, "class", "classes")
    ('1 draw', '5 draws', '2 classes')
    """
    return f"{count(number)} {singular if number == 1 else plural or singular + 's'}"


def value(number: float, digits: int = 4) -> str:
    """A number with so many significant digits, without needless zeros.

    >>> value(5.1734), value(0.0002), value(12345.6), value(0.1)
    ('5.173', '0.0002', '12,346', '0.1')
    """
    if not math.isfinite(number):
        return UNKNOWN
    if number == int(number) and abs(number) < 1e9:
        return f"{number:,.0f}".replace("-", "−")
    if abs(number) >= 10 ** (digits - 1) and abs(number) < 1e9:
        return f"{number:,.0f}".replace("-", "−")
    return f"{number:.{digits}g}".replace("-", "−")


def fixed(number: float, digits: int = 2) -> str:
    """A number with so many decimals, and no sign before a zero.

    >>> fixed(0.8412), fixed(-0.0312), fixed(-0.0012), fixed(0.8412, 3)
    ('0.84', '−0.03', '0.00', '0.841')
    """
    if not math.isfinite(number):
        return UNKNOWN
    text = f"{number:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


def duration(seconds: float) -> str:
    """A time as one reads it on a clock.

    >>> duration(0.4), duration(42), duration(200), duration(7500), duration(180)
    ('< 1 s', '42 s', '3 min 20 s', '2 h 5 min', '3 min')
    """
    if not math.isfinite(seconds) or seconds < 0:
        return UNKNOWN
    if seconds < 0.95:
        return "< 1 s" if seconds > 0 else "0 s"
    if seconds < 9.95:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        minutes, rest = divmod(whole, 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, rest = divmod(round(whole / 60), 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def _shown(character: str) -> str:
    if unicodedata.category(character) in HIDDEN and character not in JOINERS:
        code = ord(character)
        return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    return character
