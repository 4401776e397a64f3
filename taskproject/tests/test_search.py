"""The search of every page: what it finds for whom, bounded, the same for the palette and without scripts."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from reports.saving import save_report
from taskproject import palette
from tasks.models import Project, Task

DEFINITION = {
    "version": 1,
    "facts": "episodes",
    "measures": [{"aggregate": "count"}],
    "period": {"last": 4, "unit": "week"},
}
FETCHED = {"X-Requested-With": palette.FETCHED}


@pytest.fixture
def found_by(client):
    """``found_by(user, "words")`` → (kind, words) of each answer, the same on the page and for the palette."""

    def ask(user, text: str = "", **more: str) -> list[tuple[str, str]]:
        client.force_login(user)
        page = client.get("/search/", {"q": text, **more})
        fetched = client.get("/search/", {"q": text, **more}, headers=FETCHED)
        assert page.status_code == fetched.status_code == 200
        assert page.context["answers"] == fetched.context["answers"]
        assert "<html" in page.content.decode()
        assert "<html" not in fetched.content.decode()
        return [(answer.kind, answer.words) for answer in page.context["answers"]]

    return ask


def test_search_finds_tasks_projects_reports_and_pages_of_the_reader_alone(found_by, cast, new_task):
    new_task("Rotate the workload keys")
    new_task("Workload of others", project=cast.other)
    Project.objects.filter(pk=cast.other.pk).update(name="Workload elsewhere")
    save_report(actor=cast.ada.user, name="My workload", definition=DEFINITION)
    save_report(actor=cast.mona.user, name="Their workload", definition=DEFINITION, project="OTHER")
    seen = found_by(cast.ada.user, "workload")
    assert ("Task", "Rotate the workload keys") in seen
    assert ("Report", "My workload") in seen
    assert not {"Workload of others", "Workload elsewhere", "Their workload"} & {words for _, words in seen}
    assert found_by(cast.mona.user, "workload")[0] == ("Project", "Workload elsewhere")
    assert found_by(cast.hugo.user, "notif settings") == [("Page", "Notification settings")]
    assert ("Page", "Admin") not in found_by(cast.hugo.user, "admin")
    assert ("Page", "Admin") in found_by(cast.ada.user, "admin")
    assert found_by(cast.hugo.user, "compare") == []
    assert found_by(cast.ada.user, "compare") == [("Page", "Compare policies")]


def test_ref_or_number_comes_first(found_by, cast, new_task):
    first = new_task("Named in OPS-1 and 1")
    new_task("Mentions OPS-1", description="OPS-1")
    hidden = new_task("Not theirs", project=cast.other)
    for text in ("ops-1", "1"):
        assert found_by(cast.hugo.user, text)[0] == ("Task", first.title)
    assert found_by(cast.hugo.user, hidden.ref) == []


def test_without_words_recent_tasks_come_before_the_pages(found_by, cast, new_task):
    first, second = new_task("First"), new_task("Second")
    hidden = new_task("Not theirs", project=cast.other)
    seen = found_by(cast.hugo.user, recent=f"{second.ref},{hidden.ref},{first.ref.lower()},nonsense")
    assert seen[:3] == [("Task", "Second"), ("Task", "First"), ("Page", "Board")]
    assert found_by(cast.hugo.user, recent="OPS-002,ops-01")[:2] == [("Task", "Second"), ("Task", "First")]
    assert found_by(cast.hugo.user, "OPS-01")[0] == ("Task", "First")


@pytest.mark.parametrize("text", ["\x00", "\x00x", "'\"<b>", "%", "9" * 400, "OPS-", "a" * 1000, "\ud800"])
def test_any_text_is_answered(client, cast, text):
    client.force_login(cast.hugo.user)
    answer = client.get("/search/", {"q": text.encode("utf-8", "surrogatepass")})
    assert answer.status_code == 200
    assert "<b>" not in answer.content.decode()


def test_answers_and_queries_are_bounded(client, cast, new_task):
    client.force_login(cast.ada.user)
    new_task("A report on the board")

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            answer = client.get("/search/?q=board", headers=FETCHED)
        assert len(answer.context["answers"]) <= palette.MOST
        return len(captured)

    queries()
    few = queries()
    now = Task.objects.get().created_at
    Task.objects.bulk_create(
        Task(project=cast.ops, number=number, title=f"Board {number}", created_at=now, updated_at=now)
        for number in range(2, 300)
    )
    assert queries() == few


def test_search_needs_a_login(client, cast):
    assert client.get("/search/?q=x").status_code == 302
    assert client.post("/search/").status_code in (302, 405)


def test_page_offers_the_search_without_scripts(client, cast, new_task):
    new_task("Rotate <the> keys")
    client.force_login(cast.hugo.user)
    page = client.get("/search/?q=rotate").content.decode()
    assert "Rotate &lt;the&gt; keys" in page
    assert 'href="/tasks/?q=rotate"' in page
    assert re.search(r'href="/search/"\s+data-palette', client.get("/").content.decode())


def test_search_that_takes_too_long_says_so_and_leads_to_the_list(client, cast, new_task, monkeypatch):
    new_task("Sort the photographs")
    monkeypatch.setattr("taskproject.palette.SECONDS", 1e-9)
    monkeypatch.setattr("taskproject.time_limits._INSTRUCTIONS", 1)
    client.force_login(cast.hugo.user)
    page = client.get("/search/?q=photographs").content.decode()
    assert "This search is taking too long" in page
    assert "No results" not in page
    assert "/tasks/?q=photographs" in page
    assert client.get("/agents/").status_code == 200
