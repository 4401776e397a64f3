"""Writes of a transaction that wait for each other and go as one statement.

On PostgreSQL each write that may wait joins those before it, until something is read or the transaction ends; then all
go as the parts of one ``WITH``. A part sees none of the others, so each is for a table of its own: a second write to
one of the tables sends those before. SQLite, which runs in this process, writes at once.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections

from taskproject.prepared.running import execute, run, send_waiting, vendor, waiting


class LostRace(Exception):
    """Another transaction changed the row between our read and our write; read and decide again."""


@dataclass
class _Part:
    """``rows``: how many it must change, or yield if it only ``reads``, None for any number; ``take_keys``: for the
    keys that it returns.
    """

    sql: str
    parameters: Sequence[Any]
    rows: int | None
    take_keys: Callable[[list[Any]], None] | None = None
    reads: bool = False

    @property
    def returns(self) -> bool:
        """Whether its text yields rows by itself."""
        return self.reads or self.take_keys is not None


@dataclass
class Writes:
    """What waits in this transaction."""

    parts: list[_Part] = field(default_factory=list)
    tables: set[str] = field(default_factory=set)

    def add(self, table: str, part: _Part) -> None:
        if table in self.tables:
            self.send()
        if table:
            self.tables.add(table)
        self.parts.append(part)

    def drop(self) -> None:
        self.parts, self.tables = [], set()

    def send(self) -> None:
        parts = self.parts
        if not parts:
            return
        self.drop()
        text = _together(tuple((part.sql, part.returns, part.take_keys is not None) for part in parts))
        [results], _ = execute(text, [each for part in parts for each in part.parameters])
        for result, part in zip(results, parts, strict=True):
            _settle(part, result)


def write(table: str, sql: str, parameters: Sequence[Any], *, rows: int | None = None) -> None:
    """Change rows of ``table`` by ``sql``, now or with the next statement.

    ``rows``: how many it must change; then or now raises ``LostRace`` if it changes another number.
    """
    _add(table, _Part(sql, parameters, rows))


def write_keys(table: str, sql: str, parameters: Sequence[Any], take_keys: Callable[[list[Any]], None]) -> None:
    """The same for rows that are added by ``sql``, which returns their keys; ``take_keys`` gets them."""
    _add(table, _Part(sql, parameters, None, take_keys))


def require_none(sql: str, parameters: Sequence[Any]) -> None:
    """Raise ``LostRace`` if ``sql``, which only reads, yields a row: now, or with the writes that wait; then it sees
    what was there before them.
    """
    _add("", _Part(sql, parameters, 0, reads=True))


@contextlib.contextmanager
def writes_together() -> Iterator[None]:
    """Within it, writes may wait; they are sent at its end, or dropped if it ends by an error. Belongs directly into
    ``transaction.atomic``. Raises ``LostRace``.
    """
    if vendor() != "postgresql":
        yield
        return
    outer: Writes | None = getattr(waiting, "writes", None)
    if outer is not None:
        # In the savepoint of a verb within a verb: what it wrote is sent with it, or dropped.
        try:
            yield
            outer.send()
        except BaseException:
            outer.drop()
            raise
        return
    writes = waiting.writes = Writes()
    try:
        with connections[DEFAULT_DB_ALIAS].execute_wrapper(_send_first):
            yield
            writes.send()
    finally:
        waiting.writes = None


def _send_first(execute: Callable[..., Any], *statement: Any) -> Any:
    send_waiting()
    return execute(*statement)


def _add(table: str, part: _Part) -> None:
    writes: Writes | None = getattr(waiting, "writes", None)
    if writes is not None:
        writes.add(table, part)
        return
    rows, count = run(part.sql, part.parameters)
    if part.take_keys is not None:
        _settle(part, [key for (key,) in rows])
    else:
        _settle(part, len(rows) if part.reads else count)


def _settle(part: _Part, result: Any) -> None:
    if part.take_keys is not None:
        part.take_keys(result)
    elif part.rows is not None and result != part.rows:
        raise LostRace


@functools.lru_cache(maxsize=1_000)
def _together(parts: tuple[tuple[str, bool, bool], ...]) -> str:
    named, shown = [], []
    for number, (sql, returns, has_keys) in enumerate(parts):
        named.append(f"w{number} AS ({sql if returns else f'{sql} RETURNING 1'})")
        result = "ARRAY(SELECT * FROM w{})" if has_keys else "(SELECT count(*) FROM w{})"
        shown.append(result.format(number))
    return f"WITH {', '.join(named)} SELECT {', '.join(shown)}"
