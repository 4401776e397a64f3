"""Querysets and their updates as prepared statements; see the package."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db.models import QuerySet, sql

from taskproject.prepared.parameters import Parameter
from taskproject.prepared.rows import Reader, reader_of
from taskproject.prepared.running import run, vendor
from taskproject.prepared.texts import Text, merged_text
from taskproject.prepared.together import require_none, write

Builder = Callable[..., QuerySet]
#: What an update changes, and the values of its parameters.
Change = tuple[Mapping[str, Any], Mapping[str, Any]]
#: How many texts of a statement are kept; what has more is not made of a few fixed choices.
MOST_TEXTS = 500


def sends_many_at_once() -> bool:
    """Whether many updates with values of their own are one statement; SQLite, in this process, takes one by one."""
    return vendor() == "postgresql"


class _Statement:
    """What both kinds share: the builder, and which of its arguments are parameters."""

    def __init__(self, build: Builder) -> None:
        self.build = build
        arguments = inspect.signature(build).parameters.values()
        self.names = tuple(each.name for each in arguments if each.kind is not each.KEYWORD_ONLY)
        self.choices = tuple(each.name for each in arguments if each.kind is each.KEYWORD_ONLY)
        self.__doc__ = build.__doc__

    def _chosen(self, values: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
        return tuple((name, values[name]) for name in self.choices if name in values)

    def _queryset(self, chosen: tuple[tuple[str, Any], ...]) -> QuerySet:
        return self.build(**{name: Parameter(name) for name in self.names}, **dict(chosen))

    @staticmethod
    def _keep(texts: dict[Any, Any], key: Any, made: Any) -> None:
        if len(texts) >= MOST_TEXTS:
            texts.clear()
        texts[key] = made


class Prepared(_Statement):
    """A queryset that is compiled once for each combination of its keyword-only arguments."""

    def __init__(self, build: Builder) -> None:
        super().__init__(build)
        self._texts: dict[Any, tuple[Text, Reader] | None] = {}

    def all(self, **values: Any) -> list[Any]:
        """What the queryset yields with these ``values``."""
        known = self._compiled(values)
        if known is None:
            return []
        text, read = known
        rows, _ = text.run(values)
        return read(rows) if rows else []

    def merged(self, many: Sequence[Mapping[str, Any]], *, order: str, most: int) -> list[Any]:
        """The first ``most`` of the rows for each of these values together, by one statement; each part may have an
        order and a limit of its own, and so walk an index. ``order``: of columns by their places, as in ``1 DESC``.
        """
        known = self._compiled(many[0]) if many else None
        if known is None:
            return []
        text, read = known
        bound = [each for values in many for each in text.bind(values)]
        rows, _ = run(merged_text(text.sql, len(many), order=order, most=most), bound)
        return read(rows) if rows else []

    def _compiled(self, values: Mapping[str, Any]) -> tuple[Text, Reader] | None:
        """None: whatever its parameters are, it yields nothing, as with ``[:0]``; Django makes no SQL of that."""
        chosen = self._chosen(values)
        key = (vendor(), chosen)
        try:
            return self._texts[key]
        except KeyError:
            made = self._compile(self._queryset(chosen))
        self._keep(self._texts, key, made)
        return made

    @staticmethod
    def _compile(queryset: QuerySet) -> tuple[Text, Reader] | None:
        compiler = queryset.query.get_compiler(using=queryset.db)
        try:
            text = Text(compiler)
        except EmptyResultSet:
            return None
        return text, reader_of(queryset, compiler)

    def first(self, **values: Any) -> Any:
        """The first row, or None."""
        rows = self.all(**values)
        return rows[0] if rows else None

    def none_later(self, **values: Any) -> None:
        """Raise ``LostRace`` if it yields anything, now or with the writes that wait: as it is before these."""
        known = self._compiled(values)
        if known is not None:
            text, _ = known
            require_none(text.sql, text.bind(values))


class PreparedUpdate(_Statement):
    """An UPDATE of the rows of a queryset, compiled once for each set of columns."""

    def __init__(self, build: Builder) -> None:
        super().__init__(build)
        self._texts: dict[Any, tuple[Text, Reader | None]] = {}

    def __call__(self, changes: Mapping[str, Any], **values: Any) -> int:
        """How many rows it changed. ``changes``: by field, values or expressions; these are part of the text, so what
        varies in them must be a ``Parameter``.
        """
        (text, _), given = self._bound(changes, values, returns=False)
        return text.run(given)[1]

    def later(self, changes: Mapping[str, Any], *, rows: int | None = None, **values: Any) -> None:
        """The same with the next statement of the transaction, if it may wait. ``rows``: how many it must change;
        raises ``LostRace``, now or then, if it changes another number.
        """
        (text, _), given = self._bound(changes, values, returns=False)
        write(text.table, text.sql, text.bind(given), rows=rows)

    def returning(self, changes: Mapping[str, Any], **values: Any) -> list[Any]:
        """The rows that it changed, as instances, as they are then."""
        (text, read), given = self._bound(changes, values, returns=True)
        rows, _ = text.run(given)
        assert read is not None
        return read(rows) if rows else []

    def each_later(self, many: Sequence[Change], *, must_change: bool = True) -> None:
        """``later`` for each of ``many``, as changes and values; with ``must_change`` each must change one row.

        All change the same columns, by the same expressions. PostgreSQL gets one statement, whatever their number, so
        none may name the rows of another.
        """
        rows = 1 if must_change else None
        if len(many) == 1 or not sends_many_at_once():
            for changes, values in many:
                self.later(changes, rows=rows, **values)
        elif many:
            text, _, statement = self._bound_together(many, returns=False)
            write(text.table, *statement, rows=len(many) if must_change else None)

    def each_returning(self, many: Sequence[Change]) -> list[Any]:
        """``returning`` for each of ``many``, in any order; see ``each_later``."""
        if len(many) == 1 or not sends_many_at_once():
            return [row for changes, values in many for row in self.returning(changes, **values)]
        if not many:
            return []
        _, read, statement = self._bound_together(many, returns=True)
        rows, _ = run(*statement)
        assert read is not None
        return read(rows) if rows else []

    def _bound_together(
        self, many: Sequence[Change], *, returns: bool
    ) -> tuple[Text, Reader | None, tuple[str, list[Any]]]:
        bound = [self._bound(changes, values, returns=returns) for changes, values in many]
        known, _ = bound[0]
        if any(other is not known for other, _ in bound):
            raise TypeError("These updates do not change the same columns by the same expressions.")
        text, read = known
        sql, document = text.for_many([given for _, given in bound])
        return text, read, (sql, [document])

    def _bound(
        self, changes: Mapping[str, Any], values: Mapping[str, Any], *, returns: bool
    ) -> tuple[tuple[Text, Reader | None], dict[str, Any]]:
        shape = tuple(
            (name, value if hasattr(value, "resolve_expression") else None) for name, value in changes.items()
        )
        chosen = self._chosen(values)
        key = (vendor(), returns, chosen, shape)
        known = self._texts.get(key)
        if known is None:
            known = self._compile(self._queryset(chosen), shape, returns=returns)
            self._keep(self._texts, key, known)
        return known, {f"new {name}": value for name, value in changes.items()} | dict(values)

    @staticmethod
    def _compile(
        queryset: QuerySet, shape: tuple[tuple[str, Any], ...], *, returns: bool
    ) -> tuple[Text, Reader | None]:
        fields = queryset.model._meta
        query: Any = queryset.query.chain(sql.UpdateQuery)
        query.add_update_values(
            {
                name: Parameter(f"new {name}", fields.get_field(name)) if value is None else value
                for name, value in shape
            }
        )
        query.annotations = {}
        query.clear_ordering(force=True)
        update = query.get_compiler(using=queryset.db)
        if not returns:
            return Text(update, table=fields.db_table), None
        # Columns are read as a plain SELECT of the model gives them.
        plain = queryset.model._default_manager.all()
        compiler = plain.query.get_compiler(using=queryset.db)
        compiler.as_sql()
        columns = ", ".join(f'"{column.target.column}"' for column, _, _ in compiler.select)
        return Text(update, table=fields.db_table, ending=f" RETURNING {columns}"), reader_of(plain, compiler)


def prepared(build: Builder) -> Prepared:
    """Make a statement of ``build``: its arguments are parameters, keyword-only ones are part of the text."""
    return Prepared(build)


def prepared_update(build: Builder) -> PreparedUpdate:
    """Make an UPDATE of the rows that ``build`` names; see ``prepared``."""
    return PreparedUpdate(build)
