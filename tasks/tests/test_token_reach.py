"""A token limited to projects, or to reading, stays so at every door, whatever its agent joins later."""

import json
from datetime import timedelta

import pytest
from django.apps import apps
from rest_framework.test import APIClient

from taskproject.api import throttling
from tasks import clock
from tasks.actions import agents as agent_verbs
from tasks.actions import claims, runs
from tasks.actions.projects import set_member
from tasks.errors import Invalid, NotPermitted
from tasks.models import Agent, AgentKind, AgentToken, Event, Project, Role, Run, Task
from tasks.permissions import tokens_in_hand_of
from tasks.presence import presence
from tasks.tests.api_client import let_wait
from tasks.tests.cast import join, make_agent
from tasks.tests.racing import in_thread
from tasks.tokens import token_of
from tasks.waiting.work import WorkRoom, work_room


@pytest.fixture
def two(cast):
    """atlas and hugo also work in OTHER, which mona manages; hugo is its second person."""
    for agent in (cast.atlas, cast.hugo):
        join(cast.other, agent.user, Role.WORKER)
    return cast


def caller(secret: str) -> APIClient:
    return APIClient(headers={"authorization": f"Bearer {secret}"})


def token_for(agent, *, actor=None, **limits) -> APIClient:
    return caller(agent_verbs.create_token(actor=actor, agent=agent, name="t", **limits)[1])


def refs(answer) -> list[str]:
    return [task["ref"] for task in answer.json()["results"]]


# -- what it reaches --------------------------------------------------------------------------------------------------


def test_token_made_by_a_manager_opens_nothing_that_the_person_joins_later(cast, new_task):
    person = make_agent("pia", kind=AgentKind.HUMAN)
    join(cast.other, person.user, Role.WORKER)
    client = token_for(person, actor=cast.mona.user)
    hidden = new_task("Hidden plan")
    mine = new_task("Ours", project=cast.other, actor=cast.mona.user)
    join(cast.ops, person.user, Role.MANAGER)
    assert refs(client.get("/api/v1/tasks")) == [mine.ref]
    assert client.get(f"/api/v1/tasks/{hidden.ref}").status_code == 404
    assert client.get("/api/v1/projects/OPS").status_code == 404
    assert [row["key"] for row in client.get("/api/v1/projects").json()["results"]] == ["OTHER"]
    assert "Hidden" not in json.dumps(client.get("/api/v1/events").json())
    me = client.get("/api/v1/me").json()
    assert [project["key"] for project in me["projects"]] == ["OTHER"]
    assert me["token"] == {"name": "t", "expires_at": None, "projects": ["OTHER"], "read_only": False}


def test_token_that_its_owner_does_not_limit_opens_what_the_agent_joins_later(two, new_task):
    client = token_for(two.hugo, actor=two.hugo.user)
    set_member(actor=None, project=two.other, user=two.hugo.user, role=Role.REVIEWER)
    task = new_task("New", project=two.other, actor=two.mona.user)
    assert client.get(f"/api/v1/tasks/{task.ref}").status_code == 200
    assert client.get("/api/v1/me").json()["token"]["projects"] is None


def test_nobody_approves_their_own_work_with_a_token_made_for_somebody_else(two, new_task):
    """A manager may make a token for a person of the project; what they do with it, they do."""
    task = new_task(project=two.other, actor=two.mona.user, review_required=True)
    run = claims.start_task(actor=two.mona.user, task=task)
    runs.complete_run(actor=two.mona.user, run_id=run.pk, summary="done")
    person = make_agent("pia", kind=AgentKind.HUMAN)
    join(two.other, person.user, Role.REVIEWER)
    lent, own = token_for(person, actor=two.mona.user), token_for(person, actor=person.user)
    answer = lent.post(f"/api/v1/tasks/{task.ref}/approve", {})
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    assert own.post(f"/api/v1/tasks/{task.ref}/approve", {}).status_code == 200


def test_list_never_widens_when_its_projects_are_deleted(two):
    client = token_for(two.hugo, actor=two.hugo.user, projects=["OTHER"])
    assert len(client.get("/api/v1/projects").json()["results"]) == 1
    Project.objects.filter(pk=two.other.pk).delete()
    assert client.get("/api/v1/projects").json()["results"] == []
    assert client.get("/api/v1/me").json()["token"]["projects"] == []


def test_superusers_limited_token_is_limited(two, new_task):
    chief = make_agent("chief", kind=AgentKind.HUMAN)
    chief.user.is_superuser = True
    chief.user.save()
    chief = Agent.objects.get(pk=chief.pk)
    client = token_for(chief, actor=chief.user, projects=["OTHER"])
    task, hidden = new_task("Theirs", project=two.other, actor=two.mona.user), new_task("Hidden")
    assert refs(client.get("/api/v1/tasks")) == [task.ref]
    assert client.patch(f"/api/v1/tasks/{task.ref}", {"title": "By a manager"}).status_code == 200
    assert client.patch(f"/api/v1/tasks/{hidden.ref}", {"title": "x"}).status_code == 404
    assert client.get("/api/v1/reports/workload?project=OPS").status_code == 404
    assert client.get("/api/v1/agents/bert").status_code == 404
    assert client.post("/api/v1/projects", {"key": "NEW", "name": "New"}).status_code == 403


def test_claims_and_runs_stay_within_the_list(two, new_task):
    in_ops, in_other = new_task(), new_task(project=two.other, actor=two.mona.user)
    run = claims.claim_task(actor=two.atlas.user, task=in_ops)
    client = token_for(two.atlas, projects=["OTHER"])
    assert client.get("/api/v1/me").json()["runs"] == []
    assert client.post(f"/api/v1/runs/{run.pk}/heartbeat", {}).status_code == 404
    assert client.post(f"/api/v1/runs/{run.pk}/complete", {"summary": "x"}).status_code == 404
    new_task("More")
    answer = client.post("/api/v1/tasks/claim_next", {"limit": 5}).json()
    assert [run["task"]["ref"] for run in answer["runs"]] == [in_other.ref]
    assert client.post("/api/v1/tasks/claim_next", {"projects": ["OPS"]}).status_code == 400
    assert Run.objects.active().count() == 2
    runs.heartbeat_run(actor=two.atlas.user, run_id=run.pk)


@pytest.mark.django_db(transaction=True)
def test_waiting_claim_is_woken_only_by_work_within_the_list(two, new_task):
    client = token_for(two.atlas, projects=["OTHER"])
    let_wait(client)
    steps = [lambda: new_task("Not for it"), lambda: new_task("For it", project=two.other, actor=two.mona.user)]
    threads = []
    sit = WorkRoom.sit

    def begin_to_wait(self, seat, wake):
        sit(self, seat, wake)
        while steps:
            threads.append(in_thread(steps.pop(0)))
            threads[-1].join()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WorkRoom, "sit", begin_to_wait)
        answer = client.post("/api/v1/tasks/claim_next", {"wait_seconds": 20}).json()
    work_room.close()
    assert [run["task"]["title"] for run in answer["runs"]] == ["For it"]


def test_notifications_of_other_projects_are_neither_listed_nor_counted_nor_read(two, new_task):
    notifications = apps.get_model("messaging.Notification").objects
    for task in (new_task("Hidden plan"), new_task("Ours", project=two.other, actor=two.mona.user)):
        event = Event.objects.filter(task=task).first()
        notifications.create(
            recipient=two.hugo.user,
            kind="completed",
            event=event,
            project=task.project,
            task=task,
            at=event.at,
            last_event=event,
            last_kind="completed",
        )
    client = token_for(two.hugo, actor=two.hugo.user, projects=["OTHER"])
    assert [row["title"] for row in client.get("/api/v1/notifications").json()["results"]] == ["Ours"]
    assert client.get("/api/v1/notifications/unread").json() == {"unread": 1}
    assert client.get("/api/v1/me").json()["unread"] == 1
    assert client.post("/api/v1/notifications/read", {"all": True}).json()["read"] == 1
    assert notifications.filter(read_at__isnull=True).count() == 1
    assert client.patch("/api/v1/notifications/preferences", {"muted": []}).status_code == 403


def test_reports_count_only_what_it_reaches(two, new_task):
    run = claims.claim_task(actor=two.atlas.user, task=new_task())
    runs.complete_run(actor=two.atlas.user, run_id=run.pk, summary="done")
    limited, full = token_for(two.atlas, projects=["OTHER"]), token_for(two.atlas)
    assert limited.get("/api/v1/reports/completed?project=OPS").status_code == 404
    counts = [client.get("/api/v1/reports/completed").json() for client in (limited, full)]
    assert "OPS" not in json.dumps(counts[0])
    assert counts[0] != counts[1]


def test_key_of_one_token_repeats_no_answer_to_another_that_reaches_less(two, new_task):
    task = new_task("Hidden plan")
    full, limited, again = token_for(two.atlas), token_for(two.atlas, projects=["OTHER"]), token_for(two.atlas)
    path, key = f"/api/v1/tasks/{task.ref}/claim", {"idempotency-key": "k"}
    first = full.post(path, {}, headers=key)
    assert first.status_code == 200
    refused = limited.post(path, {}, headers=key)
    assert (refused.status_code, "Hidden" in refused.content.decode()) == (404, False)
    # A token that was exchanged for a new one still gets its answer.
    replayed = again.post(path, {}, headers=key)
    assert (replayed.content, replayed.headers["Idempotency-Replayed"]) == (first.content, "true")


@pytest.mark.parametrize("changes", [{"availability": "paused"}, {"version": "2"}])
def test_what_applies_everywhere_is_not_changed_with_less(two, changes):
    limited = token_for(two.atlas, projects=["OTHER"])
    assert limited.patch("/api/v1/me", changes).status_code == 403
    assert token_for(two.atlas, projects=["OTHER", "OPS"]).patch("/api/v1/me", changes).status_code == 200


# -- reading only -----------------------------------------------------------------------------------------------------


def test_token_that_only_reads_reads_and_changes_nothing(two, new_task):
    task = new_task()
    client = token_for(two.ada, actor=two.ada.user, read_only=True)
    assert refs(client.get("/api/v1/tasks")) == [task.ref]
    for method, path, body in (
        ("patch", f"/api/v1/tasks/{task.ref}", {"title": "x"}),
        ("delete", f"/api/v1/tasks/{task.ref}", None),
        ("post", "/api/v1/tasks", {"project": "OPS", "title": "x"}),
        ("post", "/api/v1/agents/ada/tokens", {"name": "more"}),
        ("post", "/api/v1/notifications/read", {"all": True}),
        ("patch", "/api/v1/me", {"availability": "paused"}),
    ):
        answer = getattr(client, method)(path, body)
        assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied"), path
        assert answer.json()["detail"] == "This token may only read; use one that may write."
    assert Task.objects.get().title == task.title
    assert client.get("/api/v1/me").json()["token"]["read_only"] is True


def test_watching_with_a_token_that_only_reads_does_not_make_an_agent_present(cast):
    token, secret = agent_verbs.create_token(actor=None, agent=cast.atlas, name="dashboard", read_only=True)
    token_of(secret, address="")
    presence.flush()
    token.refresh_from_db()
    assert token.last_used_at is not None
    assert Agent.objects.get(pk=cast.atlas.pk).last_seen_at is None


def test_refusal_of_a_token_that_only_reads_is_not_kept_for_one_that_may_write(cast, new_task):
    path, key = f"/api/v1/tasks/{new_task().ref}/claim", {"idempotency-key": "k"}
    reads, writes = token_for(cast.atlas, read_only=True), token_for(cast.atlas)
    assert [client.post(path, {}, headers=key).status_code for client in (reads, writes, reads)] == [403, 200, 403]


@pytest.mark.django_db(transaction=True)
def test_read_only_claim_with_a_key_does_not_wait(cast):
    client = token_for(cast.atlas, read_only=True)
    let_wait(client)
    answer = client.post("/api/v1/tasks/claim_next", {"wait_seconds": 30}, headers={"idempotency-key": "k"})
    assert answer.status_code == 403


# -- who makes, sees and revokes which --------------------------------------------------------------------------------


def test_managers_token_for_a_person_is_frozen_to_what_the_manager_has_now(two):
    join(two.ops, two.mona.user, Role.WORKER)
    token, _ = agent_verbs.create_token(actor=two.mona.user, agent=two.hugo, name="t")
    assert (token.is_limited, [project.key for project in token.projects.all()]) == (True, ["OTHER"])
    with pytest.raises(Invalid, match="hugo is in no project 'OPS' that you can choose"):
        agent_verbs.create_token(actor=two.mona.user, agent=two.hugo, name="t", projects=["OPS"])
    with pytest.raises(Invalid, match="Name at least one"):
        agent_verbs.create_token(actor=two.hugo.user, agent=two.hugo, name="t", projects=[])


def test_manager_sees_and_revokes_only_what_stays_within_their_projects(two):
    def make(**limits) -> AgentToken:
        return agent_verbs.create_token(actor=two.hugo.user, agent=two.hugo, name="t", **limits)[0]

    everything, both, other = make(), make(projects=["OPS", "OTHER"]), make(projects=["OTHER"])
    assert set(tokens_in_hand_of(two.mona.user, two.hugo)) == {other}
    assert set(tokens_in_hand_of(two.hugo.user, two.hugo)) == {everything, both, other}
    assert set(tokens_in_hand_of(two.root, two.hugo)) == {everything, both, other}
    with pytest.raises(NotPermitted):
        tokens_in_hand_of(two.rita.user, two.hugo)
    for token in (everything, both):
        with pytest.raises(NotPermitted):
            agent_verbs.revoke_token(actor=two.mona.user, token=token)
    agent_verbs.revoke_token(actor=two.mona.user, token=other)
    other.refresh_from_db()
    assert other.revoked_at is not None


def test_tokens_of_an_llm_agent_are_its_owners_alone(two):
    agent_verbs.create_token(actor=two.ada.user, agent=two.atlas, name="t", projects=["OPS"])
    for refused in (
        lambda: agent_verbs.create_token(actor=two.mona.user, agent=two.atlas, name="t"),
        lambda: tokens_in_hand_of(two.mona.user, two.atlas),
    ):
        with pytest.raises(NotPermitted, match="Only the owner of atlas"):
            refused()


def test_token_makes_none_that_reaches_further_than_itself(two):
    join(two.other, two.ada.user, Role.MANAGER)
    limited = token_for(two.ada, actor=two.ada.user, projects=["OPS"])
    own = limited.post("/api/v1/agents/ada/tokens", {"name": "way out"})
    assert (own.status_code, own.json()["projects"]) == (201, ["OPS"])
    made = limited.post("/api/v1/agents/atlas/tokens", {"name": "t"})
    assert (made.status_code, made.json()["projects"]) == (201, ["OPS"])
    assert limited.post("/api/v1/agents/atlas/tokens", {"name": "t", "projects": ["OTHER"]}).status_code == 400
    agent_verbs.create_token(actor=two.ada.user, agent=two.atlas, name="wide")
    rows = limited.get("/api/v1/agents/atlas/tokens").json()["results"]
    assert [(row["name"], row["made_by"], row["projects"]) for row in rows] == [("t", "ada", ["OPS"])]


def test_what_a_manager_does_in_a_persons_name_uses_up_nothing_of_the_persons_limits(cast, settings):
    """Nor with a token that was made with the first: its maker is the manager, too."""
    settings.API_RATE_LIMIT = "2/hour"
    throttling.forget_all()
    person = make_agent("pia", kind=AgentKind.HUMAN)
    join(cast.other, person.user, Role.WORKER)
    own, lent = token_for(person, actor=person.user), token_for(person, actor=cast.mona.user)
    answers = [lent.post("/api/v1/agents/pia/tokens", {"name": "more"}), lent.get("/api/v1/me")]
    again = caller(answers[0].json()["token"])
    assert [answer.status_code for answer in answers] == [201, 200]
    assert [client.get("/api/v1/me").status_code for client in (lent, again, own)] == [429, 429, 200]
    throttling.forget_all()
    made_by = AgentToken.objects.get(name="more").created_by
    assert made_by == cast.mona.user


def test_limited_token_gives_away_no_agent_of_a_person(two):
    """A manager could otherwise give a person's agent to their project, with a token that they made for the person."""
    set_member(actor=None, project=two.other, user=two.hugo.user, role=Role.MANAGER)
    nova = agent_verbs.create_agent(actor=two.hugo.user, slug="nova")
    set_member(actor=two.hugo.user, project=two.other, user=nova.user, role=Role.WORKER)
    lent = token_for(two.hugo, actor=two.mona.user)
    taken = lent.patch("/api/v1/agents/nova", {"owner": {"kind": "project", "name": "OTHER"}})
    assert (taken.status_code, Agent.objects.get(slug="nova").owner_user) == (403, two.hugo.user)
    own = token_for(two.hugo, actor=two.hugo.user)
    assert own.patch("/api/v1/agents/nova", {"owner": {"kind": "project", "name": "OTHER"}}).status_code == 200


def test_token_makes_none_that_outlives_it(cast):
    end = clock.now() + timedelta(days=3)
    client = token_for(cast.ada, actor=cast.ada.user, expires_at=end)
    path = "/api/v1/agents/ada/tokens"
    for asked, expected in ((None, end), (end - timedelta(days=1), end - timedelta(days=1))):
        made = client.post(path, {"name": "t", "expires_at": asked and asked.isoformat()})
        assert (made.status_code, AgentToken.objects.latest("pk").expires_at) == (201, expected)
    later = client.post(path, {"name": "t", "expires_at": (end + timedelta(days=1)).isoformat()})
    assert (later.status_code, list(later.json()["errors"])) == (400, ["expires_at"])


def test_api_makes_limited_tokens_and_lists_them(two):
    hugo = token_for(two.hugo)
    body = {"name": "ci", "projects": ["other"], "read_only": True}
    made = hugo.post("/api/v1/agents/hugo/tokens", body)
    assert made.status_code == 201
    assert {name: made.json()[name] for name in ("name", "projects", "read_only")} == body | {"projects": ["OTHER"]}
    [row] = [row for row in hugo.get("/api/v1/agents/hugo/tokens").json()["results"] if row["name"] == "ci"]
    assert (row["made_by"], row["projects"], row["read_only"]) == ("hugo", ["OTHER"], True)
    assert caller(made.json()["token"]).get("/api/v1/projects/OPS").status_code == 404
    wrong = hugo.post("/api/v1/agents/hugo/tokens", {"name": "ci", "projects": ["NOWHERE"]})
    assert (wrong.status_code, list(wrong.json()["errors"])) == (400, ["projects"])


def test_not_found_is_the_same_for_a_project_beyond_reach_as_for_none(two, new_task):
    new_task()
    client = token_for(two.atlas, projects=["OTHER"])
    for path in (
        "/api/v1/tasks/{}-1",
        "/api/v1/projects/{}",
        "/api/v1/events?project={}",
        "/api/v1/reports/workload?project={}",
    ):
        beyond, nowhere = (client.get(path.format(key)) for key in ("OPS", "NIX"))
        assert beyond.status_code == nowhere.status_code == 404
        assert beyond.content.replace(b"OPS", b"NIX") == nowhere.content
