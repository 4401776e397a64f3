"""Random definitions over random histories equal a slow recount to the last digit; random mistakes are one sentence."""

import copy
import random
from datetime import timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reports import running
from reports.definitions import read
from reports.scopes import scope_of
from reports.tests.conftest import utc
from reports.tests.recount import FACTS, recount
from reports.vocabulary import FACTS as VOCABULARY
from taskproject.errors import Invalid
from tasks.models import Episode, StatusInterval

pytestmark = pytest.mark.django_db

NOW = utc("2026-06-01 12:00")
WORDS = {
    "episodes": ["project", "agent", "agent_kind", "version", "priority", "end", "credit", "reopened"],
    "runs": ["project", "agent", "outcome", "code", "version"],
}
MEASURES = {
    "episodes": ["lead", "queue", "cycle", "worked", "runs", "cost", "reopened", "first_try", "late", "lateness"],
    "runs": ["duration", "succeeded", "input_tokens", "cost"],
}
VALUES = {
    "agent": ["atlas", "bert", "hugo", "zed"],
    "project": ["OPS", "OTHER"],
    "version": ["1.0", "2.0"],
    "priority": ["low", "high"],
    "end": ["completed", "failed"],
    "outcome": ["completed", "failed"],
    "code": ["oom", "timeout"],
}


@pytest.fixture(params=[1, 2])
def history(cast, request):
    """Episodes and runs of two projects with all there is: open, failed, deleted, of unknown times, to the µs."""
    draw = random.Random(request.param)
    start = utc("2026-01-01 00:00")

    def after(moment, days: float):
        return moment + timedelta(microseconds=draw.randrange(int(days * 86_400_000_000)))

    episodes, intervals = [], []
    for number in range(70):
        project = draw.choice([cast.ops, cast.ops, cast.other])
        agent = draw.choice([cast.atlas, cast.bert, cast.hugo, None]) if project == cast.ops else cast.zed
        entered = after(start, 120)
        began = draw.choice([None, after(entered, 3)])
        end = draw.choice(["completed", "completed", "completed", "failed", "cancelled", ""])
        episodes.append(
            Episode(
                project=project, task_id=50_000 + number, task_ref=f"{project.key}-{number}", number=1,
                is_reopened=draw.random() < 0.2, entered_at=entered,
                entered_from=draw.choice(["here", "here", "given", "unknown"]), started_at=began,
                ended_at=after(began or entered, 9) if end else None, end=end,
                ended_from=draw.choice(["here", "inferred", "unknown"]) if end else "", agent=agent,
                version=draw.choice(["", "1.0", "2.0"]),
                credit=draw.choice(["agent", "nobody"]) if end == "completed" else "",
                priority=draw.randint(1, 4), due_at=draw.choice([None, after(entered, 6)]),
                runs=draw.randint(0, 3), failed_runs=draw.randint(0, 1), changes_requested=draw.randint(0, 1),
                worked_seconds=round(draw.random() * 10_000, 6), cost=Decimal(draw.randrange(10**9)) / 10**6,
            )
        )  # fmt: skip
        ended = draw.choice([None, after(entered, 2)])
        intervals.append(
            StatusInterval(
                project=project, task_id=50_000 + number, task_ref=f"{project.key}-{number}", episode=1,
                status=draw.choice(["in_progress", "in_progress", "not_started"]), began_at=entered, ended_at=ended,
                agent=agent, version=draw.choice(["", "1.0"]), input_tokens=draw.randrange(10**6),
                outcome=draw.choice(["completed", "failed"]) if ended else "", code=draw.choice(["", "oom"]),
                cost=Decimal(draw.randrange(10**9)) / 10**6,
            )
        )  # fmt: skip
    Episode.objects.bulk_create(episodes)
    StatusInterval.objects.bulk_create(intervals)
    return cast


@st.composite
def conditions(draw, facts: str, depth: int = 2):
    if depth and draw(st.booleans()):
        group = draw(st.sampled_from(["all", "any", "not"]))
        if group == "not":
            return {"not": draw(conditions(facts, depth - 1))}
        return {group: draw(st.lists(conditions(facts, depth - 1), min_size=1, max_size=2))}
    kind = draw(st.sampled_from(["word", "number"]))
    if kind == "number":
        name = {"episodes": ["cycle", "lead", "runs"], "runs": ["duration", "input_tokens"]}[facts]
        return {"field": draw(st.sampled_from(name)), "at_least": draw(st.integers(0, 200_000))}
    name = draw(st.sampled_from([name for name in WORDS[facts] if name in VALUES]))
    if name == "priority" and draw(st.booleans()):
        return {"field": name, "at_least": draw(st.sampled_from(["normal", "urgent"]))}
    values = draw(st.lists(st.sampled_from(VALUES[name]), min_size=1, max_size=2, unique=True))
    return {"field": name, draw(st.sampled_from(["in", "not_in"])): values}


@st.composite
def definitions(draw):
    facts = draw(st.sampled_from(sorted(FACTS)))
    fact = VOCABULARY[facts]
    measures = [{"aggregate": "count"}]
    for name in draw(st.lists(st.sampled_from(MEASURES[facts]), max_size=4, unique=True)):
        measures.append({"name": name, "aggregate": draw(st.sampled_from(fact.measure(name).aggregates))})
    time = {"on": draw(st.sampled_from([moment.name for moment in fact.moments]))}
    if draw(st.booleans()):
        time["bucket"] = draw(st.sampled_from(["hour", "day", "week", "month", "quarter", "year"]))
    days = 20 if time.get("bucket") == "hour" else 150
    document = {
        "version": 1,
        "facts": facts,
        "measures": measures,
        "by": draw(st.lists(st.sampled_from(WORDS[facts]), max_size=3, unique=True)),
        "time": time,
        "period": {"from": "2026-01-11", "to": str((utc("2026-01-11") + timedelta(days=days)).date())},
        "tz": draw(st.sampled_from(["UTC", "America/New_York", "Asia/Kolkata", "Pacific/Auckland"])),
    }
    if draw(st.booleans()):
        document["where"] = draw(conditions(facts))
    if draw(st.booleans()):
        document["order"] = draw(st.sampled_from([["-count"], ["count"]]))
    return document


OFTEN = settings(
    max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), print_blob=True
)


@OFTEN
@given(document=definitions(), name=st.sampled_from(["ada", "mona", "root"]))
def test_random_definition_equals_the_recount_of_what_its_reader_may_see(history, document, name):
    member = getattr(history, name)
    user = member if name == "root" else member.user
    definition = read(document)
    assert read(definition.to_document()) == definition
    answer = running.run(definition, user=user, now=NOW)
    zone = ZoneInfo(document["tz"])
    ids = list(scope_of(user).project_ids)
    groups, total, n = recount(document, ids, answer.period.start, answer.period.end, zone)
    when = ["bucket"] if "bucket" in document["time"] else []
    names = [*when, *document["by"]]
    figures = [column.name for column in answer.columns if column.role in ("measure", "n")]
    assert (answer.n, {figure: answer.total[figure] for figure in figures}) == (n, total)
    rows = {tuple(row[key] for key in names): {figure: row[figure] for figure in figures} for row in answer.rows}
    assert len(rows) == len(answer.rows)
    if names:
        assert {key: row for key, row in rows.items() if row["count"]} == groups
    if order := document.get("order"):
        counts = [row["count"] for row in answer.rows]
        assert counts == sorted(counts, reverse=order == ["-count"])
    assert answer.rows == running.run(definition, user=user, now=NOW).rows


JUNK = st.sampled_from(
    [None, True, -1, 0, 7, 1.5, "", "x", "cyclee", "agnet", "\x00", "é" * 200, [], ["x"], {}, {"x": 1}, [[]], "Mars"]
)


def _places(value, path=()):
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from _places(child, (*path, key))


@OFTEN
@given(document=definitions(), data=st.data())
def test_random_mistake_is_refused_with_one_sentence_at_a_place_or_is_none(cast, document, data):
    document = copy.deepcopy(document)
    place = data.draw(st.sampled_from([path for path in _places(document) if path]))
    parent = document
    for key in place[:-1]:
        parent = parent[key]
    if isinstance(parent, dict) and data.draw(st.booleans()):
        parent[f"{place[-1]}x"] = parent.pop(place[-1])
    else:
        parent[place[-1]] = data.draw(JUNK)
    try:
        definition = read(document)
        running.run(definition, user=cast.ada.user, now=NOW)
    except Invalid as refused:
        ((where, sentences),) = refused.data["errors"].items()
        assert where
        assert len(sentences) == 1
        assert "\n" not in sentences[0]
        assert sentences[0].endswith((".", "?", "]", "}"))
    else:
        assert read(definition.to_document()) == definition
