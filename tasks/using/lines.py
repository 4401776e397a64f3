"""Lists that people type in one line: names separated by commas, and skills with levels (``python:3, docs:1``)."""

import csv
import io
import re
from typing import Final

from taskproject.errors import Invalid, shortened
from taskproject.strict_json import unstorable
from tasks.models import AgentSkill, RequiredSkill

#: Names in one field; more are refused before any is looked up.
MOST_NAMES = 200
#: Characters of a field with names.
LONGEST_LIST = 5_000
#: What a skill without a level says, as in the API: that a task needs it at all, and that an agent has it as usual.
NEEDED: Final[int] = RequiredSkill._meta.get_field("min_level").default
USUAL: Final[int] = AgentSkill._meta.get_field("level").default
_AROUND_COLON = re.compile(r"\s*:\s*")


def names_in(text: str, field: str) -> list[str]:
    """Names separated by commas, with the spaces in them; one with a comma stands in quotes. Raises ``Invalid``."""
    if len(text) > LONGEST_LIST:
        raise Invalid({field: f"At most {LONGEST_LIST:,} characters; this has {len(text):,}."})
    if problem := unstorable(text):
        raise Invalid({field: problem})
    try:
        rows = list(csv.reader([" ".join(text.strip().splitlines())], skipinitialspace=True))
    except csv.Error:
        raise Invalid({field: "Write the names in one line, separated by commas."}) from None
    names = list(dict.fromkeys(name.strip() for name in (rows[0] if rows else ()) if name.strip()))
    if len(names) > MOST_NAMES:
        raise Invalid({field: f"At most {MOST_NAMES}; these are {len(names)}."})
    return names


def in_one_line(names: list[str]) -> str:
    """Names as ``names_in`` reads them."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(names)
    return line.getvalue() if any("," in name for name in names) else line.getvalue().replace(",", ", ")


def marked(text: str, mark: str, field: str) -> list[str]:
    """Names that people also write with a mark before them, and separate by spaces. Raises ``Invalid``."""
    return list(dict.fromkeys(name.removeprefix(mark) for part in names_in(text, field) for name in part.split()))


def skills_in(text: str, field: str, *, otherwise: int = NEEDED) -> dict[str, int]:
    """The level of each skill in a text, ``otherwise`` where it says none; also separated by spaces.

    Raises ``Invalid``.
    """
    skills = {}
    for part in marked(_AROUND_COLON.sub(":", text), "+", field):
        name, _, level = part.partition(":")
        if not name:
            raise Invalid({field: f"Write the name of a skill before {shortened(part)!r}."})
        if level not in ("", *"12345"):
            raise Invalid({field: f"The level of {shortened(name)} must be from 1 to 5."})
        skills[name] = int(level or otherwise)
    return skills
