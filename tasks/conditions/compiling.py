"""A condition as a ``Q``."""

import operator
from functools import reduce

from django.db.models import Q

from tasks.conditions.fields import Context
from tasks.conditions.grammar import All, Any_, Condition, Fields, Leaf, Not


def compile(condition: Condition, fields: Fields, context: Context) -> Q:
    """The rows to which ``condition``, as ``read`` against the same ``fields``, applies.

    No rows are repeated, and a row is either meant or not: ``not`` gives exactly the others.
    """
    match condition:
        case All(parts=()):
            # An empty Q has no negation, and vanishes from an alternative.
            return ~Q(pk__in=())
        case Leaf():
            return fields[condition.field].compiled(condition, context)
        case Not():
            return ~compile(condition.part, fields, context)
        case All():
            return reduce(operator.and_, (compile(part, fields, context) for part in condition.parts))
        case Any_():
            return reduce(operator.or_, (compile(part, fields, context) for part in condition.parts))
