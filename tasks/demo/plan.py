"""The demo project: a small plan with dependencies, and the agents that work on it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import transaction

from tasks import clock
from tasks.actions.agents import create_agent, create_skill, create_token, revoke_token
from tasks.actions.projects import create_project, set_member
from tasks.actions.tasks import NewTask, create_task
from tasks.demo.lines import ASKS, FLAKY, HOPELESS
from tasks.models import Agent, AgentKind, AgentToken, AssignmentMode, Priority, Project, Role, Skill, Task
from tasks.transitions import Status

if TYPE_CHECKING:
    from django.contrib.auth.models import User

PROJECT_KEY = "DEMO"
GUEST = "guest"
AGENT_PREFIX = "demo-"
MOST_AGENTS = 50

SKILLS = {
    "python": "Server code",
    "sql": "Queries and data models",
    "frontend": "Pages in the browser",
    "design": "How the pages look and read",
    "testing": "Finding what breaks",
    "docs": "Writing for people",
    "ops": "Running it",
}

#: What the demo agents are good at, in turn; every other skill is at level 2.
PROFILES: list[tuple[str, dict[str, int]]] = [
    ("Demo coder", {"python": 5, "sql": 4, "testing": 3}),
    ("Demo tester", {"testing": 5, "frontend": 4, "design": 3}),
    ("Demo writer", {"docs": 5, "design": 4, "ops": 4}),
]


@dataclass(frozen=True)
class Planned:
    """A task of the plan; ``after`` and ``parent`` name others by key."""

    key: str
    title: str
    description: str = ""
    priority: int = Priority.NORMAL
    needs: tuple[tuple[str, int], ...] = ()
    after: tuple[str, ...] = ()
    parent: str | None = None
    labels: tuple[str, ...] = ()
    criteria: tuple[str, ...] = ()
    minutes: int | None = None
    due_in: timedelta | None = None
    review: bool = False
    for_guest: bool = False


LOW, NORMAL, HIGH, URGENT = Priority.LOW, Priority.NORMAL, Priority.HIGH, Priority.URGENT

PLAN: list[Planned] = [
    Planned(
        "scope",
        "Write down what the first release of tour booking contains",
        "One page: what a guest can do, what the office can do, and what is left for later.",
        HIGH,
        (("docs", 2),),
        labels=("planning",),
        criteria=("Fits on one page", "Names what is left out"),
        minutes=60,
    ),
    Planned(
        "export",
        "Collect last season's tours from the spreadsheets",
        "Twelve files, one per month; the columns changed in June.",
        HIGH,
        (("sql", 2),),
        labels=("data",),
        minutes=90,
    ),
    Planned(
        "booking",
        "Guests can book a tour online",
        "Everything from the list of tours to the ticket in the mail; its subtasks are the parts.",
        HIGH,
        labels=("booking",),
        due_in=timedelta(days=14),
        minutes=30,
    ),
    Planned(
        "model",
        "Model tours, dates, seats and bookings",
        "Two guests must never get the same last seat.",
        URGENT,
        (("python", 3), ("sql", 3)),
        ("scope",),
        "booking",
        ("booking", "data"),
        ("No date can be overbooked", "A booking can be undone"),
        120,
    ),
    Planned(
        "import",
        "Import last season's tours",
        "",
        NORMAL,
        (("python", 2),),
        ("export", "model"),
        labels=("data",),
        criteria=("Every row is either imported or listed with the reason",),
        minutes=60,
    ),
    Planned(
        "search",
        "Search tours by date, length and group size",
        "",
        HIGH,
        (("python", 3),),
        ("model",),
        "booking",
        ("booking",),
        minutes=90,
    ),
    Planned(
        "sketch",
        "Sketch the booking pages",
        "Phone first: most guests book on the pier.",
        NORMAL,
        (("design", 3),),
        ("scope",),
        labels=("pages",),
        minutes=90,
    ),
    Planned(
        "pages",
        "Build the booking pages",
        "",
        HIGH,
        (("frontend", 3),),
        ("sketch", "search"),
        "booking",
        ("booking", "pages"),
        ("Usable at 360 pixels", "Usable with the keyboard alone"),
        180,
    ),
    Planned(
        "payment",
        "Take payments through the bank's test account",
        "",
        HIGH,
        (("python", 4),),
        ("model",),
        "booking",
        ("booking",),
        ("A payment sent twice is charged once",),
        150,
        due_in=timedelta(days=7),
    ),
    Planned(
        "ticket",
        "Send the ticket by mail, with a code to scan",
        "",
        NORMAL,
        (("python", 2), ("docs", 2)),
        ("payment",),
        "booking",
        ("booking",),
        minutes=60,
    ),
    Planned("office", "Show the office today's bookings", "", NORMAL, (("frontend", 2),), ("search",), minutes=60),
    Planned(
        "seats",
        "Try to sell one seat twice",
        "Two hundred clients at once, one seat.",
        URGENT,
        (("testing", 3),),
        ("payment",),
        labels=("booking",),
        criteria=("Exactly one booking remains",),
        minutes=60,
    ),
    Planned(
        "refund",
        "Write the rules for refunds",
        "Storm, illness, a guest who is late: who gets what back?",
        NORMAL,
        (("docs", 4),),
        labels=("planning",),
        minutes=45,
        review=True,
    ),
    Planned("faq", "Answer the guests' ten most frequent questions", "", LOW, (("docs", 2),), ("refund",), minutes=45),
    Planned("hosting", "Prepare the server and its backups", "", NORMAL, (("ops", 3),), labels=("ops",), minutes=90),
    Planned(
        "restore",
        "Restore a backup on an empty machine",
        "",
        HIGH,
        (("ops", 2),),
        ("hosting",),
        labels=("ops",),
        criteria=("The steps are documented",),
        minutes=60,
    ),
    Planned("load", "Measure the search with 50,000 tours", "", LOW, (("sql", 2),), ("search", "import"), minutes=45),
    Planned(
        "words",
        "Word every error so that guests understand it",
        "",
        NORMAL,
        (("design", 2), ("docs", 2)),
        ("pages",),
        minutes=45,
        review=True,
    ),
    Planned(
        "release",
        "Release to the first hundred guests",
        "",
        HIGH,
        (("ops", 2),),
        ("booking", "seats", "restore"),
        labels=("ops",),
        minutes=30,
        due_in=timedelta(days=21),
    ),
    Planned(
        "guests",
        "Write to last season's guests",
        "They booked by telephone. The agent that gets this asks you something first, and it waits for your answer.",
        NORMAL,
        (("docs", 2),),
        labels=("pages", ASKS),
        minutes=30,
    ),
    Planned(
        "weather",
        "Show the weather on the page of each tour",
        "The service is often away: the first runs fail, and the task comes back after a pause.",
        NORMAL,
        (("python", 2),),
        labels=("pages", FLAKY),
        minutes=45,
    ),
    Planned(
        "fax",
        "Read the bookings in the fax archive",
        "Nobody can read them any more. It fails, and you decide what becomes of it.",
        LOW,
        (("sql", 2),),
        labels=("data", HOPELESS),
        minutes=45,
    ),
    Planned(
        "name",
        "Find three names for the sunset tour",
        "This one waits for you: claim it with the guest's token, and complete it.",
        NORMAL,
        labels=("yours",),
        criteria=("Three names, none longer than four words",),
        minutes=10,
        due_in=timedelta(minutes=2),
        for_guest=True,
    ),
    Planned(
        "greeting",
        "Write the greeting of the booking page",
        "This one waits for you too.",
        LOW,
        labels=("yours",),
        minutes=10,
        for_guest=True,
    ),
]


@transaction.atomic
def create_demo(*, admin: "User | None", agents: int) -> Project:
    """Create the demo project with its plan, ``agents`` demo agents and the guest; all of it or nothing."""
    project = create_project(
        actor=admin,
        key=PROJECT_KEY,
        name="Harbour tours",
        description="The demo: a small company takes the booking of its boat tours online.",
        mode=AssignmentMode.AUTO,
        allow_pull=False,
        workers_create=True,
        stalled_after_seconds=120,
    )
    create_demo_agents(project, agents)
    guest = create_agent(
        actor=None, slug=GUEST, name="Guest", max_concurrent=2, skills=[("docs", 3), ("python", 3)], owner=project
    )
    set_member(actor=None, project=project, user=guest.user, role=Role.WORKER)
    _create_tasks(admin, project, guest)
    return project


@transaction.atomic
def tell_again(*, admin: "User | None", project: Project) -> bool:
    """Add the tasks of the plan once more; what is there stays. False if agents still work on the last ones."""
    project = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    guest = Agent.objects.get(slug=GUEST)
    tasks = Task.objects.filter(project=project)
    busy = tasks.filter(status=Status.IN_PROGRESS) | tasks.ready()
    if busy.exclude(pk__in=tasks.assigned_to(guest)).exists():
        return False
    _create_tasks(admin, project, guest)
    return True


def _create_tasks(admin: "User | None", project: Project, guest: Agent) -> None:
    created: dict[str, Task] = {}
    now = clock.now()
    for planned in PLAN:
        new = NewTask(
            title=planned.title,
            description=planned.description,
            priority=planned.priority,
            labels=planned.labels,
            required_skills=planned.needs,
            depends_on=[created[key] for key in planned.after],
            parent=created[planned.parent] if planned.parent else None,
            criteria=list(planned.criteria),
            estimate_minutes=planned.minutes,
            due_at=now + planned.due_in if planned.due_in else None,
            review_required=planned.review,
            assignees=[guest] if planned.for_guest else [],
        )
        created[planned.key] = create_task(actor=admin, project=project, new=new)


@transaction.atomic
def create_demo_agents(project: Project, count: int) -> list[Agent]:
    """The agents ``demo-1`` to ``demo-count``, members of ``project``; those that are missing are created."""
    known = set(Skill.objects.values_list("name", flat=True))
    for name, description in SKILLS.items():
        if name not in known:
            create_skill(actor=None, name=name, description=description)
    agents = []
    for number in range(1, count + 1):
        slug = f"{AGENT_PREFIX}{number}"
        agent = Agent.objects.select_related("user").filter(slug=slug).first()
        if agent is None:
            title, strengths = PROFILES[(number - 1) % len(PROFILES)]
            skills = dict.fromkeys(SKILLS, 2) | strengths
            agent = create_agent(
                actor=None,
                slug=slug,
                name=f"{title} {number}",
                kind=AgentKind.LLM,
                skills=list(skills.items()),
                owner=project,
            )
        if not agent.user.memberships.filter(project=project).exists():
            set_member(actor=None, project=project, user=agent.user, role=Role.WORKER)
        agents.append(agent)
    return agents


@transaction.atomic
def fresh_tokens(agents: list[Agent], *, name: str, replace: bool = False) -> list[tuple[AgentToken, str]]:
    """A new token called ``name`` for each agent, valid for a day; ``replace`` revokes the older ones of that name.

    Who replaces must be the only one that uses ``name``: the agents that work with the older tokens stop.
    """
    if replace:
        old = AgentToken.objects.filter(agent__in=agents, name=name, revoked_at__isnull=True)
        for token in old.select_related("agent"):
            revoke_token(actor=None, token=token)
    expires_at = clock.now() + timedelta(days=1)
    return [create_token(actor=None, agent=agent, name=name, expires_at=expires_at) for agent in agents]


def revoke(tokens: list[AgentToken]) -> None:
    for token in tokens:
        revoke_token(actor=None, token=token)
