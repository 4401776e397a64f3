"""The data that benchmarks measure on: its history, written by SQL, is what a rebuild makes of its events."""

import pytest

from bench import dataset
from tasks.history.rebuilding import check, tasks_with_events
from tasks.models import Episode, Run, StatusInterval, WaitReason

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("kind", ["ready", "mixed"])
def test_generated_history_is_what_the_events_say(kind: str) -> None:
    dataset.make_ready(40, 3) if kind == "ready" else dataset.make_mixed(400)
    ids = tasks_with_events()
    assert len(ids) == (40 if kind == "ready" else 400)
    assert check(ids) == []
    assert Episode.objects.count() == len(ids)


def test_generated_data_has_all_that_reports_tell_apart() -> None:
    dataset.make_mixed(2000)
    intervals = StatusInterval.objects.all()
    reasons = {reason.value for reason in WaitReason if reason not in (WaitReason.ELSEWHERE, WaitReason.ON_HOLD)}
    assert reasons <= set(intervals.values_list("reason", flat=True))
    assert {"", "completed", "failed", "cancelled", "parked"} == set(
        intervals.filter(status="in_progress").values_list("outcome", flat=True)
    )
    assert Run.objects.count() == intervals.filter(status="in_progress").count()
