"""Notifications over the API: the list and its filters, reading, muting, counts, and isolation from others."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from messaging.api.notifications import NotificationOutput
from messaging.models import KindChoice, Notification
from messaging.notifications.reading import count_unread
from tasks.actions import projects, tasks
from tasks.models import Event, Role

pytestmark = pytest.mark.django_db


def refs(answer) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [row["task"] for row in answer.json()["results"]]


def test_list_shows_the_newest_first_in_words(api, notified_tasks):
    rows = api.hugo.get("/notifications").json()["results"]
    assert [(row["task"], row["kind"]) for row in rows] == [
        ("OPS-3", "unassigned"), ("OPS-3", "assigned"), ("OPS-2", "assigned"), ("OPS-1", "assigned"),
    ]  # fmt: skip
    assert set(rows[0]) == set(NotificationOutput().fields)
    assert rows[0]["text"] == "ada unassigned you from OPS-3."
    assert rows[0]["note"] == "You have enough <b>to do</b>."
    assert (rows[0]["title"], rows[0]["actor"], rows[0]["project"]) == ("Task 3", "ada", "OPS")
    assert rows[0]["read_at"] is None


def test_list_by_unread_and_kind(api, notified_tasks):
    newest = api.hugo.get("/notifications").json()["results"][0]
    api.hugo.post("/notifications/read", {"ids": [newest["id"]]})
    assert refs(api.hugo.get("/notifications?unread=true")) == ["OPS-3", "OPS-2", "OPS-1"]
    assert refs(api.hugo.get("/notifications?unread=false")) == ["OPS-3"]
    assert refs(api.hugo.get("/notifications?kind=unassigned,overdue")) == ["OPS-3"]
    assert refs(api.hugo.get("/notifications?kind=assigned&unread=false")) == []
    assert len(refs(api.hugo.get("/notifications?kind=&unread="))) == 4


def test_list_in_pages_meets_each_once(api, notified_tasks):
    first = api.hugo.get("/notifications?limit=3").json()
    second = api.hugo.client.get(first["next"]).json()
    ids = [row["id"] for row in first["results"] + second["results"]]
    assert len(ids) == len(set(ids)) == 4
    assert second["next"] is None


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("kind=asigned", "kind: There is no kind 'asigned'; did you mean 'assigned'?"),
        ("unread=1", "unread: Must be true or false."),
        ("bundle=x", "bundle: Must be the id of a notification."),
        ("unred=true", "unred: There is no parameter 'unred'; did you mean 'unread'?"),
        ("cursor=x", "cursor: It is not one of ours; follow `next` or start without one."),
    ],
)
def test_list_with_a_bad_query_says_what_is_wrong(api, query, detail):
    answer = api.hugo.get(f"/notifications?{query}")
    assert (answer.status_code, answer.json()["detail"]) == (400, detail)


def test_read_twice_is_the_same_and_keeps_the_first_time(api, cast, notified_tasks):
    ids = [row["id"] for row in api.hugo.get("/notifications").json()["results"]][:2]
    assert api.hugo.post("/notifications/read", {"ids": ids}).json() == {"read": 2, "unread": 2}
    before = list(Notification.objects.filter(pk__in=ids).values_list("pk", "read_at"))
    assert api.hugo.post("/notifications/read", {"ids": [*ids, ids[0]]}).json() == {"read": 0, "unread": 2}
    assert list(Notification.objects.filter(pk__in=ids).values_list("pk", "read_at")) == before
    assert Event.objects.filter(kind="notification.read").count() == 1


def test_read_all_leaves_none_and_notifies_the_other_pages_of_that_user(api, cast, notified_tasks):
    assert api.hugo.post("/notifications/read", {"all": True}).json() == {"read": 4, "unread": 0}
    assert api.hugo.post("/notifications/read", {"all": True}).json() == {"read": 0, "unread": 0}
    event = Event.objects.get(kind="notification.read")
    assert (event.recipient, event.actor, event.project) == (cast.hugo.user, cast.hugo.user, cast.ops)
    assert event.data["count"] == len(event.data["notifications"]) == 4


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({}, "ids: Send either ids, or all: true."),
        ({"ids": [1], "all": True}, "ids: Send either ids, or all: true."),
        ({"ids": [987654321]}, "ids: 987654321 is not a notification of yours."),
        ({"ids": [987654321, 987654322]}, "ids: 987654321, 987654322 are not notifications of yours."),
        ({"ids": ["7"]}, "ids: 0: Must be a whole number."),
        ({"ids": [True]}, "ids: 0: Must be a whole number."),
        ({"ids": [7.0]}, "ids: 0: Must be a whole number."),
        ({"all": "true"}, "all: Must be true or false."),
        ({"all": 1}, "all: Must be true or false."),
        ({"id": [1]}, "id: There is no field 'id'; did you mean 'ids'?"),
    ],
)
def test_read_with_a_bad_body_says_what_is_wrong(api, body, detail):
    answer = api.hugo.post("/notifications/read", body)
    assert (answer.status_code, answer.json()["detail"]) == (400, detail)


def test_read_with_one_foreign_id_marks_none(api, cast, notified_tasks):
    own = [row["id"] for row in api.hugo.get("/notifications").json()["results"]]
    answer = api.atlas.post("/notifications/read", {"ids": own[:1]})
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
    assert api.hugo.post("/notifications/read", {"ids": [*own, 987654321]}).status_code == 400
    assert count_unread(cast.hugo.user) == 4


def test_own_notifications_alone_are_shown_and_counted(api, cast, notified_tasks):
    for name in ("atlas", "ada", "vera", "mona", "root"):
        caller = getattr(api, name)
        assert refs(caller.get("/notifications")) == []
        assert caller.get("/notifications/unread").json() == {"unread": 0}
        assert caller.post("/notifications/read", {"all": True}).json() == {"read": 0, "unread": 0}
    assert count_unread(cast.hugo.user) == 4


def test_notifications_of_a_project_one_has_left_are_not_shown_any_more(api, cast, notified_tasks):
    projects.remove_member(actor=cast.root, project=cast.ops, user=cast.hugo.user)
    ids = list(Notification.objects.filter(recipient=cast.hugo.user).values_list("pk", flat=True))
    assert refs(api.hugo.get("/notifications")) == []
    assert api.hugo.get("/notifications/unread").json() == {"unread": 0}
    assert api.hugo.post("/notifications/read", {"ids": ids[:1]}).status_code == 400
    projects.set_member(actor=cast.root, project=cast.ops, user=cast.hugo.user, role=Role.WORKER)
    assert len(refs(api.hugo.get("/notifications"))) == 4


def test_notification_of_a_deleted_task_stays_without_its_title(api, cast, notified_tasks):
    tasks.delete_task(actor=cast.ada.user, task=notified_tasks[0])
    row = api.hugo.get("/notifications").json()["results"][-1]
    assert (row["task"], row["title"]) == ("OPS-1", None)


def test_unread_is_in_me_and_in_each_reply_about_a_run(api, cast, new_task, notified):
    assert api.atlas.get("/me").json()["unread"] == 0
    task = new_task(assignees=[cast.atlas])
    notified()
    assert api.atlas.get("/me").json()["unread"] == 1
    run = api.atlas.post(f"/tasks/{task.ref}/claim").json()
    assert run["unread"] == 1
    assert api.atlas.post(f"/runs/{run['id']}/heartbeat").json()["unread"] == 1
    api.atlas.post("/notifications/read", {"all": True})
    assert api.atlas.post(f"/runs/{run['id']}/progress", {"percent": 5}).json()["unread"] == 0
    new_task(assignees=[cast.atlas])
    notified()
    assert api.atlas.post("/tasks/claim_next").json()["runs"][0]["unread"] == 1


def test_mute_is_kept_per_user_and_replaced_as_a_whole(api, cast):
    def muted(caller) -> list[str]:
        return caller.get("/notifications/preferences").json()["muted"]

    assert muted(api.hugo) == []
    answer = api.hugo.patch("/notifications/preferences", {"muted": ["overdue", "completed"]})
    assert answer.json()["muted"] == ["completed", "overdue"]
    assert muted(api.atlas) == []
    answer = api.hugo.patch("/notifications/preferences", {"muted": ["overdue", "overdue"]})
    assert answer.json()["muted"] == ["overdue"]
    assert KindChoice.objects.count() == 1, "what is as by default needs no row"
    answer = api.hugo.patch("/notifications/preferences", {"muted": ["failed", "nothing"]})
    assert answer.status_code == 400
    assert muted(api.hugo) == ["overdue"]


def test_preferences_change_what_is_sent_and_keep_the_rest(api, cast):
    body = {
        "channels": {"overdue": {"email": "daily"}, "mention": {"page": False}},
        "quiet": {"from": "22:00", "until": "07:30"},
        "time_zone": "Europe/Vienna",
        "urgent_anyway": True,
    }
    changed = api.hugo.patch("/notifications/preferences", body).json()
    assert changed["channels"]["overdue"] == {"page": True, "browser": False, "email": "daily"}
    assert changed["channels"]["mention"] == {"page": False, "browser": True, "email": "daily"}
    assert (changed["quiet"], changed["digest_at"]) == ({"from": "22:00", "until": "07:30"}, "08:00")
    assert changed["muted"] == [], "a mention still comes by e-mail"
    after = api.hugo.patch("/notifications/preferences", {"digest_at": "18:15"}).json()
    assert after == changed | {"digest_at": "18:15"}
    after = api.hugo.patch("/notifications/preferences", {"quiet": None}).json()
    assert (after["quiet"], after["time_zone"]) == (None, "Europe/Vienna")


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"channels": {"mentoin": {"page": True}}}, "channels: There is no kind 'mentoin'; did you mean 'mention'?"),
        ({"channels": {"mention": {"email": "weekly"}}}, "channels: mention: email: "),
        ({"channels": {"mention": {"sms": True}}}, "channels: mention: sms: "),
        ({"quiet": {"from": "25:00", "until": "07:00"}}, "quiet: from: Must be a time such as 22:00."),
        ({"quiet": {"from": "22:00"}}, "quiet: until: "),
        ({"time_zone": "Europe/Vien"}, "time_zone: There is no time zone 'Europe/Vien'"),
        ({"digest_at": None}, "digest_at: "),
        ({"digest_at": 8}, "digest_at: Must be a time such as 22:00."),
        ({"muted": [], "channels": {}}, "muted: Send either muted or channels."),
    ],
)
def test_preferences_with_a_bad_body_say_what_is_wrong_and_change_nothing(api, body, detail):
    before = api.hugo.get("/notifications/preferences").json()
    answer = api.hugo.patch("/notifications/preferences", {"urgent_anyway": True} | body)
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(detail), answer.json()["detail"]
    assert api.hugo.get("/notifications/preferences").json() == before


def test_list_costs_the_same_queries_for_any_number(api, cast, notified_tasks, new_task, notified):
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert api.hugo.get("/notifications").status_code == 200
        return len(queries)

    cost()
    few = cost()
    for _ in range(10):
        new_task(assignees=[cast.hugo])
    notified()
    assert cost() == few + 1, "one more for the refs of bursts"


def test_burst_is_one_that_names_all_its_tasks_and_is_read_as_one(api, cast, new_task, notified):
    made = [new_task(assignees=[cast.hugo]) for _ in range(19)]
    notified()
    assert api.hugo.get("/notifications/unread").json() == {"unread": 1}
    (row,) = api.hugo.get("/notifications").json()["results"]
    assert row["text"] == "ada assigned 19 tasks in OPS to you."
    assert (row["count"], row["tasks"]) == (19, [task.ref for task in made])
    each = api.hugo.get(f"/notifications?bundle={row['id']}&limit=30").json()["results"]
    assert [row["text"] for row in each] == [f"ada assigned {task.ref} to you." for task in reversed(made)]
    assert {row["count"] for row in each} == {1}
    assert refs(api.atlas.get(f"/notifications?bundle={row['id']}")) == []
    # Any of them stands for all.
    assert api.hugo.post("/notifications/read", {"ids": [each[3]["id"]]}).json() == {"read": 1, "unread": 0}
    assert not Notification.objects.unread().exists()


def test_agent_finds_its_own_among_its_events(api, cast, new_task, notified):
    start = api.atlas.get("/events?after=now").json()["cursor"]
    new_task(assignees=[cast.atlas])
    notified()
    mine = Event.objects.visible_to(cast.atlas.user).filter(kind="notification.created", recipient=cast.atlas.user)
    assert mine.get().data["notification"] == cast.atlas.user.notifications.get().pk
    if connection.vendor == "sqlite":
        # Otherwise the test's own transaction is not over yet.
        kinds = [event["kind"] for event in api.atlas.get(f"/events?after={start}").json()["events"]]
        assert kinds.count("notification.created") == 1
        kinds = [event["kind"] for event in api.bert.get(f"/events?after={start}").json()["events"]]
        assert "notification.created" not in kinds
