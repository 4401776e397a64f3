"""The language of conditions: what it refuses, and that each condition means what it says, whatever it stands in."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.conditions import All, Context, Kind, Leaf, compile, document_of, loads, read
from tasks.conditions.grammar import DEEPEST, MOST_LEAVES, MOST_VALUES
from tasks.conditions.of_tasks import TASK_FIELDS
from tasks.conditions.words import words_of
from tasks.errors import Invalid
from tasks.models import Priority, Run, Task
from tasks.refs import parse_ref
from tasks.search.words import words_in
from tasks.transitions import Status

LABEL = {"field": "label", "in": ["bug"]}
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("document", "place", "sentence"),
    [
        ([], "where", "Must be an object"),
        ("status", "where", "Must be an object"),
        ({}, "where", "Must have a field, or all, any or not"),
        ({"al": [LABEL]}, "where", "did you mean 'all'"),
        ({"all": LABEL}, "where.all", "Must be a list"),
        ({"any": []}, "where.any", "at least one condition"),
        ({"all": [LABEL], "any": [LABEL]}, "where", "put one inside the other"),
        ({"all": [LABEL, {"field": "lable", "in": ["x"]}]}, "where.all[1].field", "did you mean 'label'"),
        ({"field": 7, "in": ["x"]}, "where.field", "Must be the name of a field"),
        ({"field": "label"}, "where", "label takes is, is_not, in, not_in, is_set"),
        ({"field": "label", "inn": ["x"]}, "where", "did you mean 'in'"),
        ({"field": "label", "after": "today"}, "where.after", "Does not fit label"),
        ({"field": "created", "after": "today", "before": "today"}, "where", "write two conditions under all"),
        ({"any": [{"not": {"field": "status", "in": ["waitin"]}}]}, "where.any[0].not.in[0]", "did you mean 'waiting'"),
        ({"field": "status", "in": "waiting"}, "where.in", "Must be a list; for a single value write is"),
        ({"field": "status", "in": []}, "where.in", "at least one value"),
        ({"field": "status", "in": [["waiting"]]}, "where.in[0]", "single values"),
        ({"field": "status", "is": ["waiting"]}, "where.is", "single values"),
        ({"field": "label", "in": ["x"] * (MOST_VALUES + 1)}, "where.in", f"at most {MOST_VALUES} values"),
        ({"field": "label", "is": "a\0b"}, "where.is", "Null characters"),
        ({"field": "label", "is": "\ud800"}, "where.is", "Surrogate"),
        ({"field": "label", "is": "  "}, "where.is", "Must not be empty"),
        ({"field": "text", "contains": "x" * 8001}, "where.contains", "at most 8,000 characters"),
        ({"field": "priority", "at_least": "hihg"}, "where.at_least", "did you mean 'high'"),
        ({"field": "attempts", "at_least": "3"}, "where.at_least", "Must be a number"),
        ({"field": "attempts", "at_least": True}, "where.at_least", "Must be a number"),
        ({"field": "attempts", "at_least": 1.5}, "where.at_least", "whole number"),
        ({"field": "attempts", "is": 10**400}, "where.is", "Must be from"),
        ({"field": "attempts", "is": float("nan")}, "where.is", "Must be a number"),
        ({"field": "attempts", "is": float("inf")}, "where.is", "Must be from"),
        ({"field": "overdue", "is": "true"}, "where.is", "Must be true or false"),
        ({"field": "due", "is_set": 1}, "where.is_set", "Must be true or false"),
        ({"field": "due", "before": "soon"}, "where.before", "Must be a time such as"),
        ({"field": "due", "before": "99999-01-01"}, "where.before", "Must be a time such as"),
        ({"field": "due", "before": "0001-01-01"}, "where.before", "Must be from 1970"),
        ({"field": "due", "on": "-3h"}, "where.on", "Must be a day"),
        ({"field": "due", "on": "2026-01-01T10:00:00Z"}, "where.on", "Must be a day"),
        ({"field": "parent", "is": "seven"}, "where.is", "Must be a ref"),
    ],
)
def test_mistake_gets_its_place_and_a_sentence(document, place, sentence):
    with pytest.raises(Invalid) as refused:
        read(document, TASK_FIELDS)
    assert refused.value.field == place
    assert sentence in refused.value.fact


def test_document_is_bounded():
    deep: dict[str, Any] = LABEL
    for _ in range(DEEPEST):
        deep = {"not": deep}
    assert document_of(read(deep, TASK_FIELDS)) == deep
    for document in ({"not": deep}, {"all": [{"all": [LABEL] * MOST_LEAVES}, LABEL]}):
        with pytest.raises(Invalid):
            read(document, TASK_FIELDS)


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 5_000, "NaN", '{"a": 1, "a": 2}', "x" * 9_000, "9" * 5_000, '{"all": [1e999]}']
)
def test_text_that_is_no_document_is_refused_at_its_place(text):
    with pytest.raises(Invalid) as refused:
        loads(text, TASK_FIELDS)
    assert refused.value.field.startswith("where")


def test_no_document_is_no_condition():
    assert read(None, TASK_FIELDS) == read({"all": []}, TASK_FIELDS) == All()


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([*TASK_FIELDS, "is", "all"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["all", "any", "not", "field", "is", "in", "before", "x"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(ANY_JSON)
def test_anything_is_read_or_refused_with_one_place(document):
    try:
        condition = read(document, TASK_FIELDS)
    except Invalid as refusal:
        place = refusal.field
    else:
        place = "where"
        assert read(document_of(condition), TASK_FIELDS) == condition
    assert place.startswith("where")


# What conditions mean, against a plain reading of the tasks themselves.

NOW = datetime(2026, 3, 29, 10, tzinfo=UTC)
DAYS = ("2026-03-28", "2026-03-29", "2026-03-30")
VALUES = {
    "project": ["OPS", "OTHER", "NOPE"],
    "label": ["bug", "docs", "nobody has this"],
    "skill": ["python", "docs"],
    "assignee": ["atlas", "bert", "me"],
    "created_by": ["ada", "root", "me"],
    "ref": ["OPS-1", "ops-2", "OPS-99"],
    "parent": ["OPS-1", "OPS-99"],
    "external_id": ["ex-1", "nothing"],
}


def _leaf(name: str) -> st.SearchStrategy[dict[str, Any]]:
    field = TASK_FIELDS[name]

    def with_operator(operator: str) -> st.SearchStrategy[dict[str, Any]]:
        if operator == "is_set" or field.kind is Kind.FLAG:
            values: st.SearchStrategy[Any] = st.booleans()
        elif field.kind is Kind.TIME:
            values = st.sampled_from(
                [*DAYS, "today"] + ([] if operator == "on" else ["2026-03-29T12:30:00+02:00", "-3h"])
            )
        elif field.kind is Kind.NUMBER:
            values = st.integers(0, 3)
        elif operator in ("contains", "starts_with"):
            values = st.sampled_from(["task", "EX", "ops-2", "bug", "%", "_"])
        else:
            values = st.sampled_from(list(field.words) or VALUES[name])
        if operator in ("in", "not_in"):
            values = st.lists(values, min_size=1, max_size=3)
        return values.map(lambda value: {"field": name, operator: value})

    return st.sampled_from(field.operators).flatmap(with_operator)


CONDITIONS = st.recursive(
    st.sampled_from(list(TASK_FIELDS)).flatmap(_leaf),
    lambda inner: (
        inner.map(lambda part: {"not": part})
        | st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"any": parts})
        | st.lists(inner, max_size=3).map(lambda parts: {"all": parts})
    ),
    max_leaves=6,
)


class Facts:
    """The fields of one task, read from its rows one by one."""

    def __init__(self, task: Task, user: Any) -> None:
        self.task, self.user = task, user

    def names(self, field: str) -> set[str]:
        task = self.task
        match field:
            case "project":
                return {task.project.key}
            case "label":
                return {label.name for label in task.labels.all()}
            case "skill":
                return {need.skill.name for need in task.required_skills.all()}
            case "assignee":
                agents = [assignment.agent for assignment in task.assignments.all() if assignment.counts]
                return {agent.slug for agent in agents} | {"me" for agent in agents if agent.user == self.user}
            case "created_by":
                return {task.created_by.username} | ({"me"} if task.created_by == self.user else set())
            case "ref":
                return {task.ref}
            case "parent":
                return {task.parent.ref} if task.parent else set()
            case "external_id":
                return {task.external_id} if task.external_id else set()
            case "status":
                return {task.status}
        assert field == "priority"
        return {Priority(task.priority).name.lower()}

    def flag(self, field: str) -> bool:
        task = self.task
        new = task.status == Status.NOT_STARTED
        match field:
            case "unassigned":
                return all(assignment.ended_at for assignment in task.assignments.all())
            case "ready":
                return task.is_ready(NOW)
            case "blocked":
                return task.is_blocked()
            case "deferred":
                return new and task.is_deferred(NOW)
            case "on_hold":
                return new and task.on_hold
            case "overdue":
                return task.is_overdue(NOW)
            case "stalled":
                return any(run.stalled_at and not run.ended_at for run in task.runs.all())
        assert field == "review_required"
        return task.review_required

    def time(self, field: str) -> datetime | None:
        if field == "start_after":
            return self.task.start_after
        if field == "completed" and self.task.status != Status.COMPLETED:
            return None
        return getattr(self.task, f"{field}_at")

    def number(self, field: str) -> int | None:
        columns = {"estimate": "estimate_minutes", "attempts": "attempts", "progress": "progress_percent"}
        return getattr(self.task, columns[field])

    def text(self, field: str) -> list[str]:
        return [self.task.external_id] if self.task.external_id else []


def start_of(text: str) -> datetime:
    if text == "-3h":
        return NOW - timedelta(hours=3)
    moment = datetime.fromisoformat("2026-03-29" if text == "today" else text)
    return moment if moment.tzinfo else moment.replace(tzinfo=BERLIN)


def has_words(typed: str, facts: Facts) -> bool:
    """For the few texts that this test looks for; how words are made is for the tests of the search."""
    words = words_in(typed)
    texts = [facts.task.ref, facts.task.title, facts.task.description, *facts.names("label")]
    rows = [words_in(text) for text in texts]
    if parse_ref(typed):
        return any(row[place : place + 2] == words for row in rows for place in range(len(row)))
    has = {word for row in rows for word in row}
    return bool(words) and has.issuperset(words[:-1]) and any(word.startswith(words[-1]) for word in has)


def applies(document: dict[str, Any], facts: Facts) -> bool:
    """What a document says of one task, slowly."""
    if "all" in document:
        return all(applies(part, facts) for part in document["all"])
    if "any" in document:
        return any(applies(part, facts) for part in document["any"])
    if "not" in document:
        return not applies(document["not"], facts)
    name = document["field"]
    operator, value = next((key, item) for key, item in document.items() if key != "field")
    kind = TASK_FIELDS[name].kind
    if kind is Kind.FLAG:
        return facts.flag(name) is value
    if operator in ("is_not", "not_in"):
        return not applies({"field": name, {"is_not": "is", "not_in": "in"}[operator]: value}, facts)
    values = value if isinstance(value, list) else [value]
    if kind is Kind.TIME:
        moment = facts.time(name)
        if operator == "is_set" or moment is None:
            return operator == "is_set" and value is (moment is not None)
        if operator == "on":
            # The zone puts the clocks forward on the 29th: a day has 23 hours.
            return moment.astimezone(BERLIN).date() == start_of(value).astimezone(BERLIN).date()
        return moment < start_of(value) if operator == "before" else moment >= start_of(value)
    if kind is Kind.NUMBER:
        number = facts.number(name)
        if operator == "is_set" or number is None:
            return operator == "is_set" and value is (number is not None)
        return {"at_least": number >= values[0], "at_most": number <= values[0]}.get(operator, number in values)
    if name == "text":
        return has_words(value, facts)
    if operator == "contains":
        return any(value.casefold() in text.casefold() for text in facts.text(name))
    if operator == "starts_with":
        return any(text.casefold().startswith(value.casefold()) for text in facts.text(name))
    has = facts.names(name)
    if operator == "is_set":
        return value is bool(has)
    if name == "priority" and operator in ("at_least", "at_most"):
        (mine,), limit = ([Priority[word.upper()] for word in has], Priority[value.upper()])
        return mine >= limit if operator == "at_least" else mine <= limit
    return bool(has & {each.upper() if name in ("ref", "parent") else each for each in values})


@pytest.fixture
def scene(cast, new_task):
    """Tasks that differ in every field."""
    first = new_task(
        "Task of 100%", priority=4, labels=["bug"], due_at=NOW - timedelta(hours=1), assignees=[cast.atlas]
    )
    second = new_task("Other", labels=["bug", "docs"], depends_on=[first], estimate_minutes=2)
    new_task("Held", on_hold=True, required_skills=[("python", 2)], external_id="ex-1", priority=1)
    new_task("Later", start_after=NOW + timedelta(days=2), due_at=NOW + timedelta(days=3), assignees=[cast.bert])
    working = new_task("A task under way", assignees=[cast.ada], review_required=True)
    finished = new_task("Finished", external_id="EX-2", assignees=[cast.bert])
    again = new_task("Completed before", estimate_minutes=0, parent=second)
    elsewhere = new_task("Elsewhere", project=cast.other, labels=["bug"])
    tasks = Task.objects.all()
    tasks.filter(pk=working.pk).update(status=Status.IN_PROGRESS, started_at=NOW, progress_percent=2, attempts=1)
    Run.objects.create(
        task=working, agent=cast.ada, number=1, started_at=NOW, last_heartbeat_at=NOW, last_progress_at=NOW,
        stalled_at=NOW,
    )  # fmt: skip
    done_at = datetime(2026, 3, 28, 23, 30, tzinfo=UTC)
    tasks.filter(pk=finished.pk).update(status=Status.COMPLETED, completed_at=done_at, started_at=done_at, attempts=3)
    finished.assignments.update(ended_at=done_at, end_reason="closed")
    tasks.filter(pk=again.pk).update(completed_at=done_at)
    for days, task in enumerate([first, second, working, elsewhere]):
        tasks.filter(pk=task.pk).update(created_at=NOW - timedelta(days=days), updated_at=NOW - timedelta(hours=days))
    return cast


def test_condition_finds_the_tasks_to_which_it_applies(scene):
    tasks = list(Task.objects.select_related("project", "parent__project", "created_by"))
    context = Context(scene.ada.user, BERLIN, NOW)
    facts = [Facts(task, scene.ada.user) for task in tasks]
    assert timezone.is_aware(NOW)

    @settings(max_examples=250, deadline=None)
    @given(CONDITIONS)
    def check(document):
        condition = loads(json.dumps(document), TASK_FIELDS)
        rows = Task.objects.filter(compile(condition, TASK_FIELDS, context))
        meant = [each.task.pk for each in facts if applies(document, each)]
        assert sorted(rows.values_list("pk", flat=True)) == sorted(meant)

    check()


@pytest.mark.parametrize("name", TASK_FIELDS)
def test_every_operator_of_a_field_splits_the_tasks_in_two(scene, name):
    context = Context(scene.ada.user, BERLIN, NOW)

    @settings(max_examples=30, deadline=None)
    @given(_leaf(name))
    def check(document):
        condition = read(document, TASK_FIELDS)
        assert isinstance(condition, Leaf)
        these, others = (
            set(
                Task.objects.filter(compile(read(each, TASK_FIELDS), TASK_FIELDS, context)).values_list("pk", flat=True)
            )
            for each in (document, {"not": document})
        )
        assert not these & others
        assert these | others == set(Task.objects.values_list("pk", flat=True))

    check()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("2026-11-22T10:00:00Z", "Updated before 22 Nov 2026, 23:00"),
        ("2026-11-22T10:00:30.5+01:00", "Updated before 22 Nov 2026, 22:00:30"),
        ("2026-11-22 10:00", "Updated before 22 Nov 2026, 10:00"),
        ("2026-11-22", "Updated before 22 Nov 2026"),
        ("today", "Updated before today"),
        ("-7d", "Updated before 7 days ago"),
    ],
)
def test_times_are_said_in_the_readers_zone(value, words):
    condition = read({"field": "updated", "before": value}, TASK_FIELDS)
    assert words_of(condition, TASK_FIELDS, zone=ZoneInfo("Pacific/Auckland")) == words
