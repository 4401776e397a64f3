"""Where each line of a unified diff stands in its files. Tolerant: what cannot be read is a line without a place.

The format is that of POSIX ``diff -u``, and Git's. Agents write diffs by hand, so counts may be wrong: a hunk ends when
its counts are used up or at the first line that cannot belong to it.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

_HUNK: Final = re.compile(r"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@")
_NO_FILE: Final = "/dev/null"


@dataclass(frozen=True, slots=True)
class DiffLine:
    """A line of a diff. ``kind``: added, removed, same, hunk, or head for all others; ``old`` and ``new``: its number
    in the old and the new file.
    """

    kind: str
    path: str = ""
    old: int | None = None
    new: int | None = None

    @property
    def side(self) -> str:
        """Whether it is a line of the ``new`` file or only of the ``old`` one; empty for neither."""
        return "new" if self.new is not None else "old" if self.old is not None else ""

    @property
    def number(self) -> int | None:
        """Its number in the file of its side."""
        return self.new if self.new is not None else self.old


def read_diff(lines: Iterable[str]) -> Iterator[DiffLine]:
    """One ``DiffLine`` for each of ``lines``."""
    old_path = path = ""
    old = new = old_left = new_left = 0
    for line in lines:
        mark = line[:1]
        if old_left > 0 or new_left > 0:
            if mark == "+" and new_left > 0:
                yield DiffLine("added", path, None, new)
                new, new_left = new + 1, new_left - 1
                continue
            if mark == "-" and old_left > 0:
                yield DiffLine("removed", path, old, None)
                old, old_left = old + 1, old_left - 1
                continue
            # Editors and models drop the space of an empty line.
            if mark in (" ", "") and old_left > 0 and new_left > 0:
                yield DiffLine("same", path, old, new)
                old, new, old_left, new_left = old + 1, new + 1, old_left - 1, new_left - 1
                continue
            if mark == "\\":
                yield DiffLine("head", path)
                continue
            old_left = new_left = 0
        if hunk := _HUNK.match(line):
            old, new = int(hunk[1]), int(hunk[3])
            old_left, new_left = int(hunk[2] or 1), int(hunk[4] or 1)
            yield DiffLine("hunk", path)
            continue
        if line.startswith("--- "):
            old_path = path = _path(line)
        elif line.startswith("+++ "):
            path = _path(line)
            path = old_path if path == _NO_FILE else path
        elif line.startswith("diff "):
            old_path = path = ""
        yield DiffLine("head", path)


def _path(line: str) -> str:
    """The path of a ``---`` or ``+++`` line, without a time behind it and without Git's ``a/`` or ``b/``."""
    path = line[4:].partition("\t")[0].strip()[:500]
    return path[2:] if path.startswith(("a/", "b/")) else path
