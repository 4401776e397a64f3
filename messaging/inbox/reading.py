"""Reading an inbox: a page of it in order, how many items it has, one item by its id.

All sources are one statement. Its cost is that of the rows that make items, and only those of a page are read whole.
"""

import base64
import binascii
import operator
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, reduce
from typing import Any, TypeGuard

import orjson
from django.contrib.auth.models import User
from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from messaging.inbox.items import Group, Head, Item, Scope, State
from messaging.inbox.reader import STAND_INS, Reader, Standing
from messaging.inbox.sources import SOURCES, Source
from messaging.models import PutAside
from taskproject.errors import Invalid, NotFound
from taskproject.prepared.running import run
from taskproject.prepared.texts import Text
from tasks import clock

#: Items of a source are counted up to this number.
COUNTED = 100
#: How many compiled statements are kept: one serves all who stand alike.
COMPILED = 256
ORDER = ("-item_score", "item_since", "item_source", "item_key")


@dataclass(frozen=True)
class Place:
    """Between two items: after ``head`` in the order as of ``now``, or before it if ``backward``."""

    now: datetime
    head: Head
    backward: bool = False

    def __str__(self) -> str:
        head = self.head
        parts = [self.now.isoformat(), self.backward, head.score, head.since.isoformat(), head.source, head.key]
        return base64.urlsafe_b64encode(orjson.dumps(parts)).decode().rstrip("=")


def read_place(text: str) -> Place:
    """The place that a cursor names. Raises ``Invalid``."""
    refusal = Invalid({"cursor": "It is not one of ours; follow `next` or start without one."})
    try:
        now, backward, score, since, source, key = orjson.loads(
            base64.urlsafe_b64decode(text[:1000] + "=" * (-len(text) % 4))
        )
        as_of, came_up = parse_datetime(now), parse_datetime(since)
        is_known = source in SOURCES
    except (ValueError, TypeError, binascii.Error):
        raise refusal from None
    numbers = all(isinstance(number, int) and abs(number) < 2**62 for number in (score, key))
    if not numbers or not isinstance(backward, bool) or not is_known or not _is_ours(as_of) or not _is_ours(came_up):
        raise refusal
    return Place(as_of, Head(source, key, came_up, score), backward)


def _is_ours(moment: datetime | None) -> TypeGuard[datetime]:
    """Whether it is a moment far enough from the ends of time to count from it."""
    return moment is not None and moment.tzinfo is not None and 1900 < moment.year < 9000


@dataclass
class Page:
    """Some items in order, and the places from which the list goes on."""

    items: list[Item]
    next: Place | None = None
    previous: Place | None = None


def sources_of(group: Group | None = None, names: Collection[str] = ()) -> list[Source]:
    return [
        source
        for source in SOURCES.values()
        if (group is None or source.group == group) and (not names or source.name in names)
    ]


def read_inbox(
    user: User,
    *,
    sources: Iterable[Source] | None = None,
    scope: Scope | None = Scope.MINE,
    state: State = State.ACTIVE,
    place: Place | None = None,
    limit: int = 50,
) -> Page:
    """A page of the inbox of ``user``, most urgent first. ``scope`` None: theirs and their team's."""
    now = clock.now()
    # The score grows with age: the pages of one reading are those of one moment.
    ordering = Reader(user, place.now if place else now)
    reader = Reader(user, now)
    chosen = list(SOURCES.values() if sources is None else sources)
    arms = [_beyond(source.heads(ordering, scope, state), source.name, place) for source in chosen]
    backward = place is not None and place.backward
    heads = [Head(source, key, since, score) for source, key, since, score in _first(arms, limit + 1, backward)]
    more, heads = len(heads) > limit, heads[:limit]
    if backward:
        heads.reverse()
    page = Page(show(reader, heads, state))
    if heads and (more or backward):
        page.next = Place(ordering.now, heads[-1])
    if heads and (more if backward else place is not None):
        page.previous = Place(ordering.now, heads[0], backward=True)
    return page


def _first(arms: Sequence[QuerySet], limit: int, backward: bool) -> QuerySet:
    together = arms[0].union(*arms[1:], all=True) if len(arms) > 1 else arms[0]
    order = ORDER if not backward else tuple(name[1:] if name[0] == "-" else f"-{name}" for name in ORDER)
    return together.order_by(*order)[:limit]


def _beyond(rows: QuerySet, source: str, place: Place | None) -> QuerySet:
    """Those after the place, or before it if it leads backward; each row of ``rows`` is of this source."""
    if place is None:
        return rows
    head = place.head
    less, more = ("lt", "gt") if not place.backward else ("gt", "lt")
    same = Q(item_score=head.score, item_since=head.since)
    beyond = Q(**{f"item_score__{less}": head.score}) | Q(
        **{"item_score": head.score, f"item_since__{more}": head.since}
    )
    if source == head.source:
        return rows.filter(beyond | (same & Q(**{f"item_key__{more}": head.key})))
    is_later = source < head.source if place.backward else source > head.source
    return rows.filter(beyond | same if is_later else beyond)


def show(reader: Reader, heads: Sequence[Head], state: State) -> list[Item]:
    """The items of ``heads`` in their order, without those that are gone; a few queries per source."""
    items: dict[tuple[str, int], Item] = {}
    for name in dict.fromkeys(head.source for head in heads):
        for item in SOURCES[name].items(reader, [head for head in heads if head.source == name]):
            items[name, item.head.key] = item
    if state is State.SNOOZED and items:
        wanted = reduce(operator.or_, (Q(source=name, key=key) for name, key in items))
        for row in PutAside.objects.filter(wanted, user=reader.user):
            items[row.source, row.key].until = row.until
    for item in items.values():
        item.state = state
    return [items[head.source, head.key] for head in heads if (head.source, head.key) in items]


def count_items(
    user: User, *, scope: Scope | None = Scope.MINE, state: State = State.ACTIVE, most: int = COUNTED
) -> dict[Group, int]:
    """How many items each group has, each of its sources counted up to ``most``; one query."""
    reader = Reader(user, timezone.now(), joined=True)
    sql, values = _counting(reader.standing, scope, state, most)
    counts = dict.fromkeys(Group, 0)
    rows = run(sql, reader.filled_in(values))[0] if sql else []
    for name, number in rows:
        counts[SOURCES[name].group] += number
    return counts


@lru_cache(maxsize=COMPILED)
def _counting(standing: Standing, scope: Scope | None, state: State, most: int) -> tuple[str, tuple[Any, ...]]:
    """The statement of ``count_items`` for whoever stands like this, to be run prepared: every page counts, and to
    compile and plan it takes many times as long as to run it. Empty: nothing can need them.
    """
    reader = Reader(standing.somebody(), timezone.now(), joined=True)
    parts: list[str] = []
    params: list[Any] = []
    for source in SOURCES.values():
        rows = source.chosen(reader, scope, state).values("pk")[:most]
        try:
            text = Text(rows.query.get_compiler(connection=connection), stand_ins=STAND_INS)
        except EmptyResultSet:
            continue
        # SQLite allows no LIMIT inside a compound, hence the wrapper.
        parts.append(f"SELECT '{source.name}', COUNT(*) FROM ({text.sql}) AS counted")  # noqa: S608 - Django's own SQL
        params += text.parameters
    return " UNION ALL ".join(parts), tuple(params)


def find_item(user: User, name: str) -> Item:
    """The item with this id, whatever its state. Raises ``NotFound`` if nothing of that name needs ``user`` now."""
    reader = Reader(user, clock.now())
    kind, _, rest = name.partition("-")
    source = SOURCES.get(kind)
    key = source.key_of(reader, rest) if source is not None else None
    if source is not None and key is not None:
        for state in State:
            heads = [Head(*row) for row in source.heads(reader, None, state, [key])]
            # Gone if somebody did it between the two looks.
            if items := show(reader, heads[:1], state):
                return items[0]
    raise NotFound(f"Nothing called {name[:60]!r} is in your inbox.", "Somebody may have done it.")
