"""For every verb: the page as it was plus the events since equals a fresh page."""

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from taskproject.tests.following import OpenBoard, OpenPages
from tasks import engine
from tasks.actions import agents, assignments, claims, dependencies, lifecycle, passing_time, projects, reviews, runs
from tasks.actions import tasks as task_actions
from tasks.actions.imports import import_plan
from tasks.actions.offering import decline_task, lapse_offers
from tasks.assignment.dispatcher import serve
from tasks.assignment.experience import Experience
from tasks.assignment.on_demand import auto_assign
from tasks.errors import LeaseLost
from tasks.formats import json_list
from tasks.models import (
    Agent,
    AgentKind,
    Assignment,
    AssignmentMode,
    Availability,
    Priority,
    Project,
    Role,
    Run,
    Skill,
    Task,
)

pytestmark = pytest.mark.django_db(transaction=True)


class Story:
    """The life of one project, a verb a step: each method is one, in this order, and leaves what later ones need."""

    def __init__(self, cast, new_task, let_lease_end) -> None:
        self.cast, self.new_task, self.let_lease_end = cast, new_task, let_lease_end
        self.atlas, self.bert, self.hugo, self.rita = (cast.atlas.user, cast.bert.user, cast.hugo.user, cast.rita.user)
        self.ada = cast.ada.user
        above = new_task("Task above")
        self.free = new_task("Task that is free", priority=Priority.LOW)
        self.second = new_task("Task that blocks too", parent=above, priority=Priority.LOW)
        self.blocked = new_task("Task that waits", depends_on=[self.free, self.second], parent=above)
        self.given = new_task("Task that is given", assignees=[cast.atlas])
        self.running = new_task("Task under way")
        self.run = claims.claim_task(actor=self.atlas, task=self.running)
        self.reviewed, self.judged = self._in_review(), self._in_review()
        late = new_task("Task that came late")
        self.late_run = claims.claim_task(actor=self.atlas, task=late)
        let_lease_end(self.late_run)
        engine.tick()
        with pytest.raises(LeaseLost):
            runs.complete_run(actor=self.atlas, run_id=self.late_run.pk, summary="late")

    def _in_review(self) -> Task:
        task = self.new_task("Task in review", review_required=True)
        run = claims.claim_task(actor=self.atlas, task=task)
        runs.complete_run(actor=self.atlas, run_id=run.pk, summary="look")
        return task

    # -- tasks come and change ----------------------------------------------------------------------------------------

    def create(self):
        self.urgent = self.new_task("Task of the hour", priority=Priority.URGENT, labels=["x"])

    def create_with_parent_and_dependency(self):
        self.new_task("Task below", parent=self.given, depends_on=[self.running])

    def edit(self):
        changes = {"title": "Task renamed", "priority": Priority.LOW, "due_at": timezone.now() + timedelta(days=3)}
        task_actions.edit_task(actor=self.ada, task=self.free, changes=changes | {"labels": ["y"]})

    def edit_parent(self):
        task_actions.edit_task(actor=self.ada, task=self.free, changes={"parent": self.given})

    def add_dependency(self):
        dependencies.add_dependencies(actor=self.ada, task=self.blocked, depends_on=[self.given])

    def remove_dependency(self):
        dependencies.remove_dependencies(actor=self.ada, task=self.blocked, depends_on=[self.given])

    def defer(self):
        later = timezone.now() + timedelta(hours=1)
        task_actions.edit_task(actor=self.ada, task=self.second, changes={"start_after": later})

    def wake(self):
        past = timezone.now() - timedelta(seconds=1)
        Task.objects.filter(pk=self.second.pk).update(start_after=past, deferred_until=past)
        engine.tick()

    def fall_due(self):
        Task.objects.filter(pk=self.free.pk).update(due_at=timezone.now() + timedelta(hours=1))
        engine.tick()

    def become_overdue(self):
        Task.objects.filter(pk=self.free.pk).update(due_at=timezone.now() - timedelta(seconds=1))
        engine.tick()

    def import_a_file(self):
        rows = [
            {"title": "Task new"},
            {"title": "Task newer", "depends_on": [self.running.ref], "parent": self.given.ref},
        ]
        import_plan(actor=self.ada, project=self.cast.ops, plan=json_list.read(json.dumps(rows)))

    # -- runs ---------------------------------------------------------------------------------------------------------

    def heartbeat(self):
        runs.heartbeat_run(actor=self.atlas, run_id=self.run.pk)

    def progress(self):
        runs.progress_run(actor=self.atlas, run_id=self.run.pk, percent=70, note="soon")

    def stall(self):
        Run.objects.filter(pk=self.run.pk).update(last_progress_at=timezone.now() - timedelta(hours=1))
        engine.tick()

    def progress_after_a_stall(self):
        runs.progress_run(actor=self.atlas, run_id=self.run.pk, percent=71)

    def complete(self):
        runs.complete_run(actor=self.atlas, run_id=self.run.pk, summary="done", result={"a": 1})

    def reopen(self):
        lifecycle.reopen_task(actor=self.ada, task=self.running)

    def claim_next(self):
        self._claim_three()

    def _claim_three(self):
        taken = claims.claim_next(actor=self.atlas, projects=[self.cast.ops], limit=3).runs
        self.first_run, self.second_run, self.third_run = taken

    def fail_for_another_try(self):
        runs.fail_run(actor=self.atlas, run_id=self.first_run.pk, code="oops", detail="again", retry_after_seconds=3600)

    def release(self):
        runs.release_run(actor=self.atlas, run_id=self.second_run.pk, reason="not mine")

    def release_by_staff(self):
        lifecycle.release_task(actor=self.ada, task=self.third_run.task, note="stop")

    def claim_next_what_was_given_back(self):
        Task.objects.filter(pk=self.first_run.task_id).update(deferred_until=None)
        self._claim_three()

    def fail_for_good(self):
        runs.fail_run(actor=self.atlas, run_id=self.first_run.pk, code="no", detail="never", retryable=False)

    def cancel_while_it_runs(self):
        lifecycle.cancel_task(actor=self.ada, task=self.second_run.task)

    def expire(self):
        self.let_lease_end(self.third_run)
        engine.tick()

    def send_late(self):
        with pytest.raises(LeaseLost):
            runs.complete_run(actor=self.atlas, run_id=self.third_run.pk, summary="too late")

    def adopt(self):
        reviews.adopt_late_result(actor=self.ada, run=Run.objects.get(pk=self.late_run.pk))

    def approve(self):
        reviews.approve_task(actor=self.rita, task=self.reviewed)

    def request_changes(self):
        reviews.request_changes(actor=self.rita, task=self.judged, note="more")

    # -- what waits for others, and who does it -----------------------------------------------------------------------

    def assign(self):
        assignments.assign_task(actor=self.ada, task=self.second, agents=[self.cast.atlas, self.cast.bert])

    def claim(self):
        self.run = claims.claim_task(actor=self.atlas, task=self.second)

    def reassign(self):
        assignments.reassign_task(actor=self.ada, task=self.second, agents=[self.cast.bert])

    def unassign(self):
        assignments.unassign_task(actor=self.ada, task=self.second)

    def decline(self):
        decline_task(actor=self.atlas, task=self.given, reason="not mine")

    def start(self):
        self.run = claims.start_task(actor=self.hugo, task=self.second)

    def complete_what_blocks(self):
        runs.complete_run(actor=self.hugo, run_id=self.run.pk, summary="done")

    def claim_what_blocks(self):
        self.run = claims.claim_task(actor=self.bert, task=self.free)

    def complete_all_that_blocks(self):
        runs.complete_run(actor=self.bert, run_id=self.run.pk, summary="done")

    def reopen_what_blocked(self):
        lifecycle.reopen_task(actor=self.ada, task=self.free)

    def unassign_what_was_reopened(self):
        assignments.unassign_task(actor=self.ada, task=self.free)

    def assign_automatically(self):
        Agent.objects.filter(kind=AgentKind.LLM).update(last_seen_at=timezone.now())
        auto_assign(actor=self.ada, task=self.free)

    def let_an_offer_lapse(self):
        Assignment.objects.active().filter(task=self.free).update(accept_by=timezone.now() - timedelta(seconds=1))
        assert lapse_offers()

    def find_nobody(self):
        Project.objects.filter(pk=self.cast.ops.pk).update(mode=AssignmentMode.AUTO)
        Skill.objects.create(name="alchemy")
        task_actions.edit_task(actor=self.ada, task=self.free, changes={"required_skills": [("alchemy", 5)]})
        serve([Project.objects.get(pk=self.cast.ops.pk)], Experience())

    def cancel(self):
        lifecycle.cancel_task(actor=self.ada, task=self.blocked, note="no need")

    def delete(self):
        task_actions.delete_task(actor=self.ada, task=self.second)

    # -- the team -----------------------------------------------------------------------------------------------------

    def edit_project(self):
        projects.edit_project(actor=self.ada, project=self.cast.ops, changes={"name": "Renamed"})

    def edit_agent(self):
        agents.edit_agent(
            actor=self.cast.root, agent=self.cast.bert, changes={"max_concurrent": 3}, skills=[("docs", 2)]
        )

    def pause(self):
        agents.set_availability(actor=self.atlas, agent=self.cast.atlas, availability=Availability.PAUSED)

    def add_member(self):
        new = agents.create_agent(actor=self.ada, slug="newcomer", kind=AgentKind.LLM)
        projects.set_member(actor=self.ada, project=self.cast.ops, user=new.user, role=Role.WORKER)

    def remove_member(self):
        projects.remove_member(actor=self.ada, project=self.cast.ops, user=self.atlas)


VERBS = [name for name in vars(Story) if not name.startswith("_")]


@pytest.mark.long
@pytest.mark.slow
def test_pages_as_they_were_with_the_events_since_are_fresh_pages(
    client, cast, new_task, let_lease_end, monkeypatch, subtests
):
    # A rest must not end during the test: the engine announces that, and it does not run here. (That after a failure
    # asks for an hour itself.)
    monkeypatch.setattr(passing_time, "LOSS_BASE", timedelta(hours=1))
    monkeypatch.setattr(passing_time, "LOSS_CAP", timedelta(hours=1))
    story = Story(cast, new_task, let_lease_end)
    pages = OpenPages(client, cast.ada.user)
    for verb in VERBS:
        with subtests.test(verb=verb):
            getattr(story, verb)()
            pages.follow()


def test_event_costs_an_open_board_its_own_card_and_no_other(client, cast, new_task):
    tasks = [new_task() for _ in range(20)]
    client.force_login(cast.ada.user)
    board = OpenBoard(client, cast.ada.user)
    before = board.rendered
    claims.claim_task(actor=cast.atlas.user, task=tasks[7])
    board.follow()
    assert board.rendered - before == 1
    board.assert_as_fresh()


def test_card_that_moves_up_into_a_full_column_is_fetched(client, cast, new_task):
    tasks = [new_task() for _ in range(53)]
    client.force_login(cast.ada.user)
    board = OpenBoard(client, cast.ada.user)
    assert tasks[50].ref not in board.cards
    claims.claim_task(actor=cast.atlas.user, task=tasks[3])
    board.follow()
    assert tasks[50].ref in board.cards
    board.assert_as_fresh()


def test_changes_reveal_no_cards_that_the_user_may_not_see(client, cast, new_task):
    hidden = new_task("Secret", project=cast.other)
    client.force_login(cast.ada.user)
    answer = client.get(f"/board/changes?refs={hidden.ref}")
    assert answer.status_code == 200
    assert hidden.ref not in answer.content.decode()
    assert client.get("/board/changes?project=OTHER&refs=").status_code == 404


@pytest.mark.parametrize("refs", ["", ",,,", "OPS-1,OPS-1", "%00", "<script>", "OPS-" + "9" * 400, "x," * 1500])
def test_changes_bear_any_refs(client, cast, new_task, refs):
    new_task()
    client.force_login(cast.ada.user)
    assert client.get("/board/changes", {"refs": refs}).status_code == 200


def test_changes_cost_the_same_queries_whatever_is_stored(client, cast, new_task, django_assert_max_num_queries):
    for _ in range(30):
        new_task()
    client.force_login(cast.ada.user)
    client.get("/board/changes?refs=OPS-1")
    # With the zone and the choices of the reader; PostgreSQL is asked for its clock too.
    with django_assert_max_num_queries(17 if connection.vendor == "sqlite" else 18):
        client.get("/board/changes?refs=OPS-1,OPS-2,OPS-3")
