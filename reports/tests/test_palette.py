"""The colours of ``reports.css``, recounted: enough contrast, and different for every kind of sight."""

import itertools
import math
import re
from pathlib import Path

import pytest

CSS = (Path(__file__).parents[1] / "static/reports/reports.css").read_text()
#: Machado, Oliveira and Fernandes, *A Physiologically-based Model for Simulation of Color Vision Deficiency* (2009),
#: severity 1.0, on linear RGB.
SIGHTS = {
    "full": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900),
    ),
}  # fmt: skip
SURFACES = {"light": "#ffffff", "dark": "#1a1e25", "print": "#ffffff"}


def palette(mode: str) -> dict[str, str]:
    block = CSS[CSS.index("@media print" if mode == "print" else ":root") :]
    colour = "(#[0-9a-f]{6})"
    value = {"light": rf"light-dark\({colour}, ", "dark": rf"light-dark\(#[0-9a-f]{{6}}, {colour}", "print": colour}
    return dict(re.findall(rf"--([\w-]+): {value[mode]}", block[: block.index("}")]))


def linear(colour: str) -> list[float]:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def luminance(colour: str) -> float:
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear(colour), strict=True))


def contrast(first: str, other: str) -> float:
    low, high = sorted((luminance(first), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def lab(colour: str, sight: str) -> tuple[float, float, float]:
    seen = linear(colour)
    r, g, b = (min(1, max(0, sum(m * c for m, c in zip(line, seen, strict=True)))) for line in SIGHTS[sight])
    xyz = (
        (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.95047,
        0.2126 * r + 0.7152 * g + 0.0722 * b,
        (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.08883,
    )
    x, y, z = (value ** (1 / 3) if value > 0.008856 else 7.787 * value + 16 / 116 for value in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize("mode", SURFACES)
def test_series_differ_for_every_sight_and_keep_their_contrast(mode):
    colours = [colour for name, colour in palette(mode).items() if name.startswith("chart-")]
    assert len(colours) == 6
    assert [colour for colour in colours if contrast(colour, SURFACES[mode]) < 3] == []
    for (first, other), sight in itertools.product(itertools.combinations(colours, 2), SIGHTS):
        assert math.dist(lab(first, sight), lab(other, sight)) > 20, (first, other, sight)


@pytest.mark.parametrize("mode", SURFACES)
def test_shades_of_heat_ascend_and_their_figures_can_be_read(mode):
    named = palette(mode)
    shades = [named[f"heat-{letter}"] for letter in "abcde"]
    light = [luminance(shade) for shade in shades]
    assert light == sorted(light, reverse=mode != "dark")
    inks = ["on-heat-low"] * 3 + ["on-heat-high"] * 2
    assert [ink for shade, ink in zip(shades, inks, strict=True) if contrast(shade, named[ink]) < 4.5] == []
