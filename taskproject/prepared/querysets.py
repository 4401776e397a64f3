"""Querysets and their updates as prepared statements; see the package."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from django.db import connection
from django.db.models import QuerySet, sql

from taskproject.prepared.parameters import Parameter
from taskproject.prepared.rows import Reader, reader_of
from taskproject.prepared.texts import Text

Builder = Callable[..., QuerySet]
#: How many texts of a statement are kept; what has more is not made of a few fixed choices.
MOST_TEXTS = 500


class _Statement:
    """What both kinds share: the builder, and which of its arguments are parameters."""

    def __init__(self, build: Builder) -> None:
        self.build = build
        arguments = inspect.signature(build).parameters.values()
        self.names = tuple(each.name for each in arguments if each.kind is not each.KEYWORD_ONLY)
        self.__doc__ = build.__doc__

    def _queryset(self, fixed: Mapping[str, Any]) -> QuerySet:
        return self.build(**{name: Parameter(name) for name in self.names}, **fixed)

    @staticmethod
    def _keep(texts: dict[Any, Any], key: Any, made: Any) -> None:
        if len(texts) >= MOST_TEXTS:
            texts.clear()
        texts[key] = made


class Prepared(_Statement):
    """A queryset that is compiled once for each combination of its keyword-only arguments."""

    def __init__(self, build: Builder) -> None:
        super().__init__(build)
        self._texts: dict[Any, tuple[Text, Reader]] = {}

    def all(self, **values: Any) -> list[Any]:
        """What the queryset yields with these ``values``."""
        fixed = {name: value for name, value in values.items() if name not in self.names}
        key = (connection.vendor, *sorted(fixed.items())) if fixed else connection.vendor
        known = self._texts.get(key)
        if known is None:
            queryset = self._queryset(fixed)
            compiler = queryset.query.get_compiler(using=queryset.db)
            text = Text(compiler)
            known = text, reader_of(queryset, compiler)
            self._keep(self._texts, key, known)
        text, read = known
        rows, _ = text.run(values)
        return read(rows) if rows else []

    def first(self, **values: Any) -> Any:
        """The first row, or None."""
        rows = self.all(**values)
        return rows[0] if rows else None

    def finds(self, **values: Any) -> bool:
        """Whether there is a row; for querysets of at most a few."""
        return bool(self.all(**values))


class PreparedUpdate(_Statement):
    """An UPDATE of the rows of a queryset, compiled once for each set of columns."""

    def __init__(self, build: Builder) -> None:
        super().__init__(build)
        self._texts: dict[Any, Text] = {}

    def __call__(self, changes: Mapping[str, Any], **values: Any) -> int:
        """How many rows it changed. ``changes``: by field, values or expressions; these are part of the text, so what
        varies in them must be a ``Parameter``.
        """
        shape = tuple(
            (name, value if hasattr(value, "resolve_expression") else None) for name, value in changes.items()
        )
        key = (connection.vendor, shape)
        text = self._texts.get(key)
        if text is None:
            text = self._compile(shape)
            self._keep(self._texts, key, text)
        _, count = text.run({f"new {name}": value for name, value in changes.items()} | values)
        return count

    def _compile(self, shape: tuple[tuple[str, Any], ...]) -> Text:
        queryset = self._queryset({})
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
        return Text(query.get_compiler(using=queryset.db))


def prepared(build: Builder) -> Prepared:
    """Make a statement of ``build``: its arguments are parameters, keyword-only ones are part of the text."""
    return Prepared(build)


def prepared_update(build: Builder) -> PreparedUpdate:
    """Make an UPDATE of the rows that ``build`` names; see ``prepared``."""
    return PreparedUpdate(build)
