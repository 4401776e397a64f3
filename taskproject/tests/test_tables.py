"""The tables hold what the models say: an index or a constraint can get lost on the way through migrations."""

import importlib

import pytest
from django.apps import apps
from django.db import connection, models

OURS = [
    model
    for label in ("tasks", "messaging", "reports", "taskproject")
    for model in apps.get_app_config(label).get_models()
]


def is_there(name: str, table: str) -> bool:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            # Django's introspection cannot read indexes over expressions there.
            cursor.execute("SELECT 1 FROM sqlite_master WHERE tbl_name = %s AND instr(sql, %s)", [table, f'"{name}"'])
            return cursor.fetchone() is not None
        return name in connection.introspection.get_constraints(cursor, table)


@pytest.mark.django_db
@pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.label_lower)
def test_every_index_and_constraint_of_a_model_is_in_its_table(model: type[models.Model]) -> None:
    meta = model._meta
    assert [each.name for each in [*meta.indexes, *meta.constraints] if not is_there(each.name, meta.db_table)] == []


@pytest.mark.django_db
def test_one_that_is_lost_is_missed() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX run_one_active_per_task")
    assert not is_there("run_one_active_per_task", "tasks_run")


@pytest.mark.skipif(connection.vendor != "postgresql", reason="Only on PostgreSQL: there a migration had dropped it")
@pytest.mark.django_db
def test_one_that_a_migration_had_dropped_comes_back() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX run_one_active_per_task")
    restore = importlib.import_module("tasks.migrations.0053_one_active_run").restore
    for _ in range(2):
        restore(apps, connection.schema_editor())
        assert is_there("run_one_active_per_task", "tasks_run")
