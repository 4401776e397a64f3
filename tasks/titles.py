"""Titles that say more than a title: ``Fix login !high @atlas #backend +python:3 due:friday ^OPS-3``; pure.

What is understood leaves the title; everything else stays in it, with one sentence where somebody probably meant more.
A backslash keeps a word as it is: ``\\#5``. A label of several words stands in quotes: ``#"needs care"``.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tasks.dues import NotADue, is_clock, is_hour_of_half_a_day, read_due
from tasks.errors import unknown_name
from tasks.refs import parse_ref
from tasks.verbs.catalogue import LABELS

PRIORITIES = ("low", "normal", "high", "urgent")
#: Whoever means themself.
ME = "me"
#: Characters that are read; what follows is title.
MOST = 2_000
#: Names that nobody knows and that are compared with the known ones; the others are only named.
MOST_COMPARED = 10
_QUOTES = '"“”„'
_WORD = re.compile(rf"(?:[#+]|due:)[{_QUOTES}][^{_QUOTES}]*[{_QUOTES}][,.;:!?)]*(?!\S)|\S+", re.IGNORECASE)
_ESCAPED = re.compile(r"\\(?=[!@#+^]|due:)", re.IGNORECASE)
#: What ends a sentence is no part of a name.
_ENDS = ",.;:!?)"
#: The last point of a day by numbers is part of it.
_NUMBERED_DAY = re.compile(rf"[0-9]{{1,2}}\.[0-9]{{1,2}}\.(?=[{_ENDS}]*$)")
_STAYS = "It stays in the title."


@dataclass(frozen=True)
class Part:
    """Words of a title that were understood. ``kind``: priority, agent, label, skill, due or parent."""

    kind: str
    text: str
    value: Any


@dataclass(frozen=True)
class Names:
    """What there is to be named, by its name in lower case.

    ``why_no_agents``: the sentence where the reader may assign nobody; ``why_not_me``: where the reader is no agent.
    """

    agents: Mapping[str, str] = field(default_factory=dict)
    skills: Mapping[str, str] = field(default_factory=dict)
    tasks: Mapping[str, str] = field(default_factory=dict)
    why_no_agents: str = ""
    why_not_me: str = ""


@dataclass(frozen=True)
class Reading:
    """What a title says: the title itself, what was understood, and a sentence for each word that was not."""

    title: str
    parts: tuple[Part, ...] = ()
    problems: tuple[str, ...] = ()

    def values(self, kind: str) -> list[Any]:
        """What was understood of a kind, in order, without repeats."""
        return list(dict.fromkeys(part.value for part in self.parts if part.kind == kind))

    def value(self, kind: str) -> Any:
        return next(iter(self.values(kind)), None)


class _Stays(Exception):
    """The words stay in the title; the message, if any, says why."""


def _split(text: str) -> list[str]:
    words = _WORD.findall(text[:MOST])
    rest = text[MOST:].split()
    if rest and words and not text[MOST].isspace() and not text[MOST - 1].isspace():
        words[-1] += rest.pop(0)
    return [*words, *rest]


def mentioned(text: str, mark: str) -> list[str]:
    """The names, in lower case, that may be meant by words that begin with ``mark``: for whoever looks them up."""
    names = []
    for word in _split(text):
        if word.startswith(mark) and len(word) > 1:
            name = word[1:].lower()
            names += [name, name.rstrip(_ENDS)]
    return list(dict.fromkeys(name for name in names if name))


def read_title(text: str, now: datetime, names: Names) -> Reading:
    """What ``text`` says. ``now``: the present, in the reader's zone. Never raises."""
    reader = _Reader(now, names)
    words = _split(text)
    at = 0
    while at < len(words):
        at += reader.take(words, at)
    return Reading(" ".join(reader.title), tuple(reader.parts), tuple(reader.problems))


class _Reader:
    def __init__(self, now: datetime, names: Names) -> None:
        self.now, self.names = now, names
        self.title: list[str] = []
        self.parts: list[Part] = []
        self.problems: list[str] = []

    def take(self, words: list[str], at: int) -> int:
        """Read the word at this place; returns how many words were used."""
        word = words[at]
        if _ESCAPED.match(word):
            self.title.append(word[1:])
            return 1
        try:
            if word[:4].lower() == "due:" and len(word) > 4:
                return self._due(words, at)
            reads = {"!": self._priority, "@": self._agent, "#": self._label, "+": self._skill, "^": self._parent}
            if word[0] not in reads or len(word) < 2:
                raise _Stays
            kind, value = reads[word[0]](word[1:])
        except _Stays as reason:
            if str(reason):
                self.problems.append(str(reason))
            self.title.append(word)
            return 1
        self._add(kind, word, value)
        return 1

    def _add(self, kind: str, text: str, value: Any) -> None:
        """``value`` as understood; of what a task has only once, the first."""
        if kind in ("priority", "due", "parent"):
            before = next((part for part in self.parts if part.kind == kind), None)
            if before is not None and before.value != value:
                self.problems.append(f"{before.text} is named before {text}. {_STAYS}")
                self.title.append(text)
                return
        self.parts.append(Part(kind, text, value))

    def _unknown(self, name: str, known: Iterable[str], what: str) -> str:
        """As ``unknown_name``, for the first ``MOST_COMPARED`` problems with the nearest known one."""
        return unknown_name(name, known if len(self.problems) < MOST_COMPARED else (), what=what)

    def _priority(self, name: str) -> tuple[str, Any]:
        folded = name.lower().rstrip(_ENDS)
        if folded in PRIORITIES:
            return "priority", folded
        if not folded.isalpha():
            raise _Stays
        raise _Stays(f"{self._unknown(folded, PRIORITIES, 'priority')} {_STAYS}")

    def _agent(self, name: str) -> tuple[str, Any]:
        if not name[0].isalnum():
            raise _Stays
        if self.names.why_no_agents:
            raise _Stays(f"{self.names.why_no_agents} @{name[:60]} stays in the title.")
        folded = name.lower()
        slug = self.names.agents.get(folded) or self.names.agents.get(folded.rstrip(_ENDS))
        if slug is None and folded.rstrip(_ENDS) == ME and self.names.why_not_me:
            raise _Stays(f"{self.names.why_not_me} @me stays in the title.")
        if slug is None:
            raise _Stays(f"{self._unknown(folded.rstrip(_ENDS), self.names.agents, 'agent')} {_STAYS}")
        return "agent", slug

    def _label(self, name: str) -> tuple[str, Any]:
        if name[0] in _QUOTES:
            quoted = name.rstrip(_ENDS)
            label = " ".join(quoted[1:-1].split())
            if len(quoted) < 2 or quoted[-1] not in _QUOTES:
                raise _Stays(f"The quote of #{name[:60]} is not closed. {_STAYS}")
        else:
            label = name.rstrip(_ENDS)
            # As in "the fix of #5".
            if not label or label.isdecimal() or label[0] in "#!":
                raise _Stays
        if problem := LABELS.problem([label]):
            raise _Stays(f"Label #{name[:30]}: {problem} {_STAYS}")
        return "label", label

    def _skill(self, name: str) -> tuple[str, Any]:
        name, _, level = name.rstrip(_ENDS).strip(_QUOTES).partition(":")
        # As in "+1" or "+49 30 …".
        if not name or not name[0].isalpha():
            raise _Stays
        known = self.names.skills.get(name.lower())
        if known is None:
            raise _Stays(f"{self._unknown(name, self.names.skills.values(), 'skill')} {_STAYS}")
        if level and level not in tuple("12345"):
            raise _Stays(f"The level of {known} must be from 1 to 5. {_STAYS}")
        return "skill", (known, int(level or 1))

    def _parent(self, name: str) -> tuple[str, Any]:
        name = name.rstrip(_ENDS)
        if parse_ref(name) is None:
            raise _Stays
        ref = self.names.tasks.get(name.lower())
        if ref is None:
            raise _Stays(f"There is no task {name.upper()!r} in this project. {_STAYS}")
        return "parent", ref

    @staticmethod
    def _words_of_clock(text: str, after: list[str]) -> int:
        """How many of the words after ``text`` are the time of day that goes with it."""
        ahead = [" ".join(after[:count]).rstrip(_ENDS) for count in range(1, len(after) + 1)]
        if ahead and is_hour_of_half_a_day(f"{text} {ahead[0]}"):
            return 1
        if is_clock(text):
            return 0
        if len(ahead) > 1 and is_hour_of_half_a_day(ahead[1]):
            return 2
        return 1 if ahead and is_clock(ahead[0]) else 0

    def _due(self, words: list[str], at: int) -> int:
        """A day, and the time of day in the next word if there is one."""
        text = words[at][4:]
        quoted = text[0] in _QUOTES
        day = _NUMBERED_DAY.match(text)
        text = day[0] if day else text.rstrip(_ENDS).strip(_QUOTES)
        used = 1 if quoted else 1 + self._words_of_clock(text, words[at + 1 : at + 3])
        if used > 1:
            text = " ".join([text, *words[at + 1 : at + used]]).rstrip(_ENDS)
        written = " ".join(words[at : at + used])
        try:
            moment = read_due(text, self.now)
        except NotADue as error:
            self.problems.append(f"{error} {written[:60]} stays in the title.")
            self.title += words[at : at + used]
            return used
        self._add("due", written, moment)
        return used
