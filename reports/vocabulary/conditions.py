"""The fields that conditions on facts can name: each dimension, time and measured number.

Conditions refer to the expressions of the vocabulary by aliases, which ``aliased`` gives a queryset: so a condition and
a group of the same name always mean the same.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Q, QuerySet

from reports.units import FLAG, MONEY, RATIO, SECONDS
from reports.vocabulary.declaration import DIFFERENT, Dimension, Fact, Measure
from tasks.conditions import Condition, Context, Field, Leaf, leaves
from tasks.conditions.fields import choice, flag, names, number, table, time
from tasks.conditions.of_tasks import ME, TASK_FIELDS
from tasks.models import LabelOfSet, Task

#: What one of a unit is in the whole numbers that are measured.
SCALES = {SECONDS: 1_000, MONEY: 1_000_000, RATIO: 1_000_000}
_KNOWN = {"project": "project", "agent": "assignee", "created_by": "created_by"}


def fields_of(fact: Fact) -> dict[str, Field]:
    """The table of fields of ``fact``."""
    fields = [_of_dimension(fact, each) for each in fact.dimensions]
    fields += [
        time(each.name, each.label, each.field, nullable=True, where=each.known)
        for each in fact.moments
        if each.name not in {field.name for field in fields}
    ]
    fields += [time(each.name, each.label, _alias(each.name), nullable=True) for each in fact.times]
    fields += [
        _of_measure(each)
        for each in fact.measures
        if each.unit != FLAG and each.aggregates != DIFFERENT and each.name not in {field.name for field in fields}
    ]
    if fact.model is Task:
        # The list of tasks and reports on tasks share their conditions.
        return table(*fields) | TASK_FIELDS
    return table(*fields)


def aliased(rows: QuerySet, fact: Fact, condition: Condition, now: datetime) -> QuerySet:
    """``rows`` with what the fields of ``condition`` refer to."""
    named = {leaf.field for leaf in leaves(condition)}
    dimensions = {_alias(each.name): each.expression for each in fact.dimensions if each.name in named}
    measures = {_alias(each.name): each.expression(now) for each in fact.measures if each.name in named}
    times = {_alias(each.name): each.expression for each in fact.times if each.name in named}
    many = {_alias(each.name) for each in fact.dimensions if each.is_many}
    return rows.alias(**{name: each for name, each in {**measures, **times, **dimensions}.items() if name not in many})


def _alias(name: str) -> str:
    return f"w_{name}"


def _of_dimension(fact: Fact, dimension: Dimension) -> Field:
    column = _alias(dimension.name)
    if dimension.is_many:
        return _of_several(fact, dimension)
    if set(dimension.choices) == {True, False}:
        return flag(dimension.name, dimension.label, lambda context: Q(**{column: True}), help=dimension.meaning)
    if dimension.choices:
        in_order = sorted(dimension.choices) if dimension.is_ordered else list(dimension.choices)
        words = {dimension.choices[stored][0]: stored for stored in in_order}
        labels = dict(dimension.choices.values())
        return choice(
            dimension.name,
            dimension.label,
            column,
            words,
            labels=labels,
            ordered=dimension.is_ordered,
            nullable=True,
            help=dimension.meaning,
        )

    def having(values: Sequence[str], context: Context) -> Q:
        wanted = [_me(value, context) if dimension.is_whoever else value for value in values]
        if dimension.name == "project":
            wanted = [value.upper() for value in wanted]
        return Q(**{f"{column}__in": wanted}) & Q(**{f"{column}__isnull": False})

    known = _KNOWN.get(dimension.name)
    return names(
        dimension.name,
        dimension.label,
        having,
        any_at_all=lambda context: Q(**{f"{column}__isnull": False}),
        known=TASK_FIELDS[known].known if known else None,
        help=dimension.meaning,
    )


def _me(value: str, context: Context) -> str:
    if value != ME:
        return value
    agent = getattr(context.user, "agent", None)
    return str(agent.slug if agent is not None else context.user.username)


def _of_several(fact: Fact, dimension: Dimension) -> Field:
    """What a fact has several of: a join would repeat the fact."""
    inner = TASK_FIELDS[dimension.name]
    if fact.model is Task:
        return inner

    def having(values: Sequence[str], context: Context) -> Q:
        return Q(label_set__in=LabelOfSet.objects.filter(name__in=values).order_by().values("label_set"))

    return names(
        dimension.name,
        dimension.label,
        having,
        any_at_all=lambda context: Q(label_set__isnull=False),
        known=inner.known,
        help=dimension.meaning,
    )


def _of_measure(measure: Measure) -> Field:
    """A number in the unit that people read."""
    scale = SCALES.get(measure.unit, 1)
    inner = number(
        measure.name, measure.label, _alias(measure.name), nullable=True, whole=scale == 1, help=measure.meaning
    )

    def compiled(leaf: Leaf, context: Context) -> Q:
        if scale == 1 or leaf.operator == "is_set":
            return inner.compiled(leaf, context)
        value: Any = (
            tuple(_scaled(each, scale) for each in leaf.value)
            if isinstance(leaf.value, tuple)
            else _scaled(leaf.value, scale)
        )
        return inner.compiled(replace(leaf, value=value), context)

    return replace(inner, compiled=compiled)


def _scaled(value: float, scale: int) -> Any:
    exact = Decimal(str(value)) * scale
    return int(exact) if exact == exact.to_integral_value() else exact
