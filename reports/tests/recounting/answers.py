"""What a definition gives: groups, figures, the period before, order and limit."""

import itertools
import math
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from reports.tests.recounting.clocks import Span, before, span_of
from reports.tests.recounting.conditions import Reader
from reports.tests.recounting.facts import FLAGS, MONEY, RATIOS, SECONDS, Fact

#: The words that have an order of their own; all others stand by their letters.
WORDS = {
    "agent_kind": ["llm", "human"],
    "priority": ["urgent", "high", "normal", "low"],
    "urgency": ["urgent", "high", "normal", "low"],
    # Of episodes, and of assignments.
    "end": [
        "completed", "failed", "cancelled", "deleted", "closed", "unassigned", "given_back", "lapsed", "declined",
    ],
    "credit": ["agent", "several", "nobody"],
    "former_credit": ["agent", "several", "nobody"],
    "punctuality": ["on_time", "late"],
    "entry_time": ["here", "given", "inferred", "unknown"],
    "end_time": ["here", "given", "inferred", "unknown"],
    "step": ["offered", "by_hand", "lapsed", "declined"],
    "source": ["manual", "auto", "pull"],
    "outcome": ["completed", "failed", "released", "expired", "revoked", "cancelled", "parked"],
    "status": ["not_started", "in_progress", "waiting", "in_review", "completed", "failed", "cancelled"],
    "reason": ["elsewhere", "dependency", "on_hold", "deferred", "no_agent", "answer", "review"],
    "state": ["open", "answered", "defaulted", "withdrawn", "superseded", "failed"],
    "role": ["viewer", "worker", "reviewer", "manager"],
    "verdict": ["approved", "changes_requested"],
    "kind": ["text", "choice", "confirm", "form"],
}  # fmt: skip
YES_OR_NO = ["yes", "no"]


@dataclass
class Recounted:
    """``rows`` in their order, each its figures; ``keys``: the bucket's place, if any, and the words of each."""

    keys: list[tuple]
    rows: list[dict[str, Any]]
    total: dict[str, Any]
    n: int
    span: Span


def recount(document: dict[str, Any], facts: list[Fact], reader: Reader) -> Recounted:
    """What ``document``, whose time and period are given, says of ``facts``."""
    size = document["time"].get("bucket")
    span = span_of(document["period"], size or "day", reader.zone, reader.now)
    meant = [fact for fact in facts if reader.applies(document.get("where"), fact)]
    groups, inside = _grouped(document, meant, span)
    total = _figures(document, inside)
    cells = {key: _figures(document, group) for key, group in groups.items()}
    nothing = _figures(document, [])
    if document.get("compare"):
        earlier, outside = _grouped(document, meant, before(span, document["period"], reader.zone))
        former = {key: _figures(document, group) for key, group in earlier.items()}
        cells = {
            key: _beside(document, cells.get(key, nothing), former.get(key, nothing)) for key in cells.keys() | former
        }
        total = _beside(document, total, _figures(document, outside))
        nothing = _beside(document, nothing, nothing)
    if size and not document["by"]:
        cells = {(place,): cells.get((place,), nothing) for place in range(len(span.starts))}
    keys = _in_order(document, list(cells), cells) if size or document["by"] else []
    keys = keys[: document.get("limit")]
    return Recounted(keys, [cells[key] for key in keys], total, len(inside), span)


def _grouped(document: dict[str, Any], facts: list[Fact], span: Span) -> tuple[dict[tuple, list[Fact]], list[Fact]]:
    """The facts of each cell, in which one with several words is several times; and each once."""
    groups: dict[tuple, list[Fact]] = defaultdict(list)
    inside = []
    for fact in facts:
        moment = fact.moments[document["time"]["on"]]
        place = None if moment is None else span.place(moment)
        if place is None:
            continue
        inside.append(fact)
        words = [
            sorted(fact.many[name]) or [None] if name in fact.many else [fact.words[name]] for name in document["by"]
        ]
        for each in itertools.product(*words):
            groups[(*((place,) if document["time"].get("bucket") else ()), *each)].append(fact)
    return groups, inside


def _columns(document: dict[str, Any]) -> dict[str, tuple[str | None, str]]:
    """Each column with its measure and aggregate; beside every figure the number behind it."""
    columns: dict[str, tuple[str | None, str]] = {}
    for each in document["measures"]:
        name, aggregate = each.get("name"), each["aggregate"]
        columns[aggregate if name is None else f"{name}_{aggregate}"] = name, aggregate
        if name is not None and aggregate not in ("count", "distinct"):
            columns[f"{name}_n"] = name, "count"
    return columns


def _figures(document: dict[str, Any], facts: list[Fact]) -> dict[str, Any]:
    return {column: _figure(*asked, facts) for column, asked in _columns(document).items()}


def _figure(name: str | None, aggregate: str, facts: list[Fact]) -> Any:
    """One figure over facts, exact until it is rounded at the end."""
    if name is None:
        return len(facts)
    values = sorted(fact.measures[name] for fact in facts if fact.measures[name] is not None)
    if aggregate == "count":
        return len(values)
    if aggregate == "distinct":
        return len(set(values))
    if aggregate == "sum":
        return _shown(name, aggregate, sum(values))
    if not values:
        return None
    if aggregate in ("min", "max"):
        return _shown(name, aggregate, values[0] if aggregate == "min" else values[-1])
    if aggregate == "mean":
        return _shown(name, aggregate, Fraction(sum(values), len(values)))
    place = Fraction(int(aggregate[1:]), 100) * (len(values) - 1)
    below = math.floor(place)
    above = min(below + 1, len(values) - 1)
    return _shown(name, aggregate, values[below] + (place - below) * (values[above] - values[below]))


def _shown(name: str, aggregate: str, value: Any) -> Any:
    if name in SECONDS:
        return round(value) / 1000
    if name in MONEY:
        return Decimal(round(value)) / 1_000_000
    if name in RATIOS:
        return float(round(Fraction(value) / 1_000_000, 4))
    if name in FLAGS and aggregate == "mean":
        return float(round(value * 100, 2))
    return float(round(value, 2)) if isinstance(value, Fraction) else value


def _beside(document: dict[str, Any], now: dict[str, Any], former: dict[str, Any]) -> dict[str, Any]:
    """A cell with its figures before; of what is no mere number of facts behind one, also the change in percent."""
    row = dict(now)
    measured = {
        each["aggregate"] if "name" not in each else f"{each['name']}_{each['aggregate']}"
        for each in document["measures"]
    }
    for column, value in former.items():
        row[f"{column}_previous"] = value
        if column in measured:
            row[f"{column}_change"] = _change(now[column], value)
    return row


def _change(now: Any, former: Any) -> float | None:
    if now is None or former is None or former == 0:
        return None
    now, former = float(now), float(former)
    return round(100 * (now - former) / abs(former), 2)


def _in_order(document: dict[str, Any], keys: list[tuple], cells: dict[tuple, dict[str, Any]]) -> list[tuple]:
    """By time and words; before those, as asked: rows without a value last, whichever way."""
    is_timed = bool(document["time"].get("bucket"))

    def place(name: str, word: str | None) -> tuple:
        known = WORDS.get(name, [])
        if word in YES_OR_NO and name not in WORDS:
            known = YES_OR_NO
        if word is None:
            return 2, 0, "", ""
        return (0, known.index(word), "", "") if word in known else (1, 0, word.casefold(), word)

    def words_of(key: tuple) -> tuple:
        return key[1:] if is_timed else key

    def natural(key: tuple) -> tuple:
        words = tuple(place(name, word) for name, word in zip(document["by"], words_of(key), strict=True))
        return (key[0], *words) if is_timed else words

    ordered = sorted(keys, key=natural)
    for text in reversed(document.get("order", [])):
        name = text.removeprefix("-")
        if name in ("bucket", "starts_at"):
            values: dict[tuple, Any] = {key: key[0] for key in ordered}
        elif name in document["by"]:
            at = document["by"].index(name)
            values = {key: None if words_of(key)[at] is None else place(name, words_of(key)[at]) for key in ordered}
        else:
            values = {key: cells[key][name] for key in ordered}
        filled = [key for key in ordered if values[key] is not None]
        groups: dict[Any, list[tuple]] = defaultdict(list)
        for key in filled:
            groups[values[key]].append(key)
        down = text.startswith("-")
        ordered = [key for value in sorted(groups, reverse=down) for key in groups[value]] + [
            key for key in ordered if values[key] is None
        ]
    return ordered
