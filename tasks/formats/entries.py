"""Turns the fields of one entry of a file into a planned task, whatever the format."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from typing import Any

from tasks.actions.imports import Plan, PlannedTask, Problem
from tasks.formats.comments import read_comments
from tasks.formats.fields import CONVERTERS, EMPTY, WORDS, Wrong, spelled
from tasks.transitions import Status

#: A field of an entry: its name, its value, the line it stands on.
Field = tuple[str, Any, int]


def counts_as(word: str, status: Status) -> str:
    """The sentence of a note on a status that we have by another name."""
    return f"{word} counts as {status.label.lower()}."


class Entries:
    """Collects the tasks of ``plan``. What names an entry is accepted even if its other fields are wrong, so that one
    mistake is reported once and not again by everything that refers to the entry.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        #: The number of the task that is read, in a format whose lines may hold several.
        self.item = 0
        self._titles: Counter[str] = Counter()

    def refuse(self, line: int, field: str, detail: str) -> None:
        self.plan.problems.append(Problem(line, field, detail, self.item))

    def add(self, line: int, fields: Iterable[Field], names: dict[str, str] | None = None) -> PlannedTask:
        """Convert known ``fields`` (None is an empty value) and add the task.

        ``names``: what the file calls a field, where its name differs from the task's.
        """
        values: dict[str, Any] = {}
        places: dict[str, tuple[int, str]] = {}
        refused = set()
        given: dict[str, Any] = {}
        for name, value, at in fields:
            given[name] = value
            places[name] = (at, (names or {}).get(name, name))
            if value is None:
                if name in EMPTY:
                    values[name] = EMPTY[name]
                continue
            try:
                values[name] = CONVERTERS[name](value)
            except Wrong as error:
                self.refuse(*places[name], str(error))
                refused.add(name)
        if "title" not in values and "title" not in refused:
            self.refuse(*places.get("title", (line, "title")), "Is missing; every task needs a title.")
        key = values.pop("key", None)
        said = values.pop("comments", None)
        external_id = values.pop("external_id", None) or key or self._from_title(values.get("title", ""))
        planned = PlannedTask(line=line, item=self.item, external_id=external_id, key=key, values=values, places=places)
        if names is None and (word := spelled(given.get("status"))) in WORDS and "status" in values:
            planned.notes.append(planned.note("status", counts_as(word, values["status"])))
        if said is not None:
            planned.comments, notes = read_comments(said)
            planned.notes += [planned.note("comments", note) for note in notes]
        self.plan.tasks.append(planned)
        return planned

    def _from_title(self, title: str) -> str:
        """An id for a task that has none: from its title and, if the title repeats, from how often it occurred before.

        So the order of the file and everything else in it may change, and the task is still recognised.
        """
        self._titles[title] += 1
        return "title-" + hashlib.sha256(f"{title}\0{self._titles[title]}".encode()).hexdigest()[:24]
