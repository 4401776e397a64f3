"""The bell on every page and the notifications page: filters, reading, muting, empty states, hostile text."""

import re

import pytest

from messaging.models import Notification
from messaging.notifications import pages
from messaging.notifications.reading import count_unread
from messaging.templatetags import notifications as tags
from tasks.actions import assignments, projects
from tasks.actions.tasks import delete_task
from tasks.tests.cast import make_user
from tasks.tests.test_markdown import HOSTILE

pytestmark = pytest.mark.django_db

PAGE = "/notifications/"


@pytest.fixture
def hugo(client, cast):
    client.force_login(cast.hugo.user)
    return client


def shown(answer) -> list[str]:
    assert answer.status_code == 200
    page = answer.content.decode()
    return re.findall(r'class="notification-text">\s*(?:<span[^>]*>[^<]*</span>)?([^<]*?)\s*<', page)


def bell_of(answer) -> str:
    return re.search(r'data-notifications-count="(\d+)"', answer.content.decode())[1]


def newest(cast) -> int:
    return cast.hugo.user.notifications.latest("pk").pk


def last_event(cast) -> int:
    return cast.hugo.user.notifications.latest("pk").last_event_id


@pytest.mark.parametrize("path", ["/", "/agents/", "/reports/", "/tasks/OPS-1", PAGE])
def test_bell_counts_the_unread_on_every_page(hugo, notified_tasks, path):
    assert bell_of(hugo.get(path)) == "4"


def test_bell_counts_in_the_admin_too(client, cast, new_task, notified):
    new_task(assignees=[cast.ada], actor=cast.root)
    notified()
    client.force_login(cast.ada.user)
    assert bell_of(client.get("/admin/")) == "1"
    client.logout()
    assert "data-notifications-count" not in client.get("/admin/login/").content.decode()


def test_bell_has_words_for_screen_readers_and_no_badge_for_zero(hugo, client, cast, notified_tasks):
    page = hugo.get(PAGE).content.decode()
    assert 'role="status">, 4 unread<' in page
    hugo.post(PAGE, {"do": "read_all"})
    page = hugo.get(PAGE).content.decode()
    assert 'role="status"></span>' in page
    assert re.search(r'aria-hidden="true"\s+hidden\s*>0<', page)


def test_bell_beyond_99_says_so_in_short(cast, notified_tasks, monkeypatch):
    monkeypatch.setattr(tags, "SHOWN", 3)
    told_by_bell = tags.bell({"user": cast.hugo.user})
    assert (told_by_bell["shown"], told_by_bell["words"]) == ("3+", "4")


def test_page_lists_the_newest_first_with_links(hugo, notified_tasks):
    answer = hugo.get(PAGE)
    assert shown(answer) == [
        "ada unassigned you from OPS-3.", "ada assigned OPS-3 to you.", "ada assigned OPS-2 to you.",
        "ada assigned OPS-1 to you.",
    ]  # fmt: skip
    assert 'href="/tasks/OPS-2"' in answer.content.decode()
    assert "You have enough &lt;b&gt;to do&lt;/b&gt;." in answer.content.decode()


def test_page_by_unread_and_kind_keeps_the_filter_in_its_links(hugo, cast, notified_tasks):
    hugo.post(PAGE, {"do": "read", "id": newest(cast)})
    assert len(shown(hugo.get(PAGE))) == 4
    assert len(shown(hugo.get(PAGE + "?show=unread"))) == 3
    answer = hugo.get(PAGE + "?kind=unassigned")
    assert shown(answer) == ["ada unassigned you from OPS-3."]
    assert 'href="?show=unread&amp;kind=unassigned"' in answer.content.decode()
    assert len(shown(hugo.get(PAGE + "?kind=nonsense&before=x&show=y"))) == 4


def test_page_goes_on_to_older_ones(hugo, cast, notified_tasks, monkeypatch):
    monkeypatch.setattr(pages, "SHOWN", 3)
    first = hugo.get(PAGE)
    older = re.search(r'href="\?(before=\d+)">Older', first.content.decode())[1]
    assert [*shown(first), *shown(hugo.get(f"{PAGE}?{older}"))][-1] == "ada assigned OPS-1 to you."


def test_read_one_marks_it_and_returns_to_the_same_list(hugo, cast, notified_tasks):
    answer = hugo.post(PAGE + "?show=unread&evil=//x", {"do": "read", "id": newest(cast)})
    assert (answer.status_code, answer.url) == (302, "/notifications/?show=unread")
    assert count_unread(cast.hugo.user) == 3


def test_read_all_leaves_what_came_after_the_page(hugo, cast, notified_tasks, new_task, notified):
    up_to = last_event(cast)
    new_task(assignees=[cast.hugo])
    notified()
    hugo.post(PAGE, {"do": "read_all", "up_to": up_to})
    assert count_unread(cast.hugo.user) == 1
    assert "Marked 4 as read." in hugo.get(PAGE).content.decode()


def test_read_all_of_a_filtered_list_leaves_other_kinds(hugo, cast, notified_tasks):
    page = hugo.get(PAGE + "?kind=assigned").content.decode()
    assert "3 unread" in page
    form = page[page.index('class="notification-all"') : page.index("these as read")]
    data = dict(re.findall(r'name="(up_to|kind)"\s+value="([^"]+)"', form))
    assert data["kind"] == "assigned"
    hugo.post(PAGE + "?kind=assigned", data | {"do": "read_all"})
    left = Notification.objects.filter(recipient=cast.hugo.user, read_at__isnull=True)
    assert list(left.values_list("kind", flat=True)) == ["unassigned"]
    assert "these as read" not in hugo.get(PAGE + "?kind=assigned").content.decode()


@pytest.mark.parametrize(
    "data",
    [
        {"do": "read_all", "kind": "assignde"},
        {},
        {"do": "read"},
        {"do": "read", "id": "x"},
        {"do": "read", "id": "987654321"},
    ],
)
def test_post_of_nonsense_says_so_and_changes_nothing(hugo, cast, notified_tasks, data):
    answer = hugo.post(PAGE, data, follow=True)
    assert answer.status_code == 200
    assert "notice-error" in answer.content.decode()
    assert count_unread(cast.hugo.user) == 4


def test_read_of_a_foreign_notification_is_refused(client, cast, notified_tasks):
    client.force_login(cast.ada.user)
    answer = client.post(PAGE, {"do": "read", "id": newest(cast)}, follow=True)
    assert "is not a notification of yours" in answer.content.decode()
    assert count_unread(cast.hugo.user) == 4


def test_empty_states_name_the_next_step(client, cast, notified_tasks):
    client.force_login(cast.vera)
    assert "No notifications yet" in client.get(PAGE).content.decode()
    client.force_login(cast.hugo.user)
    assert "Nothing of this kind" in client.get(PAGE + "?kind=overdue").content.decode()
    client.post(PAGE, {"do": "read_all"})
    assert "All read" in client.get(PAGE + "?show=unread").content.decode()
    client.force_login(make_user("new"))
    assert "not a member of any project yet" in client.get(PAGE).content.decode()


def test_page_of_one_who_left_shows_nothing_of_the_project(hugo, cast, notified_tasks):
    projects.remove_member(actor=cast.root, project=cast.ops, user=cast.hugo.user)
    answer = hugo.get(PAGE)
    assert (shown(answer), bell_of(answer)) == ([], "0")


def test_deleted_task_has_no_link(hugo, cast, notified_tasks):
    delete_task(actor=cast.ada.user, task=notified_tasks[0])
    page = hugo.get(PAGE).content.decode()
    assert "The task was deleted." in page
    assert "/tasks/OPS-1" not in page


def test_page_without_login_leads_to_login(client, db):
    assert client.get(PAGE).url == "/login/?next=/notifications/"
    assert client.post(PAGE, {"do": "read_all"}).url == "/login/?next=/notifications/"


def test_hostile_texts_are_text(hugo, cast, new_task, notified):
    for text in HOSTILE:
        task = new_task(text)
        assignments.assign_task(actor=cast.ada.user, task=task, agents=[cast.hugo], note=text)
    notified()
    assert len(shown(hugo.get(PAGE))) == 1
    bundle = f"{PAGE}?bundle={Notification.objects.heads().get().pk}"
    page = hugo.get(bundle).content.decode()
    assert len(shown(hugo.get(bundle))) == len(HOSTILE)
    for text in HOSTILE:
        assert "<" not in text or text not in page
    assert page.count("<h1>") == 1


def test_row_about_one_task_says_the_last_and_leads_to_it(hugo, cast, new_task, notified):
    task = new_task("Keys", assignees=[cast.hugo])
    notified()
    assignments.unassign_task(actor=cast.ada.user, task=task, note="Not now.")
    notified()
    page = hugo.get(PAGE)
    assert shown(page) == ["ada unassigned you from OPS-1. 1 earlier notice."]
    head = Notification.objects.heads().get()
    assert f'href="?bundle={head.pk}"' in page.content.decode()
    assert 'href="/tasks/OPS-1"' in page.content.decode()
    assert "Not now." in page.content.decode()
    assert shown(hugo.get(f"{PAGE}?kind=assigned")) == shown(page), "found by what is behind it too"
    assert len(shown(hugo.get(f"{PAGE}?bundle={head.pk}"))) == 2


def test_read_all_leaves_a_row_that_has_grown_since(hugo, cast, new_task, notified):
    task = new_task(assignees=[cast.hugo])
    notified()
    up_to = last_event(cast)
    assignments.unassign_task(actor=cast.ada.user, task=task)
    notified()
    hugo.post(PAGE, {"do": "read_all", "up_to": up_to})
    assert count_unread(cast.hugo.user) == 1


def test_burst_leads_to_each_of_it(hugo, cast, new_task, notified):
    for _ in range(6):
        new_task(assignees=[cast.hugo])
    notified()
    head = Notification.objects.heads().get()
    assert shown(hugo.get(PAGE)) == ["ada assigned 6 tasks in OPS to you."]
    page = hugo.get(PAGE).content.decode()
    assert f'href="?bundle={head.pk}"' in page
    assert "Show all 6" in page
    each = hugo.get(f"{PAGE}?bundle={head.pk}")
    assert shown(each) == [f"ada assigned OPS-{number} to you." for number in range(6, 0, -1)]
    assert f'href="{PAGE}"' in each.content.decode()
