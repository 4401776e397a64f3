"""The standing cast of all tests, loaded as a pytest plugin.

``ops`` is a project with a manager (ada), a reviewer (rita), a viewer (vera), a human worker (hugo) and two LLM agents
(atlas, bert); ``other`` is a project that none of them belongs to, with a manager (mona) and an agent (zed).
"""

import itertools
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import User

from tasks.actions.tasks import NewTask, create_task
from tasks.models import Agent, AgentKind, AgentSkill, Membership, Project, Role, Run, Skill, Task


def make_user(name: str, **kwargs) -> User:
    return User.objects.create_user(username=name, password=None, **kwargs)


def make_agent(slug: str, *, kind=AgentKind.LLM, capacity=10, skills: dict[str, int] | None = None) -> Agent:
    agent = Agent.objects.create(
        user=make_user(slug), slug=slug, name=slug.capitalize(), kind=kind, max_concurrent=capacity
    )
    for name, level in (skills or {}).items():
        skill, _ = Skill.objects.get_or_create(name=name)
        AgentSkill.objects.create(agent=agent, skill=skill, level=level)
    return agent


def join(project: Project, user: User, role: Role) -> None:
    Membership.objects.create(project=project, user=user, role=role)


@pytest.fixture
def cast(db):
    """The whole cast by name; the user of an agent is its ``.user``, everyone else is a user."""
    ops = Project.objects.create(key="OPS", name="Operations")
    other = Project.objects.create(key="OTHER", name="Somewhere else")
    root = make_user("root", is_staff=True, is_superuser=True)
    ada = make_agent("ada", kind=AgentKind.HUMAN)
    ada.user.is_staff = True
    ada.user.save()
    rita = make_agent("rita", kind=AgentKind.HUMAN)
    hugo = make_agent("hugo", kind=AgentKind.HUMAN)
    vera = make_user("vera")
    atlas = make_agent("atlas", skills={"python": 4, "docs": 2})
    bert = make_agent("bert", skills={"docs": 3})
    mona = make_agent("mona", kind=AgentKind.HUMAN)
    mona.user.is_staff = True
    mona.user.save()
    zed = make_agent("zed")
    join(ops, ada.user, Role.MANAGER)
    join(ops, rita.user, Role.REVIEWER)
    join(ops, hugo.user, Role.WORKER)
    join(ops, vera, Role.VIEWER)
    join(ops, atlas.user, Role.WORKER)
    join(ops, bert.user, Role.WORKER)
    join(other, mona.user, Role.MANAGER)
    join(other, zed.user, Role.WORKER)
    return SimpleNamespace(
        ops=ops, other=other, root=root, ada=ada, rita=rita, hugo=hugo, vera=vera, atlas=atlas, bert=bert,
        mona=mona, zed=zed,
    )  # fmt: skip


@pytest.fixture
def new_task(cast):
    """A factory: ``new_task("title", priority=…, depends_on=[…])`` → Task in OPS, created by ada."""
    numbers = itertools.count(1)

    def create(title: str | None = None, *, project: Project | None = None, actor=None, **fields) -> Task:
        new = NewTask(title=title or f"Task {next(numbers)}", **fields)
        return create_task(
            actor=actor or (cast.ada.user if project is None else cast.root), project=project or cast.ops, new=new
        )

    return create


@pytest.fixture
def let_lease_end():
    """``let_lease_end(run)``: move the run's lease into the past, as if its holder had gone silent."""

    def end(run: Run) -> None:
        Run.objects.filter(pk=run.pk).update(lease_expires_at=run.started_at - timedelta(seconds=1))

    return end
