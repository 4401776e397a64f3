"""JSON: a list of tasks, or ``{"tasks": [...]}``. Read piece by piece, so that each problem can name its line."""

import re
from bisect import bisect_left
from collections.abc import Iterator
from json import JSONDecodeError
from typing import Any

from taskproject.strict_json import DECODER, why
from tasks.actions.imports import Plan, shown
from tasks.formats.entries import Entries
from tasks.formats.fields import CONVERTERS, unknown_field

NAME = "json"

_SPACE = re.compile(r"[ \t\n\r]*")


def recognises(text: str) -> bool:
    return text.lstrip()[:1] in ("[", "{")


def read(text: str) -> Plan:
    plan = Plan(NAME)
    entries = Entries(plan)
    scanner = Scanner(text)
    starts: list[int] = []
    try:
        for start in scanner.tasks():
            starts.append(scanner.line(start))
            entries.item += 1
            _read_task(scanner, start, entries)
    except NoTasks as error:
        plan.complete = False
        entries.refuse(scanner.line(error.position), "", str(error))
    except JSONDecodeError as error:
        plan.complete = False
        entries.refuse(error.lineno, "", f"This is not JSON: {error.msg} at column {error.colno}.")
    except (RecursionError, ValueError) as error:
        plan.complete = False
        entries.refuse(scanner.line(), "", why(error))
    if len(set(starts)) == len(starts):
        plan.forget_items()
    return plan


def _read_task(scanner: "Scanner", start: int, entries: Entries) -> None:
    line = scanner.line(start)
    if scanner.text[start] != "{":
        scanner.value(start)
        entries.refuse(line, "", 'A task must be an object such as {"title": "…"}.')
        return
    fields: dict[str, tuple[str, Any, int]] = {}
    for name, value, position in scanner.members(start):
        at = scanner.line(position)
        if name in fields:
            entries.refuse(at, shown(name), "Is given twice.")
        elif name not in CONVERTERS:
            entries.refuse(at, shown(name), unknown_field(name))
        else:
            fields[name] = (name, value, at)
    entries.add(line, fields.values())


class NoTasks(ValueError):
    """JSON, but without a list of tasks where it should be."""

    def __init__(self, sentence: str, position: int) -> None:
        super().__init__(sentence)
        self.position = position


class Scanner:
    """Walks the outer layers of JSON by position and leaves the values inside to Python's decoder."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.end = 0
        self._newlines = [match.start() for match in re.finditer("\n", text)]
        self._decode = DECODER.raw_decode

    def line(self, position: int | None = None) -> int:
        """The line, counted from 1, of ``position``, or of where the scanner is."""
        return bisect_left(self._newlines, self.end if position is None else position) + 1

    def skip(self, position: int) -> int:
        match = _SPACE.match(self.text, position)
        self.end = match.end() if match else position
        return self.end

    def at(self, position: int) -> str:
        return self.text[position : position + 1]

    def value(self, start: int) -> Any:
        """Decode the value at ``start``; ``end`` is then just past it."""
        self.end = start
        value, self.end = self._decode(self.text, start)
        return value

    def expect(self, character: str, position: int) -> int:
        if self.at(position) != character:
            raise JSONDecodeError(f"Expecting {character!r}", self.text, position)
        return position + 1

    def members(self, start: int) -> Iterator[tuple[str, Any, int]]:
        """Name, value and position of each member of the object at ``start``; ``end`` is then just past it."""
        for name, name_at, value_at in self._names(start):
            yield name, self.value(value_at), name_at

    def _names(self, start: int) -> Iterator[tuple[str, int, int]]:
        """Each member's name, its position and that of its value; the caller moves ``end`` past the value."""
        position = self.skip(self.expect("{", start))
        if self.at(position) == "}":
            self.end = position + 1
            return
        while True:
            if self.at(position) != '"':
                raise JSONDecodeError("Expecting a name in double quotes", self.text, position)
            name = self.value(position)
            yield name, position, self.skip(self.expect(":", self.skip(self.end)))
            after = self.skip(self.end)
            if self.at(after) == "}":
                self.end = after + 1
                return
            position = self.skip(self.expect(",", after))

    def items(self, start: int) -> Iterator[int]:
        """The position of each item of the list at ``start``; the caller moves ``end`` past the item."""
        position = self.skip(self.expect("[", start))
        if self.at(position) == "]":
            self.end = position + 1
            return
        while True:
            if not self.at(position):
                raise JSONDecodeError("Expecting a value", self.text, position)
            yield position
            after = self.skip(self.end)
            if self.at(after) == "]":
                self.end = after + 1
                return
            position = self.skip(self.expect(",", after))

    def tasks(self) -> Iterator[int]:
        """The position of each task of the file."""
        start = self.skip(0)
        if self.at(start) == "{":
            has_tasks = False
            for name, name_at, value_at in self._names(start):
                if name == "tasks":
                    if self.at(value_at) != "[":
                        raise NoTasks('"tasks" must be a list.', name_at)
                    has_tasks = True
                    yield from self.items(value_at)
                else:
                    self.value(value_at)
            if not has_tasks:
                raise NoTasks('Write a list of tasks, or {"tasks": [...]}.', start)
        elif self.at(start) == "[":
            yield from self.items(start)
        else:
            self.value(start)
            raise NoTasks('Write a list of tasks, or {"tasks": [...]}.', start)
        rest = self.skip(self.end)
        if rest < len(self.text):
            raise JSONDecodeError("Extra data", self.text, rest)
