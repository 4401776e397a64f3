"""The board: what each member sees, columns and marks, filters, limits."""

import re
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tasks.actions import claims, lifecycle, runs
from tasks.models import Priority, Profile, Project, Run
from tasks.pages import board, board_choices, board_lanes, columns
from tasks.pages.board_choices import choose
from tasks.tests.cast import make_user


@pytest.fixture
def see(client, cast):
    """``see(user, query)`` → the response of the board."""

    def get(user, query: str = ""):
        client.force_login(user)
        return client.get(f"/{query}")

    return get


def shown(response) -> dict[str, list[str]]:
    """Refs by column; a folded one shows none."""
    columns = response.context["columns"]
    return {str(column.status): [card.ref for card in column.cards] for column in columns if column.cards}


def folded(response) -> dict[str, str]:
    """The counts of the folded columns."""
    return {str(column.status): column.count for column in response.context["columns"] if column.is_folded}


@pytest.mark.parametrize("who", ["ada", "rita", "hugo", "vera", "root"])
def test_board_shows_members_the_tasks_of_their_projects(see, cast, new_task, who):
    task = new_task("Seen by members")
    user = getattr(cast, who)
    response = see(getattr(user, "user", user))
    assert shown(response)["not_started"] == [task.ref]
    assert "Seen by members" in response.content.decode()


def test_board_never_shows_tasks_of_other_projects(see, cast, new_task):
    new_task("Hidden from ops", project=cast.other)
    mine = new_task("Ours")
    page = see(cast.ada.user)
    assert shown(page) == {"not_started": [mine.ref]}
    assert "Hidden from ops" not in page.content.decode()
    assert "OTHER" not in page.content.decode()


def test_board_of_foreign_and_of_missing_project_are_the_same_404(see, cast, new_task):
    new_task("Hidden", project=cast.other)
    foreign, missing = see(cast.ada.user, "?project=OTHER"), see(cast.ada.user, "?project=NOWHERE")
    assert foreign.status_code == missing.status_code == 404
    strip = lambda response: response.content.decode().split("<main")[1]  # noqa: E731
    assert strip(foreign) == strip(missing)


def test_board_columns_follow_the_status(see, cast, new_task):
    waiting, running, failed, dropped, done, judged = (
        new_task(max_attempts=1, review_required=name == "judged") for name in ("", "", "", "", "", "judged")
    )
    start = lambda task: claims.claim_task(actor=cast.atlas.user, task=task)  # noqa: E731
    start(running)
    runs.fail_run(actor=cast.atlas.user, run_id=start(failed).pk, code="x", detail="y")
    runs.complete_run(actor=cast.atlas.user, run_id=start(done).pk, summary="s")
    runs.complete_run(actor=cast.atlas.user, run_id=start(judged).pk, summary="s")
    lifecycle.cancel_task(actor=cast.ada.user, task=dropped)
    response = see(cast.vera)
    opened = {
        "not_started": [waiting.ref],
        "in_progress": [running.ref],
        "in_review": [judged.ref],
        "completed": [done.ref],
    }
    assert shown(response) == opened
    # Rarely opened or empty.
    assert folded(response) == {"waiting": "0", "failed": "1", "cancelled": "1"}
    for choice in ("unfold:failed", "unfold:cancelled", "unfold:waiting", "fold:completed"):
        choose(cast.vera, choice)
    response = see(cast.vera)
    del opened["completed"]
    assert shown(response) == {**opened, "failed": [failed.ref], "cancelled": [dropped.ref]}
    assert folded(response) == {"completed": "1"}
    assert folded(see(cast.ada.user)).keys() == {"waiting", "failed", "cancelled"}, "each for themselves"


def test_board_choices_are_kept_and_what_is_none_is_refused(see, client, cast, new_task):
    new_task()
    see(cast.ada.user)
    kept = client.post("/board/choices", {"choose": "compact", "next": "/?project=OPS"})
    assert (kept.status_code, kept.headers["Location"]) == (302, "/?project=OPS")
    quiet = client.post("/board/choices", {"choose": "fold:in_progress"}, headers={"X-Requested-With": "choice"})
    assert quiet.status_code == 204
    for wrong in ("", "compact:failed", "fold", "fold:gone", "open:failed", "fold:failed:failed", "\0"):
        assert client.post("/board/choices", {"choose": wrong}).status_code == 400, wrong
    assert 'class="board is-compact"' in client.get("/").content.decode()
    assert client.post("/board/choices", {"choose": "full", "next": "//evil.example"}).headers["Location"] == "/"
    assert Profile.objects.get().board == {"compact": False, "folded": {"in_progress": True}, "lanes": []}
    # Of another version, or of nobody that we know.
    Profile.objects.update(board={"folded": {"gone": True, "failed": "yes"}, "compact": 1, "lanes": [7, {}]})
    assert folded(client.get("/")).keys() == {"in_progress", "waiting", "in_review", "completed", "failed", "cancelled"}
    client.logout()
    assert "/login/" in client.post("/board/choices", {"choose": "full"}).headers["Location"]


def test_board_card_shows_assignee_priority_progress_and_marks(see, cast, new_task):
    past, ahead = timezone.now() - timedelta(days=2), timezone.now() + timedelta(days=9)
    urgent = new_task("Late one", priority=Priority.URGENT, due_at=past, labels=["release"])
    new_task("Waits", depends_on=[urgent])
    new_task("Sleeps", start_after=ahead)
    run = claims.claim_task(actor=cast.atlas.user, task=urgent)
    runs.progress_run(actor=cast.atlas.user, run_id=run.pk, percent=37, note="counting")
    Run.objects.filter(pk=run.pk).update(stalled_at=timezone.now())
    response = see(cast.hugo.user)
    cards = {card.task.title: card for column in response.context["columns"] for card in column.cards}
    assert {mark.text for mark in cards["Late one"].marks} == {"Stalled", "Overdue"}
    assert [mark.text for mark in cards["Waits"].marks] == ["Blocked by 1"]
    assert [mark.text for mark in cards["Sleeps"].marks] == ["Deferred"]
    page = response.content.decode()
    for words in ('value="37"', "counting", "atlas", "Urgent", "release", 'data-ref="OPS-1"'):
        assert words in page
    assert str(run.pk) not in page


def test_board_columns_are_in_claim_order_over_projects_and_completed_latest_first(see, cast, new_task):
    web = Project.objects.create(key="WEB", name="Website")
    first = new_task(priority=Priority.LOW)
    second = new_task(project=web, priority=Priority.URGENT)
    third = new_task(priority=Priority.HIGH)
    assert shown(see(cast.root))["not_started"] == [second.ref, third.ref, first.ref]
    for task in (first, second, third):
        task.refresh_from_db()
        type(task).objects.filter(pk=task.pk).update(
            status="completed", completed_at=timezone.now() + timedelta(minutes=task.number + task.project_id)
        )
    ended = type(first).objects.filter(status="completed").select_related("project").order_by("-completed_at")
    assert shown(see(cast.root))["completed"] == [task.ref for task in ended]


def test_board_filters_narrow_by_what_the_address_says(see, cast, new_task):
    mine = new_task("Write the manual", assignees=[cast.hugo], labels=["docs"])
    high = new_task("Fix the pump", priority=Priority.HIGH, labels=["docs", "field"])
    plain = new_task("Paint the fence")
    ada = cast.ada.user
    for query, wanted in {
        "?assignee=hugo": {mine.ref},
        "?assignee=-": {high.ref, plain.ref},
        "?priority=high": {high.ref},
        "?priority=HIGH": {high.ref},
        "?label=docs": {mine.ref, high.ref},
        "?label=docs&priority=high": {high.ref},
        "?assignee=hugo&label=docs&q=manual": {mine.ref},
        "?assignee=hugo&q=pump": set(),
        "?q=the+FENCE": {plain.ref},
        f"?q={plain.ref.lower()}": {plain.ref},
        f"?q={high.number}": {high.ref},
        "?q=OTHER-1": set(),
        "?project=ops": {mine.ref, high.ref, plain.ref},
        "?q=%25": set(),
        "?q=a%00b": set(),
        "?q=" + "9" * 30: set(),
        # All that the list understands.
        "?assignee=me": set(),
        "?assignee=hugo,bert&priority=normal,high": {mine.ref},
        "?label=field,none-like-it&status=not_started": {high.ref},
        "?created_after=2020-01-01&ready=true&unassigned=true": {high.ref, plain.ref},
        "?created_before=2020-01-01": set(),
        '?where={"any":[{"field":"label","in":["field"]},{"field":"text","contains":"fence"}]}': {high.ref, plain.ref},
        '?where={"not":{"field":"priority","is":"high"}}&q=the+fence': {plain.ref},
    }.items():
        response = see(ada, query)
        assert response.status_code == 200, query
        assert set(shown(response).get("not_started", [])) == wanted, query


def test_board_filter_by_assignee_keeps_what_they_completed(see, cast, new_task):
    task = new_task()
    run = claims.claim_task(actor=cast.bert.user, task=task)
    runs.complete_run(actor=cast.bert.user, run_id=run.pk, summary="s")
    new_task()
    assert shown(see(cast.ada.user, "?assignee=bert")) == {"completed": [task.ref]}
    assert shown(see(cast.ada.user, "?assignee=-"))["not_started"] == ["OPS-2"]


def test_board_filter_that_is_not_understood_is_reported_and_ignored(see, cast, new_task):
    task = new_task()
    new_task(project=cast.other, actor=cast.root)
    for query, words in (
        ("?priority=soon", "priority: "),
        ("?where={", "where: "),
        ("?where={}&priority=soon&gone=1&ready=maybe", "gone: "),
        ("?tz=Mars", "tz: "),
        (f"?{'x' * 300}=1", "xxx…: "),
        (f"?{'&'.join(f'x{number}=1' for number in range(30))}&priority=soon", "There are 25 more unknown parameters."),
    ):
        response = see(cast.ada.user, query)
        assert words in response.content.decode(), query
        assert shown(response) == {"not_started": [task.ref]}, query
    # As in the list: a name that nothing has matches nothing, and the page says so.
    response = see(cast.ada.user, "?assignee=zed")
    assert "zed is not in your projects" in response.content.decode()
    assert shown(response) == {}


def test_board_shows_the_same_tasks_as_the_list_and_leads_there(see, client, cast, new_task):
    for number in range(4):
        new_task(f"Task {number}", labels=["docs"] if number % 2 else [], priority=Priority.HIGH)
    response = see(cast.ada.user, "?label=docs&created_after=2020-01-01&status=not_started,completed")
    assert [str(column.status) for column in response.context["columns"]] == ["not_started", "completed"]
    chips = {chip.words for chip in response.context["query"].chips}
    assert chips == {"Status is Not started or Completed", "Created from 1 Jan 2020"}
    listed = client.get(response.context["query"].list_url)
    assert {row.ref for row in listed.context["rows"]} == set(shown(response)["not_started"]) == {"OPS-2", "OPS-4"}


def test_board_keeps_negative_numbers_of_its_address(see, cast, new_task):
    task = new_task(estimate_minutes=0)
    query = urlencode({"where": '{"field":"estimate","at_least":-1}'})
    assert shown(see(cast.ada.user, f"?{query}")) == {"not_started": [task.ref]}


def test_board_of_several_projects_shows_these_alone(see, cast, new_task):
    web = Project.objects.create(key="WEB", name="Website")
    new_task(), new_task(project=web), new_task(project=cast.other)
    assert set(shown(see(cast.root, "?project=ops,WEB"))["not_started"]) == {"OPS-1", "WEB-1"}
    assert see(cast.ada.user, "?project=OPS,WEB").status_code == 404


def test_board_escapes_hostile_titles_labels_and_notes(see, cast, new_task):
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    task = new_task(evil, labels=["<b>bold</b>"])
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    runs.progress_run(actor=cast.atlas.user, run_id=run.pk, percent=5, note='"><script>alert(3)</script>')
    page = see(cast.ada.user, "?q=%22%3E%3Cscript%3E").content.decode() + see(cast.ada.user).content.decode()
    assert "<script>" not in page
    assert "<img" not in page
    assert "<b>bold" not in page
    assert "&lt;script&gt;alert(1)" in page


@pytest.mark.parametrize("query", ["", "?project=OPS", "?q=task", "?assignee=hugo", "?assignee=-&label=x&priority=low"])
def test_board_queries_do_not_grow_with_the_tasks(client, cast, new_task, django_assert_num_queries, query):
    def fill(count):
        for _ in range(count):
            task = new_task(assignees=[cast.hugo, cast.bert], labels=["x", "y"], priority=Priority.LOW)
            if task.number % 3 == 0:
                claims.claim_task(actor=cast.bert.user, task=task)

    fill(3)
    client.force_login(cast.ada.user)
    with CaptureQueriesContext(connection) as few:
        client.get(f"/{query}")
    fill(24)
    with django_assert_num_queries(len(few)):
        client.get(f"/{query}")
    # The first steps of a lead are a query; PostgreSQL adds some for its clock and for how far the stream is complete.
    assert len(few) <= (26 if connection.vendor == "sqlite" else 29)


def test_board_shows_the_first_of_a_long_column_and_counts_to_the_cap(see, cast, new_task, monkeypatch):
    monkeypatch.setattr(columns, "SHOWN", 2)
    monkeypatch.setattr(columns, "COUNTED", 4)
    monkeypatch.setattr(board, "COUNTED", 4)
    for _ in range(4):
        new_task()
    column = see(cast.ada.user).context["columns"][0]
    assert (len(column.cards), column.count, column.hidden) == (2, "4", "2 more")
    new_task()
    response = see(cast.ada.user)
    column = response.context["columns"][0]
    assert (len(column.cards), column.count, column.hidden) == (2, "4+", "many more")
    assert '4+<span class="visually-hidden"> tasks</span>' in " ".join(response.content.decode().split())
    assert "and many more" in response.content.decode()


def test_board_search_looks_through_a_window_and_says_so(see, cast, new_task, monkeypatch):
    monkeypatch.setattr(columns, "WINDOW", 100)
    monkeypatch.setattr(board, "WINDOW", 100)
    new_task("needle", priority=Priority.LOW)
    for _ in range(3):
        new_task("hay", priority=Priority.HIGH)
    monkeypatch.setattr(columns, "_SMALLEST_SHARE", 2)
    sought = "?where={%22field%22:%22attempts%22,%22at_most%22:3}&priority=low"
    monkeypatch.setattr(columns, "WINDOW", 3)
    assert "Searched only" in see(cast.ada.user, sought).content.decode()
    # Words have an index of their own, wherever in the column they are.
    response = see(cast.ada.user, "?q=needle")
    assert shown(response)["not_started"] == ["OPS-1"]
    assert "Searched only" not in response.content.decode()
    monkeypatch.setattr(columns, "WINDOW", 2)
    response = see(cast.ada.user, "?q=hay")
    assert (response.context["columns"][0].count, "Searched only" in response.content.decode()) == ("2+", True)


def test_board_without_projects_names_the_next_step(see, cast, client):
    assert "Ask a manager" in see(make_user("stranger")).content.decode()
    Project.objects.all().delete()
    assert "manage.py add_project" in see(cast.root).content.decode()


def test_board_without_tasks_names_the_next_step(see, cast):
    assert "manage.py import_tasks" in see(cast.ada.user).content.decode()
    assert "manage.py import_tasks" not in see(cast.hugo.user).content.decode()


def test_board_without_matches_offers_to_clear_the_filters(see, cast, new_task):
    new_task()
    page = see(cast.ada.user, "?project=OPS&q=nothing+like+it").content.decode()
    assert "No task matches" in page
    assert 'href="?project=OPS"' in page


def test_board_of_many_projects_is_bounded_and_says_so(see, cast, new_task, monkeypatch):
    monkeypatch.setattr(board, "MOST_PROJECTS", 1)
    new_task()
    new_task(project=cast.other)
    response = see(cast.root)
    assert shown(response) == {"not_started": ["OPS-1"]}
    assert "1 of your 2 projects are not shown" in response.content.decode()
    assert shown(see(cast.root, "?project=OTHER")) == {"not_started": ["OTHER-1"]}


def lanes(response) -> dict[str, dict[str, list[str]]]:
    """Refs by lane and column."""
    return {
        lane.label: {str(cell.status): [card.ref for card in cell.cards] for cell in lane.cells if cell.cards}
        for lane in response.context["lanes"]
    }


def test_board_in_lanes_has_each_card_once_and_the_same_columns(see, client, cast, new_task):
    parent = new_task("Epic", priority=Priority.LOW, labels=["docs", "field"])
    child = new_task("Part", parent=parent, assignees=[cast.hugo], priority=Priority.URGENT)
    run = claims.claim_task(actor=cast.atlas.user, task=new_task("Runs"))
    ada = cast.ada.user
    epic, part, runs_now = parent.ref, child.ref, run.task.ref
    assert {name: cells for name, cells in lanes(see(ada, "?group=assignee")).items() if cells} == {
        "atlas": {"in_progress": [runs_now]}, "hugo": {"not_started": [part]}, "Nobody yet": {"not_started": [epic]},
    }  # fmt: skip
    # Also those where nothing is, since a card may be dropped there.
    assert list(lanes(see(ada, "?group=priority"))) == ["Urgent", "High", "Normal", "Low"]
    assert list(lanes(see(cast.vera, "?group=priority"))) == ["Urgent", "Normal", "Low"]
    assert lanes(see(ada, "?group=label"))["docs"] == {"not_started": [epic]}
    assert list(lanes(see(ada, "?group=label"))) == ["docs", "No label"]
    assert lanes(see(ada, "?group=parent"))["OPS-1 Epic"] == {"not_started": [part]}
    assert list(lanes(see(ada, "?group=project&project=OPS"))) == ["OPS Operations"]
    response = see(ada, "?group=gone")
    assert (lanes(response), "group: " in response.content.decode()) == ({}, True)
    renewed = client.get("/board/changes?group=assignee&refs=OPS-1").content.decode()
    assert (renewed.count('class="card '), renewed.count("data-kept></li>")) == (1, 2)
    assert lanes(client.get("/board/changes?group=assignee&refs=")) == lanes(see(ada, "?group=assignee"))
    assert see(ada, "?group=project").context["query"].list_url == "/tasks/?"
    assert see(ada, "?group=label").context["query"].list_url == "/tasks/?group=label"


def test_parts_that_are_renewed_lead_back_to_the_board_with_its_query(client, cast, new_task):
    new_task(labels=["docs"])
    client.force_login(cast.ada.user)
    here = "/?label=docs&amp;project=OPS"
    for path in ("/?project=OPS&label=docs", "/board/changes?project=OPS&label=docs&refs=OPS-1&steps=1"):
        page = client.get(path).content.decode()
        ways = re.findall(r'name="next" value="([^"]*)"', page)
        assert ways, path
        assert {"&amp;".join(sorted(way.removeprefix("/?").split("&amp;"))) for way in ways} == {here[2:]}, path
        assert all(way.startswith("/?") for way in ways), path


def numbers(response) -> dict[str, str]:
    return {lane.label: lane.count for lane in response.context["lanes"]}


@pytest.mark.parametrize("query", ["", "label=docs", "assignee=hugo", "q=plain", "priority=normal"])
@pytest.mark.parametrize("group", ["assignee", "priority", "label", "parent", "project"])
def test_lanes_count_all_tasks_of_the_columns_and_not_the_cards(see, cast, new_task, monkeypatch, group, query):
    monkeypatch.setattr(columns, "SHOWN", 2)
    for number in range(4):
        new_task(f"plain {number}", labels=["docs", "field"], assignees=[cast.hugo, cast.atlas])
    new_task("plain other", labels=["docs"], assignees=[cast.hugo])
    response = see(cast.ada.user, f"?group={group}&{query}")
    first = response.context["columns"][0]
    assert (first.status, len(first.cards), first.count) == ("not_started", 2, "5")
    assert sum(int(number) for number in numbers(response).values()) == 5


def test_lanes_count_as_columns_do_up_to_a_limit(see, cast, new_task, monkeypatch):
    for number in range(4):
        new_task(f"plain {number}", assignees=[cast.hugo], priority=Priority.URGENT)
    new_task("of nobody")
    ada = cast.ada.user
    response = see(ada, "?group=assignee")
    assert {name: n for name, n in numbers(response).items() if n != "0"} == {"hugo": "4", "Nobody yet": "1"}
    page = " ".join(response.content.decode().split())
    assert '4<span class="visually-hidden"> tasks</span>' in page
    assert '1<span class="visually-hidden"> task</span>' in page
    for module in (columns, board, board_lanes):
        monkeypatch.setattr(module, "COUNTED", 2)
    response = see(ada, "?group=assignee")
    assert (response.context["columns"][0].count, numbers(response)["hugo"]) == ("2+", "2+")
    # A part of the column was searched.
    for module in (columns, board, board_lanes):
        monkeypatch.setattr(module, "COUNTED", 1000)
    monkeypatch.setattr(columns, "WINDOW", 2)
    monkeypatch.setattr(columns, "_SMALLEST_SHARE", 2)
    response = see(ada, "?group=assignee&created_after=2020-01-01")
    assert (response.context["columns"][0].count, numbers(response)["hugo"]) == ("2+", "2+")


@pytest.mark.parametrize("group", ["assignee", "priority", "label", "parent", "project"])
def test_lanes_count_no_other_projects_and_no_more_than_the_filters_leave(see, cast, new_task, group):
    for _ in range(3):
        new_task(project=cast.other, labels=["docs"])
        new_task(priority=Priority.LOW, labels=["docs"])
    new_task(priority=Priority.URGENT, labels=["docs"])
    for query, count in (("", 4), ("priority=urgent", 1), ("project=OPS", 4), ("label=docs&priority=low", 3)):
        assert sum(map(int, numbers(see(cast.ada.user, f"?group={group}&{query}")).values())) == count, query
    assert sum(map(int, numbers(see(cast.root, f"?group={group}&project=OTHER")).values())) == 3


def test_lane_of_a_card_is_of_whoever_works_on_it(see, cast, new_task):
    task = new_task("Of two", assignees=[cast.hugo, cast.atlas])
    assert lanes(see(cast.ada.user, "?group=assignee"))["hugo"] == {"not_started": [task.ref]}
    claims.claim_task(actor=cast.atlas.user, task=task)
    response = see(cast.ada.user, "?group=assignee")
    assert (lanes(response)["atlas"], lanes(response)["hugo"]) == ({"in_progress": [task.ref]}, {})
    assert response.context["columns"][1].cards[0].assignees[0] == cast.atlas


@pytest.mark.parametrize("group", ["assignee", "priority", "label", "parent", "project"])
def test_lanes_cost_the_same_however_many_there_are(see, cast, new_task, group):
    def queries() -> int:
        with CaptureQueriesContext(connection) as caught:
            see(cast.ada.user, f"?group={group}")
        return len(caught)

    parent = new_task("First", labels=["a"], assignees=[cast.hugo])
    new_task("Child", parent=parent)
    queries()
    before = queries()
    for number, agent in enumerate((cast.atlas, cast.bert, cast.rita, cast.ada)):
        parent = new_task(f"More {number}", labels=[f"l{number}"], assignees=[agent], priority=number + 1)
        new_task(f"Part {number}", parent=parent)
    assert queries() == before


def hidden(response) -> dict[tuple[str, str], tuple[str, str]]:
    """What the cells do not show, in words, and the address of the list of it."""
    return {
        (lane.label, str(cell.status)): (cell.hidden, cell.url)
        for lane in response.context["lanes"]
        for cell in lane.cells
        if cell.hidden
    }


QUERIES = ["", "project=OPS", "label=docs", "priority=urgent,low", "status=not_started,in_progress", "q=plain"]


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("group", ["assignee", "priority", "label", "parent", "project"])
def test_cells_say_how_many_tasks_they_hide_and_lead_to_all_of_them(
    see, client, cast, new_task, monkeypatch, group, query
):
    monkeypatch.setattr(columns, "SHOWN", 2)
    parent = new_task("plain", priority=Priority.URGENT, labels=["docs"], assignees=[cast.hugo])
    for number in range(3):
        new_task(f"plain {number}", priority=Priority.LOW, labels=["docs"], assignees=[cast.hugo], parent=parent)
        new_task(f"plain urgent {number}", priority=Priority.URGENT, labels=["docs", "field"])
    claims.claim_task(actor=cast.atlas.user, task=new_task("elsewhere", priority=Priority.NORMAL, labels=["docs"]))
    response = see(cast.ada.user, f"?group={group}&{query}")
    column = response.context["columns"][0]
    rests = hidden(response)
    assert sum(int(re.sub(r"\D", "", words)) for words, _ in rests.values()) == 5, rests
    assert f"{column.hidden}" == "5 more"
    by_lane = {lane.label: lane for lane in response.context["lanes"]}
    for (label, status), (words, url) in rests.items():
        cards = next(cell.cards for cell in by_lane[label].cells if cell.status == status)
        assert words.startswith("and ") == bool(cards)
        assert url, (label, status)
        assert f'href="{url.replace("&", "&amp;")}"' in response.content.decode()
        rows = client.get(url).context["rows"]
        assert len(rows) == len(cards) + int(re.sub(r"\D", "", words)), (label, url)
    assert hidden(client.get(f"/board/changes?group={group}&{query}&refs=OPS-1")) == rests


def test_cell_without_an_exact_filter_has_no_link(see, cast, new_task, monkeypatch):
    monkeypatch.setattr(columns, "SHOWN", 1)
    for labels in (["a"], ["a", "b"], ["b"], ["b"]):
        new_task(labels=labels)
    new_task(assignees=[cast.hugo])
    response = see(cast.ada.user, "?group=label")
    rests = hidden(response)
    assert [label for label, _ in rests] == ["a", "b", "No label"]
    assert [(words, bool(url)) for words, url in rests.values()] == [
        ("and 1 more", True),
        ("2 more", False),
        ("1 more", True),
    ]
    assert "A task with several labels is shown once" in response.content.decode()
    assert "is shown once" not in see(cast.ada.user, "?group=priority").content.decode()
    # Beyond the projects that a board shows, the list goes on.
    monkeypatch.setattr(board, "MOST_PROJECTS", 1)
    assert {bool(url) for _, url in hidden(see(cast.root, "?group=priority")).values()} == {False}


def test_lanes_without_a_card_are_bounded(see, cast, new_task, monkeypatch):
    monkeypatch.setattr(columns, "SHOWN", 1)
    monkeypatch.setattr(board_lanes, "MOST_WITHOUT_CARDS", 1)
    for label in ("first", "few", "many", "many"):
        new_task(labels=[label])
    assert list(lanes(see(cast.vera, "?group=label"))) == ["first", "many"]


def test_lanes_of_assignees_offer_whoever_can_be_assigned_by_whoever_may(see, cast, new_task, monkeypatch):
    new_task()
    cast.rita.enabled = False
    cast.rita.save()
    for query in ("?group=assignee", "?group=assignee&project=OPS"):
        assert list(lanes(see(cast.ada.user, query))) == ["ada", "atlas", "bert", "hugo", "Nobody yet"], query
    for user in (cast.hugo.user, cast.vera):
        assert list(lanes(see(user, "?group=assignee"))) == ["Nobody yet"]
    # Of several projects each has members of its own.
    assert list(lanes(see(cast.root, "?group=assignee"))) == ["Nobody yet"]
    monkeypatch.setattr(board, "MOST_OFFERED", 2)
    assert list(lanes(see(cast.ada.user, "?group=assignee"))) == ["ada", "atlas", "Nobody yet"]


def test_folded_lanes_are_remembered_for_each_reader(see, client, cast, new_task):
    new_task("Of hugo", assignees=[cast.hugo])
    new_task("Of nobody")

    def closed(user, group="assignee") -> list[str]:
        return [lane.label for lane in see(user, f"?group={group}").context["lanes"] if lane.is_folded]

    assert closed(cast.ada.user) == []
    answer = client.post("/board/choices", {"choose": "fold_lane:assignee:hugo", "next": "/?group=assignee"})
    assert answer.url == "/?group=assignee"
    client.post("/board/choices", {"choose": "fold_lane:assignee:"})
    client.post("/board/choices", {"choose": "compact"})
    client.post("/board/choices", {"choose": "fold:failed"})
    assert closed(cast.ada.user) == ["hugo", "Nobody yet"]
    page = client.get("/?group=assignee").content.decode()
    assert 'value="unfold_lane:assignee:hugo"' in page
    assert page.count('class="lane-row"') == len(see(cast.ada.user, "?group=assignee").context["lanes"]) - 2
    assert (closed(cast.hugo.user), closed(cast.ada.user, "priority")) == ([], [])
    client.force_login(cast.ada.user)
    client.post("/board/choices", {"choose": "unfold_lane:assignee:hugo"})
    assert closed(cast.ada.user) == ["Nobody yet"]
    for wrong in ("fold_lane", "fold_lane:zzz:hugo", f"fold_lane:label:{'x' * 200}", "fold_lane:label:\x00"):
        assert client.post("/board/choices", {"choose": wrong}).status_code == 400, wrong


def test_folded_lanes_that_are_remembered_are_bounded(cast):
    for number in range(board_choices.MOST_LANES + 5):
        choose(cast.ada.user, f"fold_lane:label:{number}")
    lanes_kept = board_choices.read_choices(cast.ada.user).lanes
    assert (len(lanes_kept), lanes_kept[0], lanes_kept[-1]) == (200, "label:5", "label:204")
