"""doctor: what it finds, what it repairs, its exit codes, and that it survives what it examines."""

import json
import re
import threading
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from messaging.models import FollowerCursor
from taskproject import diagnosis
from taskproject.tests.redis_server import BadRedis
from taskproject.watch.facts import FOLLOWERS
from tasks import clock, engine
from tasks.actions import claims, timekeeping
from tasks.events import kinds
from tasks.events.recording import event, record
from tasks.models import EngineState, Episode, Event, Run, ServerState, Task, TaskText
from tasks.tests.racing import in_thread

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def keep_connection(monkeypatch):
    """The doctor opens a new connection, but the test's transaction lives in the current one."""
    monkeypatch.setattr(diagnosis.connection, "close", lambda: None)


@pytest.fixture(autouse=True)
def plain_configuration(monkeypatch):
    monkeypatch.setattr(diagnosis.checks, "run_checks", list)


def doctor(*args):
    """(exit code, findings by name)."""
    out, code = StringIO(), 0
    try:
        call_command("doctor", "--json", *args, stdout=out)
    except SystemExit as ended:
        code = ended.code
    answer = json.loads(out.getvalue())
    assert answer["ok"] is (code == 0)
    return code, {finding["name"]: (finding["level"], finding["detail"]) for finding in answer["findings"]}


def test_doctor_of_a_running_installation_finds_all_well(cast):
    engine.tick()
    code, findings = doctor()
    assert code == 0
    examined = ["configuration", "channels", "limits", "database", "migrations"]
    names = [
        *examined,
        "servers",
        "engine",
        "stream",
        "followers",
        "counters",
        "questions",
        "history",
        "search",
        "pruning",
    ]
    assert {name: level for name, (level, _) in findings.items()} == dict.fromkeys(names, "ok")


def test_doctor_without_an_engine_notes_it_and_exits_0(cast):
    code, findings = doctor()
    assert (code, findings["engine"][0]) == (0, "note")
    EngineState.objects.create(pk=1, last_tick_at=timezone.now() - timedelta(minutes=5))
    code, findings = doctor()
    assert (code, findings["engine"][0]) == (0, "note")
    assert re.search(r"0:0[5-9]:", findings["engine"][1])


def test_doctor_notes_that_no_server_answers(cast):
    ServerState.objects.create(pk=1, answering_until=timezone.now() - timedelta(minutes=5))
    code, findings = doctor()
    assert (code, findings["servers"][0]) == (0, "note")
    assert re.search(r"0:0[5-9]:", findings["servers"][1])
    timekeeping.mark_answering()
    assert doctor()[1]["servers"][0] == "ok"


def test_doctor_counts_work_that_waits_for_an_engine(cast, new_task, let_lease_end):
    run = claims.claim_task(actor=cast.atlas.user, task=new_task())
    let_lease_end(run)
    Run.objects.update(lease_expires_at=timezone.now() - timedelta(minutes=1))
    Task.objects.filter(pk=new_task().pk).update(deferred_until=timezone.now() - timedelta(minutes=1))
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("doctor", stdout=out)
    assert ended.value.code == 1
    assert "Waiting for an engine: 1 expired lease, 1 task to wake; start one." in out.getvalue()


def test_doctor_reports_how_far_a_follower_is_behind(cast, new_task):
    new_task(assignees=[cast.hugo])
    Event.objects.update(at=timezone.now() - timedelta(minutes=2))
    for follower in FOLLOWERS:
        FollowerCursor.objects.update_or_create(
            name=follower.name, defaults={"event_id": 0, "moved_at": timezone.now()}
        )
    code, findings = doctor()
    assert (code, findings["followers"][0]) == (1, "problem")
    assert "behind by 0:02:0" in findings["followers"][1]
    for follower in FOLLOWERS:
        follower.catch_up()
    assert doctor()[1]["followers"][0] == "ok"


def test_doctor_compares_the_history_of_the_newest_tasks_and_rebuilds_it_on_request(new_task):
    task = new_task()
    Episode.objects.update(priority=4)
    code, findings = doctor()
    assert (code, findings["history"][0]) == (1, "problem")
    assert f"{task.ref}, episode 1: priority is 4, its events say 2" in findings["history"][1]
    assert doctor("--fix")[1]["history"][0] == "note"
    assert doctor()[1]["history"] == ("ok", "The history of 1 task that began last is as the events say.")


def test_doctor_looks_whether_the_search_knows_the_newest_tasks_and_puts_it_right_on_request(new_task):
    first, second = new_task(), new_task()
    TaskText.objects.filter(task=first).delete()
    TaskText.objects.filter(task=second).update(words=" other ")
    code, findings = doctor()
    assert (code, findings["search"][0]) == (1, "problem")
    assert "does not know the words of 2 tasks, first OPS-1; run" in findings["search"][1]
    assert doctor("--fix")[1]["search"][0] == "note"
    assert doctor()[1]["search"] == ("ok", "The search knows the words of the newest 2 tasks.")


def test_doctor_names_wrong_counters_and_repairs_them_on_request(cast, new_task):
    first = new_task()
    second = new_task(depends_on=[first])
    free = new_task()
    Task.objects.filter(pk=second.pk).update(open_blockers=0)
    Task.objects.filter(pk=free.pk).update(open_blockers=3)
    code, findings = doctor()
    assert code == 1
    assert f"{second.ref} (0, is 1)" in findings["counters"][1]
    assert f"{free.ref} (3, is 0)" in findings["counters"][1]
    code, findings = doctor("--fix")
    assert (code, findings["counters"][0]) == (0, "note")
    assert dict(Task.objects.values_list("pk", "open_blockers")) == {first.pk: 0, second.pk: 1, free.pk: 0}
    assert set(Event.objects.filter(kind__in=["task.blocked", "task.unblocked"]).values_list("task_ref", "kind")) == {
        (second.ref, "task.blocked"),
        (free.ref, "task.unblocked"),
    }
    assert doctor()[1]["counters"][0] == "ok"


def test_doctor_recounts_open_questions(cast, new_task):
    task = new_task()
    Task.objects.filter(pk=task.pk).update(open_questions=2)
    code, findings = doctor()
    assert (code, findings["questions"][0]) == (1, "problem")
    assert f"{task.ref} (2, is 0)" in findings["questions"][1]
    assert doctor("--fix")[1]["questions"][0] == "note"
    assert Task.objects.get(pk=task.pk).open_questions == 0
    assert doctor()[1]["questions"][0] == "ok"


def test_doctor_without_a_database_says_so_in_one_line(monkeypatch):
    def down():
        raise OperationalError("connection failed: Connection refused\n\tIs the server running?")

    monkeypatch.setattr(diagnosis.connection, "cursor", down)
    code, findings = doctor()
    assert code == 1
    assert findings["database"] == ("problem", "Cannot be reached: connection failed: Connection refused.")
    assert "counters" not in findings


def test_doctor_of_a_broken_channel_layer_goes_on(monkeypatch, cast):
    def broken():
        raise ConnectionError("Error 111 connecting to localhost:6379.")

    monkeypatch.setattr(diagnosis, "get_channel_layer", broken)
    code, findings = doctor()
    assert (code, findings["channels"][0]) == (1, "problem")
    assert "Error 111" in findings["channels"][1]
    assert findings["counters"][0] == "ok"


def test_doctor_names_a_redis_that_does_not_count(settings, cast):
    """A replica carries messages, but takes no writes."""
    redis = BadRedis(b"-READONLY You can't write against a read only replica.\r\n")
    settings.REDIS_URL = redis.url
    try:
        code, findings = doctor()
    finally:
        redis.close()
    assert (code, findings["limits"][0]) == (1, "problem")
    assert "READONLY" in findings["limits"][1] or "read only replica" in findings["limits"][1]


def test_secret_key_that_others_can_read_is_a_problem(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    key = tmp_path / "secret_key"
    key.write_text("x" * 50)
    key.chmod(0o644)
    assert doctor()[1]["configuration"] == ("problem", f"Others can read {key}; run `chmod 600 {key}`.")
    key.chmod(0o600)
    assert doctor()[1]["configuration"][0] == "ok"


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="Only on PostgreSQL: SQLite writes one transaction at a time")
def test_doctor_names_a_transaction_that_holds_the_stream_up(cast, new_task):
    new_task()
    assert doctor()[1]["stream"][0] == "ok"
    has_recorded, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            new_task()
            has_recorded.set()
            assert may_end.wait(60)

    thread = in_thread(hold)
    try:
        assert has_recorded.wait(60)
        record(event(kinds.PROJECT_EDITED, at=clock.now(), actor=None, project=cast.other, fields=["name"]))
        Event.objects.update(at=timezone.now() - timedelta(minutes=2))
        code, findings = doctor()
    finally:
        may_end.set()
        thread.join()
    assert (code, findings["stream"][0]) == (1, "problem")
    assert "Held up for 0:02:0" in findings["stream"][1]
