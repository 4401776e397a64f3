"""Saved views: whose they are, what they keep, and counts that agree with what opening one shows."""

import random
import re
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from taskproject.errors import Invalid, NotFound, NotPermitted
from tasks import viewed
from tasks.actions import claims, lifecycle
from tasks.actions.saved_views import delete_view, edit_view, find_view, save_view, views_of
from tasks.models import Membership, Role, SavedView, Task
from tasks.pages import saved_views, side_bar


@pytest.fixture
def keep(cast):
    """``keep(actor, "name", "status=waiting", …)`` → a view of the list."""

    def save(actor, name="Mine", query="status=waiting", *, place="list", project=None) -> SavedView:
        return save_view(actor=actor, name=name, place=place, query=query, project=project)

    return save


@pytest.fixture
def as_user(client):
    def sign_in(user):
        client.force_login(user)
        return client

    return sign_in


def names(user) -> list[str]:
    return [view.name for view in views_of(user).order_by("name")]


def counts(client) -> dict[str, str]:
    """What the side bar says of each view."""
    groups = client.get("/views/side").context["groups"]
    return {entry.view.name: entry.count for group in groups for entry in group.entries}


def said(client) -> str:
    """What the side bar says of its only view, as it is read aloud."""
    count = re.search(r'class="side-count">(.*?)</span>', client.get("/views/side").content.decode(), re.DOTALL)
    assert count is not None
    return " ".join(re.sub(r"<[^>]*>", "", count[1]).split())


def test_own_views_are_seen_by_their_owner_and_shared_ones_by_the_project(cast, keep, as_user):
    own = keep(cast.hugo.user, "Only hugo's")
    shared = keep(cast.hugo.user, "Shared by hugo", project="OPS")
    assert names(cast.hugo.user) == ["Only hugo's", "Shared by hugo"]
    assert names(cast.vera) == ["Shared by hugo"]
    assert names(cast.mona.user) == []
    # A superuser sees what is shared with any project, and nobody's own.
    assert names(cast.root) == ["Shared by hugo"]
    for user in (cast.vera, cast.mona.user):
        browser = as_user(user)
        for path in ("/views/", "/views/side", "/tasks/", f"/tasks/?view={own.pk}", f"/tasks/?view={shared.pk}", "/"):
            page = browser.get(path).content.decode()
            assert "Only hugo" not in page
            assert ("Shared by hugo" in page) is (user == cast.vera), path
        assert browser.get(f"/views/{own.pk}/").status_code == 404
        assert browser.post(f"/views/{own.pk}/delete").status_code == 404


def test_owner_and_managers_change_a_shared_view_and_nobody_else(cast, keep):
    shared = keep(cast.hugo.user, "Shared", project="OPS")
    for user in (cast.vera, cast.rita.user):
        with pytest.raises(NotPermitted):
            edit_view(actor=user, view=shared, changes={"name": "Theirs"})
        with pytest.raises(NotPermitted):
            delete_view(actor=user, view=shared)
    with pytest.raises(NotPermitted, match="Viewers of OPS"):
        keep(cast.vera, "No", project="OPS")
    with pytest.raises(NotFound):
        keep(cast.hugo.user, "No", project="OTHER")
    assert edit_view(actor=cast.ada.user, view=shared, changes={"name": "Ours"}).version == 2
    with pytest.raises(NotPermitted, match="Only its owner"):
        edit_view(actor=cast.ada.user, view=shared, changes={"project": "ELSE"})
    taken_back = edit_view(actor=cast.ada.user, view=shared, changes={"project": None})
    assert names(cast.hugo.user) == ["Ours"]
    assert names(cast.ada.user) == []
    with pytest.raises(NotFound):
        find_view(cast.ada.user, taken_back.pk)


def test_what_an_account_shared_stays_and_what_it_kept_goes(cast, keep):
    keep(cast.hugo.user, "Own")
    keep(cast.hugo.user, "Shared", project="OPS")
    User.objects.get(pk=cast.hugo.user.pk).delete()
    assert list(SavedView.objects.values_list("name", "owner")) == [("Shared", None)]
    assert names(cast.vera) == ["Shared"]


def test_views_have_an_order_of_their_own(cast, keep, as_user):
    for name in "ABC":
        keep(cast.hugo.user, name)
    shared = [keep(cast.hugo.user, f"Shared {name}", project="OPS") for name in "AB"]
    browser = as_user(cast.hugo.user)
    first = SavedView.objects.get(name="A")
    browser.post(f"/views/{first.pk}/change", {"move": "down"})
    assert list(counts(browser)) == ["B", "A", "C", "Shared A", "Shared B"]
    for _ in range(3):
        browser.post(f"/views/{first.pk}/change", {"move": "down"})
    assert list(counts(browser)) == ["B", "C", "A", "Shared A", "Shared B"]
    assert browser.post(f"/views/{shared[1].pk}/change", {"move": "up"}).status_code == 403
    edit_view(actor=cast.ada.user, view=shared[1], changes={"position": 0})
    assert list(counts(browser))[3:] == ["Shared B", "Shared A"]


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("statsu=waiting", "did you mean 'status'"),
        ("status=waitin", "did you mean 'waiting'"),
        ("where={", "Must be JSON"),
        ("q=%00", "Null characters"),
        ("status=waiting\x00", "Null characters"),
        ("ordering=title&ordering=status", "Give it once"),
        ("q=" + "a" * 4_000, "at most 4,000 are kept"),
        # 602 characters as typed.
        ("q=" + "日" * 600, "5,402 characters; at most 4,000 are kept"),
        ("group=colour", "There is no group 'colour'"),
        ("tz=Mars", "Mars"),
        ("columns=nope", "There is no column 'nope'"),
        ("ordering=x", "There is no ordering 'x'"),
        ("a&" * 1_200, "too many parameters"),
    ],
)
def test_query_that_the_list_would_refuse_is_kept_by_no_door(cast, keep, api, as_user, query, sentence):
    with pytest.raises(Invalid) as refused:
        keep(cast.hugo.user, query=query)
    assert sentence in str(refused.value.data["errors"])
    view = keep(cast.hugo.user)
    form = {"name": "X", "place": "list", "query": query}
    assert api.hugo.post("/saved_views", form).status_code == 400
    assert api.hugo.patch(f"/saved_views/{view.pk}", {"query": query}).status_code == 400
    browser = as_user(cast.hugo.user)
    browser.post("/views/save", form)
    browser.post(f"/views/{view.pk}/change", {"query": query})
    assert list(SavedView.objects.values_list("query", "version")) == [("status=waiting", 1)]


@pytest.mark.parametrize("query", ["ordering=title", "columns=status", "group=status", "folded=x", "tz=Mars"])
def test_query_that_the_board_would_refuse_is_not_kept(cast, keep, query):
    with pytest.raises(Invalid):
        keep(cast.hugo.user, query=query, place="board")


def test_what_the_list_and_the_board_show_is_kept(cast, keep, as_user):
    shown = {"ordering": "-title", "tz": "Asia/Tokyo", "columns": "due,status", "group": "label", "folded": "red"}
    assert keep(cast.hugo.user, query=urlencode(shown)).query == urlencode(dict(sorted(shown.items())))
    board = keep(cast.hugo.user, "Board", "group=project&tz=Asia/Tokyo", place="board")
    assert board.query == "group=project&tz=Asia%2FTokyo"
    for view in views_of(cast.hugo.user):
        assert as_user(cast.hugo.user).get(side_bar.address_of(view)).status_code == 200


def test_names_differ_among_those_of_an_owner_and_a_form_sent_twice_makes_one(cast, keep, as_user):
    browser = as_user(cast.hugo.user)
    form = {"name": "Late ones", "place": "list", "query": "overdue=true&cursor=x&view=9", "project": "OPS"}
    addresses = {browser.post("/views/save", form).url for _ in range(2)}
    view = SavedView.objects.get()
    assert addresses == {f"/tasks/?view={view.pk}&overdue=true"}
    with pytest.raises(Invalid, match="already"):
        keep(cast.hugo.user, "Late ones", "status=failed")
    answer = browser.post("/views/save", form | {"query": "status=failed"})
    page = answer.content.decode()
    assert answer.status_code == 400
    assert 'value="Late ones"' in page, "what was typed is lost"
    assert "There is a view named" in page
    assert 'aria-describedby="view-problem"' in page
    assert '<option value="OPS" selected>' in page
    assert 'href="/tasks/?status=failed">Leave it' in page
    answer = browser.post("/views/save", form | {"name": "New", "query": "group=colour"}, follow=True)
    assert "There is no group" in answer.content.decode()
    assert SavedView.objects.get().name == "Late ones"


def test_refused_renaming_keeps_what_was_typed(cast, keep, as_user):
    keep(cast.hugo.user, "Taken")
    view = keep(cast.hugo.user, "Mine")
    answer = as_user(cast.hugo.user).post(f"/views/{view.pk}/change", {"name": "Taken", "project": "OPS"})
    page = answer.content.decode()
    assert answer.status_code == 400
    assert "There is a view named" in page
    assert 'value="Taken"' in page
    assert '<option value="OPS" selected>' in page
    assert f'action="/views/{view.pk}/change"' in page


def test_refusal_of_a_project_stands_above_the_form_and_keeps_the_name(cast, as_user):
    form = {"name": "Ours", "place": "board", "query": "group=label", "project": "OPS"}
    answer = as_user(cast.vera).post("/views/save", form)
    page = answer.content.decode()
    assert answer.status_code == 403
    assert "Viewers of OPS" in page
    assert ('value="Ours"' in page, 'href="/?group=label">Leave it' in page) == (True, True)


@pytest.mark.parametrize("path", ["/", "/tasks/"])
def test_view_of_one_project_is_offered_to_that_project_alone(cast, new_task, as_user, path):
    new_task()
    browser = as_user(cast.root)

    def offered(query: str) -> list[str]:
        page = browser.get(f"{path}{query}").content.decode()
        return re.findall(r"All members of (\w+)", page)

    assert offered("") == ["OPS", "OTHER"]
    assert offered("?project=OPS&priority=high") == ["OPS"]
    assert offered("?project=OTHER") == ["OTHER"]
    assert offered("?project=OPS,OTHER") == ["OPS", "OTHER"]
    assert "All members" not in as_user(cast.vera).get(f"{path}?project=OPS").content.decode()


@pytest.mark.parametrize("place", ["list", "board"])
def test_view_with_an_unknown_group_is_not_kept(cast, keep, place):
    with pytest.raises(Invalid) as refused:
        keep(cast.hugo.user, query="group=zzz", place=place)
    assert refused.value.data["errors"]["group"][0].startswith("There is no group 'zzz'. Known: ")


def test_board_with_an_unknown_group_says_so_once_and_leaves_it_out_of_its_links(cast, keep, new_task, as_user):
    new_task(priority=4)
    browser = as_user(cast.hugo.user)
    view = keep(cast.hugo.user, query="priority=urgent", place="board")
    # As views were kept before the group of a board was looked at.
    SavedView.objects.filter(pk=view.pk).update(query="group=zzz&priority=urgent")
    # The view as it is kept has a link of its own, which is what *Reset* leads to.
    for path, times in (("/?group=zzz&priority=urgent", 1), (browser.get(f"/views/{view.pk}/").url, 2)):
        page = browser.get(path).content.decode().partition("<main")[2]
        assert (page.count("There is no group"), page.count("zzz")) == (1, times), path
        assert 'name="query" value="priority=urgent"' in page
    assert ", changed" in page
    assert browser.get("/views/").status_code == 200
    assert counts(browser) == {"Mine": "!"}
    browser.post(f"/views/{view.pk}/change", {"query": "priority=urgent"})
    assert counts(browser) == {"Mine": "1"}


@pytest.mark.parametrize("place", ["list", "board"])
def test_changed_view_offers_to_save_or_to_go_back(cast, keep, new_task, as_user, place):
    new_task(priority=4)
    view = keep(cast.hugo.user, "Urgent ones", "priority=urgent", place=place, project="OPS")
    path = "/tasks/" if place == "list" else "/"
    browser = as_user(cast.hugo.user)
    assert browser.get(f"/views/{view.pk}/").url == f"{path}?view={view.pk}&priority=urgent"
    same = browser.get(f"{path}?priority=urgent&view={view.pk}").content.decode()
    assert "Reset" not in same
    assert "Urgent ones" in same
    changed = browser.get(f"{path}?priority=high&view={view.pk}").content.decode()
    for word in ("Reset", "Save as new", ", changed"):
        assert word in changed
    assert "Save as new" in as_user(cast.vera).get(f"{path}?priority=high&view={view.pk}").content.decode()
    browser = as_user(cast.hugo.user)
    browser.post(f"/views/{view.pk}/change", {"query": "priority=high&q=x"})
    view.refresh_from_db()
    assert (view.query, view.version) == ("priority=high&q=x", 2)
    assert "Save view" in browser.get(f"{path}?view=999").content.decode()


def test_filter_that_does_not_exist_any_more_is_one_sentence(cast, keep, as_user):
    view = keep(cast.hugo.user, "Old", "status=waiting")
    SavedView.objects.filter(pk=view.pk).update(query="status=parked&mood=good")
    browser = as_user(cast.hugo.user)
    assert counts(browser) == {"Old": "!"}
    assert "There is no" in browser.get("/views/").content.decode()
    page = browser.get(browser.get(f"/views/{view.pk}/").url)
    assert page.status_code == 400
    assert "parked" in page.content.decode()


def _random_query(dice: random.Random) -> dict[str, str]:
    choices = {
        "status": ["not_started", "in_progress,waiting", "cancelled"],
        "priority": ["urgent", "low,high"],
        "label": ["red", "red,blue"],
        "assignee": ["atlas", "me", "nobody-of-this-name"],
        "unassigned": ["true", "false"],
        "overdue": ["true", "false"],
        "q": ["alpha", "beta gamma"],
        "due_before": ["today"],
        "where": ['{"any":[{"field":"label","is":"blue"},{"not":{"field":"priority","at_least":"high"}}]}'],
        "ordering": ["title", "-priority"],
    }
    names = dice.sample(sorted(choices), dice.randint(1, 4))
    return {name: dice.choice(choices[name]) for name in names}


def test_counts_agree_with_what_opening_shows(cast, keep, new_task, as_user, monkeypatch):
    # However busy the machine is.
    monkeypatch.setattr("tasks.viewed.SECONDS", 600.0)
    monkeypatch.setattr("tasks.pages.side_bar.SECONDS", 600.0)
    dice = random.Random(11)
    for number in range(30):
        task = new_task(
            f"{dice.choice(['alpha', 'beta', 'gamma'])} {dice.choice(['gamma', 'delta'])} {number}",
            project=cast.other if number % 5 == 0 else None,
            priority=dice.randint(1, 4),
            due_at=timezone.now() + timedelta(days=dice.choice([-3, 3])),
            labels=dice.sample(["red", "blue"], dice.randint(0, 2)),
            assignees=[] if number % 5 == 0 else dice.sample([cast.atlas, cast.hugo], dice.randint(0, 2)),
        )
        if number % 7 == 1:
            lifecycle.cancel_task(actor=cast.root, task=task)
        if number % 7 == 2 and number % 5 and not task.assignments.exists():
            claims.claim_task(actor=cast.bert.user, task=task)
    for number in range(25):
        query = urlencode(_random_query(dice))
        keep(cast.hugo.user, f"View {number:02}", query, project="OPS" if number % 2 else None)
    keep(cast.hugo.user, "All", "", project="OPS")
    keep(cast.hugo.user, "Board", "assignee=-&priority=High", place="board", project="OPS")
    browser = as_user(cast.hugo.user)
    said = counts(browser)
    assert len(said) == 27
    for view in views_of(cast.hugo.user):
        page = browser.get(side_bar.address_of(view))
        context = page.context
        shown = (
            sum(column.content.count for column in context["columns"])
            if view.place == "board"
            else int(context["total"])
        )
        assert said[view.name] == str(shown), view.query
    assert len({*said.values()}) > 5
    # Each reader is told of their own projects alone.
    assert counts(as_user(cast.vera))["All"] == str(Task.objects.filter(project=cast.ops).count())
    assert counts(as_user(cast.root))["All"] == "30"


def test_counts_end_where_they_would_take_long(cast, keep, new_task, as_user, monkeypatch):
    keep(cast.hugo.user, "All", "")
    browser = as_user(cast.hugo.user)
    new_task()
    assert said(browser) == "1 task"
    for _ in range(2):
        new_task()
    assert said(browser) == "3 tasks"
    monkeypatch.setattr(viewed, "COUNTED", 2)
    monkeypatch.setattr(side_bar, "COUNTED", 2)
    assert counts(browser) == {"All": "2+"}
    assert said(browser) == "2+ tasks"

    def never(*args):
        raise viewed.TooSlow(0.5)

    monkeypatch.setattr(side_bar, "count_of", never)
    assert counts(browser) == {"All": "…"}


def test_page_shows_the_views_without_scripts_and_as_text(cast, keep, as_user):
    keep(cast.hugo.user, "<b>Bold</b>", "")
    browser = as_user(cast.hugo.user)
    page = browser.get("/agents/").content.decode()
    assert "&lt;b&gt;Bold&lt;/b&gt;" in page
    assert re.search(r"<details class=\"side[^>]* open", page)
    browser.cookies["side"] = "folded"
    assert not re.search(r"<details class=\"side[^>]* open", browser.get("/agents/").content.decode())


def test_views_page_has_own_views_first_and_asks_as_much_for_many_as_for_few(cast, keep, as_user):
    rows = [keep(cast.hugo.user, "Own"), keep(cast.hugo.user, "Shared", project="OPS")]
    Membership.objects.create(project=cast.other, user=cast.hugo.user, role=Role.MANAGER)
    browser = as_user(cast.hugo.user)

    def asked(query="") -> int:
        with CaptureQueriesContext(connection) as queries:
            page = browser.get(f"/views/{query}")
        listed = [row["view"].name for row in [*page.context["own"], *page.context["shared"]]]
        assert listed == [view.name for view in rows]
        return len(queries)

    few = asked()
    rows[1:1] = [keep(cast.hugo.user, f"Own {number}") for number in range(3)]
    shared = [keep(user, f"Shared {number}", project="OPS") for number, user in enumerate([cast.ada.user] * 3)]
    rows += [*shared, keep(cast.mona.user, "Of others", project="OTHER")]
    assert (few, asked()) == (few, few)
    # The form that is open asks for the projects to choose from.
    assert asked(f"?change={rows[0].pk}") == few + 1
    # One more than is listed does no harm where NULL is last.
    assert [group.title for group in side_bar.groups_of(cast.hugo.user)] == ["Mine", "OPS", "OTHER"]


def test_own_views_stay_where_the_page_ends(cast, keep, as_user, monkeypatch):
    keep(cast.hugo.user, "Own")
    keep(cast.hugo.user, "Shared", project="OPS")
    monkeypatch.setattr(saved_views, "MOST_LISTED", 1)
    page = as_user(cast.hugo.user).get("/views/")
    assert [row["view"].name for row in page.context["own"]] == ["Own"]
    assert page.context["is_cut"]


def test_what_the_page_offers_is_what_it_may_do(cast, keep, as_user):
    shared = keep(cast.hugo.user, "Shared", project="OPS")
    for user, may_place in ((cast.hugo.user, False), (cast.ada.user, True)):
        browser = as_user(user)
        page = browser.get("/views/").content.decode()
        assert ("Move Shared up" in page) is may_place
        assert browser.post(f"/views/{shared.pk}/change", {"move": "up"}).status_code == (302 if may_place else 403)
    assert "Change…" not in as_user(cast.vera).get("/views/").content.decode()


def test_owner_who_may_not_share_any_more_renames_what_they_shared(cast, keep, as_user):
    view = keep(cast.hugo.user, "Shared", project="OPS")
    Membership.objects.filter(user=cast.hugo.user).update(role=Role.VIEWER)
    browser = as_user(cast.hugo.user)
    page = browser.get(f"/views/?change={view.pk}").content.decode()
    chosen = re.search(r'<option value="(\w*)" selected>', page)[1]
    browser.post(f"/views/{view.pk}/change", {"name": "Renamed", "project": chosen})
    view.refresh_from_db()
    assert (view.name, view.project) == ("Renamed", cast.ops)
    # A refused name keeps it chosen, too.
    again = browser.post(f"/views/{view.pk}/change", {"name": " ", "project": chosen})
    assert again.status_code == 400
    assert '<option value="OPS" selected>' in again.content.decode()


def test_projects_to_share_with_are_bounded_and_listed_once(cast, keep, as_user, monkeypatch):
    for number in range(3):
        keep(cast.root, f"Own {number}")
    monkeypatch.setattr(side_bar, "MOST_OFFERED", 1)
    browser = as_user(cast.root)
    last = SavedView.objects.last()
    assert "All members of" not in browser.get("/views/").content.decode()
    for path in (f"/views/?change={last.pk}", "/tasks/"):
        assert re.findall(r"All members of (\w+)", browser.get(path).content.decode()) == ["OPS"], path
