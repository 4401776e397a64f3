"""Follow-ups that a run names with its result: tasks, proposals, and what managers make of them."""

import pytest

from tasks import engine
from tasks.actions import claims, reviews, runs
from tasks.actions.follow_ups import accept_follow_up, dismiss_follow_up
from tasks.errors import AlreadyDecided, LeaseLost
from tasks.models import Event, FollowUp, Project, Skill, Task
from tasks.tests.invariants import assert_invariants
from tasks.tests.one_event import one_event_for_each_task

pytestmark = pytest.mark.django_db

NAMED = [
    {
        "title": "Rotate the **backup** keys",
        "description": "They are old.",
        "priority": "high",
        "required_skills": [{"skill": "python", "min_level": 3}],
    },
    {"title": "Tell the others"},
]


@pytest.fixture
def workers_create(cast):
    Project.objects.filter(pk=cast.ops.pk).update(workers_create=True)


@pytest.fixture
def finish(cast):
    """``finish(task, …)`` → atlas claims the task and finishes it with these follow-ups."""

    def finished(task, follow_ups=NAMED, **more):
        run = claims.claim_task(actor=cast.atlas.user, task=task)
        return runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="done", follow_ups=follow_ups, **more)

    return finished


def states() -> list[str]:
    return list(FollowUp.objects.values_list("state", flat=True))


def test_complete_where_workers_create_makes_tasks_of_the_agent(cast, new_task, finish, workers_create, client):
    task = new_task()
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    with one_event_for_each_task() as events:
        runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="done", follow_ups=NAMED)
    made = list(Task.objects.exclude(pk=task.pk).order_by("pk"))
    assert [(each.title, each.created_by, each.get_priority_display(), each.status) for each in made] == [
        ("Rotate the **backup** keys", cast.atlas.user, "High", "not_started"),
        ("Tell the others", cast.atlas.user, "Normal", "not_started"),
    ]
    assert [(need.skill.name, need.min_level) for need in made[0].required_skills.all()] == [("python", 3)]
    assert states() == ["accepted", "accepted"]
    assert (
        next(event for event in events if event.task_id == task.pk and event.data.get("verb") == "complete").data[
            "follow_ups"
        ]
        == 2
    )
    assert Event.objects.filter(kind="task.created", data__follows=task.ref).count() == 2
    client.force_login(cast.vera)
    origin = client.get(f"/tasks/{task.ref}").content.decode()
    assert f'href="/tasks/{made[0].ref}"' in origin
    assert task.ref in client.get(f"/tasks/{made[0].ref}").content.decode()
    assert_invariants()


def test_complete_where_workers_do_not_create_leaves_proposals_to_managers(api, cast, new_task, finish, client):
    task = new_task()
    finish(task)
    assert Task.objects.count() == 1
    assert states() == ["open", "open"]
    assert FollowUp.objects.open().count() == 2
    first, second = api.vera.get(f"/tasks/{task.ref}/follow_ups").json()["results"]
    assert (first["state"], first["agent"], first["priority"], first["created"]) == ("open", "atlas", "high", None)
    for who in (api.vera, api.atlas, api.hugo, api.rita):
        assert who.post(f"/follow_ups/{first['id']}/accept").status_code == 403
    accepted = api.ada.post(f"/follow_ups/{first['id']}/accept").json()
    new = Task.objects.latest("pk")
    assert (accepted["state"], accepted["created"], accepted["decided_by"]) == ("accepted", new.ref, "ada")
    assert new.created_by == cast.ada.user
    dismissed = api.ada.post(f"/follow_ups/{second['id']}/dismiss", {"note": "Done already."}).json()
    assert (dismissed["state"], dismissed["note"], dismissed["created"]) == ("dismissed", "Done already.", None)
    events = list(Event.objects.filter(kind="task.follow_up_decided").order_by("pk").values_list("data", flat=True))
    assert [(data["decision"], data.get("created"), data.get("note")) for data in events] == [
        ("accepted", new.ref, None),
        ("dismissed", None, "Done already."),
    ]
    client.force_login(cast.vera)
    page = client.get(f"/tasks/{task.ref}").content.decode()
    assert "made OPS-2 of the follow-up “Rotate the **backup** keys”" in page
    assert 'value="accept_follow_up"' not in page


def test_manager_decides_on_the_task_page(cast, new_task, finish, client):
    task = new_task()
    finish(task)
    first, second = FollowUp.objects.all()
    client.force_login(cast.ada.user)
    assert client.get(f"/tasks/{task.ref}").content.decode().count('value="accept_follow_up"') == 2
    address = f"/tasks/{task.ref}"
    assert client.post(address, {"verb": "accept_follow_up", "follow_up": first.pk}).status_code == 302
    assert client.post(address, {"verb": "dismiss_follow_up", "follow_up": second.pk}).status_code == 302
    assert states() == ["accepted", "dismissed"]
    for odd in ("", "x", "9" * 30, str(second.pk + 1)):
        assert client.post(address, {"verb": "accept_follow_up", "follow_up": odd}).status_code == 409
    other = new_task()
    assert client.post(f"/tasks/{other.ref}", {"verb": "accept_follow_up", "follow_up": first.pk}).status_code == 409


def test_deciding_twice_is_one_decision_and_another_is_refused(cast, new_task, finish):
    finish(new_task())
    first, second = FollowUp.objects.all()
    made = [accept_follow_up(actor=cast.ada.user, follow_up=first).created_id for _ in range(2)]
    assert made[0] == made[1] is not None
    assert Task.objects.count() == 2
    with pytest.raises(AlreadyDecided, match="accepted already by ada"):
        dismiss_follow_up(actor=cast.root, follow_up=first)
    dismiss_follow_up(actor=cast.ada.user, follow_up=second)
    with pytest.raises(AlreadyDecided):
        accept_follow_up(actor=cast.ada.user, follow_up=second)
    assert Event.objects.filter(kind="task.follow_up_decided").count() == 2


def test_unreviewed_result_makes_no_work_until_it_is_approved(cast, new_task, finish, workers_create):
    task = new_task(review_required=True)
    finish(task)
    assert (Task.objects.count(), states()) == (1, ["held", "held"])
    assert not FollowUp.objects.open().exists()
    reviews.request_changes(actor=cast.rita.user, task=task, note="again")
    # Named again: these count, in place of the earlier ones.
    finish(task, [{"title": "Only this"}])
    assert states() == ["replaced", "replaced", "held"]
    reviews.request_changes(actor=cast.rita.user, task=task, note="and again")
    finish(task, None)
    reviews.approve_task(actor=cast.rita.user, task=task)
    assert states() == ["replaced", "replaced", "accepted"]
    new = Task.objects.latest("pk")
    assert (new.title, new.created_by) == ("Only this", cast.atlas.user)
    assert_invariants()


def test_approval_leaves_proposals_of_an_author_who_may_no_longer_create(cast, new_task, finish, workers_create):
    task = new_task(review_required=True)
    finish(task)
    Project.objects.filter(pk=cast.ops.pk).update(workers_create=False)
    reviews.approve_task(actor=cast.rita.user, task=task)
    assert (Task.objects.count(), states()) == (1, ["open", "open"])


def test_approval_leaves_out_a_skill_that_is_no_more(cast, new_task, finish, workers_create):
    task = new_task(review_required=True)
    finish(task)
    Skill.objects.get(name="python").delete()
    reviews.approve_task(actor=cast.rita.user, task=task)
    assert Task.objects.get(title="Rotate the **backup** keys").required_skills.count() == 0


def test_manager_may_decide_before_the_review(cast, new_task, finish):
    task = new_task(review_required=True)
    finish(task)
    first, _ = FollowUp.objects.all()
    accept_follow_up(actor=cast.ada.user, follow_up=first)
    reviews.approve_task(actor=cast.rita.user, task=task)
    assert states() == ["accepted", "open"]


def test_late_result_keeps_its_follow_ups_until_it_is_adopted(cast, new_task, let_lease_end, workers_create):
    task = new_task()
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    let_lease_end(run)
    engine.tick()
    with pytest.raises(LeaseLost):
        runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="late", follow_ups=NAMED)
    assert not FollowUp.objects.exists()
    reviews.adopt_late_result(actor=cast.ada.user, run=run)
    assert states() == ["accepted", "accepted"]
    assert Event.objects.get(data__verb="adopt").data["follow_ups"] == 2


def test_complete_many_makes_the_follow_ups_of_each(api, cast, new_task, workers_create):
    own = [claims.claim_task(actor=cast.atlas.user, task=new_task()) for _ in range(2)]
    items = [{"id": str(run.pk), "summary": "x", "follow_ups": [{"title": f"After {run.number}"}]} for run in own]
    assert api.atlas.post("/runs/complete_many", {"runs": items}).status_code == 200
    assert states() == ["accepted", "accepted"]


@pytest.mark.parametrize(
    ("follow_up", "sentence"),
    [
        ({}, "No. 1: title: Give it a title."),
        ({"title": "x" * 301}, "No. 1: title: At most 300 characters; this has 301."),
        ({"title": "x", "assignees": ["hugo"]}, "No. 1: assignees: There is no such member; known are title,"),
        ({"title": "x", "priority": "asap"}, "No. 1: priority: There is no value 'asap'."),
        (
            {"title": "x", "required_skills": [{"skill": "python"}]},
            "No. 1: required_skills: No. 1: min_level: ",
        ),
        ({"title": "x", "required_skills": [{"skill": "pyton", "min_level": 1}]}, "There is no skill 'pyton'"),
    ],
)
def test_complete_with_a_bad_follow_up_changes_nothing(api, cast, new_task, follow_up, sentence):
    run = claims.claim_task(actor=cast.atlas.user, task=new_task())
    answer = api.atlas.post(f"/runs/{run.pk}/complete", {"summary": "x", "follow_ups": [follow_up]})
    assert answer.status_code == 400
    assert answer.json()["errors"]["follow_ups"][0].startswith(sentence)
    run.refresh_from_db()
    assert run.ended_at is None


def test_follow_ups_are_deleted_with_their_task_and_outlive_what_they_became(cast, new_task, finish, workers_create):
    from tasks.actions.tasks import delete_task

    task = new_task()
    finish(task)
    first = FollowUp.objects.first()
    delete_task(actor=cast.ada.user, task=first.created)
    first.refresh_from_db()
    assert (first.state, first.created) == ("accepted", None)
    delete_task(actor=cast.ada.user, task=Task.objects.get(pk=task.pk))
    assert not FollowUp.objects.exists()
