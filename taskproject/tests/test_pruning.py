"""What is past its retention goes, in batches that let others in, and nothing that anybody still needs."""

import json
import re
import threading
from datetime import timedelta
from io import StringIO
from uuid import uuid4

import pytest
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.models import Max
from django.utils import timezone

from messaging.models import Letter, Mail, MailState, Notification, NotificationKind, PutAside
from reports.predefined import REPORTS
from reports.tests.conftest import ask, do_task, set_clock, something_of_all  # noqa: F401 - fixtures
from taskproject import diagnosis, pruning
from taskproject.models import IdempotencyKey, KeptCount, Pruned, SignIn
from taskproject.pruning import Retention, Sweeper, retentions
from tasks import clock
from tasks.actions import claims, runs
from tasks.actions.tasks import NewTask, create_task, delete_task
from tasks.errors import CursorExpired
from tasks.events import kinds
from tasks.events.reading import DISORDER, Cursor, event_output, first_kept, read_all, require_kept
from tasks.events.recording import event, record
from tasks.history.rebuilding import check, tasks_with_events
from tasks.models import AssignmentDecision, DecisionMode, Event, Task
from tasks.models.event import PASSING
from tasks.tests.fake_clock import patch_clock
from tasks.tests.racing import at_once, in_thread

DAY = timedelta(days=1)
DECIDED = {"mode": DecisionMode.AUTO, "policy": "value", "policy_version": "1"}


def kind_of(name: str) -> Retention:
    return next(each for each in retentions if each.name == name)


def prune_all() -> dict[str, int]:
    return {kind.name: kind.prune() for kind in retentions}


def write(cast, kind, at, **given):
    """An event that only tells a page if it has a recipient."""
    data = {"notification": 1, "notification_kind": "mention"} if kind == kinds.NOTIFICATION_CREATED else given
    recipient = cast.ada.user if kind in PASSING else None
    record(event(kind, at=at, actor=None, project=cast.ops, recipient=recipient, **data))
    return Event.objects.latest("pk")


# -- events: none that a cursor may ask for ---------------------------------------------------------------------------


def test_passing_kinds_are_declared_and_followed_by_no_report_nor_history():
    assert set(PASSING) == {
        kinds.INBOX_CHANGED, kinds.NOTIFICATION_CREATED, kinds.NOTIFICATION_EXTENDED, kinds.NOTIFICATION_READ,
    }  # fmt: skip
    assert not any(kind.declared.notifies or kind.declared.brings_work for kind in map(kinds.kind_named, PASSING))


@pytest.fixture
def stream(cast, settings):
    """Events of all ages, each third of them passing; some are dated before their neighbours."""
    now, kept = clock.now(), timedelta(days=settings.EVENT_RETENTION_DAYS)
    ages = [
        3 * kept,
        2 * kept,
        kept + DAY,
        kept + 2.5 * DISORDER,
        kept + 1.5 * DISORDER,
        kept,
        kept - DISORDER,
        kept / 2,
    ]
    for number, age in enumerate([*ages, timedelta()]):
        for place in range(6):
            kind = kinds.NOTIFICATION_CREATED if place % 3 == 0 else kinds.TASK_DELETED
            at = now - age - timedelta(minutes=10 * (place % 2))
            write(cast, kind, at, title=f"{number}-{place}")
    return list(Event.objects.order_by("pk"))


def answers(cursors):
    """What a reader gets at each of these places: ids, or that it is too late."""
    given = {}
    for cursor in cursors:
        try:
            require_kept(cursor)
            given[cursor.id] = [row.pk for row in read_all(cursor, 1000)[0]]
        except CursorExpired:
            given[cursor.id] = "expired"
    return given


@pytest.mark.django_db
def test_every_cursor_is_answered_after_a_prune_as_before(stream):
    places = [Cursor(0), *map(Cursor.of, stream), first_kept()]
    before = answers(places)
    assert {"expired"} < set(map(str, before.values()))
    deleted = kind_of("events").prune()
    assert deleted > 3
    assert answers(places) == before
    assert first_kept() == places[-1]
    assert kind_of("events").prune() == 0
    gone = {row.pk for row in stream} - set(Event.objects.values_list("pk", flat=True))
    assert {row.kind for row in stream if row.pk in gone} <= set(PASSING)


@pytest.mark.django_db
def test_cursor_before_pruned_events_is_too_old_whatever_follows(cast, settings):
    """After a quiet time nothing but what is new follows; what lay between was deleted, so it must not pass for all."""
    long_ago = clock.now() - 3 * timedelta(days=settings.EVENT_RETENTION_DAYS)
    first = write(cast, kinds.TASK_DELETED, long_ago, title="x")
    for _ in range(4):
        write(cast, kinds.NOTIFICATION_CREATED, long_ago)
    last = write(cast, kinds.NOTIFICATION_CREATED, long_ago)
    new = write(cast, kinds.TASK_DELETED, clock.now(), title="y")
    assert kind_of("events").prune() == 4
    assert answers([Cursor.of(first), Cursor(last.pk - 1), Cursor.of(last)]) == {
        first.pk: "expired",
        last.pk - 1: "expired",
        last.pk: [new.pk],
    }


@pytest.mark.django_db
def test_trail_of_a_task_stays_also_when_it_is_deleted(cast, new_task, let_time_go):
    task = new_task()
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="done")
    gone = new_task()
    delete_task(actor=cast.ada.user, task=gone)
    trail = [event_output(row) for row in Event.objects.order_by("pk")]
    let_time_go()
    assert prune_all()["events"] == 0
    assert [event_output(row) for row in Event.objects.order_by("pk")] == trail
    assert check(tasks_with_events()) == []


@pytest.fixture
def let_time_go(monkeypatch):
    """From now on it is ten years later."""

    def go():
        moment = clock.now() + 3650 * DAY
        patch_clock(monkeypatch, lambda: moment)

    return go


@pytest.mark.django_db
def test_search_for_passing_events_goes_by_their_own_index(cast, stream):
    sql, params = kind_of("events").past().values("pk").query.sql_with_params()
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # So few rows are scanned by choice.
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_sort = off")
        cursor.execute(f"EXPLAIN {'QUERY PLAN' if connection.vendor == 'sqlite' else ''} {sql} LIMIT 5", params)
        plan = " ".join(str(row) for row in cursor.fetchall())
    assert "event_passing" in plan, plan


# -- each kind: what is past, and nothing else ------------------------------------------------------------------------


def notification(cast, *, at, read_at=None, head=None):
    row = write(cast, kinds.TASK_DELETED, at, title="x")
    return Notification.objects.create(
        recipient=cast.ada.user, kind=NotificationKind.MENTION, event=row, project=cast.ops, at=at, read_at=read_at,
        last_event=row, last_kind=NotificationKind.MENTION, head=head,
    )  # fmt: skip


def age(days: int, *, more: int = 0):
    return clock.now() - timedelta(days=days, minutes=more)


@pytest.mark.django_db
def test_notifications_go_by_group_once_read_long_ago_or_never(cast, settings):
    read, never = settings.NOTIFICATION_RETENTION_DAYS, settings.UNREAD_NOTIFICATION_RETENTION_DAYS
    old_group = notification(cast, at=age(2 * read), read_at=age(read, more=1))
    behind = [notification(cast, at=age(2 * read), read_at=age(read, more=1), head=old_group) for _ in range(3)]
    kept_head = notification(cast, at=age(2 * read), read_at=age(read, more=-1))
    kept = [kept_head, notification(cast, at=age(2 * read), read_at=age(read, more=1), head=kept_head)]
    kept += [notification(cast, at=age(never, more=-1))]
    unread = notification(cast, at=age(never, more=1))
    # A group is shown as one, and counts as one.
    assert len(behind) == 3
    assert kind_of("read notifications").past().count() == kind_of("read notifications").prune() == 1
    assert Notification.objects.filter(pk=unread.pk).exists()
    assert kind_of("unread notifications").prune() == 1
    assert set(Notification.objects.values_list("pk", flat=True)) == {row.pk for row in kept}


@pytest.mark.django_db
def test_decisions_go_once_their_task_has_long_ended(cast, new_task, settings):
    old = age(settings.DECISION_RETENTION_DAYS, more=1)

    def decision(status, *, at, updated_at):
        task = new_task()
        done = updated_at if status == "completed" else None
        Task.objects.filter(pk=task.pk).update(status=status, updated_at=updated_at, completed_at=done)
        return AssignmentDecision.objects.create(task=task, at=at, agent=cast.atlas, **DECIDED).pk

    gone = {decision(status, at=old, updated_at=old) for status in ("completed", "failed", "cancelled")}
    kept = {
        decision("not_started", at=old, updated_at=old),
        decision("completed", at=old, updated_at=clock.now()),
        decision("completed", at=clock.now(), updated_at=old),
    }
    assert kind_of("decisions").prune() == len(gone)
    assert set(AssignmentDecision.objects.values_list("pk", flat=True)) == kept


@pytest.mark.django_db
def test_mails_and_letters_go_once_they_have_ended(cast, settings):
    old, young = age(settings.MAIL_RETENTION_DAYS, more=1), age(settings.MAIL_RETENTION_DAYS, more=-1)
    endings = [(MailState.SENT, old), (MailState.DROPPED, old), (MailState.SENT, young), (MailState.WAITING, None)]
    for state, ended in endings:
        times = {"state": state, "ended_at": ended, "created_at": old, "due_at": old, "recipient": cast.ada.user}
        what = write(cast, kinds.TASK_DELETED, old, title="x")
        Mail.objects.create(kind=NotificationKind.MENTION, event=what, project=cast.ops, **times)
        Letter.objects.create(key=uuid4().hex, subject="x", **times)
    assert (kind_of("mails").prune(), kind_of("letters").prune()) == (2, 2)
    for model in (Mail, Letter):
        assert set(model.objects.values_list("state", "ended_at")) == set(endings[2:])


@pytest.mark.django_db
def test_keys_counts_sessions_and_snoozes_go_when_they_say_nothing_any_more(cast):
    now, day = timezone.now(), timedelta(days=1)
    for number, ago in enumerate((25, 23)):
        key = IdempotencyKey.objects.create(
            user=cast.ada.user, key=str(number), path="/", body_digest="", status_code=200, body=b""
        )
        IdempotencyKey.objects.filter(pk=key.pk).update(created_at=now - timedelta(hours=ago))
    for name, until in (("past", now - day), ("present", now + day)):
        KeptCount.objects.create(key=name, window=1, before=0, now=1, until=until)
        Session.objects.create(session_key=name, session_data="", expire_date=until)
        SignIn.objects.create(user=cast.ada.user, session_key=name, device="", signed_in_at=now, last_seen_at=now)
    for key, until in enumerate((now - day, now + day, None)):
        PutAside.objects.create(user=cast.ada.user, source="runs", key=key, since=now, until=until, at=now)
    prune_all()
    assert set(IdempotencyKey.objects.values_list("key", flat=True)) == {"1"}
    for rows in (KeptCount.objects.values_list("key"), Session.objects.values_list("pk")):
        assert list(rows) == [("present",)]
    assert list(SignIn.objects.values_list("session_key", flat=True)) == ["present"]
    assert set(PutAside.objects.values_list("key", flat=True)) == {1, 2}


# -- batches, other processes, crashes --------------------------------------------------------------------------------


@pytest.fixture
def many_old(cast, monkeypatch):
    """Counts that are past, and batches of ten."""
    monkeypatch.setattr(Retention.prune_batch, "__defaults__", (10,))
    monkeypatch.setattr(pruning, "REST_SECONDS", 0.001)

    def make(many=95):
        past = timezone.now() - DAY
        KeptCount.objects.bulk_create(KeptCount(key=str(n), window=1, before=0, now=1, until=past) for n in range(many))

    make()
    return make


@pytest.mark.django_db(transaction=True)
def test_others_write_between_any_two_batches(many_old, cast):
    counts = []

    def other_writer():
        create_task(actor=cast.ada.user, project=cast.ops, new=NewTask(title="meanwhile"))

    def between(count):
        counts.append(count)
        assert not connection.in_atomic_block
        thread = in_thread(other_writer)
        thread.join(60)
        assert not thread.is_alive()

    assert kind_of("counts").prune(progress=between) == 95
    assert counts == [10] * 9 + [5]
    assert Task.objects.count() == len(counts)


@pytest.mark.django_db(transaction=True)
def test_two_at_once_delete_each_row_once(many_old):
    outcomes = at_once(*[kind_of("counts").prune] * 2, seed=1)
    assert sum(outcomes) == 95
    assert not KeptCount.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_prune_beside_an_engine_ends_when_nothing_is_left(many_old):
    left, engine = [], kind_of("counts")

    def prune():
        kind_of("counts").prune()
        left.append(KeptCount.objects.count())

    def step():
        while engine.prune_batch():
            pass

    at_once(prune, step, step, seed=1)
    assert left == [0]


@pytest.mark.django_db(transaction=True)
def test_killed_within_a_batch_leaves_that_batch_whole_and_the_next_one_goes_on(many_old):
    kind, deleted = kind_of("counts"), []

    def die_in_the_third(rows):
        deleted.append(pruning.delete_rows(rows))
        if len(deleted) == 3:
            raise KeyboardInterrupt
        return deleted[-1]

    with pytest.raises(KeyboardInterrupt):
        Retention(kind.name, kind.keeps, kind.past, die_in_the_third).prune()
    assert KeptCount.objects.count() == 75
    assert not Pruned.objects.exists()
    assert kind.prune() == 75
    assert Pruned.objects.get().removed == 75


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="Only on PostgreSQL: SQLite has one writer")
def test_rows_that_somebody_has_locked_are_left_and_said_so(many_old, monkeypatch, capsys):
    monkeypatch.setattr(pruning, "PATIENCE_SECONDS", 0.1)
    held, release = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            list(KeptCount.objects.select_for_update().filter(key__in=["3", "4"]))
            held.set()
            release.wait(60)

    thread = in_thread(hold)
    assert held.wait(60)
    try:
        call_command("prune", "--only", "counts")
        assert KeptCount.objects.count() == 2
        assert "Some counts are past only now, or others hold them. Run it again." in capsys.readouterr().out
        assert not Pruned.objects.exists()
    finally:
        release.set()
        thread.join()
    assert kind_of("counts").prune() == 2


@pytest.mark.django_db
def test_row_that_is_wanted_again_after_the_look_stays(many_old):
    kind = kind_of("counts")
    looks = []

    def past():
        if looks:
            KeptCount.objects.filter(key="7").update(until=timezone.now() + DAY)
        looks.append(1)
        return kind.past()

    removed = Retention(kind.name, kind.keeps, past).prune()
    assert (removed, list(KeptCount.objects.values_list("key", flat=True))) == (94, ["7"])


@pytest.mark.django_db
def test_engine_deletes_a_batch_at_each_step_and_then_rests(many_old, monkeypatch):
    broken = Retention("broken", "", lambda: KeptCount.objects.filter(no_such_field=1))
    sweeper = Sweeper([broken, kind_of("counts")])
    with pytest.raises(Exception, match="no_such_field"):
        sweeper.step()
    assert [sweeper.step() for _ in range(12)] == [10] * 9 + [5, 0, 0]
    assert Pruned.objects.get().removed == 95
    many_old(5)
    assert sweeper.step() == 0
    later = pruning.time.monotonic() + pruning.ROUND_SECONDS
    monkeypatch.setattr(pruning.time, "monotonic", lambda: later)
    with pytest.raises(Exception, match="no_such_field"):
        sweeper.step()
    assert sweeper.step() == 5


# -- reports ----------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_every_predefined_report_is_the_same_after_a_prune(cast, something_of_all, ask, settings, monkeypatch):  # noqa: F811
    something_of_all()
    for name in ("EVENT", "DECISION", "NOTIFICATION", "UNREAD_NOTIFICATION", "MAIL", "WEBHOOK"):
        setattr(settings, f"{name}_RETENTION_DAYS", 1)
    at = clock.now()
    for _ in range(3):
        write(cast, kinds.NOTIFICATION_CREATED, at)
        notification(cast, at=at, read_at=at)
    AssignmentDecision.objects.create(
        task=Task.objects.filter(status="completed").first(), at=at, agent=cast.atlas, **DECIDED
    )
    newest = Event.objects.aggregate(newest=Max("pk"))["newest"]
    later = at + 400 * DAY
    patch_clock(monkeypatch, lambda: later)
    queries = ("from=2026-01-01&to=2026-06-01&bucket=month", "from=2026-01-01&to=2026-01-08&bucket=day")
    before = {(slug, query): ask(slug, query) for slug in REPORTS for query in queries}
    assert sum(bool(answer["rows"]) for answer in before.values()) > len(REPORTS)
    removed = prune_all()
    assert min(removed[name] for name in ("events", "decisions", "read notifications")) > 0
    for (slug, query), answer in before.items():
        assert ask(slug, query) == answer, slug
    assert check(tasks_with_events()) == []
    assert Event.objects.aggregate(newest=Max("pk"))["newest"] == newest


# -- the command and the doctor ---------------------------------------------------------------------------------------


def call(*args):
    out = StringIO()
    call_command("prune", *args, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_command_says_first_and_deletes_then(many_old):
    dry = json.loads(call("--dry-run", "--json"))
    assert (dry["dry_run"], dry["total"], dry["rows"]["counts"]) == (True, 95, 95)
    assert set(dry["rows"]) == {kind.name for kind in retentions}
    assert KeptCount.objects.count() == 95
    assert call("--only", "mails").endswith("0 rows deleted.\n")
    assert json.loads(call("--only", "counts", "counts", "--dry-run", "--json"))["total"] == 95
    assert call("--only", "counts", "counts", "--dry-run").count("counts of wrong") == 1
    assert re.search(r"^counts +95 +counts of wrong passwords", call(), re.MULTILINE)
    assert json.loads(call("--json")) == {
        "dry_run": False,
        "rows": dict.fromkeys(dry["rows"], 0),
        "total": 0,
        "left": [],
    }


@pytest.mark.django_db
def test_command_for_an_unknown_kind_names_the_nearest():
    with pytest.raises(CommandError, match=r"no kind 'mail'.*did you mean 'mails'") as refused:
        call("--only", "mail")
    assert refused.value.returncode == 2


@pytest.mark.django_db
def test_doctor_says_how_much_waits_and_when_it_was_last_done(many_old, monkeypatch):
    (finding,) = diagnosis._pruning()
    assert (finding.level, finding.detail) == ("ok", "95 rows past their retention; last pruned never.")
    monkeypatch.setattr(diagnosis, "ENOUGH_TO_PRUNE", 90)
    (finding,) = diagnosis._pruning()
    assert finding.level == "note"
    assert "95 counts" in finding.detail
    kind_of("counts").prune()
    (finding,) = diagnosis._pruning()
    assert re.fullmatch(r"0 rows past their retention; last pruned 0:00:0\d ago\.", finding.detail)
