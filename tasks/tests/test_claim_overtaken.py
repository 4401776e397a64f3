"""Claims while staff change the assignees: what was read before the lock of a row counts only if it holds behind it."""

import pytest
from django.db import connection

from tasks.actions import claims
from tasks.models import Assignment, AssignmentEnd
from tasks.tests.invariants import assert_invariants

pytestmark = pytest.mark.django_db


@pytest.mark.skipif(connection.vendor != "postgresql", reason="Only on PostgreSQL: SQLite has one writer at a time.")
@pytest.mark.parametrize("who", ["atlas", "bert"])
@pytest.mark.parametrize("is_expected", [False, True], ids=["pulled", "assigned"])
def test_assignees_that_change_while_a_task_is_picked_are_looked_at_again(
    cast, new_task, monkeypatch, who, is_expected
):
    task = new_task(priority=4, assignees=[cast.atlas] if is_expected else [])
    other = new_task(priority=1)
    pick = claims.pick
    times = []

    def pick_and_be_overtaken(*args, **kwargs):
        picked = pick(*args, **kwargs)
        times.append([each.pk for each, _ in picked])
        if len(times) == 1:
            by_other_means = Assignment.objects.filter(task=task)
            by_other_means.update(ended_at=task.created_at, end_reason=AssignmentEnd.UNASSIGNED)
            Assignment.objects.create(task=task, agent=getattr(cast, who), source="manual", created_at=task.created_at)
        return picked

    monkeypatch.setattr(claims, "pick", pick_and_be_overtaken)
    is_same = is_expected and who == "atlas"
    [run] = claims.claim_next(actor=cast.atlas.user).runs
    # The change was rolled back with the attempt that met it, so the next one finds what was there.
    assert times == [[task.pk]] * (1 if is_same else 2)
    assert run.task_id == task.pk != other.pk
    assert_invariants()
