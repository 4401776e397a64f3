"""Definitions by chance, over the whole grammar. Only the words that may stand there are the vocabulary's."""

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from reports.tests.conftest import utc
from reports.vocabulary import CONDITIONS, FACTS
from tasks.conditions.fields import Field, Kind

#: Of hours and half hours, some whose clocks change at midnight, by half an hour, or the other way round.
ZONES = (
    "UTC", "America/New_York", "America/Santiago", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Auckland",
    "reader",
)  # fmt: skip
SIZES = ("minute", "hour", "day", "week", "month", "quarter", "year")
NAMES = {
    "project": ["OPS", "OTHER", "NONE"],
    "label": ["bug", "Docs", "none"],
    "version": ["1.0", "2.0"],
    "code": ["oom", "Timeout"],
    "former_version": ["1.0", "2.0"],
    "actor": ["ada", "Zoe"],
}
PEOPLE = ["atlas", "bert", "hugo", "zed", "ada", "root", "vera", "me"]
#: Fields of the task list that are about other rows; its own tests count them.
ELSEWHERE = {"skill", "ready", "deferred", "stalled", "ref", "parent", "text", "external_id", "start_after"}
TIMES = [
    "2026-02-01",
    "2026-04-05",
    "2026-03-08T07:30:00Z",
    "2026-04-30T23:59:59.5+12:00",
    "today",
    "-60d",
    "-9w",
    "-999h",
]
DAYS = ["2026-02-01", "2026-03-08", "2026-04-05", "-60d", "today"]


def fields_of(facts: str) -> list[Field]:
    """The fields that conditions name here."""
    return [field for field in CONDITIONS[facts].values() if field.name not in ELSEWHERE]


@st.composite
def conditions(draw: Any, facts: str, depth: int = 3) -> dict[str, Any]:
    if depth and draw(st.booleans()):
        group = draw(st.sampled_from(["all", "any", "not"]))
        if group == "not":
            return {"not": draw(conditions(facts, depth - 1))}
        least = 0 if group == "all" else 1
        return {group: draw(st.lists(conditions(facts, depth - 1), min_size=least, max_size=3))}
    field = draw(st.sampled_from(fields_of(facts)))
    operator = draw(st.sampled_from(field.operators))
    return {"field": field.name, operator: draw(values(field, operator))}


def values(field: Field, operator: str) -> Any:
    """What ``operator`` of ``field`` takes."""
    if operator == "is_set" or field.kind is Kind.FLAG:
        return st.booleans()
    if field.kind is Kind.TIME:
        return st.sampled_from(DAYS if operator == "on" else TIMES)
    if field.kind is Kind.NUMBER:
        single = st.integers(-5, 5) | st.integers(0, 400_000)
        if not field.whole:
            single |= st.sampled_from([0.5, 12.345, 900, 5400])
    elif field.kind is Kind.CHOICE:
        single = st.sampled_from(list(field.words))
    else:
        single = st.sampled_from(NAMES.get(field.name, PEOPLE))
    return st.lists(single, min_size=1, max_size=3, unique=True) if operator in ("in", "not_in") else single


@st.composite
def periods(draw: Any, size: str | None) -> dict[str, Any]:
    """A period with no more buckets than a report may have."""
    if draw(st.booleans()):
        unit = draw(st.sampled_from({"minute": SIZES[:2], "hour": SIZES[:3]}.get(size or "", SIZES[3:])))
        most = {"minute": 90, "hour": 16, "day": 9, "year": 2}.get(unit, 6)
        return {"last": draw(st.integers(1, most)), "unit": unit}
    start = utc("2026-01-01") + timedelta(days=draw(st.integers(0, 100)))
    start += timedelta(minutes=draw(st.sampled_from([0, 0, 0, 90, 437])))
    days = draw(st.integers(1, {"minute": 0, "hour": 30}.get(size or "", 150)) if size != "minute" else st.just(0))
    end = start + timedelta(days=days, minutes=draw(st.sampled_from([0, 0, 30])) if days else 300)
    kind = draw(st.sampled_from(["days", "months", "moments", "local"]))
    if kind == "moments" or not days:
        return {"from": start.isoformat(), "to": end.isoformat()}
    if kind == "local":
        return {"from": start.replace(tzinfo=None).isoformat(), "to": end.replace(tzinfo=None).isoformat()}
    if kind == "months" and size != "hour":
        month = draw(st.integers(1, 4))
        return {"from": f"2026-0{month}-01", "to": f"2026-0{draw(st.integers(month + 1, 6))}-01"}
    return {"from": str(start.date()), "to": str((start + timedelta(days=days)).date())}


@st.composite
def measures(draw: Any, facts: str) -> list[dict[str, str]]:
    known = FACTS[facts].measures
    chosen = [{"aggregate": "count"}] if not known or draw(st.booleans()) else []
    for measure in draw(st.lists(st.sampled_from(known), min_size=1, max_size=4)) if known else []:
        each = {"name": measure.name, "aggregate": draw(st.sampled_from(measure.aggregates))}
        if each not in chosen:
            chosen.append(each)
    return chosen


@st.composite
def definitions(draw: Any, facts: str | None = None) -> dict[str, Any]:
    facts = facts or draw(st.sampled_from(sorted(FACTS)))
    fact = FACTS[facts]
    time = {"on": draw(st.sampled_from([moment.name for moment in fact.moments]))}
    size = draw(st.sampled_from([None, *SIZES]))
    if size:
        time["bucket"] = size
    document = {
        "version": 1,
        "facts": facts,
        "measures": draw(measures(facts)),
        "by": draw(st.lists(st.sampled_from([each.name for each in fact.dimensions]), max_size=3, unique=True)),
        "time": time,
        "period": draw(periods(size)),
        "tz": draw(st.sampled_from(ZONES)),
    }
    if draw(st.booleans()):
        document["where"] = draw(conditions(facts))
    if draw(st.booleans()):
        document["compare"] = "previous"
    if draw(st.booleans()):
        document["order"] = draw(orders(document))
    if draw(st.booleans()):
        document["limit"] = draw(st.integers(1, 12))
    return document


@st.composite
def orders(draw: Any, document: dict[str, Any]) -> list[str]:
    """Columns that the document has, some of them from the most."""
    known = list(document["by"]) + (["starts_at"] if document["time"].get("bucket") else [])
    for each in document["measures"]:
        column = each["aggregate"] if "name" not in each else f"{each['name']}_{each['aggregate']}"
        known += [column, *([f"{column}_previous", f"{column}_change"] if document.get("compare") else [])]
    chosen = draw(st.lists(st.sampled_from(known), min_size=1, max_size=3, unique=True))
    return [draw(st.sampled_from(["", "-"])) + name for name in chosen]
