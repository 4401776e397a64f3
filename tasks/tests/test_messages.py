"""Messages outside of tasks: channels and direct ones; edits, reactions, mentions; whom the composer offers."""

from datetime import timedelta

import pytest

from taskproject import limiter
from taskproject.api import throttling
from tasks.actions import projects
from tasks.actions.agents import create_token
from tasks.actions.messages import post_direct, post_in_channel, post_message
from tasks.actions.messages.editing import MOST_EDITS, MOST_EMOJIS
from tasks.events.reading import START, read_all, read_events
from tasks.models import Event, Mention, Message, MessageEdit, Project, Role
from tasks.tests.api_client import client_of
from tasks.tests.cast import join, make_user

pytestmark = pytest.mark.django_db

EMOJIS = [chr(0x1F600 + number) for number in range(MOST_EMOJIS + 1)]


def last_event(kind: str) -> Event:
    event = Event.objects.filter(kind=kind).order_by("-pk").first()
    assert event is not None
    return event


def test_channel_is_written_by_those_who_work_and_read_by_all_members(api, cast, subtests):
    first = api.atlas.post("/projects/ops/messages", {"body": "Exporter is *down*."})
    assert first.status_code == 201
    answer = api.root.post("/projects/OPS/messages", {"body": "Noted.", "in_reply_to": first.json()["id"]}).json()
    assert (answer["task"], answer["to"], answer["project"], answer["in_reply_to"]) == (
        None,
        None,
        "OPS",
        first.json()["id"],
    )
    assert api.vera.get("/projects/OPS/messages").json()["results"] == [first.json(), answer]
    html = api.vera.get("/projects/OPS/messages?html=true").json()["results"][0]["html"]
    assert html == "<p>Exporter is <em>down</em>.</p>\n"
    event = last_event("message.posted")
    assert (event.project_key, event.task_id, event.recipient_id, event.actor_name) == ("OPS", None, None, "root")
    assert event.data == {
        "message": answer["id"],
        "message_kind": "comment",
        "body": "Noted.",
        "in_reply_to": first.json()["id"],
    }
    direct = post_direct(actor=cast.hugo.user, to=cast.atlas.user, body="x")
    for body, field in (
        ({"body": ""}, "body"),
        ({"body": "x" * 10_001}, "body"),
        ({"body": "\u200b"}, "body"),
        ({"body": "x", "in_reply_to": direct.pk}, "in_reply_to"),
        ({"body": "x", "kind": "stop"}, "kind"),
    ):
        with subtests.test(body=str(body)[:30]):
            refused = api.atlas.post("/projects/OPS/messages", body)
            assert refused.status_code == 400
            assert field in refused.json()["errors"]


def test_history_is_read_from_any_message_in_both_directions(api, cast):
    ids = [post_in_channel(actor=cast.ada.user, project=cast.ops, body=f"{number}").pk for number in range(9)]

    def ids_of(answer):
        return [message["id"] for message in answer.json()["results"]]

    def follow(answer, name):
        return api.vera.client.get(answer.json()[name])

    page = api.vera.get(f"/projects/OPS/messages?from={ids[4]}&limit=2")
    assert ids_of(page) == ids[4:6]
    assert ids_of(follow(page, "next")) == ids[6:8]
    assert ids_of(follow(page, "previous")) == ids[2:4]
    newest = api.vera.get("/projects/OPS/messages?ordering=-id&limit=3")
    assert ids_of(newest) == ids[:5:-1]
    assert ids_of(follow(newest, "next")) == ids[5:2:-1]
    assert ids_of(api.vera.get(f"/projects/OPS/messages?ordering=-id&from={ids[4]}&limit=2")) == [ids[4], ids[3]]
    assert ids_of(api.vera.get(f"/projects/OPS/messages?from={ids[-1] + 1}")) == []
    for wrong in ("x", "0", "-1", "9" * 30, "²"):
        refused = api.vera.get(f"/projects/OPS/messages?from={wrong}")
        assert refused.status_code == 400
        assert refused.json()["errors"]["from"] == ["Must be the id of a message."]


def test_direct_message_is_for_the_two_alone_in_every_place(api, cast, client):
    sent = api.ada.post("/messages", {"to": "atlas", "body": "Between us"}).json()
    answer = api.atlas.post("/messages", {"to": "ada", "body": "Yes", "in_reply_to": sent["id"]}).json()
    assert (sent["to"], sent["author"], sent["project"], sent["task"]) == ("atlas", "ada", "OPS", None)
    assert api.ada.get("/messages?with=atlas").json()["results"] == [sent, answer]
    assert api.atlas.get("/messages?with=ada").json()["results"] == [sent, answer]
    events, _ = read_all(START, 1000)
    for name in ("root", "rita", "hugo", "vera", "bert", "mona", "zed"):
        member = getattr(cast, name)
        user = getattr(member, "user", member)
        assert [event for event in read_events(user=user, limit=1000)[0] if "message" in event.kind] == []
        calls = getattr(api, name)
        assert calls.get(f"/messages/{sent['id']}").status_code == 404
        assert b"Between us" not in calls.get("/messages?with=atlas").content
        assert b"Between us" not in calls.get("/messages?with=ada").content
        assert sent["id"] not in Message.objects.visible_to(user).values_list("pk", flat=True)
        for method, path, body in (
            ("patch", f"/messages/{sent['id']}", {"body": "x"}),
            ("put", f"/messages/{sent['id']}/reactions", {"emoji": "👍"}),
        ):
            assert getattr(calls, method)(path, body).status_code == 404
    for user in (cast.ada.user, cast.atlas.user):
        posted = [event for event in read_events(user=user, limit=1000)[0] if event.kind == "message.posted"]
        assert [event.data["body"] for event in posted] == ["Between us", "Yes"]
    assert all(event.recipient_id for event in events if event.kind == "message.posted")
    post_in_channel(actor=cast.ada.user, project=cast.ops, body="For all")
    for user, shown in ((cast.root, True), (cast.ada.user, True), (cast.mona.user, False)):
        client.force_login(user)
        for path in ("/admin/tasks/event/", "/admin/tasks/message/"):
            assert b"Between us" not in client.get(path).content
        assert (b"For all" in client.get("/admin/tasks/message/").content) is shown


def test_direct_message_needs_a_shared_project_and_another_account(api, cast, subtests):
    for name, to, status in (
        ("vera", "hugo", 201),
        ("hugo", "vera", 201),
        ("hugo", "zed", 404),
        ("hugo", "nobody-here", 404),
        ("mona", "hugo", 404),
        ("root", "hugo", 404),
        ("hugo", "root", 404),
        ("hugo", "hugo", 400),
    ):
        with subtests.test(name=name, to=to):
            assert getattr(api, name).post("/messages", {"to": to, "body": "x"}).status_code == status
    stranger = api.hugo.post("/messages", {"to": "zed", "body": "x"}).json()
    missing = api.hugo.post("/messages", {"to": "zod", "body": "x"}).json()
    assert stranger["detail"].replace("zed", "zod") == missing["detail"]
    cast.atlas.enabled = False
    cast.atlas.save()
    refused = api.hugo.post("/messages", {"to": "atlas", "body": "x"})
    assert refused.status_code == 400
    assert refused.json()["errors"]["to"] == ["The account of atlas is disabled; nobody would read this."]
    assert api.hugo.get("/messages").status_code == 400


def test_direct_message_belongs_to_a_shared_project_that_the_answer_keeps(api, cast):
    second = Project.objects.create(key="SECOND", name="Second")
    for user in (cast.ada.user, cast.atlas.user):
        join(second, user, Role.WORKER)
    assert api.ada.post("/messages", {"to": "atlas", "body": "1"}).json()["project"] == "OPS"
    assert api.ada.post("/messages", {"to": "atlas", "body": "2", "project": "second"}).json()["project"] == "SECOND"
    assert api.atlas.post("/messages", {"to": "ada", "body": "3"}).json()["project"] == "SECOND"
    assert api.ada.post("/messages", {"to": "atlas", "body": "4", "project": "OTHER"}).status_code == 404
    _, secret = create_token(actor=cast.ada.user, agent=cast.atlas, name="limited", projects=["SECOND"])
    limited = client_of(cast.atlas.user)
    limited.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    read = limited.get("/api/v1/messages?with=ada").json()["results"]
    assert [message["body"] for message in read] == ["2", "3"]
    answered = limited.post("/api/v1/messages", {"to": "ada", "body": "5"})
    assert answered.json()["project"] == "SECOND"
    assert limited.post("/api/v1/messages", {"to": "hugo", "body": "x"}).status_code == 404


def test_leaving_a_project_takes_its_conversations_and_the_other_keeps_theirs(api, cast, new_task):
    task = new_task()
    api.hugo.post(f"/tasks/{task.ref}/messages", {"body": "thread"})
    channel = api.hugo.post("/projects/OPS/messages", {"body": "channel"}).json()
    direct = api.hugo.post("/messages", {"to": "ada", "body": "direct"}).json()
    projects.remove_member(actor=None, project=cast.ops, user=cast.hugo.user)
    for path in (
        f"/tasks/{task.ref}/messages",
        "/projects/OPS/messages",
        "/messages?with=ada",
        f"/messages/{direct['id']}",
        f"/messages/{channel['id']}",
    ):
        assert api.hugo.get(path).status_code == 404, path
    assert api.hugo.post("/messages", {"to": "ada", "body": "x"}).status_code == 404
    assert api.hugo.patch(f"/messages/{channel['id']}", {"body": "x"}).status_code == 404
    assert api.ada.get("/messages?with=hugo").json()["results"] == [direct]
    assert api.ada.post("/messages", {"to": "hugo", "body": "Are you there?"}).status_code == 404


def test_deleted_account_keeps_its_name_in_common_threads_and_ends_its_direct_ones(api, cast):
    gone = make_user("gone")
    join(cast.ops, gone, Role.WORKER)
    common = post_in_channel(actor=gone, project=cast.ops, body="kept")
    post_direct(actor=gone, to=cast.ada.user, body="one way")
    post_direct(actor=cast.ada.user, to=gone, body="the other")
    gone.delete()
    assert Message.objects.filter(to__isnull=False).count() == 0
    shown = api.vera.get("/projects/OPS/messages").json()["results"]
    assert [(message["id"], message["author"]) for message in shown] == [(common.pk, "gone")]


def test_edit_keeps_what_was_said_before_and_tells_new_mentions_once(api, cast, new_task):
    task = new_task()
    sent = api.hugo.post(f"/tasks/{task.ref}/messages", {"body": "@ada look"}).json()
    assert last_event("message.posted").data["mentions"] == ["ada"]
    path = f"/messages/{sent['id']}"
    edited = api.hugo.patch(path, {"body": "@ada and @rita, look"}).json()
    assert edited["body"] == "@ada and @rita, look"
    assert edited["edited_at"] is not None
    event = last_event("message.edited")
    assert event.data == {"message": sent["id"], "body": "@ada and @rita, look", "mentions": ["rita"]}
    assert event.task_ref == task.ref
    api.hugo.patch(path, {"body": "look"})
    assert not Mention.objects.filter(message=sent["id"]).exists()
    api.hugo.patch(path, {"body": "@rita look"})
    assert "mentions" not in last_event("message.edited").data
    assert [mention.user_id for mention in Mention.objects.filter(message=sent["id"])] == [cast.rita.user_id]
    before = Event.objects.count()
    assert api.hugo.patch(path, {"body": "@rita look"}).status_code == 200
    assert Event.objects.count() == before
    detail = api.vera.get(path).json()
    assert [edit["body"] for edit in detail["edits"]] == ["@ada look", "@ada and @rita, look", "look"]


def test_edit_is_refused_to_others_late_too_often_and_of_what_was_delivered(api, cast, new_task):
    sent = api.hugo.post("/projects/OPS/messages", {"body": "1"}).json()
    path = f"/messages/{sent['id']}"
    assert api.ada.patch(path, {"body": "x"}).status_code == 403
    assert api.root.patch(path, {"body": "x"}).status_code == 403
    assert api.hugo.patch(path, {"body": " "}).status_code == 400
    for number in range(MOST_EDITS):
        assert api.hugo.patch(path, {"body": f"edit {number}"}).status_code == 200
    often = api.hugo.patch(path, {"body": "once more"})
    assert (often.status_code, often.json()["code"]) == (409, "too_late_to_edit")
    MessageEdit.objects.all().delete()
    Message.objects.update(at=Message.objects.get().at - timedelta(minutes=5, seconds=1))
    late = api.hugo.patch(path, {"body": "late"})
    assert (late.status_code, late.json()["code"]) == (409, "too_late_to_edit")
    assert Message.objects.get().body == f"edit {MOST_EDITS - 1}"
    instruction = post_message(actor=cast.hugo.user, task=new_task(), body="queued")
    Message.objects.filter(pk=instruction.pk).update(kind="instruction", state="queued")
    assert api.hugo.patch(f"/messages/{instruction.pk}", {"body": "still queued"}).status_code == 200
    Message.objects.filter(pk=instruction.pk).update(state="delivered")
    assert api.hugo.patch(f"/messages/{instruction.pk}", {"body": "x"}).json()["code"] == "too_late_to_edit"
    assert Message.objects.get(pk=instruction.pk).body == "still queued"


def test_reaction_is_one_emoji_once_and_can_be_taken_back(api, cast, subtests):
    sent = api.hugo.post("/projects/OPS/messages", {"body": "Done?"}).json()
    path = f"/messages/{sent['id']}/reactions"
    for _ in range(2):
        assert api.ada.put(path, {"emoji": "👍🏽"}).json()["reactions"] == [{"emoji": "👍🏽", "by": ["ada"]}]
    assert Event.objects.filter(kind="message.reacted").count() == 1
    assert last_event("message.reacted").data == {"message": sent["id"], "emoji": "👍🏽"}
    assert api.atlas.put(path, {"emoji": "👍🏽"}).json()["reactions"] == [{"emoji": "👍🏽", "by": ["ada", "atlas"]}]
    assert api.ada.delete(path, {"emoji": "👍🏽"}).json()["reactions"] == [{"emoji": "👍🏽", "by": ["atlas"]}]
    assert last_event("message.reacted").data["removed"] is True
    count = Event.objects.count()
    assert api.ada.delete(path, {"emoji": "👍🏽"}).status_code == 200
    assert Event.objects.count() == count
    for text in ("", "ok", "👍👍", "<b>", "﷽", "👍" * 20, 5, None):
        with subtests.test(emoji=text):
            assert api.ada.put(path, {"emoji": text}).status_code == 400
    statuses = [api.ada.put(path, {"emoji": emoji}).status_code for emoji in EMOJIS]
    assert statuses.count(200) == MOST_EMOJIS - 1
    assert api.hugo.put(path, {"emoji": EMOJIS[0]}).status_code == 200
    direct = api.hugo.post("/messages", {"to": "atlas", "body": "x"}).json()
    for name, recipient in (("atlas", cast.hugo.user_id), ("hugo", cast.atlas.user_id)):
        getattr(api, name).put(f"/messages/{direct['id']}/reactions", {"emoji": "👀"})
        assert last_event("message.reacted").recipient_id == recipient


def test_mentions_are_members_of_the_project_outside_of_code(api, cast, new_task, subtests):
    for body, names in (
        ("@ada, @atlas. And @ada again", ["ada", "atlas"]),
        ("`@ada` and\n\n```\n@atlas\n```", []),
        ("(@VERA) ada@example.org x@ada", ["vera"]),
        ("@zed @mona @nobody @", []),
        ("@hugo", []),
        ("[@ada](http://example.org/@atlas) <https://example.org/@rita>", []),
        (" ".join(f"@n{number}" for number in range(60)) + " @ada", []),
    ):
        with subtests.test(body=body[:40]):
            sent = api.hugo.post("/projects/OPS/messages", {"body": body}).json()
            mentioned = Mention.objects.filter(message=sent["id"]).values_list("user__username", flat=True)
            assert list(mentioned.order_by("pk")) == names
            assert last_event("message.posted").data.get("mentions", []) == names
    direct = api.hugo.post("/messages", {"to": "atlas", "body": "ask @ada"}).json()
    assert not Mention.objects.filter(message=direct["id"]).exists()
    shown = api.vera.get("/projects/OPS/messages?html=true").json()["results"][0]["html"]
    assert shown.startswith('<p><strong class="mention">@ada</strong>, <strong class="mention">@atlas</strong>. And')


def test_members_are_offered_by_how_their_names_start(api, cast):
    def names(query, who="hugo"):
        return [member["name"] for member in getattr(api, who).get(f"/members{query}").json()["results"]]

    assert names("") == ["ada", "atlas", "bert", "rita", "vera"]
    assert names("?q=A") == ["ada", "atlas"]
    assert names("?q=@ver&project=OPS") == ["vera"]
    assert names("?q=z") == []
    assert names("?q=a", "mona") == []
    assert names("?q=%25") == []
    assert api.hugo.get("/members?project=OTHER").status_code == 404
    assert api.hugo.get("/members?q=atl").json()["results"] == [{"name": "atlas", "full_name": "Atlas", "kind": "llm"}]


def test_messages_of_one_caller_are_braked(api, cast, monkeypatch):
    monkeypatch.setattr(throttling, "MESSAGES_PER_MINUTE", 3)
    # The clock stands: a sliding window counts the minute before by the share of it that is in view.
    monkeypatch.setattr(limiter.time, "time", lambda: 60_000_000)
    statuses = [api.hugo.post("/projects/OPS/messages", {"body": "x"}).status_code for _ in range(4)]
    assert statuses == [201, 201, 201, 429]
    refused = api.hugo.post("/messages", {"to": "ada", "body": "x"})
    assert refused.status_code == 429
    assert 1 <= int(refused["Retry-After"]) <= 120
    assert api.ada.post("/projects/OPS/messages", {"body": "x"}).status_code == 201


def test_posting_twice_with_one_key_writes_once(api, cast):
    for _ in range(2):
        assert api.hugo.post("/messages", {"to": "ada", "body": "x"}, idempotency_key="k").status_code == 201
    assert Message.objects.count() == 1


def test_pages_of_a_long_channel_cost_as_much_as_of_a_short_one(api, cast, django_assert_num_queries):
    api.vera.get("/projects/OPS/messages")
    for many in (3, 10_000):
        now = cast.ops.created_at
        author = {"author": cast.ada.user, "author_name": "ada", "at": now}
        Message.objects.bulk_create(Message(project=cast.ops, body="@ada x", **author) for _ in range(many))
        with django_assert_num_queries(8):
            assert api.vera.get("/projects/OPS/messages?html=true&ordering=-id").status_code == 200
