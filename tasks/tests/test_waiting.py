"""The waiting room: which news brings work, whom a ready task wakes, and what happens to those who come too late."""

import random
from datetime import timedelta

import pytest
from django.db.models import Max

from tasks import clock
from tasks.actions import assignments, claims, lifecycle, picking, runs
from tasks.actions.agents import edit_agent
from tasks.actions.projects import edit_project, remove_member, set_member
from tasks.events.kinds import may_bring_work
from tasks.events.listening import News
from tasks.events.reading import START
from tasks.models import Event, Role, Run, Task
from tasks.tests.cast import join, make_agent
from tasks.tests.racing import in_thread
from tasks.transitions import Status
from tasks.waiting import room as rooms
from tasks.waiting.work import WorkRoom, read_ready

pytestmark = pytest.mark.django_db


class StillRoom(WorkRoom):
    """A room without a thread: it hears and looks when the test lets it."""

    def _listen(self) -> None:
        self._joined.set()

    def _start(self) -> None:
        pass

    def catch_up(self) -> None:
        """Hear what was recorded since the last time."""
        newest = Event.objects.aggregate(newest=Max("pk"))["newest"] or 0
        events = Event.objects.filter(pk__gt=getattr(self, "heard", 0), kind__in=self.kinds).order_by("pk")
        self.heard = newest
        self.hear(News(list(events), START))

    def look(self) -> None:
        self._look()


@pytest.fixture
def room(cast):
    still = StillRoom()
    still.catch_up()
    return still


class Caller:
    """An agent that waits in ``room``; ``woken`` counts how often it was."""

    def __init__(self, room, agent, *projects, limit=1):
        self.room, self.agent, self.projects, self.limit = room, agent, projects, limit
        self.woken = 0
        self.seat = None

    def look(self):
        """Take the seat, as the view does before it claims."""
        self.seat = self.room.seat(agent=self.agent, projects=self.projects, limit=self.limit, kept=self.seat)
        return self

    def sit(self):
        self.seat.wait(self.wake)
        return self

    def wake(self):
        self.woken += 1

    def claim(self):
        return claims.claim_next(actor=self.agent.user, projects=list(self.projects), limit=self.limit).runs


def many(cast, room, count, **kwargs):
    """Agents that wait in OPS, the first of them for the longest time."""
    callers = []
    for number in range(count):
        agent = make_agent(f"agent-{number}", **kwargs)
        join(cast.ops, agent.user, Role.WORKER)
        callers.append(Caller(room, agent, cast.ops).look().sit())
    return callers


def woken(callers):
    return [number for number, caller in enumerate(callers) if caller.woken]


def kinds_that_bring_work(queryset):
    return {
        (event.kind, event.data.get("to") or event.data.get("source"))
        for event in queryset
        if may_bring_work(event.kind, event.data)
    }


def test_creation_assignment_and_return_bring_work_and_progress_does_not(cast, new_task):
    task = new_task()
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    runs.progress_run(actor=cast.atlas.user, run_id=run.pk, percent=50)
    assert kinds_that_bring_work(Event.objects.filter(task=task)) == {("task.created", None)}
    runs.release_run(actor=cast.atlas.user, run_id=run.pk)
    assignments.assign_task(actor=cast.ada.user, task=task, agents=[cast.bert])
    lifecycle.cancel_task(actor=cast.ada.user, task=task)
    assert kinds_that_bring_work(Event.objects.filter(task=task)) == {
        ("task.created", None),
        ("task.status_changed", "not_started"),
        ("task.assigned", "manual"),
    }


def test_completion_that_unblocks_brings_work(cast, new_task):
    first = new_task()
    new_task(depends_on=[first])
    run = claims.claim_task(actor=cast.atlas.user, task=first)
    before = Event.objects.order_by("-pk").first().pk
    runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="done")
    assert kinds_that_bring_work(Event.objects.filter(pk__gt=before)) == {("task.unblocked", None)}


def test_ready_task_wakes_the_one_that_has_waited_longest_and_nobody_else(
    cast, room, new_task, django_assert_max_num_queries
):
    callers = many(cast, room, 50)
    new_task()
    room.catch_up()
    with django_assert_max_num_queries(4):
        room.look()
    assert woken(callers) == [0]
    room.look()
    assert woken(callers) == [0]


def test_each_of_several_ready_tasks_wakes_another(cast, room, new_task):
    callers = many(cast, room, 5)
    for _ in range(3):
        new_task()
    room.catch_up()
    room.look()
    assert woken(callers) == [0, 1, 2]


def test_caller_that_takes_several_tasks_is_woken_for_as_many(cast, room, new_task):
    first, second = (
        Caller(room, cast.atlas, cast.ops, limit=2).look().sit(),
        Caller(room, cast.bert, cast.ops).look().sit(),
    )
    new_task()
    new_task()
    room.catch_up()
    room.look()
    assert (first.woken, second.woken) == (1, 0)
    assert len(first.claim()) == 2
    first.seat.leave()
    room.look()
    assert second.woken == 0


def test_task_wakes_an_agent_with_the_skills(cast, room, new_task):
    bert, atlas = Caller(room, cast.bert, cast.ops).look().sit(), Caller(room, cast.atlas, cast.ops).look().sit()
    new_task(required_skills=[("python", 3)])
    room.catch_up()
    room.look()
    assert (bert.woken, atlas.woken) == (0, 1)


def test_task_wakes_its_assignee_and_not_a_longer_waiting_agent(cast, room, new_task):
    atlas, bert = Caller(room, cast.atlas, cast.ops).look().sit(), Caller(room, cast.bert, cast.ops).look().sit()
    task = new_task()
    assignments.assign_task(actor=cast.ada.user, task=task, agents=[cast.bert])
    room.catch_up()
    room.look()
    assert (atlas.woken, bert.woken) == (0, 1)


def test_tasks_for_nobody_do_not_hide_those_for_somebody(cast, room, new_task):
    bert = Caller(room, cast.bert, cast.ops).look().sit()
    for skills in ([("python", 5)], [("python", 5)], [("docs", 3)]):
        new_task(required_skills=skills)
    room.catch_up()
    room.look()
    assert bert.woken == 1


def test_task_of_another_project_wakes_nobody(cast, room, new_task):
    caller = Caller(room, cast.atlas, cast.ops).look().sit()
    new_task(project=cast.other)
    room.catch_up()
    room.look()
    assert caller.woken == 0


def test_task_that_cannot_begin_wakes_nobody(cast, room, new_task):
    caller = Caller(room, cast.atlas, cast.ops).look().sit()
    new_task(depends_on=[new_task(start_after=clock.now() + timedelta(hours=1))])
    room.catch_up()
    room.look()
    assert caller.woken == 0


def test_project_that_does_not_let_pull_wakes_nobody_until_it_does(cast, room, new_task):
    edit_project(actor=cast.ada.user, project=cast.ops, changes={"allow_pull": False})
    room.catch_up()
    caller = Caller(room, cast.atlas, cast.ops).look().sit()
    new_task()
    room.catch_up()
    room.look()
    assert caller.woken == 0
    edit_project(actor=cast.ada.user, project=cast.ops, changes={"allow_pull": True})
    room.catch_up()
    assert caller.woken == 1


def test_agent_that_was_woken_for_nothing_keeps_its_place_and_the_next_is_woken(cast, room, new_task, monkeypatch):
    monkeypatch.setattr("tasks.waiting.work.PAUSE_SECONDS", 0)
    callers = many(cast, room, 3)
    new_task()
    room.catch_up()
    room.look()
    callers[0].look().sit()
    room.look()
    assert woken(callers) == [0, 1]
    callers[1].look().sit()
    room.look()
    callers[2].look().sit()
    room.look()
    # All have tried; it is the turn of the first again.
    assert [caller.woken for caller in callers] == [2, 1, 1]


def test_task_that_could_not_be_claimed_is_left_alone_for_a_while(cast, room, new_task, monkeypatch):
    monkeypatch.setattr("tasks.waiting.work.PAUSE_SECONDS", 3600)
    callers = many(cast, room, 2)
    new_task()
    room.catch_up()
    room.look()
    callers[0].look().sit()
    room.look()
    assert woken(callers) == [0]


def test_news_of_a_task_ends_its_pause(cast, room, new_task, monkeypatch):
    monkeypatch.setattr("tasks.waiting.work.PAUSE_SECONDS", 3600)
    callers = many(cast, room, 2)
    task = new_task()
    room.catch_up()
    room.look()
    callers[0].look().sit()
    assignments.assign_task(actor=cast.ada.user, task=task, agents=[callers[1].agent])
    room.catch_up()
    room.look()
    assert woken(callers) == [0, 1]


def test_task_claimed_by_another_is_let_go_of(cast, room, new_task, monkeypatch):
    monkeypatch.setattr("tasks.waiting.work.PAUSE_SECONDS", 0)
    callers = many(cast, room, 2)
    task = new_task()
    room.catch_up()
    room.look()
    claims.claim_task(actor=cast.atlas.user, task=task)
    callers[0].look().sit()
    room.look()
    assert woken(callers) == [0]


def test_task_left_by_a_client_that_went_away_goes_to_the_next(cast, room, new_task):
    callers = many(cast, room, 2)
    new_task()
    room.catch_up()
    room.look()
    callers[0].seat.leave()
    room.look()
    assert woken(callers) == [0, 1]


def test_who_has_left_is_not_woken(cast, room, new_task):
    callers = many(cast, room, 2)
    callers[0].seat.leave()
    new_task()
    room.catch_up()
    room.look()
    assert woken(callers) == [1]
    assert len(room) == 1


def test_news_between_look_and_waiting_is_not_lost(cast, room, new_task):
    caller = Caller(room, cast.atlas, cast.ops).look()
    new_task()
    room.catch_up()
    room.look()
    caller.sit()
    room.look()
    assert caller.woken == 1


def test_caller_that_looked_before_the_listening_began_looks_again(cast, room):
    room._listen = lambda: None
    room._joined.clear()
    caller = Caller(room, cast.atlas, cast.ops).look()
    room._joined.set()
    caller.sit()
    assert caller.woken == 1
    caller.look().sit()
    assert caller.woken == 1


def test_more_news_than_is_remembered_lets_the_caller_look_again(cast, room, new_task, monkeypatch):
    room._news = rooms.deque(maxlen=1)
    caller = Caller(room, cast.atlas, cast.ops).look()
    new_task(project=cast.other)
    new_task(project=cast.other)
    room.catch_up()
    caller.sit()
    assert caller.woken == 1
    caller.look().sit()
    assert caller.woken == 1


def test_agent_whose_skills_change_looks_again(cast, room):
    atlas, bert = Caller(room, cast.atlas, cast.ops).look().sit(), Caller(room, cast.bert, cast.ops).look().sit()
    edit_agent(actor=cast.ada.user, agent=cast.bert, changes={}, skills=[("python", 5)])
    room.catch_up()
    assert (atlas.woken, bert.woken) == (0, 1)


def test_agent_that_loses_its_membership_looks_again(cast, room):
    caller = Caller(room, cast.atlas, cast.ops).look().sit()
    remove_member(actor=cast.ada.user, project=cast.ops, user=cast.atlas.user)
    room.catch_up()
    assert caller.woken == 1


def test_agent_that_joins_another_project_looks_again(cast, room):
    caller = Caller(room, cast.atlas, cast.ops).look().sit()
    set_member(actor=cast.root, project=cast.other, user=cast.atlas.user, role=Role.WORKER)
    room.catch_up()
    assert caller.woken == 1


def test_look_around_finds_what_no_news_reported(cast, room, new_task):
    caller = Caller(room, cast.atlas, cast.ops).look().sit()
    task = new_task(start_after=clock.now() + timedelta(hours=1))
    room.catch_up()
    room.look()
    # Its time comes, and no engine runs.
    Task.objects.filter(pk=task.pk).update(deferred_until=clock.now() - timedelta(seconds=1))
    room.look()
    assert caller.woken == 0
    room._look_around()
    room.look()
    assert caller.woken == 1


def test_look_around_takes_projects_in_turn(cast, room, new_task, monkeypatch):
    monkeypatch.setattr("tasks.waiting.work.PROJECTS_AROUND", 1)
    join(cast.other, cast.atlas.user, Role.WORKER)
    new_task(project=cast.other)
    room.catch_up()
    caller = Caller(room, cast.atlas, cast.ops, cast.other).look().sit()
    room._look_around()
    room.look()
    room._look_around()
    room.look()
    assert caller.woken == 1


@pytest.mark.parametrize("seed", range(8))
def test_room_and_claim_agree_on_who_may_take_what(cast, new_task, seed):
    dice = random.Random(seed)
    projects = [cast.ops, cast.other]
    edit_project(actor=cast.root, project=cast.other, changes={"allow_pull": dice.random() < 0.5})
    cast.other.refresh_from_db()
    agents = [
        make_agent(f"agent-{number}", skills={name: dice.randint(1, 5) for name in dice.sample(["a", "b", "c"], k=2)})
        for number in range(5)
    ]
    for agent in agents:
        for project in projects:
            join(project, agent.user, Role.WORKER)
    made = []
    for _ in range(20):
        task = new_task(
            project=dice.choice(projects),
            actor=cast.root,
            required_skills=[
                (name, dice.randint(1, 5)) for name in dice.sample(["a", "b", "c"], k=dice.choice([0, 0, 1, 2]))
            ],
            start_after=clock.now() + timedelta(hours=dice.choice([-1, 1])) if dice.random() < 0.3 else None,
        )
        if dice.random() < 0.3:
            assignments.assign_task(actor=cast.root, task=task, agents=dice.sample(agents, k=dice.choice([1, 2])))
        if dice.random() < 0.2:
            Task.objects.filter(pk=task.pk).update(status=Status.CANCELLED)
        made.append(task.pk)
    room = StillRoom()
    proposed, claimable = set(), set()
    for agent in agents:
        mine = [project for project in projects if dice.random() < 0.8]
        seat = room.seat(agent=agent, projects=mine, limit=1)
        levels = dict(agent.skills.values_list("skill_id", "level"))
        proposed |= {(agent.slug, task.id) for task in read_ready(made, seat.projects) if task.is_for(seat, levels)}
        now = clock.now()
        tasks = picking.assigned_tasks(agent, mine, now).in_bulk()
        for project in mine:
            if project.allow_pull:
                tasks |= picking.pool_tasks(agent, project, now).in_bulk()
        claimable |= {(agent.slug, pk) for pk in tasks}
    assert proposed == claimable
    assert proposed


def test_no_run_is_made_by_the_room(cast, room, new_task):
    many(cast, room, 2)
    new_task()
    room.catch_up()
    room.look()
    assert not Run.objects.exists()


# An agent that asks again


def again(caller):
    """The agent's next call, begun at once after this one waited in vain."""
    caller.seat.leave()
    return Caller(caller.room, caller.agent, *caller.projects, limit=caller.limit).look()


def test_agent_that_asks_again_keeps_its_place_and_need_not_look(cast, room, new_task):
    first, second = many(cast, room, 2)
    next_call = again(first)
    assert next_call.seat.has_looked
    next_call.sit()
    new_task()
    room.catch_up()
    room.look()
    assert (next_call.woken, second.woken) == (1, 0)


def test_agent_that_asks_again_is_woken_by_what_came_between(cast, room, new_task):
    caller = Caller(room, cast.atlas, cast.ops).look().sit()
    caller.seat.leave()
    new_task()
    room.catch_up()
    room.look()
    next_call = Caller(room, cast.atlas, cast.ops).look()
    assert next_call.seat.has_looked
    next_call.sit()
    room.look()
    assert next_call.woken == 1


def test_agent_that_left_before_news_was_looked_at_looks_itself(cast, room, new_task):
    caller = Caller(room, cast.atlas, cast.ops).look().sit()
    new_task()
    room.catch_up()
    assert not again(caller).seat.has_looked


def test_agent_that_was_woken_looks_itself_in_its_next_call(cast, room, new_task):
    caller = Caller(room, cast.atlas, cast.ops).look().sit()
    new_task()
    room.catch_up()
    room.look()
    assert caller.woken == 1
    assert not again(caller).seat.has_looked


def test_agent_that_asks_for_other_projects_looks_itself(cast, room):
    join(cast.other, cast.atlas.user, Role.WORKER)
    caller = Caller(room, cast.atlas, cast.ops).look().sit()
    caller.seat.leave()
    assert not Caller(room, cast.atlas, cast.ops, cast.other).look().seat.has_looked


@pytest.mark.parametrize("name", ["RESUME_SECONDS", "LOOK_ITSELF_SECONDS"])
def test_agent_looks_itself_after_a_while(cast, room, monkeypatch, name):
    monkeypatch.setattr(f"tasks.waiting.work.{name}", -1)
    assert not again(Caller(room, cast.atlas, cast.ops).look().sit()).seat.has_looked


def test_room_that_failed_to_look_looks_again(cast, monkeypatch, caplog):
    room = WorkRoom()
    looks = iter([RuntimeError("Nobody expected this."), None])

    def look():
        if (error := next(looks)) is not None:
            raise error

    # Once for each look, and then the thread may end.
    turns = iter([True, True, False])
    monkeypatch.setattr(room, "_wait_for_something", lambda: next(turns))
    monkeypatch.setattr(room, "_look_around", lambda: None)
    monkeypatch.setattr(room, "_look", look)
    monkeypatch.setattr("tasks.waiting.work.RETRY_SECONDS", 0)
    in_thread(room._run).join(10)
    assert next(looks, "no more") == "no more"
    assert "Nobody expected this." in caplog.text
