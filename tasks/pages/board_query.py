"""What the board is asked for: its projects, and a condition in the language of the list, read from the address."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.http import Http404, HttpRequest, QueryDict
from django.urls import reverse

from taskproject.errors import Invalid, unknown_choice
from tasks.conditions import Condition, Context, Leaf, both, compile, parts_of
from tasks.conditions.of_tasks import ME, TASK_FIELDS, TASK_PARAMETERS
from tasks.conditions.parameters import TZ, WHERE, query_of, read_query, read_zone
from tasks.conditions.words import missing, words_of
from tasks.models import Agent, Label, Priority, Project
from tasks.pages.board_lanes import LANES
from tasks.pages.columns import Narrowing
from tasks.pages.filter_bar import Chip
from tasks.pages.list_query import GROUPS
from tasks.permissions import agent_of
from tasks.transitions import Status
from tasks.viewed import UNASSIGNED, VIEW, say_as_the_list
from tasks.zones import zone_of

REFS: Final = "refs"
#: A page that shows the first steps asks for them with its changes.
FIRST_STEPS: Final = "steps"
GROUP: Final = "group"
_OTHERS: Final = (TZ, GROUP)
#: What the page itself says to the server.
_UNSAID: Final = (VIEW, REFS, FIRST_STEPS)
#: What the form above the board has fields for.
_OF_THE_FORM: Final = ("assignee", "priority", "label", "q")
#: A task has one value of these, so a narrower choice replaces a wider one.
_OF_ONE_VALUE: Final = ("project", "status", "priority")


@dataclass(frozen=True)
class BoardQuery:
    """``projects``: those that are meant, empty for all; ``statuses``: the columns to show; ``kept``: what else its
    addresses keep. ``problems``: a sentence for each part that was not understood, and is left out.
    """

    condition: Condition
    projects: list[Project]
    statuses: list[Status]
    narrowing: Narrowing
    context: Context
    zone: ZoneInfo
    kept: dict[str, str]
    problems: list[str] = field(default_factory=list)

    @property
    def project(self) -> Project | None:
        """The project of the board, if it shows one."""
        return self.projects[0] if len(self.projects) == 1 else None

    @property
    def is_narrowed(self) -> bool:
        return any(not _is_of(part, "project") for part in parts_of(self.condition))

    @property
    def values(self) -> dict[str, str]:
        """What stands in the fields of the form; what does not fit one of them is a chip."""
        stated = query_of(both(*(part for part in parts_of(self.condition) if _fits_the_form(part))), TASK_PARAMETERS)
        shown = {name: stated.get(name, "") for name in _OF_THE_FORM}
        return shown | ({"assignee": UNASSIGNED} if "unassigned" in stated else {})

    @property
    def hidden(self) -> dict[str, str]:
        """The parameters that the form keeps."""
        kept = both(*(part for part in parts_of(self.condition) if not _fits_the_form(part)))
        return {name: value for name, value in self._parameters(kept).items() if name != GROUP}

    @property
    def group(self) -> str:
        """By what the board is in lanes; empty: it is not."""
        return self.kept.get(GROUP, "")

    @property
    def chips(self) -> list[Chip]:
        """What narrows the board besides the form, each with the board without it."""
        parts = parts_of(self.condition)
        return [
            Chip(words_of(part, TASK_FIELDS, zone=self.zone), self._url(both(*parts[:at], *parts[at + 1 :])))
            for at, part in enumerate(parts)
            if not _fits_the_form(part) and not (_is_of(part, "project") and self.project)
        ]

    @property
    def clear_url(self) -> str:
        """The board of the same projects without a filter."""
        return self._url(both(*(part for part in parts_of(self.condition) if _is_of(part, "project"))))

    @property
    def list_url(self) -> str:
        """The same tasks as a list."""
        values = self._parameters(self.condition)
        if self.group not in GROUPS:
            values.pop(GROUP, None)
        return f"{reverse('task_list')}?{urlencode(values)}"

    def list_of(self, *parts: Leaf) -> str:
        """The list of those of the board's tasks that fulfil ``parts``, too."""
        single = {part.field for part in parts if part.operator == "in" and part.field in _OF_ONE_VALUE}
        others = [
            each
            for each in parts_of(self.condition)
            if each not in parts and not any(_is_of(each, name) for name in single)
        ]
        values = query_of(both(*others, *parts), TASK_PARAMETERS)
        values |= {name: value for name, value in self.kept.items() if name == TZ}
        return f"{reverse('task_list')}?{urlencode(values)}"

    @property
    def address(self) -> str:
        """The board with all of its address that was understood."""
        text = self.text
        return f"{reverse('board')}?{text}" if text else reverse("board")

    @property
    def text(self) -> str:
        """As after the ? of its address."""
        return urlencode(self._parameters(self.condition))

    def of_project(self, key: str) -> str:
        """The same board of another project; of all of them without a key."""
        others = [part for part in parts_of(self.condition) if not _is_of(part, "project")]
        return self._url(both(*([Leaf("project", "in", (key,), "project")] if key else []), *others))

    def _parameters(self, condition: Condition) -> dict[str, str]:
        return query_of(condition, TASK_PARAMETERS) | self.kept

    def _url(self, condition: Condition) -> str:
        values = self._parameters(condition)
        return f"?{urlencode(values)}" if values else "?"


def read_board_query(request: HttpRequest, projects: list[Project]) -> BoardQuery:
    """What the address asks for. Raises ``Http404`` for a project that is not among ``projects``, so as not to reveal
    whether it exists."""
    query, problems = _tidied(request.GET), list[str]()
    while True:
        try:
            condition = read_query(query, TASK_FIELDS, TASK_PARAMETERS, others=_OTHERS, unsaid=_UNSAID)
            zone = read_zone(query, zone_of(request))
        except Invalid as mistake:
            problems += mistake.sentences
            _leave_out(query, {name if name in query else WHERE for name in mistake.data["errors"]})
        else:
            break
    kept = {name: str(query[name]) for name in (VIEW, TZ, GROUP) if query.get(name)}
    if kept.get(GROUP, "") not in ("", *LANES):
        problems.append(f"group: {unknown_choice(kept.pop(GROUP), list(LANES), what='group')}")
    chosen, statuses, rest = _split(condition, projects)
    context = Context(request.user, zone)
    problems += missing(both(*rest), TASK_FIELDS, context)
    narrowing = _narrowing(rest, chosen or projects, context)
    return BoardQuery(condition, chosen, statuses, narrowing, context, zone, kept, problems)


def _tidied(query: QueryDict) -> QueryDict:
    """The parameters as the list has them: PostgreSQL accepts no NUL in a text, and the board has words of its own."""
    tidy = QueryDict(mutable=True)
    for name, texts in query.lists():
        tidy.setlist(name, [text.replace("\x00", "").strip() for text in texts])
    say_as_the_list(tidy)
    return tidy


def _leave_out(query: QueryDict, wrong: Collection[str]) -> None:
    """Take out what is wrong, and all that is unknown, of which only the first names were told: so each turn of whoever
    reads ``query`` has fewer parameters, and there are few turns.
    """
    known = (*TASK_PARAMETERS, WHERE, *_OTHERS, *_UNSAID)
    for name in [each for each in query if each in wrong or each not in known]:
        del query[name]


def _is_of(part: Condition, name: str) -> bool:
    return isinstance(part, Leaf) and part.field == name and part.operator == "in"


def _fits_the_form(part: Condition) -> bool:
    if not isinstance(part, Leaf):
        return False
    if part.field == "unassigned":
        return part.operator == "is" and part.value is True
    if part.field == "text":
        return True
    return part.field in ("assignee", "priority", "label") and part.operator == "in" and len(part.values) == 1


def _split(condition: Condition, projects: list[Project]) -> tuple[list[Project], list[Status], list[Condition]]:
    """The projects and the columns that ``condition`` names, and its other parts."""
    by_key = {project.key: project for project in projects}
    chosen, statuses, rest = list[Project](), list(Status), list[Condition]()
    for part in parts_of(condition):
        if _is_of(part, "project") and not chosen:
            assert isinstance(part, Leaf)
            if any(key not in by_key for key in part.values):
                raise Http404
            chosen = [by_key[key] for key in dict.fromkeys(part.values)]
        elif _is_of(part, "status"):
            assert isinstance(part, Leaf)
            statuses = [status for status in statuses if status.value in part.values]
        else:
            rest.append(part)
    return chosen, statuses, rest


def _narrowing(parts: Iterable[Condition], projects: list[Project], context: Context) -> Narrowing:
    """The filters, each where its index is; the rest of them together."""
    narrowing, rest = Narrowing(), []
    for part in parts:
        narrower = _narrowed(narrowing, part, projects, context) if isinstance(part, Leaf) else None
        if narrower is None:
            rest.append(part)
        narrowing = narrower or narrowing
    if rest:
        narrowing = replace(narrowing, rest=compile(both(*rest), TASK_FIELDS, context))
    return narrowing


def _narrowed(narrowing: Narrowing, leaf: Leaf, projects: list[Project], context: Context) -> Narrowing | None:
    if leaf.field == "unassigned" and leaf.operator == "is" and leaf.value is True:
        return replace(narrowing, unassigned=True)
    if leaf.field == "text" and narrowing.searched is None:
        return replace(narrowing, searched=compile(leaf, TASK_FIELDS, context))
    if leaf.operator != "in":
        return None
    if leaf.field == "label" and not narrowing.labels:
        ids = Label.objects.filter(project__in=projects, name__in=leaf.values).values_list("pk", flat=True)
        return replace(narrowing, labels=tuple(leaf.values), label_ids=tuple(ids))
    if len(leaf.values) != 1:
        return None
    if leaf.field == "priority" and narrowing.priority is None:
        return replace(narrowing, priority=Priority[leaf.values[0].upper()])
    if leaf.field == "assignee" and narrowing.assignee is None:
        agent = _agent(leaf.values[0], context.user)
        return replace(narrowing, assignee=agent) if agent is not None else None
    return None


def _agent(slug: str, user: Any) -> Agent | None:
    if slug == ME:
        return agent_of(user)
    return Agent.objects.visible_to(user).filter(slug=slug).first()
