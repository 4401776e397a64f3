"""Texts that name something, and addresses of pages. Imports nothing from this project."""

import unicodedata
from typing import Any
from urllib.parse import SplitResult, urlsplit

from django.core.exceptions import ValidationError
from django.db import models

#: Characters of an address; longer ones are cut by proxies and mail readers.
LONGEST_URL = 2_000
INVISIBLE = "Must have a visible character."
#: Control and format characters, spaces, and marks that need another character to sit on.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zs", "Zl", "Zp", "Mn", "Me", "Mc"})
#: Letters and symbols that are drawn as nothing: fillers of Hangul, and the braille pattern without dots.
_FILLERS = frozenset("\u115f\u1160\u3164\uffa0\u2800")


_DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def counted(count: int, noun: str) -> str:
    """How many of what: ``1 task``, ``2,000 tasks``."""
    return f"{count:,} {noun if count == 1 else f'{noun}s'}"


def is_blank(text: str) -> bool:
    """Whether no character of ``text`` can be seen."""
    return all(unicodedata.category(character) in _UNSEEN or character in _FILLERS for character in text)


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts


def wrong_url(url: str) -> str | None:
    """The sentence that refuses ``url`` as the address of a page that people may open; None if it is one.

    Browsers drop line breaks and tabs and read backslashes as slashes, and what stands before an ``@`` looks like a
    host: with none of these, the host that a page shows is the one that a click leads to.
    """
    parts = _split(url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        return "Must be an address that starts with http:// or https://."
    if any(character.isspace() or unicodedata.category(character) in _UNSEEN for character in url) or "\\" in url:
        return "An address has no spaces, backslashes or invisible characters."
    if "@" in parts.netloc:
        return "An address must not contain a name or password."
    return None


def host_of(url: str) -> str:
    """The host that ``url`` leads to, for people to see before they open it; empty if there is none.

    In ASCII, as browsers show it: letters of other alphabets look like those of a host that people know.
    """
    parts = _split(url)
    host = (parts.hostname or "") if parts is not None else ""
    try:
        return host.encode("idna").decode()
    except UnicodeError:
        return host.encode("ascii", "backslashreplace").decode()


def unfit_for_a_line(text: str) -> bool:
    """Whether ``text`` has control characters, line breaks or marks that reverse the direction of what follows: in the
    name of a file they make one ending look like another.
    """
    return any(unicodedata.category(each) in ("Cc", "Zl", "Zp") or each in _DIRECTIONS for each in text)


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
