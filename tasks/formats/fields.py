"""Converts what a file holds for a field into what a task takes. Each converter raises ``Wrong`` with one sentence."""

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError

from taskproject.strict_json import unfit
from taskproject.texts import INVISIBLE, is_blank
from taskproject.times import NotATime, OutOfRange, read_moment
from tasks.actions.imports import shown
from tasks.errors import unknown_name
from tasks.models import Priority, Task
from tasks.models.agent import SLUG
from tasks.transitions import Status

TITLE_LENGTH = 300
TEXT_LENGTH = 100_000
KEY_LENGTH = 200
LABEL_LENGTH = 60
ITEM_LENGTH = 2_000
MOST_ITEMS = {"labels": 50, "criteria": 200, "required_skills": 50, "assignees": 50, "depends_on": 1_000}
LARGEST_INTEGER = 2_147_483_647


class Wrong(ValueError):
    """A value that the field does not accept; the message says why."""


def _kind(value: Any) -> str:
    names = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "a text",
        list: "a list",
        dict: "an object",
    }
    return names.get(type(value), "nothing")


def _text(value: Any, *, limit: int) -> str:
    if not isinstance(value, str):
        raise Wrong(f"Must be a text, not {_kind(value)}.")
    require_storable(value)
    text = value.strip()
    if len(text) > limit:
        raise Wrong(f"Has {len(text)} characters; at most {limit} fit.")
    return text


def require_storable(value: Any) -> None:
    """Raise ``Wrong`` for what would not come out of a database as it came in."""
    if problem := unfit(value):
        raise Wrong(problem)


def _title(value: Any) -> str:
    text = _text(value, limit=TITLE_LENGTH)
    if is_blank(text):
        raise Wrong("Is missing; every task needs a title.")
    return text


def _long_text(value: Any) -> str:
    return _text(value, limit=TEXT_LENGTH)


def name(value: Any) -> str:
    """A key, an external id or a ref; a number counts as its digits."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    text = _text(value, limit=KEY_LENGTH)
    if is_blank(text):
        raise Wrong("Must not be empty.")
    return text


def _choice(value: Any, known: Iterable[str], what: str) -> str:
    names = list(known)
    if not isinstance(value, str):
        raise Wrong(f"Must be one of {', '.join(names)}, not {_kind(value)}.")
    text = value.strip().lower()
    if text not in names:
        raise Wrong(
            f"{unknown_name(shown(text), names, what=what)[:-1]}; known are {', '.join(names)}.".replace("?;", ";")
        )
    return text


#: What trackers call the statuses that we have by another name.
WORDS = {
    **dict.fromkeys(("open", "todo", "to_do", "new", "ready", "backlog", "pending"), Status.NOT_STARTED),
    **dict.fromkeys(("doing", "started", "active", "review"), Status.IN_PROGRESS),
    **dict.fromkeys(("done", "complete", "closed", "resolved", "finished", "fixed", "merged"), Status.COMPLETED),
    **dict.fromkeys(("canceled", "wont_fix", "wontfix", "abandoned", "rejected", "duplicate"), Status.CANCELLED),
}


def spelled(value: Any) -> str:
    """A status as we spell statuses: ``To Do`` → ``to_do``; empty if it is not text."""
    return re.sub(r"[\s-]+", "_", value.strip().lower().replace("'", "")) if isinstance(value, str) else ""


def _status(value: Any) -> Status:
    word = spelled(value)
    status = WORDS.get(word) or Status(_choice(value, Status.values, "status"))
    # What was in progress elsewhere has no holder here.
    under_way = status in (Status.IN_PROGRESS, Status.WAITING, Status.IN_REVIEW)
    return Status.NOT_STARTED if under_way else status


def _priority(value: Any) -> Priority:
    return Priority[_choice(value, [name.lower() for name in Priority.names], "priority").upper()]


def _integer(low: int, high: int) -> Callable[[Any], int]:
    def convert(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise Wrong(f"Must be a whole number, not {shown(repr(value))}.")
        if not low <= value <= high:
            raise Wrong(f"Must be from {low} to {high}.")
        return value

    return convert


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Wrong(f"Must be true or false, not {shown(repr(value))}.")
    return value


def _listed(value: Any, of: str) -> list[Any]:
    if not isinstance(value, list):
        raise Wrong(f"Must be a list, not {_kind(value)}.")
    if len(value) > MOST_ITEMS[of]:
        raise Wrong(f"Has {len(value)} entries; at most {MOST_ITEMS[of]} fit.")
    return value


def _texts(of: str, limit: int) -> Callable[[Any], list[str]]:
    def convert(value: Any) -> list[str]:
        texts = [_text(item, limit=limit) for item in _listed(value, of)]
        if any(text and is_blank(text) for text in texts):
            raise Wrong(INVISIBLE)
        return list(dict.fromkeys(text for text in texts if text))

    return convert


def _names(of: str) -> Callable[[Any], list[str]]:
    return lambda value: list(dict.fromkeys(name(item) for item in _listed(value, of)))


def _skill(value: Any) -> tuple[str, int]:
    """``python:3``, or ``{"skill": "python", "min_level": 3}``; the level defaults to 1."""
    level: Any = 1
    if isinstance(value, str):
        skill, colon, digits = value.strip().rpartition(":")
        if not colon:
            skill = digits
        elif digits.isascii() and digits.isdigit() and len(digits) == 1:
            level = int(digits)
        else:
            level = digits
    elif isinstance(value, dict) and value.keys() <= {"skill", "min_level"} and isinstance(value.get("skill"), str):
        skill, level = value["skill"], value.get("min_level", 1)
    else:
        raise Wrong('Write a skill as "python:3" or {"skill": "python", "min_level": 3}.')
    if isinstance(level, bool) or not isinstance(level, int) or not 1 <= level <= 5:
        raise Wrong(f"The level of {shown(skill)} must be from 1 to 5.")
    skill = skill.strip().lower()
    try:
        SLUG(skill)
    except ValidationError as error:
        raise Wrong(f"The skill {shown(repr(skill))}: {error.messages[0]}") from None
    if len(skill) > LABEL_LENGTH:
        raise Wrong(f"A skill has at most {LABEL_LENGTH} characters.")
    return skill, level


def _skills(value: Any) -> list[tuple[str, int]]:
    return list(dict(_skill(item) for item in _listed(value, "required_skills")).items())


def moment(value: Any, *, end_of_day: bool = False) -> datetime:
    """A time in UTC. The zone defaults to the server's; a date alone means its start (with ``end_of_day`` its end)."""
    if not isinstance(value, str):
        raise Wrong(f"Must be a time such as 2026-11-22T10:00:00Z, not {_kind(value)}.")
    try:
        return read_moment(value, end_of_day=end_of_day)
    except NotATime:
        text = shown(value.strip())
        raise Wrong(f"{text!r} is not a time; write 2026-11-22T10:00:00Z or 2026-11-22.") from None
    except OutOfRange as error:
        raise Wrong(str(error)) from None


def _json(value: Any) -> Any:
    require_storable(value)
    return value


#: Every field that a file may have, and what converts its value into the task's.
CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "title": _title,
    "key": name,
    "external_id": name,
    "description": _long_text,
    "status": _status,
    "priority": _priority,
    "labels": _texts("labels", LABEL_LENGTH),
    "due_at": lambda value: moment(value, end_of_day=True),
    "start_after": moment,
    "on_hold": _flag,
    "estimate_minutes": _integer(0, LARGEST_INTEGER),
    "required_skills": _skills,
    "assignees": _names("assignees"),
    "depends_on": _names("depends_on"),
    "parent": name,
    "criteria": _texts("criteria", ITEM_LENGTH),
    "review_required": _flag,
    "max_attempts": _integer(1, 20),
    "result": _json,
    "summary": _long_text,
    "created_at": moment,
    "updated_at": moment,
    "started_at": moment,
    "completed_at": moment,
    # Each is read by itself: see ``comments.read_comments``.
    "comments": lambda value: value,
}

#: What an empty value means for the fields where it means something; for the others it counts as not given.
EMPTY: dict[str, Any] = {
    "description": "",
    "status": Status.NOT_STARTED,
    "priority": Priority.NORMAL,
    "labels": [],
    "due_at": None,
    "start_after": None,
    "on_hold": False,
    "estimate_minutes": None,
    "required_skills": [],
    "assignees": [],
    "depends_on": [],
    "parent": None,
    "criteria": [],
    "max_attempts": Task._meta.get_field("max_attempts").default,
    "result": None,
    "summary": "",
}


def unknown_field(given: str) -> str:
    """The sentence for a field that no task has."""
    return unknown_name(shown(given), CONVERTERS, what="field")
