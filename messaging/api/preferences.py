"""How the caller wants to be told over HTTP: by which ways of each kind, and when."""

from datetime import time
from typing import Any

from drf_spectacular.utils import OpenApiExample
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from messaging.models import Email, NotificationKind
from messaging.notifications.choices import (
    DEFAULTS,
    Ways,
    change_choices,
    mute_kinds,
    muted_kinds,
    read_zone,
    times_of,
    ways_of,
)
from taskproject.api.operations import operation
from taskproject.api.serializers import Boolean, Choice, ListOf, PlainText, StrictSerializer
from taskproject.api.views import View
from taskproject.errors import Invalid, unknown_name

TIME_HELP = "A local time, as 22:00."
EXAMPLE = {
    "muted": ["completed"],
    "channels": {"question_for_me": {"page": True, "browser": True, "email": "at_once"}},
    "quiet": {"from": "22:00", "until": "07:00"},
    "time_zone": "Europe/Vienna",
    "digest_at": "08:00",
    "urgent_anyway": True,
}


class WaysOutput(serializers.Serializer):
    page = serializers.BooleanField(help_text="Whether there is a notification at all.")
    browser = serializers.BooleanField(help_text="Whether an open page shows it by the browser; needs `page`.")
    email = serializers.ChoiceField(Email.choices)


class QuietOutput(serializers.Serializer):
    until = serializers.CharField(help_text=TIME_HELP)

    def get_fields(self) -> dict[str, Any]:
        # A word of Python cannot name a field of a class.
        return {"from": serializers.CharField(help_text=TIME_HELP), **super().get_fields()}


class PreferencesOutput(serializers.Serializer):
    muted = serializers.ListField(
        child=serializers.ChoiceField(NotificationKind.choices), help_text="The kinds that come in no way."
    )
    channels = serializers.DictField(child=WaysOutput(), help_text="For each kind the ways by which it comes.")
    quiet = QuietOutput(allow_null=True, help_text="When no browser notification and no e-mail comes; null: never.")
    time_zone = serializers.CharField(
        help_text="In which you read pages, reports and e-mails. Empty: that of the browser; where there is none, that "
        "of your working hours, else the server's."
    )
    digest_at = serializers.CharField(help_text="When the daily e-mail comes.")
    urgent_anyway = serializers.BooleanField(help_text="Whether urgent questions come in quiet hours too.")


class Clock(serializers.TimeField):
    """A local time, to the minute."""

    def to_internal_value(self, value: Any) -> time:
        moment: time = super().to_internal_value(value if isinstance(value, str) else "")
        return moment.replace(second=0, microsecond=0)


def _clock(**kwargs: Any) -> Clock:
    said = "Must be a time such as 22:00."
    return Clock(input_formats=["%H:%M"], error_messages={"invalid": said, "date": said, "datetime": said}, **kwargs)


class WaysInput(StrictSerializer):
    page = Boolean(required=False)
    browser = Boolean(required=False)
    email = Choice(Email.choices, required=False)


class QuietInput(StrictSerializer):
    until = _clock(help_text=TIME_HELP)

    def get_fields(self) -> dict[str, Any]:
        return {"from": _clock(help_text=TIME_HELP), **super().get_fields()}


class PreferencesInput(StrictSerializer):
    muted = ListOf(child=PlainText(max_length=60), max_length=100, required=False)
    channels = serializers.DictField(child=WaysInput(), required=False)
    quiet = QuietInput(required=False, allow_null=True)
    time_zone = PlainText(max_length=60, required=False)
    digest_at = _clock(required=False, help_text=TIME_HELP)
    urgent_anyway = Boolean(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "muted" in attrs and "channels" in attrs:
            raise serializers.ValidationError({"muted": "Send either muted or channels."})
        return attrs


def _preferences(user: Any) -> dict[str, Any]:
    times = times_of(user)
    quiet = None
    if times.quiet_from is not None and times.quiet_until is not None:
        quiet = {"from": f"{times.quiet_from:%H:%M}", "until": f"{times.quiet_until:%H:%M}"}
    return {
        "muted": muted_kinds(user),
        "channels": {
            kind.value: {"page": ways.page, "browser": ways.browser, "email": ways.email.value}
            for kind, ways in ways_of(user).items()
        },
        "quiet": quiet,
        "time_zone": times.zone_name,
        "digest_at": f"{times.digest_at:%H:%M}",
        "urgent_anyway": times.urgent_anyway,
    }


class PreferencesView(View):
    @operation(
        "notifications",
        "get_notification_preferences",
        "Notification settings",
        responses=PreferencesOutput,
        response_example=EXAMPLE,
    )
    def get(self, request: Request) -> Response:
        return Response(_preferences(self.actor))

    @operation(
        "notifications",
        "patch_notification_preferences",
        "Change how I am told",
        "By which ways each kind comes from now on, and when. What is left out stays as it is; `muted` replaces the "
        "current list: those kinds come in no way, those no longer on it as by default. Existing notifications stay.",
        request=PreferencesInput,
        responses=PreferencesOutput,
        examples=[
            OpenApiExample("Mute", value={"muted": ["completed"]}, request_only=True),
            OpenApiExample(
                "Channels",
                value={"channels": {"overdue": {"email": "daily"}}, "quiet": {"from": "22:00", "until": "07:00"}},
                request_only=True,
            ),
        ],
    )
    def patch(self, request: Request) -> Response:
        body = self.read(PreferencesInput)
        times = {name: body[name] for name in ("digest_at", "urgent_anyway") if name in body}
        if "time_zone" in body:
            times["time_zone"] = read_zone(body["time_zone"])
        if "quiet" in body:
            quiet = body["quiet"] or {"from": None, "until": None}
            times |= {"quiet_from": quiet["from"], "quiet_until": quiet["until"]}
        ways = self._ways(body.get("channels", {}))
        if "muted" in body:
            mute_kinds(user=self.actor, kinds=body["muted"])
        change_choices(user=self.actor, ways=ways, times=times)
        return Response(_preferences(self.actor))

    def _ways(self, channels: dict[str, dict[str, Any]]) -> dict[NotificationKind, Ways]:
        present = ways_of(self.actor) if channels else DEFAULTS
        ways = {}
        for name, chosen in channels.items():
            if name not in NotificationKind.values:
                raise Invalid({"channels": unknown_name(name, NotificationKind.values, what="kind")})
            kind = NotificationKind(name)
            before = present[kind]
            ways[kind] = Ways(
                chosen.get("page", before.page),
                chosen.get("browser", before.browser),
                Email(chosen.get("email", before.email)),
            )
        return ways
