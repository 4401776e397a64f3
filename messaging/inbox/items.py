"""An item of the inbox as every door shows it: what needs the reader, why, since when, and what they can do."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db.models import TextChoices

from messaging.inbox.urgency import level_of
from tasks.models import Artifact, Project, Task

if TYPE_CHECKING:
    from messaging.inbox.sources.source import Source


class Group(TextChoices):
    """What the page filters by."""

    QUESTIONS = "questions", "Questions"
    REVIEWS = "reviews", "Reviews"
    TROUBLE = "trouble", "Trouble"
    MESSAGES = "messages", "Messages"


class Scope(TextChoices):
    """Whom it concerns first."""

    MINE = "mine", "Mine"
    TEAM = "team", "My team's"


class State(TextChoices):
    ACTIVE = "active", "Inbox"
    SNOOZED = "snoozed", "Snoozed"
    ARCHIVED = "archived", "Archived"


@dataclass(frozen=True)
class Action:
    """Something that the reader can do about an item, as a call of the API and as a button.

    ``verb``: the declared verb behind it, used on the task ``ref``, with the number of the ``run`` where it needs one.
    """

    name: str
    label: str
    path: str
    verb: str = ""
    ref: str = ""
    run: int | None = None
    #: What the body of the call must contain.
    needs: tuple[str, ...] = ()
    method: str = "POST"

    @property
    def on_task(self) -> bool:
        return bool(self.verb)


def use(verb: Any, ref: str, run: int | None = None) -> Action:
    """Using a declared verb on the task ``ref``."""
    path = f"/tasks/{ref}/{verb.name}" if run is None else f"/tasks/{ref}/runs/{run}/{verb.name}"
    needs = tuple(each.name for each in verb.fields if each.required)
    return Action(verb.name, verb.label, f"/api/v1{path}", verb.key, ref, run, needs)


@dataclass(frozen=True)
class Head:
    """The place of an item in the order of the inbox. ``until``: how long it is snoozed."""

    source: str
    key: int
    since: datetime
    score: int


@dataclass
class Item:
    """``title``, ``text`` and whatever ``row`` holds are untrusted. ``row``: the question, run, message… itself."""

    source: "Source"
    head: Head
    name: str
    project: Project
    title: str
    why: str
    task: Task | None = None
    because: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    text: str = ""
    row: Any = None
    #: What the run handed over for the review; names and addresses are untrusted.
    artifacts: list[Artifact] = field(default_factory=list)
    #: The name of the conversation that it is part of.
    conversation: str = ""
    until: datetime | None = None
    state: State = State.ACTIVE

    #: How many of the others are named.
    NAMED = 3

    @property
    def since(self) -> datetime:
        return self.head.since

    @property
    def level(self) -> str:
        return level_of(self.head.score)

    @property
    def place(self) -> str:
        return self.source.place_of(self)

    @property
    def ref(self) -> str:
        return self.task.ref if self.task is not None else ""

    @property
    def named_others(self) -> list[str]:
        return self.others[: self.NAMED]

    @property
    def more_others(self) -> int:
        return max(len(self.others) - self.NAMED, 0)
