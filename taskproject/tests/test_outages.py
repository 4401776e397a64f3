"""Which errors mean an outage, and what callers are answered: 503 everywhere, and only the truth about the effect."""

import contextlib
import logging
import select
import time
import uuid
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from django.contrib.sessions.backends.base import UpdateError
from django.db import (
    DatabaseError,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    ProgrammingError,
    close_old_connections,
    connection,
    connections,
    transaction,
)
from django.test import Client

from taskproject import outages
from taskproject.outages import is_outage
from taskproject.prepared.running import run
from taskproject.sessions import SessionStore
from tasks.models import Project, Task

on_postgresql = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="Only on PostgreSQL: its connections can be ended"
)


def failed(error: type[DatabaseError], **cause: Any) -> DatabaseError:
    """A driver's error as Django wraps it."""
    wrapped = error("secret address")
    wrapped.__cause__ = type("DriverError", (Exception,), cause)()
    return wrapped


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("connection refused"),
        InterfaceError("connection already closed"),
        *(failed(OperationalError, sqlstate=state) for state in ("57P01", "57P02", "57P03", "53300", "53100", "08006")),
        *(failed(OperationalError, sqlstate=state) for state in ("55P03", "40P01", "57014", "28P01", "3D000", None)),
        *(failed(InternalError, sqlstate=state) for state in ("25006", "25P03", "25P04")),
        *(failed(OperationalError, sqlite_errorcode=code) for code in (5, 261, 8, 10, 13, 14)),
    ],
    ids=lambda error: f"{error}-{vars(type(error.__cause__)).get('sqlstate', '')}",
)
def test_error_of_an_absent_or_busy_database_is_an_outage(error):
    assert is_outage(error)


@pytest.mark.parametrize(
    "error",
    [
        None,
        ValueError("57P01"),
        IntegrityError("duplicate"),
        ProgrammingError("no such column"),
        failed(InternalError, sqlstate="25P02"),
        failed(ProgrammingError, sqlstate="42P01"),
        failed(OperationalError, sqlstate="54001"),
        failed(OperationalError, sqlite_errorcode=1),
        failed(DatabaseError, sqlite_errorcode=11),
    ],
    ids=str,
)
def test_error_of_ours_is_no_outage(error):
    assert not is_outage(error)


def test_log_of_an_outage_is_a_line_and_not_a_traceback_for_each_request(caplog, monkeypatch):
    monkeypatch.setattr(outages, "report", outages.Report())
    record = logging.makeLogRecord({"exc_info": (OperationalError, OperationalError("went\naway"), None)})
    assert [outages.OutagesApart().filter(record) for _ in range(3)] == [False] * 3
    outages.report._next = 0.0
    outages.OutagesApart().filter(record)
    assert [record.getMessage() for record in caplog.records] == [
        "The database is down or too busy (went away); a request answered 503.",
        "The database is down or too busy (went away); 3 requests answered 503.",
    ]
    assert outages.OutagesApart().filter(logging.makeLogRecord({"exc_info": (ValueError, ValueError(), None)}))


def test_session_that_cannot_be_saved_for_an_outage_is_not_called_deleted(db, monkeypatch):
    def be_away(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("database is locked")

    session = SessionStore()
    session["page"] = 1
    session.create()
    monkeypatch.setattr("django.contrib.sessions.models.Session.save", be_away)
    with pytest.raises(OperationalError):
        session.save()
    monkeypatch.undo()
    session.delete()
    with pytest.raises(UpdateError):
        session.save()


# Against PostgreSQL itself.


def end_this_connection() -> None:
    """As an administrator or a crash does, from outside."""
    settings = connection.settings_dict
    with psycopg.connect(
        host=settings["HOST"],
        port=settings["PORT"],
        user=settings["USER"],
        password=settings["PASSWORD"],
        dbname="postgres",
        autocommit=True,
    ) as outside:
        outside.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.connection.info.backend_pid])


@contextlib.contextmanager
def first(sql: str, disturb: Callable[[], None]) -> Iterator[None]:
    """Call ``disturb`` before the first statement that starts with ``sql``."""
    waiting = [disturb]

    def execute_disturbed(execute: Callable[..., Any], statement: str, params: Any, many: bool, context: Any) -> Any:
        if waiting and statement.startswith(sql):
            waiting.pop()()
        return execute(statement, params, many, context)

    with connection.execute_wrapper(execute_disturbed):
        yield
    assert not waiting, f"no statement began with {sql}"


@pytest.fixture
def fresh_after() -> Iterator[None]:
    """The connection is replaced afterwards, whatever became of it."""
    yield
    connection.close()


@pytest.fixture
def outside(api, cast):
    """Calls that answer what a server would."""
    api.ada.client.raise_request_exception = False
    api.ada.get("/me")
    return SimpleNamespace(
        create=lambda **headers: api.ada.post("/tasks", {"project": "OPS", "title": "written"}, **headers),
        page=lambda path, data: _page(cast.ada.user).post(path, data),
    )


def _page(user) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return client


def written() -> int:
    connection.close()
    return Task.objects.filter(title="written").count()


def go_idle() -> None:
    with connection.connection.cursor() as cursor:
        cursor.execute("SET idle_in_transaction_session_timeout = '5ms'")
    until = time.monotonic() + 30
    while not select.select([connection.connection.fileno()], [], [], 1)[0]:
        assert time.monotonic() < until, "PostgreSQL did not end the idle transaction"


def become_a_standby() -> None:
    with connection.connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION READ ONLY")


DISTURBANCES = {
    "ended": ("INSERT", end_this_connection),
    "ended by its idleness": ("INSERT", go_idle),
    "read-only": ("UPDATE", become_a_standby),
}


@on_postgresql
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("read", [Task.objects.count, lambda: run("SELECT 1", [])], ids=["queryset", "prepared"])
def test_connection_lost_while_idle_is_replaced_by_the_next_request(fresh_after, read):
    read()
    end_this_connection()
    close_old_connections()  # as each request begins
    read()


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_quiet_connection_is_not_asked_whether_it_is_well(fresh_after, monkeypatch):
    Task.objects.count()
    close_old_connections()
    monkeypatch.setattr(connections["default"], "is_usable", lambda: pytest.fail("it was asked"))
    Task.objects.count()
    assert connection.health_check_done


@on_postgresql
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("key", ["", str(uuid.uuid4())], ids=["without key", "with key"])
@pytest.mark.parametrize(("sql", "disturb"), DISTURBANCES.values(), ids=list(DISTURBANCES))
def test_write_cut_off_before_its_commit_answers_that_nothing_was_done(outside, fresh_after, sql, disturb, key):
    headers = {"idempotency_key": key} if key else {}
    with first(sql, disturb):
        answer = outside.create(**headers)
    assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (503, "unavailable", "3")
    assert written() == 0
    assert outside.create(**headers).status_code == 201
    assert written() == 1


@pytest.fixture
def lost_commit(monkeypatch) -> Callable[[], contextlib.AbstractContextManager[None]]:
    """The next commit is carried out, and the connection ends before the answer comes."""

    @contextlib.contextmanager
    def lose() -> Iterator[None]:
        commit = connection.connection.__class__.commit

        def commit_and_end(self: Any) -> None:
            commit(self)
            monkeypatch.undo()
            end_this_connection()
            self.execute("SELECT 1")

        monkeypatch.setattr(connection.connection.__class__, "commit", commit_and_end)
        yield

    return lose


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_lost_answer_to_a_commit_is_not_reported_as_nothing_done(outside, fresh_after, lost_commit):
    with lost_commit():
        answer = outside.create()
    assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (503, "outcome_unknown", "3")
    assert "look before you send it again" in answer.json()["detail"]
    assert written() == 1


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_repeating_a_lost_commit_with_its_key_takes_effect_once(outside, fresh_after, lost_commit):
    key = str(uuid.uuid4())
    with lost_commit():
        answer = outside.create(idempotency_key=key)
    assert (answer.status_code, answer.json()["code"]) == (503, "outcome_unknown")
    assert "the same Idempotency-Key" in answer.json()["detail"]
    connection.close()
    again = outside.create(idempotency_key=key)
    assert (again.status_code, again["Idempotency-Replayed"]) == (201, "true")
    assert written() == 1


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_answer_that_cannot_be_read_after_the_commit_is_not_nothing_done(outside, fresh_after):
    """The connection ends between the commit and the rows of the answer."""
    ended = []

    def end_after_commit(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if connection.may_have_effect and not ended:
            ended.append(sql)
            end_this_connection()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(end_after_commit):
        answer = outside.create()
    assert ended, "the answer is made without another statement"
    assert (answer.status_code, answer.json()["code"]) == (503, "outcome_unknown")
    assert written() == 1


@on_postgresql
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["/admin/auth/user/add/", "/login/"])
def test_page_says_whether_something_may_have_been_done(cast, fresh_after, path, lost_commit):
    client = _page(cast.root)
    password = "a long enough one 7"
    form = {"username": "newcomer", "usable_password": "true", "password1": password, "password2": password}
    if path == "/login/":
        cast.root.set_password(password)
        cast.root.save()
        form = {"username": "root", "password": password}
    client.get(path)
    with lost_commit():
        answer = client.post(path, form)
    assert (answer.status_code, answer["Retry-After"]) == (503, "3")
    assert b"may have been done" in answer.content


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_single_statement_counts_as_an_effect_unless_it_was_refused(cast, fresh_after):
    outages.begin_request()
    list(Project.objects.all())
    assert not outages.may_have_effect()
    with transaction.atomic():
        Project.objects.filter(key="OPS").update(name="x")
        assert not outages.may_have_effect()
        transaction.set_rollback(True)
    assert not outages.may_have_effect()
    with pytest.raises(IntegrityError):
        Project.objects.filter(key="OPS").update(key="OTHER")
    assert not outages.may_have_effect()
    Project.objects.filter(key="OPS").update(name="y")
    assert outages.may_have_effect()
    outages.begin_request()
    assert not outages.may_have_effect()


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_connection_that_a_demoted_server_keeps_open_is_replaced(outside, fresh_after):
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    assert outside.create().status_code == 503
    assert not connection.is_usable()
    connection.close_if_unusable_or_obsolete()
    assert outside.create().status_code == 201
