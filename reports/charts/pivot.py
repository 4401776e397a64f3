"""Pivot: rows of one figure each, by time and by something else, as rows with a column for each series."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from reports.charts.marks import Href, Row
from reports.charts.scales import number
from reports.charts.series import Series

MAX_PIVOTED = 6


@dataclass(frozen=True, slots=True)
class Pivot:
    """Rows with a column per series, their labels, and how many series were left out for being the smallest."""

    rows: list[Row]
    labels: list[str]
    series: tuple[Series, ...]
    left_out: int
    sources: dict[tuple[int, str], Row]
    value: str

    def href(self, href: Href) -> Href:
        """``href`` of the rows from before, for those from here."""
        places = {id(row): place for place, row in enumerate(self.rows)}

        def of_source(row: Row, column: str) -> str | None:
            source = self.sources.get((places[id(row)], column))
            return None if source is None else href(source, self.value)

        return of_source


def pivoted(rows: Sequence[Row], labels: Sequence[str], *, key: str, by: str, value: str, needs: int = 0) -> Pivot:
    """``rows`` by the column ``key`` (in the order they come), with a series for each text in the column ``by``.

    The series are those with the largest sums of ``value``, at most six. ``labels``: one for each of ``rows``.
    """
    sums: dict[str, float] = {}
    for row in rows:
        name = str(row[by])
        sums[name] = sums.get(name, 0.0) + abs(number(row.get(value)) or 0)
    names = sorted(sums, key=lambda name: (-sums[name], name))
    columns = {name: f"s{index}" for index, name in enumerate(names[:MAX_PIVOTED])}
    wide: dict[Hashable, Row] = {}
    places: dict[Hashable, int] = {}
    texts: list[str] = []
    sources: dict[tuple[int, str], Row] = {}
    for row, label in zip(rows, labels, strict=True):
        if row[key] not in wide:
            places[row[key]] = len(wide)
            wide[row[key]] = {key: row[key], "is_partial": row.get("is_partial", False)}
            texts.append(label)
        column = columns.get(str(row[by]))
        if column is not None:
            wide[row[key]] |= {column: row.get(value), f"{column}_n": row.get(f"{value}_n")}
            sources[places[row[key]], column] = row
    series = tuple(Series(column, name, needs) for name, column in columns.items())
    return Pivot(list(wide.values()), texts, series, max(0, len(names) - MAX_PIVOTED), sources, value)
