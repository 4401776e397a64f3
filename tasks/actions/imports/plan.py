"""The neutral plan that file readers produce and ``import_plan`` writes, and the report on the import."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from taskproject.texts import counted
from tasks.errors import DomainError

#: A file of thousands of tasks may have as many notes; nobody reads more than these.
MOST_NOTES = 200
MOST_SENTENCES = 20
PLACES_SHOWN = 5


def shown(text: str, limit: int = 60) -> str:
    """A text from a file, safe to print: shortened, and quoted if it contains what a terminal would interpret."""
    short = text if len(text) <= limit else text[: limit - 1] + "…"
    return short if short.isprintable() else repr(short)


def place_of(line: int, item: int) -> str:
    """As in ``line 3, item 7``."""
    return ", ".join(f"{what} {number}" for what, number in (("line", line), ("item", item)) if number)


def held(reason: str) -> str:
    """The sentence of a note on a task that comes in on hold."""
    return f"Is {reason}: it is on hold until a manager takes it off hold."


@dataclass(frozen=True, order=True)
class Problem:
    """What is wrong with a file, and where: ``line`` counts from 1, 0 means the whole file; ``field`` may be empty.

    ``item`` counts the tasks of the file from 1; 0 means none of them, or that the line says enough.
    """

    line: int
    field: str
    detail: str
    item: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The members of the problem; ``item`` only where it says something."""
        return {name: value for name, value in asdict(self).items() if name != "item" or value}

    def __str__(self) -> str:
        where = [place] if (place := place_of(self.line, self.item)) else []
        where += [self.field] if self.field else []
        return f"{', '.join(where)}: {self.detail}" if where else self.detail


class Note(Problem):
    """What the import takes differently from how the file has it, or leaves out; nothing prevents writing the rest."""


def in_the_file(problem: Problem) -> tuple[int, int, str, str]:
    """Sorts problems and notes by their places in the file."""
    return problem.line, problem.item, problem.field, problem.detail


@dataclass(frozen=True)
class PlannedComment:
    """What somebody said about a task in the source; ``author`` is a name, ``at`` None if the file does not say."""

    external_id: str
    author: str
    at: datetime | None
    body: str


@dataclass(eq=False)
class PlannedTask:
    """One task of a file.

    ``key`` names it within the file, ``external_id`` beyond it. ``values`` holds the fields that the file gives, by the
    names of ``Task`` and typed: aware datetimes, ``Status``, ``Priority``; ``required_skills`` as ``(name, level)``;
    ``assignees`` as slugs; ``depends_on`` and ``parent`` as keys, external ids or refs; ``links`` as ``(kind, name)``.
    If the task already exists, fields that are not given are not touched. ``implied_parents`` are names that the task's
    own name implies, nearest first: the first one that exists is the parent, unless the file gives one.
    """

    line: int
    external_id: str
    key: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    #: Where a value is in the file, if not on ``line`` or not under its own name.
    places: dict[str, tuple[int, str]] = field(default_factory=dict)
    #: As in ``Problem``.
    item: int = 0
    implied_parents: list[str] = field(default_factory=list)
    #: Put off in the source: on hold here, unless ``start_after`` lies ahead when it is written.
    deferred: bool = False
    #: Those that the task's thread does not have come in, whatever becomes of the task.
    comments: list[PlannedComment] = field(default_factory=list)
    #: What the reader took differently; reported if the task is written.
    notes: list[Note] = field(default_factory=list)

    @property
    def name(self) -> str:
        return shown(self.key or self.values.get("title") or self.external_id)

    def problem(self, of: str, detail: str) -> Problem:
        line, name = self.places.get(of, (self.line, of))
        return Problem(line, name, detail, self.item)

    @property
    def place(self) -> str:
        return place_of(self.line, self.item)

    def note(self, of: str, detail: str) -> Note:
        line, name = self.places.get(of, (self.line, of))
        return Note(line, name, detail, self.item)

    def fingerprint(self) -> str:
        """Changes when the file says something different about this task; ``updated_at`` does not count."""
        given = {name: value for name, value in self.values.items() if name != "updated_at"}
        # As before there were holds, so that what was imported then is still known.
        if not given.get("on_hold"):
            given.pop("on_hold", None)
        if self.deferred:
            given["deferred"] = True
        return hashlib.sha256(json.dumps(given, sort_keys=True, default=_plainly).encode()).hexdigest()[:16]


def _plainly(value: Any) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)


@dataclass
class Plan:
    """What a reader found in a file: ``source`` is the name of its format.

    ``complete`` is false if a part could not be read at all, so that an unknown name may be defined there.
    ``gone`` has the names of what the source has removed; references to them are dropped.
    ``notes`` tell what the file contains and a task cannot.
    """

    source: str
    tasks: list[PlannedTask] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    complete: bool = True
    gone: set[str] = field(default_factory=set)

    def forget_items(self) -> None:
        """Name places by their lines alone: each task begins on a line of its own."""
        self.problems = [replace(problem, item=0) for problem in self.problems]
        for task in self.tasks:
            task.item = 0
            task.notes = [replace(note, item=0) for note in task.notes]

    def ignore_assignees(self) -> None:
        """Leave the assignees as they are here, whatever the file says."""
        for task in self.tasks:
            task.values.pop("assignees", None)

    def map_assignees(self, slugs: dict[str, str]) -> None:
        """Replace names of assignees in the file by slugs of agents; one mapped to an empty text is left out."""
        used = {name for task in self.tasks for name in task.values.get("assignees", ())}
        for name in sorted(slugs.keys() - used):
            self.notes.append(Note(0, "assignees", f"No task of the file is assigned to {shown(name)}."))
        for task in self.tasks:
            if "assignees" in task.values:
                mapped = (slugs.get(name, name) for name in task.values["assignees"])
                task.values["assignees"] = list(dict.fromkeys(slug for slug in mapped if slug))


@dataclass(frozen=True)
class LeftAlone:
    """A task that the file changes but that was left alone: it has started here, or the file is older than it."""

    ref: str
    name: str
    fields: list[str]


@dataclass
class MissingTimes:
    """How many of the tasks that come in completed have times that the file does not give.

    A creation is told of only where the completion is known: without one the task counts nowhere anyway.
    """

    completion_unknown: int = 0
    creation_unknown: int = 0
    completion_inferred: int = 0
    creation_inferred: int = 0

    def sentence(self) -> str:
        """What that means for figures, the gravest first, in one line; empty if the file gives all times."""
        they = {
            "completion_unknown": ("no time of completion", "count{} in no duration and no period"),
            "creation_unknown": ("no time of creation", "count{} in no lead time"),
            "completion_inferred": ("no time of completion but one of a last change", "count{} as completed then"),
            "creation_inferred": ("no time of creation", "count{} from the first time that the file gives"),
        }
        parts = []
        for name, (what, so) in they.items():
            count = getattr(self, name)
            if count == 1:
                parts.append(f"1 completed task has {what}: it {so.format('s')}.")
            elif count:
                parts.append(f"{count:,} completed tasks have {what}: they {so.format('')}.")
        return " ".join(parts)


@dataclass
class Imported:
    """What an import did, or with ``dry_run`` would do, as counts of tasks."""

    project: str
    source: str
    dry_run: bool
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    comments: int = 0
    left_alone: list[LeftAlone] = field(default_factory=list)
    older: list[LeftAlone] = field(default_factory=list)
    skills_created: list[str] = field(default_factory=list)
    labels_created: list[str] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    missing_times: MissingTimes = field(default_factory=MissingTimes)

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain values; at most ``MOST_NOTES`` notes, and how many there are."""
        return asdict(self) | {
            "notes": [note.as_dict() for note in self.notes[:MOST_NOTES]],
            "note_count": len(self.notes),
        }


def summary_of(notes: Iterable[Note]) -> list[str]:
    """A sentence for each kind of note, with its first lines in the file; a last one counts what is not shown."""
    alike: dict[tuple[str, str], list[Note]] = {}
    for note in sorted(notes, key=in_the_file):
        alike.setdefault((note.field, note.detail), []).append(note)
    sentences = []
    for (name, detail), same in list(alike.items())[:MOST_SENTENCES]:
        if len(same) == 1:
            sentences.append(str(same[0]))
            continue
        numbers = ", ".join(str(note.item or note.line) for note in same[:PLACES_SHOWN])
        more = f" and {len(same) - PLACES_SHOWN} more" if len(same) > PLACES_SHOWN else ""
        of = f", {name}" if name else ""
        sentences.append(f"{'items' if same[0].item else 'lines'} {numbers}{more}{of}: {detail}")
    if rest := sum(map(len, list(alike.values())[MOST_SENTENCES:])):
        sentences.append(f"{counted(rest, 'more note')}; --json lists the first {MOST_NOTES}.")
    return sentences


class PlanRefused(DomainError):
    """The file has problems, so nothing of it was written; ``problems`` lists every one, in the file's order."""

    code = "validation_error"

    def __init__(self, problems: list[Problem], *, unknown_assignees: Iterable[str] = ()) -> None:
        self.problems = sorted(set(problems), key=in_the_file)
        self.unknown_assignees = sorted(unknown_assignees)
        super().__init__(
            f"Nothing was imported: {counted(len(self.problems), 'problem')}.",
            problems=[problem.as_dict() for problem in self.problems],
            unknown_assignees=self.unknown_assignees,
        )
