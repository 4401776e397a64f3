"""Prepared statements give what their querysets give, for any values, and are compiled once."""

import contextlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DataError, IntegrityError, NotSupportedError, OperationalError, connection, transaction
from django.db.models import Count, F, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from taskproject.outages import is_outage
from taskproject.prepared import running
from taskproject.prepared.inserting import insert
from taskproject.prepared.parameters import Parameter
from taskproject.prepared.querysets import prepared, prepared_update
from taskproject.prepared.running import run, send_waiting
from taskproject.prepared.together import LostRace, writes_together
from taskproject.time_limits import limited
from tasks.actions.transactions import in_transaction
from tasks.errors import Contended
from tasks.models import Event, Label, Project

pytestmark = pytest.mark.django_db


@prepared
def _named(key: Any) -> QuerySet[Project]:
    return Project.objects.filter(key=key)


@prepared
def _any_of(ids: Any, *, most: int) -> QuerySet[Project]:
    return Project.objects.filter(pk__any=ids).order_by("key")[:most]


@prepared
def _labels(project: Any) -> QuerySet[Label]:
    labels = Label.objects.filter(project=project, name='100 % "sure", isn\'t it?').select_related("project")
    return labels.annotate(tasks_of=Count("tasks")).order_by("pk")


@prepared
def _keys(ids: Any) -> QuerySet[Project, Any]:
    return Project.objects.filter(pk__any=ids).order_by("key").values_list("key", flat=True)


@prepared
def _label_names() -> QuerySet[Label, Any]:
    return Label.objects.order_by("pk").values_list("name", flat=True)


@prepared
def _pairs(ids: Any) -> QuerySet[Project, Any]:
    return Project.objects.filter(pk__any=ids).order_by("key").values("key", "created_at")


@prepared_update
def _of_key(key: Any) -> QuerySet[Project]:
    return Project.objects.filter(key=key)


def test_instances_with_relations_and_annotations(cast: Any) -> None:
    label = Label.objects.create(project=cast.ops, name='100 % "sure", isn\'t it?')
    [read] = _labels.all(project=cast.ops.pk)
    assert (read, read.project, read.tasks_of) == (label, cast.ops, 0)
    assert read._state.adding is False
    columns = [field.attname for field in Project._meta.concrete_fields]
    stored = Project.objects.get(pk=cast.ops.pk)
    assert [getattr(read.project, name) for name in columns] == [getattr(stored, name) for name in columns]
    assert _labels.all(project=cast.ops.pk + 1) == []


def test_values_of_any_kind_and_a_list_as_one_parameter(cast: Any) -> None:
    others = [Project.objects.create(key=key, name=key) for key in ("ZA", "ZB", "ZC")]
    ids = [project.pk for project in others]
    assert _any_of.all(ids=ids, most=2) == others[:2]
    assert _any_of.all(ids=ids, most=5) == others
    assert _any_of.all(ids=[], most=5) == []
    assert _any_of.all(ids=ids, most=0) == []
    assert _any_of.merged([{"ids": ids, "most": 0}], order="1", most=5) == []
    assert _keys.all(ids=ids[1:]) == ["ZB", "ZC"]
    rows = Project.objects.filter(pk__in=ids).order_by("key").values("key", "created_at")
    assert _pairs.all(ids=ids) == list(rows)
    assert _named.first(key="ZA") == others[0]
    assert _named.first(key="'; DROP TABLE tasks_project; --") is None
    assert _named.first(key="none") is None


def test_the_queryset_is_built_and_compiled_once(cast: Any) -> None:
    calls = []

    @prepared
    def counted(key: Any) -> QuerySet[Project]:
        calls.append(key)
        return Project.objects.filter(key=key)

    assert [counted.first(key=cast.ops.key) for _ in range(3)] == [cast.ops] * 3
    assert len(calls) == 1


def test_updates_by_values_by_expressions_and_with_nothing(cast: Any) -> None:
    now = timezone.now()
    longer = {"lease_seconds": F("lease_seconds") + Parameter("more"), "name": Coalesce(Parameter("name"), F("name"))}
    before = cast.ops.lease_seconds
    assert _of_key(longer, key=cast.ops.key, more=5, name=None) == 1
    assert _of_key({"name": "100 % new", "created_at": now}, key=cast.ops.key) == 1
    assert _of_key({"name": "another"}, key="NONE") == 0
    cast.ops.refresh_from_db()
    assert (cast.ops.name, cast.ops.created_at) == ("100 % new", now)
    assert cast.ops.lease_seconds == before + 5


def test_an_error_is_djangos_and_a_transaction_ends_as_usual(cast: Any) -> None:
    Project.objects.create(key="ZA", name="other")
    with pytest.raises(IntegrityError), transaction.atomic():
        _of_key({"key": cast.ops.key}, key="ZA")
    assert _named.first(key="ZA").name == "other"
    with transaction.atomic():
        transaction.set_rollback(True)
        with pytest.raises(transaction.TransactionManagementError):
            _named.all(key="ZA")


def test_limits_of_time_and_other_wrappers_see_the_statement(cast: Any) -> None:
    class TooLong(Exception):
        pass

    with pytest.raises(TooLong), limited(-1, lambda seconds: TooLong()):
        _many.all(least=0) if connection.vendor == "sqlite" else _named.all(key="ZA")
    seen: list[str] = []

    def see(execute: Any, sql: str, *rest: Any) -> Any:
        seen.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(see):
        _named.all(key="ZA")
    assert len(seen) == 1


@prepared
def _many(least: Any) -> QuerySet[User, Any]:
    """Slow enough for SQLite to look at the clock."""
    numbers = User.objects.extra(
        select={
            "n": "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 3000000) "
            "SELECT count(*) FROM c"
        }
    )
    return numbers.filter(pk__gte=least).values_list("n", flat=True)


def _prepared_here() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements")
        count: int = cursor.fetchone()[0]
    return count


def _deallocate_all() -> None:
    """Past the driver, as a pooler does that lends another session."""
    database: Any = connection
    database.connection.pgconn.exec_(b"DEALLOCATE ALL")


@pytest.mark.skipif(connection.vendor != "postgresql", reason="Only on PostgreSQL: SQLite plans in this process")
def test_postgresql_prepares_it_once_whatever_the_size_of_its_numbers(cast: Any) -> None:
    database: Any = connection
    database.connection._prepared.forget()
    before = _prepared_here()
    for ids in ([1], [70_000], [5_000_000_000], [1, 2, 3]):
        _keys.all(ids=ids)
    assert _prepared_here() == before + 1


@pytest.mark.skipif(connection.vendor != "postgresql", reason="Only on PostgreSQL: SQLite plans in this process")
def test_what_is_rolled_back_leaves_statements_prepared(cast: Any) -> None:
    _named.all(key="OPS")
    before = _prepared_here()
    with contextlib.suppress(LostRace), transaction.atomic():
        raise LostRace
    _named.all(key="OPS")
    assert _prepared_here() == before > 0


@pytest.mark.skipif(connection.vendor != "postgresql", reason="Only on PostgreSQL: its sessions hold statements")
def test_what_fails_leaves_no_statement_behind(cast: Any) -> None:
    before = _prepared_here()
    for _ in range(5):
        with contextlib.suppress(DataError), transaction.atomic():
            run("SELECT 1 / (1 - %s::int)", [1])
    assert _prepared_here() <= before + 1


@pytest.mark.skipif(connection.vendor != "postgresql", reason="Only on PostgreSQL: its sessions hold statements")
@pytest.mark.django_db(transaction=True)
def test_a_statement_that_the_session_does_not_know_is_prepared_once_more(cast: Any) -> None:
    assert _named.all(key="OPS") == [cast.ops]
    _deallocate_all()
    assert _named.all(key="OPS") == [cast.ops]
    assert _prepared_here() == 1
    assert _named.all(key="OPS") == [cast.ops]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="Only on PostgreSQL: its sessions hold statements")
@pytest.mark.django_db(transaction=True)
def test_a_statement_whose_columns_changed_is_prepared_once_more(cast: Any) -> None:
    def change(kind: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE tasks_label ALTER name TYPE {kind}")

    Label.objects.create(project=cast.ops, name="docs")
    _label_names.all()
    change("text")
    try:
        assert _label_names.all() == ["docs"]
        change("varchar(60)")
        with pytest.raises(NotSupportedError) as refused, transaction.atomic():
            _label_names.all()
        assert is_outage(refused.value)
    finally:
        change("varchar(50)")


@pytest.mark.skipif(connection.vendor != "postgresql", reason="Only on PostgreSQL: its sessions hold statements")
@pytest.mark.django_db(transaction=True)
def test_a_verb_runs_once_more_if_the_session_lost_its_statements(cast: Any) -> None:
    tries: list[str] = []

    @in_transaction
    def rename() -> None:
        tries.append("once")
        assert _named.first(key="OPS") == cast.ops
        _of_key({"name": "renamed"}, key="OPS")

    _named.all(key="OPS")
    _deallocate_all()
    rename()
    cast.ops.refresh_from_db()
    assert (len(tries), cast.ops.name) == (2, "renamed")


def test_a_lost_race_of_a_verb_is_not_taken_for_that_of_a_verb_within(cast: Any) -> None:
    @in_transaction
    def inner() -> None:
        pass

    @in_transaction
    def outer() -> None:
        _of_key.later({"name": "renamed"}, rows=1, key="none")
        inner()

    with pytest.raises(Contended):
        outer()


def test_a_lost_connection_is_an_outage(cast: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: Any) -> Any:
        database: Any = connection
        raise database.Database.OperationalError("the server closed the connection")

    monkeypatch.setitem(running._PREPARED, connection.vendor, gone)
    with pytest.raises(OperationalError):
        _named.all(key="ZA")


def test_times_come_as_the_orm_gives_them(cast: Any) -> None:
    Project.objects.filter(pk=cast.ops.pk).update(created_at=timezone.now() - timedelta(days=1))
    assert repr(_named.first(key=cast.ops.key).created_at) == repr(Project.objects.get(pk=cast.ops.pk).created_at)


# Writes together


@prepared_update
def _of_label(name: Any) -> QuerySet[Label]:
    return Label.objects.filter(name=name)


def test_writes_of_a_transaction_are_there_for_every_reader_in_it_and_after_it(cast: Any) -> None:
    with transaction.atomic(), writes_together():
        insert([label := Label(project=cast.ops, name="new")])
        _of_key.later({"name": "renamed"}, rows=1, key=cast.ops.key)
        _of_key.later({"name": "renamed again"}, rows=1, key=cast.ops.key)
        assert Label.objects.get(name="new") == label
        assert _named.first(key=cast.ops.key).name == "renamed again"
        _of_label.later({"name": "newer"}, rows=None, name="new")
    label.refresh_from_db()
    assert (label.name, label._state.adding) == ("newer", False)


def test_a_write_that_changes_another_number_of_rows_is_a_lost_race(cast: Any) -> None:
    def lose() -> None:
        with transaction.atomic(), writes_together():
            _of_key.later({"name": "renamed"}, rows=1, key=cast.ops.key)
            _of_label.later({"name": "newer"}, rows=1, name="none")

    with pytest.raises(LostRace):
        lose()
    cast.ops.refresh_from_db()
    assert cast.ops.name != "renamed"
    with pytest.raises(LostRace):
        _of_label.later({"name": "newer"}, rows=1, name="none")


def test_what_must_not_be_there_is_looked_for_with_the_writes_and_before_them(cast: Any) -> None:
    with transaction.atomic(), writes_together():
        _called.none_later(name="a")
        insert([Label(project=cast.ops, name="a")])

    def add_another() -> None:
        with transaction.atomic(), writes_together():
            insert([Label(project=cast.ops, name="b")])
            _called.none_later(name="a")
            _called.none_later(name="c")

    with pytest.raises(LostRace):
        add_another()
    with pytest.raises(LostRace):
        _called.none_later(name="a")
    assert [label.name for label in cast.ops.labels.all()] == ["a"]


@prepared
def _called(name: Any) -> QuerySet[Label, Any]:
    return Label.objects.filter(name=name).values_list("pk", flat=True)


def test_what_an_inner_transaction_wrote_is_dropped_with_it_and_what_came_before_stays(cast: Any) -> None:
    class Refused(Exception):
        pass

    def refuse() -> None:
        with transaction.atomic(), writes_together():
            insert([Label(project=cast.ops, name="inner")])
            _of_key.later({"name": "inner"}, rows=1, key=cast.ops.key)
            raise Refused

    with transaction.atomic(), writes_together():
        _of_key.later({"name": "outer"}, rows=1, key=cast.ops.key)
        with pytest.raises(Refused):
            refuse()
        with transaction.atomic(), writes_together():
            insert([Label(project=cast.ops, name="kept")])
    cast.ops.refresh_from_db()
    assert (cast.ops.name, [label.name for label in cast.ops.labels.all()]) == ("outer", ["kept"])


@pytest.mark.skipif(connection.vendor != "postgresql", reason="Only on PostgreSQL: SQLite runs in this process")
def test_writes_to_several_tables_go_as_one_statement(cast: Any) -> None:
    statements: list[str] = []

    def see(execute: Any, sql: str, *rest: Any) -> Any:
        statements.append(sql)
        return execute(sql, *rest)

    with transaction.atomic(), writes_together(), connection.execute_wrapper(see):
        insert([Label(project=cast.ops, name=f"label {number}") for number in range(3)])
        _of_key.later({"name": "renamed"}, rows=1, key=cast.ops.key)
        assert statements == []
        send_waiting()
    assert len(statements) == 1
    assert sorted(label.name for label in cast.ops.labels.all()) == ["label 0", "label 1", "label 2"]


_ONE_MORE = F("last_number") + 1


@prepared_update
def _project(pk: Any, *, named: bool) -> QuerySet[Project]:
    projects = Project.objects.filter(pk=pk, allow_pull__in=[True, False])
    return projects.filter(name=Parameter("name then")) if named else projects


def test_many_updates_give_each_row_its_own_values(cast: Any) -> None:
    many: list[Any] = [
        ({"name": "50 % 'of' it", "limit_in_progress": 3}, {"pk": cast.ops.pk}),
        ({"name": "Other", "limit_in_progress": None}, {"pk": cast.other.pk}),
    ]
    statements: list[str] = []

    def see(execute: Any, sql: str, *rest: Any) -> Any:
        statements.append(sql)
        return execute(sql, *rest)

    with transaction.atomic(), writes_together(), connection.execute_wrapper(see):
        _project.each_later([({**changes, "last_number": _ONE_MORE}, {**row, "named": False}) for changes, row in many])
        _project.each_later([])
        send_waiting()
    assert len(statements) == (1 if connection.vendor == "postgresql" else 2)
    for project, (changes, _) in zip((cast.ops, cast.other), many, strict=True):
        number = project.last_number
        project.refresh_from_db()
        assert (project.name, project.limit_in_progress, project.last_number) == (*changes.values(), number + 1)
    given = [
        ({"name": f"Now {n}"}, {"pk": each.pk, "name then": each.name, "named": True})
        for n, each in enumerate((cast.ops, cast.other))
    ]
    changed = {project.pk: project for project in _project.each_returning(given)}
    assert {pk: project.name for pk, project in changed.items()} == {cast.ops.pk: "Now 0", cast.other.pk: "Now 1"}
    assert _project.each_returning(given) == [] == _project.each_returning([])


def test_one_of_many_updates_that_changes_no_row_is_a_lost_race(cast: Any) -> None:
    many: list[Any] = [({"name": "New"}, {"pk": pk, "named": False}) for pk in (cast.ops.pk, cast.other.pk, 0)]
    with pytest.raises(LostRace), transaction.atomic(), writes_together():
        _project.each_later(many)
    with transaction.atomic(), writes_together():
        _project.each_later(many, must_change=False)
    assert Project.objects.filter(name="New").count() == 2


def test_many_updates_must_change_the_same_columns(cast: Any) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("Only on PostgreSQL: SQLite takes each as a statement of its own.")
    many: list[Any] = [({"name": "New"}, {"pk": 1, "named": False}), ({"key": "NEW"}, {"pk": 2, "named": False})]
    with pytest.raises(TypeError, match="same columns"):
        _project.each_returning(many)


def test_new_rows_come_with_their_keys_in_order_and_hold_what_json_can(cast: Any) -> None:
    huge = 2**70
    plan = [{"content": 'Ä "quoted" 100 %', "n": huge, "deep": {"list": [1.5, None, True]}}]
    now = timezone.now()
    events = [
        Event(kind="task.created", at=now, project=cast.ops, project_key="OPS", data={"plan": plan, "number": number})
        for number in range(90)
    ]
    insert(events)
    stored = list(Event.objects.filter(pk__in=[event.pk for event in events]).order_by("pk"))
    assert [event.data for event in stored] == [event.data for event in events]
    assert (stored[0].at, stored[0].run_id, stored[0].actor_name) == (now, None, "")


MOMENTS = (
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(2026, 11, 27, 17, 37, 22, tzinfo=UTC),
    datetime(2026, 11, 27, 17, 37, 22, 500000, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="Only on PostgreSQL: SQLite has texts for times")
def test_times_come_as_they_are_stored(db: Any) -> None:
    for moment in MOMENTS:
        [(read,)], _ = run("SELECT %s::timestamptz", [moment])
        assert (read, read.tzinfo) == (moment, UTC)
        with connection.cursor() as cursor:
            cursor.execute("SELECT %s::timestamptz", [moment])
            assert cursor.fetchone() == (moment,)
    with transaction.atomic():
        run("SET LOCAL TIME ZONE 'Asia/Kolkata'", [])
        [(read,)], _ = run("SELECT '2026-11-27 17:37:22+00'::timestamptz", [])
    assert (read, read.tzinfo) == (datetime(2026, 11, 27, 23, 7, 22, tzinfo=UTC), UTC)
    for beyond in ("infinity", "0044-03-15 12:00:00+00 BC"):
        with pytest.raises(DataError):
            run(f"SELECT '{beyond}'::timestamptz", [])
