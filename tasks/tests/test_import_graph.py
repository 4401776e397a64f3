"""Cycles are found and named; whole graphs are imported with the right counters and in the right order."""

import json
from itertools import pairwise

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.actions.imports import PlanRefused, import_plan
from tasks.actions.imports.graph import MOST_CYCLES, find_cycles, in_order
from tasks.actions.tasks import recount_blockers
from tasks.formats import json_list
from tasks.models import Dependency, Task


def load(cast, entries: list[dict]):
    lines = ",\n".join(json.dumps(entry) for entry in entries)
    return import_plan(actor=None, project=cast.ops, plan=json_list.read(f"[{lines}]"))


def problems(cast, entries: list[dict]) -> list[str]:
    before = Task.objects.count()
    with pytest.raises(PlanRefused) as refused:
        load(cast, entries)
    assert Task.objects.count() == before
    return [str(problem) for problem in refused.value.problems]


def entry(key: str, *depends_on: str, parent: str | None = None) -> dict:
    return {"key": key, "title": f"Task {key}", "depends_on": list(depends_on), "parent": parent}


CYCLE = "That creates a cycle, in which each waits for the next:"


@pytest.mark.django_db
def test_import_names_every_cycle_with_line_and_field(cast):
    listed = problems(
        cast,
        [
            entry("a", "b"),
            entry("b", "c"),
            entry("c", "a"),
            entry("alone", "alone"),
            entry("x", "y"),
            entry("y", "x", "a"),
            entry("own", parent="own"),
        ],
    )
    assert listed == [
        f"line 1, depends_on: {CYCLE} a → b → c → a.",
        f"line 4, depends_on: {CYCLE} alone → alone.",
        f"line 5, depends_on: {CYCLE} x → y → x.",
        f"line 7, parent: {CYCLE} own → own; a parent waits for its children.",
    ]


@pytest.mark.django_db
def test_import_finds_a_cycle_that_leads_through_tasks_of_the_project(cast, new_task):
    load(cast, [entry("a"), entry("b", "a"), entry("top")])
    middle = new_task("Middle", depends_on=[Task.objects.get(external_id="b")])
    listed = problems(cast, [{"key": "a", "title": "Task a", "depends_on": ["new"]}, entry("new", middle.ref)])
    assert listed == [f"line 1, depends_on: {CYCLE} a → new → {middle.ref} → OPS-2 → a."]


@pytest.mark.django_db
def test_import_may_turn_a_dependency_round(cast):
    load(cast, [entry("a"), entry("b", "a")])
    assert load(cast, [entry("a", "b"), entry("b")]).updated == 2
    assert list(Dependency.objects.values_list("task__external_id", "depends_on__external_id")) == [("a", "b")]
    assert recount_blockers() == {}


@pytest.mark.django_db
def test_import_numbers_follow_the_file_but_come_after_what_they_wait_for(cast):
    load(cast, [entry("c", "b"), entry("d"), entry("b", "a"), entry("a"), entry("e")])
    assert list(Task.objects.order_by("number").values_list("external_id", flat=True)) == ["d", "a", "b", "c", "e"]
    cast.ops.refresh_from_db()
    assert cast.ops.last_number == 5


@pytest.mark.django_db
def test_import_hangs_new_tasks_below_old_ones_and_old_below_new(cast):
    load(cast, [entry("old"), entry("grown", "old")])
    load(cast, [entry("old", parent="new"), entry("new"), entry("leaf", parent="grown")])
    blockers = dict(Task.objects.values_list("external_id", "open_blockers"))
    assert blockers == {"old": 0, "grown": 2, "new": 1, "leaf": 0}
    assert recount_blockers() == {}


edges = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20)


@settings(deadline=None)
@given(edges)
def test_find_cycles_finds_one_exactly_where_there_is_one(pairs):
    graph = {node: set() for node in range(8)}
    for node, other in pairs:
        graph[node].add(other)
    cycles = find_cycles(graph)
    for cycle in cycles:
        assert cycle[0] == cycle[-1]
        assert len(set(cycle)) == len(cycle) - 1
        assert all(other in graph[node] for node, other in pairwise(cycle))
    for cycle in cycles:
        graph[cycle[0]].discard(cycle[1])
    assert find_cycles(graph) == []
    order = in_order(graph, graph)
    assert sorted(order) == sorted(graph)
    assert all(order.index(other) < order.index(node) for node in graph for other in graph[node])


def test_find_cycles_gives_up_counting_where_everything_waits_for_everything():
    graph = {node: set(range(40)) - {node} for node in range(40)}
    assert len(find_cycles(graph)) == MOST_CYCLES


@st.composite
def plans(draw):
    """Two versions of a plan without cycles: edges lead to earlier tasks, children come before their parents."""
    names = [f"t{number}" for number in range(draw(st.integers(1, 7)))]

    def version() -> list[dict]:
        entries = []
        for place, name in enumerate(names):
            depends_on = draw(st.lists(st.sampled_from(names[:place]), max_size=3)) if place else []
            parent = draw(st.sampled_from([None, *names[place + 1 :]]))
            status = draw(st.sampled_from(["not_started", "completed", "failed", "cancelled"]))
            entries.append({"key": name, "title": name, "depends_on": depends_on, "parent": parent, "status": status})
        return draw(st.permutations(entries))

    return version(), version()[: draw(st.integers(0, len(names)))]


@pytest.mark.django_db
def test_import_keeps_the_counters_right_whatever_changes(cast):
    @settings(deadline=None)
    @given(plans())
    def check(versions):
        with transaction.atomic():
            for entries in versions:
                load(cast, entries)
                assert recount_blockers() == {}
                for item in entries:
                    task = Task.objects.get(external_id=item["key"])
                    assert task.status == item["status"]
                    assert (task.parent and task.parent.external_id) == item["parent"]
                    assert set(task.dependencies.values_list("depends_on__external_id", flat=True)) == set(
                        item["depends_on"]
                    )
                assert load(cast, entries).unchanged == len(entries)
            transaction.set_rollback(True)

    check()
