"""In which time zone somebody reads: one answer for pages, reports, the admin and mails.

What they chose in their settings; else that of their browser, which a cookie says; else that of their working hours;
else the server's. A program with a token has no browser, and a mail reaches none that is known.
"""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from taskproject.zones import known_zone, server_zone
from tasks.models import Agent, Profile, Theme
from tasks.permissions import agent_of

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

#: Written by ``taskproject/zone.js``; read here only, and believed only if it names a zone.
ZONE_COOKIE: Final = "time_zone"


def zone_of(request: Any) -> ZoneInfo:
    """The zone in which whoever sent ``request`` reads; for requests of Django and of DRF, by session or token.

    It is kept as ``request.reader_zone``, whether they chose it as ``request.zone_is_chosen``, and what else stands
    in the same row as ``request.reader_theme`` and ``request.first_steps_over``.
    """
    plain = getattr(request, "_request", request)
    if not hasattr(plain, "reader_zone"):
        name, plain.reader_theme, plain.first_steps_over = _profile_of(request.user)
        plain.reader_zone = chosen = known_zone(name)
        plain.zone_is_chosen = chosen is not None
        if chosen is None:
            plain.reader_zone = browser_zone(request) or zone_of_work(request.user) or server_zone()
    zone: ZoneInfo = plain.reader_zone
    return zone


def _profile_of(user: "User | AnonymousUser") -> tuple[str, str, bool]:
    """The zone and the theme that ``user`` chose, and whether they are through with the first steps."""
    chosen = None
    if user.pk is not None:
        chosen = Profile.objects.filter(user=user.pk).values_list("time_zone", "theme", "first_steps_over").first()
    return chosen or ("", "", False)


def reader_zone(user: "User | AnonymousUser | None") -> ZoneInfo:
    """The zone in which ``user`` reads where there is no browser: mails, schedules, programs.

    Who answers a request takes ``zone_of``, so that a page and its report have the same days.
    """
    return chosen_zone(user) or zone_of_work(user) or server_zone()


def reader_zones(users: Collection[int], chosen: Mapping[int, str]) -> dict[int, ZoneInfo]:
    """``reader_zone`` of several users by their ids, with one query; ``chosen`` are their ``chosen_names``."""
    work = dict(Agent.objects.filter(user__in=users).exclude(time_zone="").values_list("user", "time_zone"))
    server = server_zone()
    return {user: known_zone(chosen.get(user, "")) or known_zone(work.get(user, "")) or server for user in users}


def chosen_names(users: Collection[int]) -> dict[int, str]:
    """The names of the zones that these users chose, by their ids; those who chose none are left out."""
    return dict(Profile.objects.filter(user__in=users).exclude(time_zone="").values_list("user", "time_zone"))


def chosen_zone(user: "User | AnonymousUser | None") -> ZoneInfo | None:
    """The zone that ``user`` chose; None: automatic."""
    if user is None or user.pk is None:
        return None
    return known_zone(chosen_names([user.pk]).get(user.pk, ""))


def browser_zone(request: Any) -> ZoneInfo | None:
    """The zone that the browser says by its cookie; None if it says none that is known."""
    return known_zone(request.COOKIES.get(ZONE_COOKIE, ""))


def zone_of_work(user: "User | AnonymousUser | None") -> ZoneInfo | None:
    """The zone of the working hours of ``user``."""
    agent = agent_of(user)  # type: ignore[arg-type]
    return known_zone(agent.time_zone) if agent is not None else None


def choose_zone(user: "User", name: str) -> None:
    """Set the zone in which ``user`` reads; empty: automatic. ``name`` is known."""
    Profile.objects.update_or_create(user=user, defaults={"time_zone": name})


def choose_theme(user: "User", theme: Theme) -> None:
    """Set the colours in which ``user`` sees all pages."""
    Profile.objects.update_or_create(user=user, defaults={"theme": theme})
