"""What a declaration of a verb says."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from tasks.transitions import TRANSITIONS, Status
from tasks.verbs.fields import Agents, Field, Person, object_schema


class On(Enum):
    """What a verb is used on."""

    TASK = "task"
    #: A run, by its holder: addressed and fenced by its secret id.
    RUN = "run"
    #: A run that has ended, by its number.
    ENDED_RUN = "ended run"
    #: An instruction or stop, by the id of the message.
    MESSAGE = "message"
    #: A follow-up that a run proposed, by its id.
    FOLLOW_UP = "proposal"
    #: A question, by its id.
    QUESTION = "question"
    #: Several tasks or runs together, because they affect each other.
    MANY = "many"


class Door(Enum):
    """Where a verb is offered."""

    API = "api"
    PAGE = "page"
    BOARD = "board"
    ADMIN = "admin"
    BULK = "bulk"


class Need(Enum):
    """What must be true, besides the status and the right, before a page offers a verb. The verb itself decides."""

    READY = "nothing blocks the task and it is neither on hold nor deferred"
    ON_HOLD = "the task is on hold"
    NOT_ON_HOLD = "the task is not on hold"
    MAY_TAKE = "the caller is a person who is assigned to the task or may take it"
    PERSON = "a person works in the project"
    ASSIGNEE = "the task is assigned to the caller"
    ASSIGNED = "the task is assigned to somebody"
    NOBODY_ASSIGNED = "the task is assigned to nobody"
    HELD_BY_ANOTHER = "the caller does not hold the run"


class Answer(Enum):
    """What the API returns: the task, the task with what became ready, the run, the run in brief, the decision, the
    questions asked with the run in brief, the question.
    """

    TASK = "task"
    FINISHED = "finished"
    RUN = "run"
    BRIEF = "brief"
    DECISION = "decision"
    ASKED = "asked"
    QUESTION = "question"


@dataclass(frozen=True, kw_only=True, eq=False)
class Verb:
    """One verb. ``{}`` in its words stands for what it is used on, such as ``OPS-1`` or ``3 tasks``.

    ``label`` is the button, ``submit`` the one that sends its form, where that is not the same; ``doing`` and ``done``
    as in "Request changes to {}", "Requested changes to {}"; ``passive`` as in "cannot be *sent back*"; ``help`` is one
    or two sentences that say what it does, ``in_api`` what the description of the API says besides.

    ``row`` is its move in the table of transitions, if it moves a status; a verb that does not lists the statuses in
    which it may be used as ``sources``. ``right`` is the verb passed to ``tasks.permissions.may``, if it differs from
    the row.

    ``standing``: its form is always open on the task's page. ``confirm``: asks for confirmation even if it requires no
    input. ``on_board`` is the board's button, if moving a card means more than the label says.
    """

    name: str
    label: str
    doing: str
    done: str
    passive: str
    help: str = ""
    in_api: str = ""
    on: On = On.TASK
    row: str | None = None
    sources: frozenset[Status] = frozenset()
    right: str = ""
    fields: tuple[Field, ...] = ()
    doors: frozenset[Door] = frozenset()
    needs: frozenset[Need] = frozenset()
    standing: bool = False
    confirm: bool = False
    primary: bool = False
    danger: bool = False
    icon: str = "check"
    submit: str = ""
    on_board: str = ""
    tag: str = "tasks"
    answer: Answer = Answer.TASK
    #: Whether the API's path is made from the name: ``tasks/{ref}/approve``, ``runs/{id}/fail``.
    regular: bool = True
    #: Its name in the API's description, if it differs from the key.
    operation: str = ""
    example: dict[str, Any] | None = None

    @property
    def key(self) -> str:
        """Unique among all verbs: ``release_task`` and ``release_run`` have one name, and one row."""
        return f"{self.name}_{self.on.value.replace(' ', '_')}"

    @property
    def statuses(self) -> frozenset[Status]:
        """The statuses in which the verb may be used."""
        return TRANSITIONS[self.row].sources if self.row else self.sources

    @property
    def targets(self) -> frozenset[Status]:
        """The statuses that it may lead to; empty for a verb that moves no status."""
        return TRANSITIONS[self.row].targets if self.row else frozenset()

    @property
    def sent_by(self) -> str:
        return self.submit or self.label

    def to(self, what: str) -> str:
        """As in "cannot *request changes to OPS-1*"."""
        words = self.doing.replace("{}", what, 1)
        return words[0].lower() + words[1:]

    def did(self, what: str) -> str:
        """As in "*Requested changes to OPS-1*"."""
        return self.done.replace("{}", what, 1)

    @property
    def needs_right(self) -> str:
        """The verb passed to ``tasks.permissions.may``; empty if only the needs count."""
        return self.right or self.row or ""

    @property
    def requires(self) -> bool:
        """Whether it requires input."""
        return any(field.required for field in self.fields)

    @property
    def asks(self) -> bool:
        """Whether it is not done at once: it requires input or confirmation."""
        return self.confirm or self.requires

    @property
    def typed(self) -> tuple[Field, ...]:
        """The fields that a form can show; agents are chosen on a separate page."""
        return tuple(field for field in self.fields if field.by_hand)

    @property
    def agents(self) -> Agents | None:
        """The field that chooses agents, if there is one."""
        return next((field for field in self.fields if isinstance(field, Agents)), None)

    @property
    def person(self) -> Person | None:
        """The field that chooses one person, if there is one."""
        return next((field for field in self.typed if isinstance(field, Person)), None)

    def schema(self) -> dict[str, Any]:
        """The input of the verb as JSON Schema."""
        return object_schema(self.fields)

    def problems(self, values: dict[str, Any]) -> dict[str, str]:
        """What is wrong with these values, a sentence per field; a field that is not given is None."""
        problems = {field.name: field.problem(values.get(field.name)) for field in self.fields}
        return {name: problem for name, problem in problems.items() if problem}


def listed(verbs: Iterable[Verb]) -> dict[str, Verb]:
    """``verbs`` by key. Raises ``AssertionError`` if two share one."""
    by_key: dict[str, Verb] = {}
    for verb in verbs:
        assert verb.key not in by_key, f"{verb.key} is declared twice."
        assert verb.row is None or verb.row in TRANSITIONS, f"{verb.key}: the table has no row {verb.row!r}."
        assert verb.row or verb.sources, f"{verb.key} declares no status in which it may be used."
        by_key[verb.key] = verb
    return by_key
