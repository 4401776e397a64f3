"""Every test starts with the database as migrated, and none is left out of both runs."""

from types import SimpleNamespace

import pytest
from django.contrib.auth.models import Permission

from messaging.models import FollowerCursor
from taskproject.tests import once
from taskproject.tests.workers import long_first
from tasks.models import Event, Project
from tasks.tests.server_process import said_by_itself


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("turn", ["first", "second"])
def test_test_that_commits_leaves_the_database_as_migrated(request, turn):
    assert not Project.objects.exists()
    assert not Event.objects.exists()
    assert Permission.objects.exists()
    migrated = list(FollowerCursor.objects.order_by("pk").values())
    assert migrated
    assert request.session.stash.setdefault(MIGRATED, migrated) == migrated
    request.getfixturevalue("new_task")("Left behind")
    FollowerCursor.objects.update(event_id=Event.objects.get().pk)
    FollowerCursor.objects.first().delete()


MIGRATED = pytest.StashKey[list]()


def test_second_run_leaves_out_only_what_passed_and_is_alike_on_all_databases(tmp_path):
    passed = tmp_path / "passed"
    passed.write_text("pure\nwith_fixture\nwith_mark\npages\npages_of_a_process")

    def item(name, fixtures=(), marks=()):
        return SimpleNamespace(nodeid=name, fixturenames=fixtures, get_closest_marker={m: m for m in marks}.get)

    items = [
        item("pure"),
        item("pure_that_failed"),
        item("with_fixture", ("db", "django_db_setup")),
        item("with_mark", marks=["django_db"]),
        item("pages", marks=["django_db", "browser"]),
        item("pages_of_a_process", marks=["django_db", "browser", "server"]),
        item("pages_that_failed", marks=["django_db", "browser"]),
    ]
    left_out = []
    hook = SimpleNamespace(pytest_deselected=lambda items: left_out.extend(items))
    config = SimpleNamespace(getoption=lambda name: passed, hook=hook)
    once.pytest_collection_modifyitems(config, items)
    assert [each.nodeid for each in left_out] == ["pure", "pages"]
    assert [each.nodeid for each in items] == [
        "pure_that_failed",
        "with_fixture",
        "with_mark",
        "pages_of_a_process",
        "pages_that_failed",
    ]


@pytest.mark.parametrize(
    ("workers", "expected"),
    [
        (1, ["story", "fuzz", "pages", "a", "b", "c", "d", "e"]),
        (2, ["story", "pages", "a", "b", "fuzz", "c", "d", "e"]),
        (3, ["story", "a", "fuzz", "b", "c", "pages", "d", "e"]),
        (8, ["story", "fuzz", "pages", "a", "b", "c", "d", "e"]),
    ],
)
def test_each_worker_begins_with_its_share_of_the_long_tests(workers, expected):
    long = ["story", "fuzz", "pages"]
    items = [
        SimpleNamespace(name=name, get_closest_marker={"long": "long"}.get if name in long else {}.get)
        for name in ["a", "b", "story", "c", "fuzz", "d", "e", "pages"]
    ]
    assert [item.name for item in long_first(items, workers=workers)] == expected


def test_sentence_of_a_server_that_was_away_is_expected_and_no_other(tmp_path):
    errors = tmp_path / "stderr"
    away = (
        "2026-11-26 21:01:46,554 WARNING tasks.actions.timekeeping: "
        "No server could answer for 57 s; 2 leases, offers and questions continue.\n"
    )
    other = "2026-11-26 21:01:47,001 WARNING taskproject.watch.pulse: What nobody expects.\n"
    errors.write_text(away + other)
    assert said_by_itself(errors, within=56.8) == other
    with pytest.raises(AssertionError, match="57 s"):
        said_by_itself(errors, within=40.0)
