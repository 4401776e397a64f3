"""Actions on many tasks: each says what it did, which tasks it could not change and why."""

import pytest
from django.urls import reverse

from tasks.actions.claims import claim_task
from tasks.actions.lifecycle import cancel_task
from tasks.actions.members import pause_member
from tasks.actions.runs import complete_run
from tasks.admin import bulk_views
from tasks.assignment.presence import State
from tasks.errors import IllegalTransition
from tasks.models import Agent, Assignment, Event, Run, Task
from tasks.tests.admin_pages import LIST, act, messages_of, signed_in
from tasks.using import bulk


@pytest.fixture
def ada(cast):
    return signed_in(cast.ada.user)


def statuses(*tasks) -> list[str]:
    return [Task.objects.get(pk=task.pk).status for task in tasks]


def assignees(task) -> set[str]:
    return set(Assignment.objects.active().filter(task=task).values_list("agent__slug", flat=True))


def confirm(client, verb, tasks, **more):
    data = {"ids": ",".join(str(task.pk) for task in tasks), **more}
    return client.post(reverse("admin:tasks_task_bulk", args=[verb]), data, follow=True)


@pytest.fixture
def in_review(cast, new_task):
    def create(agent=None):
        agent = agent or cast.atlas
        task = new_task(review_required=True)
        run = claim_task(actor=agent.user, task=task)
        complete_run(actor=agent.user, run_id=run.pk, summary="done")
        return task

    return create


def test_assign_action_says_for_how_many_there_is_room(cast, new_task, ada):
    Agent.objects.filter(pk=cast.atlas.pk).update(max_concurrent=1)
    Agent.objects.filter(pk=cast.bert.pk).update(max_concurrent=1)
    claim_task(actor=cast.bert.user, task=new_task())
    page = act(ada, "assign", [new_task(), new_task()])
    rooms = {candidate.agent.slug: candidate.room for candidate in page.context["candidates"]}
    assert (rooms["atlas"], rooms["bert"], rooms["hugo"]) == (1, 0, 2)
    text = " ".join(page.content.decode().split())
    assert '<span class="tp-mark tp-warn">2 of 2</span> <small>room for 1 now</small>' in text
    assert '<span class="tp-mark tp-warn">2 of 2</span> <small>room for none now</small>' in text


def test_assign_action_shows_who_is_paused_in_the_project_though_never_seen(cast, new_task, ada):
    pause_member(actor=cast.ada.user, project=cast.ops, agent=cast.bert, paused=True)
    page = act(ada, "assign", [new_task()])
    states = {candidate.agent.slug: candidate.state for candidate in page.context["candidates"]}
    assert (states["atlas"], states["bert"]) == (State.NEVER_SEEN, State.PAUSED)


def test_action_that_can_change_nothing_says_so_before_it_asks(new_task, in_review, ada):
    tasks = [new_task(), new_task()]
    answer = act(ada, "request_changes", tasks, follow=True)
    assert messages_of(answer) == [
        "All 2 selected tasks are not started and cannot be sent back for changes; nothing was changed."
    ]
    assert "form" in act(ada, "request_changes", [*tasks, in_review()]).context


def test_assign_action_shows_fitting_agents_and_assigns_several(cast, new_task, ada):
    first = new_task(required_skills=[("python", 3)])
    second = new_task()
    claim_task(actor=cast.bert.user, task=new_task())
    page = act(ada, "assign", [first, second])
    candidates = {candidate.agent.slug: candidate for candidate in page.context["candidates"]}
    assert next(iter(candidates)) == "atlas"
    assert set(candidates) == {"ada", "rita", "hugo", "atlas", "bert"}
    assert (candidates["atlas"].fitting, candidates["bert"].fitting) == (2, 1)
    assert (candidates["bert"].facts.active_runs, candidates["bert"].free) == (1, 9)
    assert [(m.name, m.wanted, m.level) for m in candidates["atlas"].matches] == [("python", 3, 4)]
    assert "1 active + 0 assigned of 10" in " ".join(page.content.decode().split())

    done = confirm(ada, "assign", [first, second], agents=[cast.atlas.pk, cast.bert.pk], note="soon please")
    assert messages_of(done) == [f"Assigned 2 tasks to atlas, bert: {first.ref}, {second.ref}."]
    assert assignees(first) == assignees(second) == {"atlas", "bert"}
    assert set(Assignment.objects.values_list("note", flat=True)) - {"soon please", ""} == set()
    assert Event.objects.get(kind="task.assigned", task=first).data["agents"] == ["atlas", "bert"]


def test_assign_without_an_agent_asks_for_one_and_changes_nothing(new_task, ada):
    task = new_task()
    page = confirm(ada, "assign", [task], note="keep me")
    assert "Choose at least one agent." in page.content.decode()
    assert "keep me" in page.content.decode()
    assert assignees(task) == set()


def test_assign_with_some_ended_tasks_does_the_others_and_says_why(cast, new_task, ada):
    good, bad, worse = new_task(), new_task(), new_task()
    cancel_task(actor=cast.ada.user, task=bad)
    cancel_task(actor=cast.ada.user, task=worse)
    done = messages_of(confirm(ada, "assign", [bad, good, worse], agents=[cast.bert.pk]))
    assert done[0] == f"Assigned 1 task to bert: {good.ref}."
    assert done[1].startswith(f"Could not assign 2 tasks ({bad.ref}, {worse.ref}): each is cancelled")
    assert assignees(good) == {"bert"}


def test_assign_twice_changes_nothing_and_says_so(cast, new_task, ada):
    task = new_task(assignees=[cast.bert])
    assert messages_of(confirm(ada, "assign", [task], agents=[cast.bert.pk])) == [
        f"Nothing to change for 1 task: {task.ref}."
    ]


def test_assign_to_a_disabled_agent_is_refused_with_the_reason(cast, new_task, ada):
    task = new_task()
    cast.bert.enabled = False
    cast.bert.save()
    assert "bert is disabled" in messages_of(confirm(ada, "assign", [task], agents=[cast.bert.pk]))[0]


def test_reassign_revokes_the_run_of_the_agent_that_loses_the_task(cast, new_task, ada):
    task = new_task(assignees=[cast.atlas])
    run = claim_task(actor=cast.atlas.user, task=task)
    confirm(ada, "reassign", [task], agents=[cast.bert.pk])
    assert assignees(task) == {"bert"}
    assert Run.objects.get(pk=run.pk).status == "revoked"


def test_unassign_action_at_once_frees_tasks_and_names_those_that_were_free(cast, new_task, ada):
    given, free = new_task(assignees=[cast.bert]), new_task()
    messages = messages_of(act(ada, "unassign", [given, free]))
    assert messages == [
        f"Unassigned 1 task: {given.ref}.",
        f"Nothing to change for 1 task: {free.ref}.",
    ]
    assert assignees(given) == set()


def test_approve_action_skips_what_is_not_in_review_and_what_one_did_oneself(cast, new_task, in_review, ada):
    good, open_task, own = in_review(), new_task(), in_review(cast.ada)
    messages = messages_of(act(ada, "approve", [good, open_task, own]))
    assert messages[0] == f"Approved 1 task: {good.ref}."
    assert f"Could not approve 1 task ({open_task.ref}): it is not started and cannot be approved." in messages
    assert f"Could not approve 1 task ({own.ref}): it was done by you." in messages
    assert statuses(good, open_task, own) == ["completed", "not_started", "in_review"]


def test_request_changes_needs_a_note_and_sends_the_task_back(in_review, ada):
    task = in_review()
    assert act(ada, "request_changes", [task]).context["verb"].name == "request_changes"
    assert "Say what should change." in confirm(ada, "request_changes", [task], note="  ").content.decode()
    assert statuses(task) == ["in_review"]
    confirm(ada, "request_changes", [task], note="More tests")
    assert statuses(task) == ["not_started"]
    assert Run.objects.get(task=task).reviews.get().note == "More tests"


def test_cancel_asks_first_and_reopen_brings_the_tasks_back(new_task, ada):
    task = new_task()
    assert "cannot" not in act(ada, "cancel", [task]).content.decode()
    assert statuses(task) == ["not_started"]
    confirm(ada, "cancel", [task], note="no longer wanted")
    assert statuses(task) == ["cancelled"]
    assert Event.objects.get(task=task, kind="task.status_changed").data["note"] == "no longer wanted"
    assert messages_of(act(ada, "reopen", [task])) == [f"Reopened 1 task: {task.ref}."]
    assert statuses(task) == ["not_started"]


def test_release_action_returns_the_task_from_its_holder(cast, new_task, ada):
    task = new_task()
    run = claim_task(actor=cast.atlas.user, task=task)
    assert messages_of(act(ada, "release", [task])) == [f"Released 1 task: {task.ref}."]
    assert Run.objects.get(pk=run.pk).status == "released"


def test_delete_action_spares_what_is_in_progress(cast, new_task, ada):
    idle, busy = new_task(), new_task()
    claim_task(actor=cast.atlas.user, task=busy)
    messages = messages_of(confirm(ada, "delete", [idle, busy]))
    assert messages[0] == f"Deleted 1 task: {idle.ref}."
    assert f"Could not delete 1 task ({busy.ref})" in messages[1]
    assert list(Task.objects.all()) == [busy]
    assert Event.objects.filter(kind="task.deleted").count() == 1


def test_django_s_own_delete_action_is_not_offered(new_task, ada):
    new_task()
    offered = dict(ada.get(reverse(LIST)).context["action_form"].fields["action"].choices)
    assert set(offered) - {""} == set(bulk.BULK_VERBS)


def test_action_on_all_of_a_filtered_list_takes_every_page(cast, new_task, ada, monkeypatch):
    for _ in range(5):
        new_task(labels=["infra"])
    other = new_task()
    monkeypatch.setattr("tasks.admin.tasks.TaskAdmin.list_per_page", 2)
    first = Task.objects.filter(labels__name="infra").first()
    page = act(ada, "cancel", [first], query="?label=infra", select_across="1")
    assert page.context["total"] == 5
    ids = page.context["ids"]
    ada.post(reverse("admin:tasks_task_bulk", args=["cancel"]), {"ids": ids})
    assert set(Task.objects.exclude(pk=other.pk).values_list("status", flat=True)) == {"cancelled"}
    assert statuses(other) == ["not_started"]


def test_long_action_goes_on_in_portions_and_forgets_nothing(new_task, ada, monkeypatch):
    monkeypatch.setattr(bulk, "PORTION_SECONDS", 0)
    tasks = [new_task() for _ in range(4)]
    page = confirm(ada, "cancel", tasks, note="all of it")
    portions = 1
    while "outcome" in page.context and page.templates[0].name.endswith("bulk_progress.html"):
        assert page.context["outcome"].count == portions
        form = {bound.html_name: bound.value() for bound in page.context["form"]}
        form |= {"ids": page.context["ids"], "outcome": page.context["outcome"].dumps()}
        page = ada.post(reverse("admin:tasks_task_bulk", args=["cancel"]), form, follow=True)
        portions += 1
    assert portions == 4
    assert messages_of(page) == [f"Cancelled 4 tasks: {', '.join(task.ref for task in tasks)}."]
    assert Event.objects.filter(kind="task.status_changed", data__note="all of it").count() == 4


def test_long_action_stopped_half_way_reports_what_is_left(new_task, ada, monkeypatch):
    monkeypatch.setattr(bulk, "PORTION_SECONDS", 0)
    tasks = [new_task() for _ in range(3)]
    page = confirm(ada, "cancel", tasks)
    data = {"ids": page.context["ids"], "outcome": page.context["outcome"].dumps(), "stop": "1"}
    page = ada.post(reverse("admin:tasks_task_bulk", args=["cancel"]), data, follow=True)
    assert messages_of(page)[1] == "Stopped: 2 tasks of the selection were not processed."
    assert statuses(*tasks) == ["cancelled", "not_started", "not_started"]


def test_action_on_many_tasks_names_every_one_on_a_page(new_task, ada, monkeypatch):
    monkeypatch.setattr(bulk, "NAMED", 2)
    monkeypatch.setattr(bulk_views, "NAMED", 2)
    tasks = [new_task() for _ in range(4)]
    page = confirm(ada, "cancel", tasks)
    assert "Show what was done" in page.content.decode()
    form = {"ids": page.context["ids"], "outcome": page.context["outcome"].dumps()}
    # The second time is the reader's reload.
    for _ in range(2):
        shown = ada.post(reverse("admin:tasks_task_bulk", args=["cancel"]), form).content.decode()
        assert "Cancelled 4 tasks" in shown
        assert "Nothing to change" not in shown
        assert ", ".join(task.ref for task in tasks) in shown


def test_large_selection_asks_even_where_a_small_one_would_not(new_task, ada, monkeypatch):
    monkeypatch.setattr(bulk_views, "MOST_UNASKED", 1)
    tasks = [new_task(), new_task()]
    page = act(ada, "unassign", tasks)
    assert page.context["total"] == 2


def test_selection_beyond_the_bound_is_refused_in_a_sentence(new_task, ada, monkeypatch):
    monkeypatch.setattr(bulk_views, "MOST_SELECTED", 2)
    tasks = [new_task() for _ in range(3)]
    assert messages_of(act(ada, "cancel", tasks)) == [
        "More than 2 tasks are selected; filter the list and process them in parts."
    ]


def test_outcome_that_a_browser_garbled_counts_as_nothing_done():
    for text in ("", "[]", "{}", "[1, 2, 3]", "[[], [], []]", "x" * 10):
        assert bulk.Outcome.loads(text).count == 0


def test_refusals_with_one_reason_are_reported_as_one():
    outcome = bulk.Outcome()
    for ref in ("OPS-1", "OPS-12", "OPS-2"):
        outcome.refuse(ref, IllegalTransition("assigned", ref, "cancelled", ["reopen"]).said_of("it"))
    assert outcome.refusals == [("each is cancelled and cannot be assigned.", ["OPS-1", "OPS-12", "OPS-2"])]
    assert bulk.Outcome.loads(outcome.dumps()) == outcome


def test_hostile_text_in_titles_and_notes_is_escaped_on_every_page_of_an_action(cast, new_task, ada):
    task = new_task("<script>alert(1)</script>")
    page = act(ada, "assign", [task]).content.decode()
    assert "<script>alert(1)" not in page
    page = confirm(ada, "assign", [task], note="</textarea><script>alert(2)</script>").content.decode()
    assert "<script>alert(2)" not in page
    page = confirm(ada, "assign", [task], agents=["<script>"]).content.decode()
    assert "<script>" not in page.replace("<script src=", "")
    page = confirm(ada, "cancel", [task], next="//evil.example/").redirect_chain
    assert page[-1][0] == reverse(LIST)


def test_notes_that_a_database_cannot_hold_are_refused_in_a_sentence(cast, new_task, ada):
    task = new_task()
    page = confirm(ada, "assign", [task], agents=[cast.bert.pk], note="x" * 501).content.decode()
    assert "At most 500 characters; this has 501." in page
    page = confirm(ada, "assign", [task], agents=[cast.bert.pk], note="nul \x00").content.decode()
    assert "Null characters are not allowed." in page
    assert assignees(task) == set()


def test_candidate_for_tasks_that_want_many_skills_shows_those_it_has(cast, new_task):
    from tasks.admin.candidates import candidates_for
    from tasks.models import Skill

    for number in range(6):
        Skill.objects.create(name=f"rare-{number}")
    wanted = [("python", 3), *((f"rare-{number}", 1) for number in range(6))]
    by_slug = {candidate.agent.slug: candidate for candidate in candidates_for([new_task(required_skills=wanted).pk])}
    assert [match.name for match in by_slug["atlas"].shown_matches] == ["python"]
    assert (by_slug["atlas"].hidden_lacks, by_slug["bert"].shown_matches) == (6, [])


def test_candidates_page_for_more_tasks_and_agents_costs_no_more_queries(cast, new_task, django_assert_num_queries):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from tasks.admin.candidates import candidates_for
    from tasks.models import Role
    from tasks.tests.cast import join, make_agent

    ids = [new_task(required_skills=[("python", 2)]).pk for _ in range(2)]
    with CaptureQueriesContext(connection) as few:
        candidates_for(ids)
    ids += [new_task(required_skills=[("docs", 2)]).pk for _ in range(10)]
    for number in range(5):
        join(cast.ops, make_agent(f"more-{number}", skills={"docs": 3}).user, Role.WORKER)
    with django_assert_num_queries(len(few)):
        assert len(candidates_for(ids)) == 10
