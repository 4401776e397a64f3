"""The expressions that measures share: whole numbers, NULL where there is nothing to measure."""

from datetime import datetime
from typing import Any

from django.db.models import BigIntegerField, Case, DateTimeField, F, IntegerField, Q, Value, When
from django.db.models.functions import Cast

from reports.sql import Milliseconds, Scaled
from reports.units import MONEY, TOKENS
from reports.vocabulary.declaration import DIFFERENT, EVERYTHING, Measure, always

#: Added to numbers that may be negative while they become whole ones.
_SHIFT = 1_000_000.0


def between(start: str, end: str, known: Q = EVERYTHING) -> Any:
    """From one time to another, where both are known."""
    there = Q(**{f"{start}__isnull": False, f"{end}__isnull": False}) & known
    return Case(When(there, then=Milliseconds(start, end)), output_field=BigIntegerField())


def until_now(start: str, now: datetime, where: Q) -> Any:
    """From a time until now, for the facts ``where`` it still goes on."""
    there = where & Q(**{f"{start}__isnull": False})
    moment = Value(now, output_field=DateTimeField())
    return Case(When(there, then=Milliseconds(start, moment)), output_field=BigIntegerField())


def share(condition: Q, among: Q | None = None) -> Any:
    """1 where ``condition`` holds and 0 where not; nothing for what is not ``among`` those it can be said of."""
    yes_or_no = Case(When(condition, then=Value(1)), default=Value(0), output_field=IntegerField())
    return yes_or_no if among is None else Case(When(among, then=yes_or_no), output_field=IntegerField())


def number(field: str) -> Any:
    return Cast(F(field), BigIntegerField())


def ratio(field: str) -> Any:
    """A number with a fraction, which may be negative."""
    return Scaled(F(field) + Value(_SHIFT), 1_000_000) - Value(int(_SHIFT) * 1_000_000)


def minutes(field: str) -> Any:
    return Cast(F(field), BigIntegerField()) * Value(60_000)


def usage() -> tuple[Measure, ...]:
    """What runs reported that they used."""
    return (
        Measure("input_tokens", "Input tokens", TOKENS, always(number("input_tokens")), "As agents report."),
        Measure("output_tokens", "Output tokens", TOKENS, always(number("output_tokens")), "As agents report."),
        Measure("tokens", "Tokens", TOKENS, always(number("input_tokens") + number("output_tokens")), "In and out."),
        Measure("cost", "Cost", MONEY, always(Scaled(F("cost"), 1_000_000)), "As agents report."),
    )


def different(name: str, label: str, field: str, meaning: str) -> Measure:
    """What several facts may share: how many there are. ``field``: its id."""
    return Measure(name, label, name, always(F(field)), meaning, DIFFERENT)


def seconds(field: str) -> Any:
    """A field that holds seconds."""
    return Scaled(F(field), 1_000)
