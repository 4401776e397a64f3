"""The figures: one row per benchmark, with its yardstick, their ratio and the target."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal


@dataclass
class Figure:
    """One comparison. ``ours`` and ``yardstick`` are in ``unit``; ``ratio``: ours ÷ yardstick, by round."""

    work: str
    ours: float
    yardstick: float | None
    yardstick_name: str
    unit: str
    target: float | None
    better: Literal["higher", "lower"]
    ratio: float | None = None
    note: str = ""

    def __post_init__(self) -> None:
        if self.ratio is None and self.yardstick:
            self.ratio = self.ours / self.yardstick

    @property
    def reached(self) -> bool | None:
        """Whether the ratio meets the target; None if there is no target."""
        if self.target is None or self.ratio is None:
            return None
        return self.ratio >= self.target if self.better == "higher" else self.ratio <= self.target


def of_rounds(ours: list[float], yardstick: list[float], **words: Any) -> Figure:
    """A figure from alternating rounds; its ratio is the median of the rounds' ratios.

    Other load on the machine disturbs both sides of a round alike.
    """
    ratio = median(mine / theirs for mine, theirs in zip(ours, yardstick, strict=True))
    return Figure(ours=median(ours), yardstick=median(yardstick), ratio=ratio, **words)


HEADS = ("work", "ours", "yardstick", "ratio", "target", "")


def _amount(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:,.2f} {unit}"


def as_text(figures: list[Figure]) -> str:
    """A table for the terminal."""
    rows = [HEADS]
    for figure in figures:
        sign = "≥" if figure.better == "higher" else "≤"
        verdict = {None: "", True: "reached", False: "MISSED"}[figure.reached]
        beside = f"{_amount(figure.yardstick, figure.unit)}" if figure.yardstick is not None else "–"
        rows.append(
            (
                figure.work,
                _amount(figure.ours, figure.unit),
                f"{beside} ({figure.yardstick_name})" if figure.yardstick_name else beside,
                f"{figure.ratio:.2f} ×" if figure.ratio is not None else "–",
                f"{sign} {figure.target:g} ×" if figure.target is not None else "–",
                "  ".join(part for part in (verdict, figure.note) if part),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "─" * max(len(line) for line in lines), *lines[1:]])


def write_json(path: Path, figures: list[Figure], about: dict[str, Any]) -> None:
    rows = [{**asdict(figure), "reached": figure.reached} for figure in figures]
    path.write_text(json.dumps({"about": about, "figures": rows}, indent=2, ensure_ascii=False) + "\n")
