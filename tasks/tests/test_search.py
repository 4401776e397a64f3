"""Full-text search: what a search finds, that it never errs, and that the words of tasks are kept."""

import string

import pytest
from django.core.management import call_command
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.actions.tasks import delete_task, edit_task
from tasks.management.command import Problem
from tasks.models import Task, TaskText
from tasks.search.keeping import rebuild, tasks_to_search
from tasks.search.matching import matching

pytestmark = pytest.mark.django_db


def search(text: str) -> list[str]:
    return list(Task.objects.filter(matching(text)).order_by("pk").values_list("title", flat=True))


@pytest.mark.parametrize(
    ("title", "typed"),
    [
        ("Fix the login page", "login fix"),
        ("Fix the login page", "the log"),
        ("Fix the login page", '"the login" FIX'),
        ("Café déjà vu", "CAFE deja"),
        ("cafe deja vu", "Café dé"),
        ("Straße nach Gdańsk", "STRASSE gdans"),
        ("Việt Nam", "viet nam"),
        ("ΟΔΟΣ", "οδος"),
        ("İstanbul", "istanbul"),
        ("ﬁnal ①", "final 1"),
        ("日本語のテキスト", "本語"),
        ("한국어 문서", "한국"),
        ("हिन्दी पाठ", "हिन्दी"),
        ("Ship it 🚀", "🚀"),
        ("snake_case-name v2.10.3", "case-na"),
        ("snake_case-name v2.10.3", "v2.10.3"),
        ("don't", "don't"),
        ("x" * 300, "x" * 250),
    ],
)
def test_search_finds_words_in_any_case_and_with_any_accents(new_task, title, typed):
    new_task("Something else", description="altogether")
    new_task(title)
    new_task("In the description", description=f"so: {title}.")
    assert search(typed) == [title, "In the description"]


@pytest.mark.parametrize(
    "typed",
    ['"login the"', "fix logout", "ogin", "gin page", '"the log"', "pa fix", "fix-login", "", " ", "--", '"', '"" ""',
     "*", "fix \x01 nothing"],
)  # fmt: skip
def test_search_does_not_find_other_words(new_task, typed):
    new_task("Fix the login page", labels=["ui"])
    assert search(typed) == []


def test_phrase_does_not_reach_from_title_into_description(new_task):
    new_task("Fix the login", labels=["page"], description="of the shop")
    assert search('"the login"') == search("page shop login") == ["Fix the login"]
    assert search('"login page"') == search('"page of"') == []


def test_ref_finds_its_task_and_what_mentions_it(cast, new_task):
    new_task("first")
    new_task("other", description="after ops-1, before OPS-11")
    for number in range(3, 12):
        new_task(f"task {number}")
    assert search("OPS-1") == search("ops-1") == search("#OPS-1,") == ["first", "other"]
    assert search("OPS-1 before") == ["other"]
    assert search("OPS-11") == ["other", "task 11"]


@pytest.fixture
def a_task(new_task):
    return new_task("NEAR AND OR NOT rank")


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00")) | st.text(
    "\"'\\*():&|!^-+<> " + string.ascii_letters
)


def test_any_text_is_a_search(a_task):
    @settings(max_examples=200, deadline=None)
    @given(TEXTS)
    def check(typed):
        search(typed)

    check()


def test_operators_of_the_index_are_words(a_task):
    for typed in ("NEAR", "AND", "OR", "NOT rank", "rank NOT", "near and or not", "OR OR OR"):
        assert search(typed) == [a_task.title], typed
    for typed in ("words:rank", "-rank OR x", "rank & !near | zzz", "NEAR(rank and, 2)"):
        assert search(typed) == [], typed


def test_very_long_searches_and_texts_are_no_error(new_task):
    new_task("long", description=" ".join(f"w{number}" for number in range(15_000)))
    new_task("wide", description="ﷺ" * 100_000)
    assert search(" ".join(f"w{number}" for number in range(1_500))) == ["long"]
    assert search('"w14998 w14999"') == ["long"]
    assert search("x" * 8_000) == search("﷽" * 8_000) == []


def test_words_are_kept_with_what_they_are_of_and_not_with_moves(cast, new_task):
    task = new_task("Alpha", labels=["red"])
    assert search("alpha red") == ["Alpha"]
    edit_task(actor=cast.ada.user, task=task, changes={"title": "Beta", "labels": ["blue"], "description": "gamma"})
    assert search("alpha") == search("red") == []
    assert search("beta blue gamma ops-1") == ["Beta"]
    with CaptureQueriesContext(connection) as captured:
        edit_task(actor=cast.ada.user, task=task, changes={"priority": 4})
        task.refresh_from_db()
    assert not any("tasktext" in query["sql"] for query in captured)
    delete_task(actor=cast.ada.user, task=task)
    assert not TaskText.objects.exists()
    assert search("beta") == []


def test_task_of_no_words_is_kept(new_task):
    new_task("--", labels=["!"], description="?")
    assert search("OPS-1") == ["--"]


def test_command_finds_and_mends_words_that_are_wrong(cast, new_task, capsys):
    tasks = [new_task(f"Needle {number}") for number in range(3)]
    TaskText.objects.filter(task=tasks[0]).update(words=" other ")
    TaskText.objects.filter(task=tasks[1]).delete()
    assert search("needle") == ["Needle 2"]
    assert search("other") == ["Needle 0"]
    with pytest.raises(Problem):
        call_command("rebuild_search", "--check")
    assert "OPS-1, OPS-2" in capsys.readouterr().out
    assert rebuild(tasks_to_search(), write=False) == ["OPS-1", "OPS-2"]
    call_command("rebuild_search")
    assert search("needle") == ["Needle 0", "Needle 1", "Needle 2"]
    assert search("other") == []
    assert rebuild(tasks_to_search(cast.ops), write=False) == []


def test_search_reads_the_index(new_task):
    new_task("Needle")
    query = Task.objects.filter(matching("need")).order_by()
    if connection.vendor == "sqlite":
        assert "VIRTUAL TABLE INDEX" in query.explain()
        return
    with connections["default"].cursor() as cursor:
        # Of a single row everything is as cheap.
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_indexscan = off")
    assert "tasks_text_index" in query.explain()
