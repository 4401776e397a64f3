"""Lines and surfaces over time: one or several series."""

from collections.abc import Sequence

from django.utils.safestring import SafeString

from reports.charts.frame import Frame, Slots, path, runs, stretched
from reports.charts.marks import Href, Row, spot
from reports.charts.scales import said, scale
from reports.charts.series import OfSeries, Series, key, legend_of, marker, pattern_of, patterns
from reports.charts.svg import node

#: With more rows than this, only what has no line to lie on gets a marker.
MAX_MARKERS = 60


def described(series: Sequence[Series], rows: Sequence[Row], labels: Sequence[str], unit: str) -> str:
    """Where each series begins and ends."""
    texts = []
    for each in series:
        filled = [(row, label) for row, label in zip(rows, labels, strict=True) if each.value(row) is not None]
        if filled:
            (first, began), (last, ended) = filled[0], filled[-1]
            texts.append(
                f"{each.label}: {said(first[each.column], unit)} in {began}, {said(last[each.column], unit)} in {ended}"
            )
    return f"{'; '.join(texts)}." if texts else "No figures."


class Lines(OfSeries):
    """A line per series, with a gap where there is no figure; a figure from too few facts has a hollow marker."""

    __slots__ = ()

    def legend(self, rows: Sequence[Row]) -> list[tuple[str, str]]:
        keys = [(f"key-line-{index + 1}", each.label) for index, each in enumerate(self.series)]
        keys = keys if len(keys) > 1 else []
        if needs := max((each.needs for each in self.series if any(map(each.is_thin, rows))), default=0):
            keys.append(("key-hollow", f"from fewer facts than the figure needs (up to {needs})"))
        return keys

    def draw(
        self,
        rows: Sequence[Row],
        *,
        labels: Sequence[str],
        ident: str,
        href: Href | None = None,
        total: Row | None = None,
        small: bool = False,
    ) -> SafeString:
        known = [each.value(row) for row in rows for each in self.series]
        if all(value is None for value in known):
            return SafeString()
        description = described(self.series, rows, labels, self.unit)
        frame = Frame(ident, self.title, description, scale(known, self.unit), small)
        lines, slots = stretched(frame.shapes, frame.bottom), Slots(len(rows))
        for index, each in enumerate(self.series):
            values = [each.value(row) for row in rows]
            points = [
                None if value is None else (slots.middle(place), frame.y(value)) for place, value in enumerate(values)
            ]
            alone = {piece[0] for piece in runs(points) if len(piece) == 1}
            for piece in runs(points):
                node(lines, "polyline", class_=f"chart-line {key(index)}", points=path(piece))
            for row, label, point in zip(rows, labels, points, strict=True):
                if point is None:
                    continue
                is_thin = each.is_thin(row)
                if (len(rows) <= MAX_MARKERS and not small) or point in alone:
                    marker(frame.shapes, index, *point, thin=is_thin)
                thin = [f"from {row[f'{each.column}_n']}, too few"] if is_thin else []
                words = (label, f"{each.label}: {said(row[each.column], self.unit)}", *thin)
                mark = frame.mark(*point, words, href and href(row, each.column))
                if mark is not None:
                    spot(mark, *point)
        frame.labels(labels)
        return frame.html()


class StackedArea(OfSeries):
    """Surfaces upon each other, the first series lowest: as in a cumulative flow diagram. No figure counts as 0."""

    __slots__ = ()

    def legend(self, rows: Sequence[Row]) -> list[tuple[str, str]]:
        # From the top, as they lie.
        return legend_of(self.series)[::-1]

    def draw(
        self,
        rows: Sequence[Row],
        *,
        labels: Sequence[str],
        ident: str,
        href: Href | None = None,
        total: Row | None = None,
        small: bool = False,
    ) -> SafeString:
        heights = [[0.0] * len(rows)]
        for each in self.series:
            heights.append(
                [below + max(0.0, each.value(row) or 0) for below, row in zip(heights[-1], rows, strict=True)]
            )
        if not any(heights[-1]):
            return SafeString()
        description = described(self.series, rows, labels, self.unit)
        frame = Frame(ident, self.title, description, scale(heights[-1], self.unit), small)
        patterns(frame.svg, ident, len(self.series))
        slots, bands = Slots(len(rows)), stretched(frame.shapes, frame.bottom)
        for index, each in enumerate(self.series):
            lower = self._edge(frame, slots, heights[index])
            upper = self._edge(frame, slots, heights[index + 1])
            outline = path([*upper, *reversed(lower)])
            node(bands, "polygon", class_=f"chart-surface {key(index)}", points=outline)
            if pattern := pattern_of(ident, index):
                self._lay(frame, pattern, index, outline)
            for place, (row, label) in enumerate(zip(rows, labels, strict=True)):
                if not each.value(row):
                    continue
                x, y = slots.middle(place), frame.y(heights[index + 1][place])
                words = (label, f"{each.label}: {said(row[each.column], self.unit)}")
                mark = frame.mark(x, y, words, href and href(row, each.column))
                if mark is not None:
                    spot(mark, x, y, radius=6)
        frame.labels(labels)
        return frame.html()

    @staticmethod
    def _lay(frame: Frame, pattern: str, index: int, outline: str) -> None:
        """A pattern within ``outline``, which unlike the surface is not stretched."""
        ident = f"{frame.ident}-m{index}"
        cut = node(frame.shapes, "mask", id=ident, maskUnits="userSpaceOnUse", x=0, y=0, width="100%", height="100%")
        node(stretched(cut, frame.bottom), "polygon", fill="#fff", points=outline)
        place = {"x": 0, "y": 0, "width": "100%", "height": frame.bottom}
        node(frame.shapes, "rect", fill=pattern, mask=f"url(#{ident})", **place)

    @staticmethod
    def _edge(frame: Frame, slots: Slots, heights: Sequence[float]) -> list[tuple[float, float]]:
        """An edge through the middles of the slots, level from side to side where there is only one."""
        points = [(slots.middle(place), frame.y(height)) for place, height in enumerate(heights)]
        return [(0.0, points[0][1]), *points, (100.0, points[-1][1])]
