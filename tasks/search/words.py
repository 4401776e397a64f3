"""Texts as words without case and accents, and what people type as what to look for.

Python makes the words for every database, so each finds the same: ``Straße`` and ``STRASSE``, ``café`` and ``CAFE``.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

#: Characters of a word that count, words of a search, characters kept of one task (PostgreSQL takes a mebibyte).
LONGEST_WORD, MOST_WORDS, MOST_KEPT = 60, 40, 200_000
#: Stands between the texts of a task, so that no phrase reaches from one into the next.
BETWEEN: Final = "|"
#: Scripts that put no spaces between words: each character is a word, and so a part of a text is a phrase.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u30ff\u31f0-\u31ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
_QUOTED = re.compile(r'"([^"]*)"|(\S+)')


class _Characters(dict[int, str | None]):
    """What each character becomes, for ``str.translate``: itself, nothing (accents), a word of its own, or a space."""

    def __missing__(self, code: int) -> str | None:
        character = chr(code)
        category = unicodedata.category(character)
        become: str | None = " "
        if category == "Cf" or 0xFE00 <= code <= 0xFE0F:
            become = None
        elif category[0] == "M":
            become = None if unicodedata.combining(character) else character
        elif category == "So" or _UNSPACED.match(character):
            become = f" {character} "
        elif category[0] in "LN":
            become = character
        self[code] = become
        return become


_CHARACTERS = _Characters()


def words_in(text: str) -> list[str]:
    """The words of ``text`` in order, without case and accents."""
    if text.isascii():
        plain = text.lower()
    else:
        plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return [word[:LONGEST_WORD] for word in plain.translate(_CHARACTERS).split()]


def kept_words(texts: Iterable[str]) -> str:
    """The words of a task's texts as they are stored: a space on both sides of each, ``BETWEEN`` the texts."""
    inner = f" {BETWEEN} ".join(filter(None, (" ".join(words_in(text)) for text in texts)))
    if len(inner) > MOST_KEPT:
        inner = inner[:MOST_KEPT].rpartition(" ")[0].rstrip(f" {BETWEEN}")
    return f" {inner} " if inner else " "


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a text must have: all ``words``, a word that begins with ``beginning``, and ``phrases`` as they stand.

    A phrase is a part of ``kept_words``, with the spaces around its words.
    """

    words: tuple[str, ...] = ()
    beginning: str = ""
    phrases: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.words or self.beginning)


def wanted(typed: str) -> Wanted:
    """What to look for: every word, the last perhaps unfinished; what is in quotes or joined as by ``-``, in order.

    Any text is a search; beyond ``MOST_WORDS`` words the rest does not count. A text without any word finds nothing.
    """
    words: list[str] = []
    phrases: list[str] = []
    beginning = ""
    for quoted, plain in _QUOTED.findall(typed):
        chunk = words_in(quoted or plain)[: MOST_WORDS - len(words)]
        if not chunk:
            continue
        words += chunk
        # OPS-4 is not the beginning of OPS-42.
        is_open = not quoted and not chunk[-1].isdecimal()
        if len(chunk) > 1:
            phrases.append(f" {' '.join(chunk)}{'' if is_open else ' '}")
        beginning = chunk[-1] if is_open else ""
        if len(words) >= MOST_WORDS:
            break
    if beginning:
        words.pop()
    return Wanted(tuple(dict.fromkeys(words)), beginning, tuple(dict.fromkeys(phrases)))
