"""What two people made of the same text, list or choice, put together where that can be done; pure.

``base`` is what both began with, ``mine`` and ``theirs`` what each made of it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import Final, TypeVar

#: Pairs of equal lines that are looked at, between the first and the last line that differ.
MOST_PAIRS: Final = 200_000
T = TypeVar("T")


def merge_lists(base: Sequence[T], mine: Sequence[T], theirs: Sequence[T]) -> list[T]:
    """Theirs without what I took out, and with what I added: a list of names can always be put together."""
    gone = set(base) - set(mine)
    return list(dict.fromkeys([*(each for each in theirs if each not in gone), *_added(mine, base)]))


def _added(names: Sequence[T], known: Sequence[T]) -> list[T]:
    """The ``names`` that are not ``known``, in order."""
    return [name for name in names if name not in set(known)]


def merge_maps(base: Mapping[str, T], mine: Mapping[str, T], theirs: Mapping[str, T]) -> dict[str, T] | None:
    """Each name as whoever changed it left it; None if both changed the same differently."""
    merged: dict[str, T] = {}
    for name in dict.fromkeys([*theirs, *mine, *base]):
        was, my, their = base.get(name), mine.get(name), theirs.get(name)
        if my != their and my != was and their != was:
            return None
        value = their if my == was else my
        if value is not None:
            merged[name] = value
    return merged


def merge_lines(base: str, mine: str, theirs: str) -> str | None:
    """The text with the changes of both; None if they changed the same lines, or lines next to each other, or too much
    to be compared.

    What both only added in the same place is theirs, then mine.
    """
    if not base and mine != theirs:
        return "\n\n".join(text for text in (theirs, mine) if text)
    lines = base.split("\n")
    by_them, by_me = _changes(lines, theirs.split("\n")), _changes(lines, mine.split("\n"))
    if by_them is None or by_me is None:
        return None
    # Sorting keeps the order of what stands in the same place.
    changes = sorted(dict.fromkeys([*by_them, *by_me]), key=lambda change: change[:2])
    merged: list[str] = []
    at = 0
    for number, (start, end, new) in enumerate(changes):
        before = changes[number - 1][:2] if number else (-1, -1)
        if start <= before[1] and not start == end == before[0] == before[1]:
            return None
        merged += [*lines[at:start], *new]
        at = end
    return "\n".join([*merged, *lines[at:]])


def _changes(lines: Sequence[str], others: Sequence[str]) -> list[tuple[int, int, tuple[str, ...]]] | None:
    """Which lines were replaced by which: from, up to (excluded), and the new ones; None if that takes too long."""
    alike = _beginning_alike(lines, others)
    lines, others = lines[alike:], others[alike:]
    if tail := _beginning_alike(lines[::-1], others[::-1]):
        lines, others = lines[:-tail], others[:-tail]
    counts = Counter(others)
    if sum(counts[line] for line in lines) > MOST_PAIRS:
        return None
    matcher = SequenceMatcher(None, lines, others, autojunk=False)
    return [
        (start + alike, end + alike, tuple(others[first:last]))
        for what, start, end, first, last in matcher.get_opcodes()
        if what != "equal"
    ]


def _beginning_alike(lines: Sequence[str], others: Sequence[str]) -> int:
    """How many lines both begin with."""
    pairs = zip(lines, others, strict=False)
    return next((at for at, (line, other) in enumerate(pairs) if line != other), min(len(lines), len(others)))
