"""Texts that name something: what nobody can see or type is not a name. Imports nothing from this project."""

import unicodedata
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models

INVISIBLE = "Must have a visible character."
#: Control and format characters, spaces, and marks that need another character to sit on.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zs", "Zl", "Zp", "Mn", "Me", "Mc"})
#: Letters and symbols that are drawn as nothing: fillers of Hangul, and the braille pattern without dots.
_FILLERS = frozenset("\u115f\u1160\u3164\uffa0\u2800")


def counted(count: int, noun: str) -> str:
    """How many of what: ``1 task``, ``2,000 tasks``."""
    return f"{count:,} {noun if count == 1 else f'{noun}s'}"


def is_blank(text: str) -> bool:
    """Whether no character of ``text`` can be seen."""
    return all(unicodedata.category(character) in _UNSEEN or character in _FILLERS for character in text)


def require_visible(text: str) -> None:
    """The validator of names. Raises ``ValidationError``."""
    if is_blank(text):
        raise ValidationError(INVISIBLE, code="invisible")


class NameField(models.CharField):
    """A column for a name that people read: refuses one that nobody can see."""

    default_validators = [require_visible]

    def deconstruct(self) -> Any:
        """For migrations it is an ordinary column."""
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.CharField", args, kwargs
