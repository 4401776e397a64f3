"""The standing cast of all tests, loaded as a pytest plugin.

``ops`` is a project with a manager (ada), a reviewer (rita), a viewer (vera), a human worker (hugo) and two LLM agents
(atlas, bert), which it owns; ``other`` is a project that none of them belongs to, with a manager (mona) and its own
agent (zed).
"""

import itertools
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User

from tasks.actions.tasks import NewTask, create_task
from tasks.models import Agent, AgentKind, AgentSkill, Membership, Project, Role, Run, Skill, Task
from tasks.presence import presence


def make_user(name: str, **kwargs) -> User:
    return User.objects.create_user(username=name, password=None, **kwargs)


def make_agent(
    slug: str, *, kind=AgentKind.LLM, capacity=10, skills: dict[str, int] | None = None, owner: Project | None = None
) -> Agent:
    agent = Agent.objects.create(
        user=make_user(slug),
        slug=slug,
        name=slug.capitalize(),
        kind=kind,
        max_concurrent=capacity,
        owner_project=owner,
    )
    for name, level in (skills or {}).items():
        skill, _ = Skill.objects.get_or_create(name=name)
        AgentSkill.objects.create(agent=agent, skill=skill, level=level)
    return agent


def join(project: Project, user: User, role: Role) -> None:
    Membership.objects.create(project=project, user=user, role=role)


#: Everyone by name: what they are in OPS and in OTHER, and what kind of agent, if any.
OPS_ROLES = {
    "ada": Role.MANAGER, "rita": Role.REVIEWER, "hugo": Role.WORKER, "vera": Role.VIEWER, "atlas": Role.WORKER,
    "bert": Role.WORKER,
}  # fmt: skip
OTHER_ROLES = {"mona": Role.MANAGER, "zed": Role.WORKER}
USERS = ("root", "ada", "rita", "hugo", "vera", "atlas", "bert", "mona", "zed")
HUMAN_AGENTS, LLM_AGENTS = ("ada", "rita", "hugo", "mona"), ("atlas", "bert", "zed")
STAFF = ("root", "ada", "mona")
SKILLS = {"atlas": {"python": 4, "docs": 2}, "bert": {"docs": 3}}


@pytest.fixture(autouse=True)
def _presence_waits_for_its_flush():
    """Who was seen is written when a test says so: another thread would not see the test's rows."""
    presence.writes_behind = False
    presence.forget()


@pytest.fixture
def cast(db):
    """The whole cast by name; the user of an agent is its ``.user``, everyone else is a user."""
    # Most tests begin here: one statement per table, not forty.
    ops, other = Project.objects.bulk_create(
        [Project(key="OPS", name="Operations"), Project(key="OTHER", name="Somewhere else")]
    )
    users = {
        name: User(username=name, password=make_password(None), is_staff=name in STAFF, is_superuser=name == "root")
        for name in USERS
    }
    User.objects.bulk_create(users.values())
    kinds = dict.fromkeys(HUMAN_AGENTS, AgentKind.HUMAN) | dict.fromkeys(LLM_AGENTS, AgentKind.LLM)
    agents = {
        name: Agent(
            user=users[name],
            slug=name,
            name=name.capitalize(),
            kind=kinds[name],
            max_concurrent=10,
            owner_project=(ops if name in OPS_ROLES else other) if kinds[name] == AgentKind.LLM else None,
        )
        for name in USERS
        if name in kinds
    }
    Agent.objects.bulk_create(agents.values())
    skills = {name: Skill(name=name) for name in ("python", "docs")}
    Skill.objects.bulk_create(skills.values())
    AgentSkill.objects.bulk_create(
        AgentSkill(agent=agents[slug], skill=skills[name], level=level)
        for slug, levels in SKILLS.items()
        for name, level in levels.items()
    )
    Membership.objects.bulk_create(
        Membership(project=project, user=users[name], role=role)
        for project, roles in ((ops, OPS_ROLES), (other, OTHER_ROLES))
        for name, role in roles.items()
    )
    return SimpleNamespace(ops=ops, other=other, **users | agents)


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
