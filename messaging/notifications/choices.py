"""How somebody wants to be told of each kind, and when: what they chose, and the defaults."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, tzinfo
from typing import Any, Final

from django.contrib.auth.models import User
from django.db import transaction

from messaging.models import Delivery, Email, KindChoice, NotificationKind
from messaging.notifications.quiet import next_daily, quiet_until
from taskproject.errors import Invalid, unknown_name
from taskproject.zones import known_zones
from tasks.permissions import require_full_reach
from tasks.zones import choose_zone, chosen_names, reader_zones

DIGEST_AT: Final = time(8)


@dataclass(frozen=True)
class Ways:
    """How a kind is told: on the page, as a browser notification from an open page, by e-mail.

    Without ``page`` there is no row, and so nothing for a browser to show.
    """

    page: bool = True
    browser: bool = False
    email: Email = Email.OFF


NONE: Final = Ways(page=False)
#: What stops somebody else's work, or is said to one alone, finds its recipient; the rest waits on the page.
DEFAULTS: Final[Mapping[NotificationKind, Ways]] = {
    **dict.fromkeys(NotificationKind, Ways()),
    NotificationKind.QUESTION_FOR_ME: Ways(browser=True, email=Email.AT_ONCE),
    NotificationKind.UNDELIVERED: Ways(browser=True),
    NotificationKind.MENTION: Ways(browser=True, email=Email.DAILY),
    NotificationKind.DIRECT_MESSAGE: Ways(browser=True, email=Email.DAILY),
    NotificationKind.REVIEW_ASKED: Ways(browser=True, email=Email.DAILY),
    NotificationKind.INVITED: Ways(email=Email.AT_ONCE),
}


@dataclass(frozen=True)
class Times:
    """When somebody is told; ``zone_name`` is empty unless they chose one."""

    zone: tzinfo
    zone_name: str = ""
    quiet_from: time | None = None
    quiet_until: time | None = None
    digest_at: time = DIGEST_AT
    urgent_anyway: bool = False

    def quiet_end(self, at: datetime, *, urgent: bool = False) -> datetime | None:
        """Until when somebody is left alone at ``at``; None if they are not."""
        if urgent and self.urgent_anyway:
            return None
        return quiet_until(at, self.zone, self.quiet_from, self.quiet_until)

    def next_digest(self, at: datetime) -> datetime:
        return next_daily(at, self.zone, self.digest_at)


class Choices:
    """The choices of several users, read with a fixed number of queries."""

    def __init__(self, users: Collection[int]) -> None:
        self._ways: dict[int, dict[str, Ways]] = defaultdict(dict)
        for row in KindChoice.objects.filter(user__in=users):
            self._ways[row.user_id][row.kind] = Ways(row.page, row.browser, Email(row.email))
        names = chosen_names(users)
        zones = reader_zones(users, names)
        times = {row.user_id: row for row in Delivery.objects.filter(user__in=users)}
        self._times = {user: _times(times.get(user), zones[user], names.get(user, "")) for user in users}

    def ways(self, user: int, kind: NotificationKind) -> Ways:
        return self._ways[user].get(kind, DEFAULTS[kind])

    def times(self, user: int) -> Times:
        return self._times[user]


def _times(row: Delivery | None, zone: tzinfo, chosen: str) -> Times:
    if row is None:
        return Times(zone, chosen)
    return Times(zone, chosen, row.quiet_from, row.quiet_until, row.digest_at, row.urgent_anyway)


def ways_of(user: User) -> dict[NotificationKind, Ways]:
    """How ``user`` is told of each kind."""
    choices = Choices([user.pk])
    return {kind: choices.ways(user.pk, kind) for kind in NotificationKind}


def times_of(user: User) -> Times:
    return Choices([user.pk]).times(user.pk)


def muted_kinds(user: User) -> list[str]:
    """The kinds of which ``user`` is told in no way, in the order of ``NotificationKind``."""
    return [kind.value for kind, ways in ways_of(user).items() if not ways.page and ways.email == Email.OFF]


def mute_kinds(*, user: User, kinds: Collection[str]) -> None:
    """Set the kinds of which ``user`` is told in no way from now on; those muted before come as by default.

    Raises ``Invalid`` for an unknown one, ``NotPermitted`` for a token that is limited to projects.
    """
    require_full_reach(user, "mute notifications")
    _require_known(kinds, "muted")
    freed = {NotificationKind(kind) for kind in muted_kinds(user) if kind not in kinds}
    change_choices(
        user=user, ways={kind: DEFAULTS[kind] for kind in freed} | {NotificationKind(kind): NONE for kind in kinds}
    )


def change_choices(
    *, user: User, ways: Mapping[NotificationKind, Ways] | None = None, times: Mapping[str, Any] | None = None
) -> None:
    """Set how ``user`` is told of these kinds, and these of their times (fields of ``Delivery``, and
    ``time_zone``); all or nothing.

    Raises ``Invalid``, and ``NotPermitted`` for a token that is limited to projects: this applies to all.
    """
    require_full_reach(user, "change how you are notified")
    with transaction.atomic():
        if ways:
            _store_ways(user, ways)
        times = dict(times or {})
        if (zone := times.pop("time_zone", None)) is not None:
            choose_zone(user, zone)
        if times:
            row = Delivery.objects.select_for_update().filter(user=user).first() or Delivery(
                user=user, digest_at=DIGEST_AT
            )
            for name, value in times.items():
                setattr(row, name, value)
            if (row.quiet_from is None) != (row.quiet_until is None):
                raise Invalid({"quiet": "Say from when and until when, or neither."})
            row.save()


def _store_ways(user: User, ways: Mapping[NotificationKind, Ways]) -> None:
    rows = [
        KindChoice(user=user, kind=kind, page=chosen.page, browser=chosen.browser, email=chosen.email)
        for kind, chosen in ways.items()
        if chosen != DEFAULTS[kind]
    ]
    KindChoice.objects.filter(user=user, kind__in=list(ways)).exclude(kind__in=[row.kind for row in rows]).delete()
    KindChoice.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["user", "kind"], update_fields=["page", "browser", "email"]
    )


def _require_known(kinds: Iterable[str], place: str) -> None:
    for kind in kinds:
        if kind not in NotificationKind.values:
            raise Invalid({place: unknown_name(kind, NotificationKind.values, what="kind")})


def read_zone(name: str) -> str:
    """The time zone that ``name`` says, empty for none chosen. Raises ``Invalid``."""
    name = name.strip()
    if name and name not in known_zones():
        raise Invalid({"time_zone": unknown_name(name, sorted(known_zones()), what="time zone")})
    return name
