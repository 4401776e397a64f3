"""Asks the index of each database for the tasks that have the words of a search.

SQLite: FTS5 over the stored words, ``tasks_text_index``. PostgreSQL: ``vector @@ tsquery`` with a GIN index. Both only
say which words a task has; phrases are looked for in the stored words of those tasks, since positions in a ``tsvector``
end at 16,383.
"""

from typing import Any

from django.db.models import BooleanField, Expression, F, Q, QuerySet

from taskproject.ranges import Lead
from tasks.models import TaskText
from tasks.search.words import Wanted, wanted

INDEX = "tasks_text_index"
_TABLE = TaskText._meta.db_table


class _Matches(Expression):
    """Whether the words of the task whose id is ``pk`` are those of a search."""

    output_field = BooleanField()

    def __init__(self, pk: Any, sought: Wanted) -> None:
        super().__init__()
        self.pk, self.sought = pk, sought

    def get_source_expressions(self) -> list[Any]:
        return [self.pk]

    def set_source_expressions(self, exprs: Any) -> None:
        (self.pk,) = exprs

    @property
    def identity(self) -> Any:
        return (type(self), self.pk, self.sought)

    def as_sqlite(self, compiler: Any, connection: Any, **_: Any) -> tuple[str, list[Any]]:
        text = _typed(self.sought)
        if not self.sought.phrases:
            return self._within(compiler, f"SELECT rowid FROM {INDEX} WHERE {INDEX} MATCH %s", [text])  # noqa: S608
        phrases = " AND ".join(["instr(kept.words, %s) > 0"] * len(self.sought.phrases))
        rows = (
            f"SELECT kept.task_id FROM {INDEX} JOIN {_TABLE} kept ON kept.task_id = {INDEX}.rowid"  # noqa: S608 - ours
            f" WHERE {INDEX} MATCH %s AND {phrases}"
        )
        return self._within(compiler, rows, [text, *self.sought.phrases])

    def as_sql(self, compiler: Any, connection: Any, **_: Any) -> Any:
        words = [f"'{word}'" for word in self.sought.words] + [f"'{self.sought.beginning}':*"] * self._is_open
        phrases = "".join([" AND strpos(words, %s) > 0"] * len(self.sought.phrases))
        rows = f"SELECT task_id FROM {_TABLE} WHERE vector @@ %s::tsquery{phrases}"  # noqa: S608 - ours
        return self._within(compiler, rows, [" & ".join(words), *self.sought.phrases])

    @property
    def _is_open(self) -> bool:
        return bool(self.sought.beginning)

    def _within(self, compiler: Any, rows: str, values: list[Any]) -> tuple[str, list[Any]]:
        column, parameters = compiler.compile(self.pk)
        return f"({column} IN ({rows}))", [*parameters, *values]


def _typed(sought: Wanted) -> str:
    """The words as FTS5 takes them."""
    return " ".join([f'"{word}"' for word in sought.words] + [f'"{sought.beginning}"*'] * bool(sought.beginning))


def lead_of(typed: str, rows: QuerySet) -> Lead | None:
    """SQLite's index, which has the tasks of words in the order of their ids; not of phrases, nor without words."""
    sought = wanted(typed)
    if not sought or sought.phrases:
        return None
    return Lead(INDEX, "rowid", f"led.{INDEX} MATCH %s", (_typed(sought),), rows)


def matching(typed: str) -> Q:
    """The tasks with the words of what was ``typed``; of a text without words, none."""
    sought = wanted(typed)
    return Q(_Matches(F("pk"), sought)) if sought else Q(pk__in=())
