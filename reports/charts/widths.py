"""How wide a text will be, estimated without a browser: never too little, so that nothing overlaps.

The figures are the advance widths of DejaVu Sans in thousandths of an em. It is the widest face of the page's font
stack, which begins with ``system-ui`` and so is another one on each machine.
"""

import unicodedata
from functools import lru_cache

FONT_SIZE = 12
BOLD = 1.16
#: Widths in thousandths of an em, each with the characters that have it.
GROUPS = {
    278: "'ijl",
    295: "IJ",
    318: " ,.·‘’\xa0",
    337: "/:;\\|",
    361: "f-",
    401: "()[]!rt",
    460: '"',
    521: "*_`s–°",
    550: "zck?",
    592: "vxyLF“”",
    615: "oaePT",
    640: "YEhnuSbdgpq0123456789${}€",
    695: "KAVXZBRC",
    752: "UNH",
    787: "DG&OQ",
    840: "wM#+<=>^~×−→≤≥",
    1_000: "m%W@—…",
}
WIDTHS = {character: width for width, characters in GROUPS.items() for character in characters}


@lru_cache(maxsize=4_096)
def _character(character: str) -> int:
    if character in WIDTHS:
        return WIDTHS[character]
    category = unicodedata.category(character)
    if category in ("Mn", "Me", "Cf"):
        return 0
    base = unicodedata.normalize("NFD", character)[0]
    if base in WIDTHS:
        return WIDTHS[base]
    return 1_400 if category == "So" else 1_100


def width(text: str, *, bold: bool = False) -> float:
    """At most how many pixels ``text`` takes in a chart."""
    ems = sum(_character(character) for character in text) / 1_000
    return ems * FONT_SIZE * (BOLD if bold else 1)


def fitted(text: str, pixels: float, *, bold: bool = False) -> str:
    """``text``, or as much of its beginning as fits into ``pixels`` with an ellipsis; empty if not even one does."""
    if width(text, bold=bold) <= pixels:
        return text
    room = pixels - width("…", bold=bold)
    kept = 0
    for character in text:
        room -= width(character, bold=bold)
        if room < 0:
            break
        kept += 1
    return f"{text[:kept].rstrip()}…" if kept else ""
