"""Due dates as time passes: near, then overdue; each reported once per due date."""

from datetime import timedelta

import pytest

from tasks import clock, engine
from tasks.actions.lifecycle import cancel_task
from tasks.actions.tasks import edit_task
from tasks.flow import read_flow
from tasks.models import Event, Task

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def told(task: Task) -> list[str]:
    return list(
        Event.objects.filter(task=task, kind__in=("task.due_date_neared", "task.due_date_passed")).values_list(
            "kind", flat=True
        )
    )


def test_report_due_soon_within_a_day_reports_once_and_keeps_the_version(new_task, cast):
    task = new_task(due_at=clock.now() + 3 * HOUR)
    assert engine.tick().due_soon == 1
    assert engine.tick().due_soon == 0
    assert told(task) == ["task.due_date_neared"]
    assert Task.objects.get(pk=task.pk).version == task.version
    assert read_flow(task, cast.ada.user, now=clock.now()).items[0].what == "The due date is near"


def test_report_due_soon_far_away_ended_or_overdue_reports_nothing(cast, new_task):
    far = new_task(due_at=clock.now() + 25 * HOUR)
    ended = new_task(due_at=clock.now() + HOUR)
    cancel_task(actor=cast.ada.user, task=ended)
    late = new_task(due_at=clock.now() + HOUR)
    Task.objects.filter(pk=late.pk).update(due_at=clock.now() - HOUR)
    done = engine.tick()
    assert (done.due_soon, done.overdue) == (0, 1)
    assert (told(far), told(ended), told(late)) == ([], [], ["task.due_date_passed"])


def test_edit_task_with_a_new_due_date_is_reported_again(cast, new_task):
    task = new_task(due_at=clock.now() + HOUR)
    engine.tick()
    edit_task(actor=cast.ada.user, task=task, changes={"due_at": clock.now() + 2 * HOUR})
    assert engine.tick().due_soon == 1
    assert told(task) == ["task.due_date_neared", "task.due_date_neared"]
