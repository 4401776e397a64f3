"""Schedules over HTTP: the caller's own, each of a saved report that they may read."""

from typing import Any

from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from reports import saving
from reports.models import ScheduleOutput
from reports.models.schedule import LONGEST_CRON
from reports.schedules import keeping
from taskproject.api.operations import operation
from taskproject.api.serializers import PlainText, StrictSerializer, TextOf
from taskproject.api.views import LIST_QUERY_NAMES, ListView, View, shown
from tasks.zones import reader_zone

EXAMPLE: dict[str, Any] = {
    "id": 3,
    "report": 7,
    "cron": "0 8 * * 1",
    "tz": "Europe/Berlin",
    "output": "xlsx",
    "active": True,
    "next_at": "2026-11-30T07:00:00Z",
    "stopped": None,
    "last_at": "2026-11-23T07:00:02Z",
    "last_result": "Put into the mails: report-7_all_2026-10-26_2026-11-22.xlsx",
    "created_at": "2026-11-20T09:00:00Z",
}


class ReportScheduleOutput(serializers.Serializer):
    """When its owner gets a saved report by mail, with the figures of their projects."""

    id = serializers.IntegerField()
    report = serializers.IntegerField(source="report_id", help_text="The saved report.")
    cron = serializers.CharField(help_text="Minute, hour, day of month, month, weekday.")
    tz = serializers.CharField(help_text="The zone of these times, and of the report's days unless it names another.")
    output = serializers.ChoiceField(choices=ScheduleOutput.values)
    active = serializers.BooleanField(source="is_active")
    next_at = serializers.DateTimeField(allow_null=True, help_text="Null: it rests.")
    stopped = TextOf(lambda schedule: schedule.stopped or None, allow_null=True, help_text="Why it stopped itself.")
    last_at = serializers.DateTimeField(allow_null=True)
    last_result = TextOf(lambda schedule: schedule.last_result or None, allow_null=True)
    created_at = serializers.DateTimeField()


ZONE_HELP = "Name of a time zone, as in Europe/Berlin; by default that in which you read."


class ReportScheduleInput(StrictSerializer):
    report = serializers.IntegerField(min_value=1, max_value=2**63 - 1, help_text="Id of a saved report.")
    cron = PlainText(allow_blank=False, max_length=LONGEST_CRON, help_text="As in `0 8 * * 1`; once an hour at most.")
    tz = PlainText(allow_blank=False, max_length=64, required=False, help_text=ZONE_HELP)
    output = serializers.ChoiceField(choices=ScheduleOutput.values, required=False)


class ReportSchedulePatch(StrictSerializer):
    cron = PlainText(allow_blank=False, max_length=LONGEST_CRON, required=False)
    tz = PlainText(allow_blank=False, max_length=64, required=False)
    output = serializers.ChoiceField(choices=ScheduleOutput.values, required=False)
    active = serializers.BooleanField(required=False, help_text="False pauses it, true resumes it.")


class ReportSchedulesView(ListView):
    query_names = LIST_QUERY_NAMES
    orderings = {"id": "pk", "next_at": "next_at"}

    @operation(
        "reports",
        "list_report_schedules",
        "Your schedules",
        "When you get saved reports by mail. Only your own; a token that is limited to projects sees none.",
        responses=ReportScheduleOutput(many=True),
        response_example=EXAMPLE,
    )
    def get(self, request: Request) -> Response:
        return self.show_each(keeping.schedules_of(self.actor), ReportScheduleOutput)

    @operation(
        "reports",
        "create_report_schedule",
        "Schedule a report",
        "Sends a saved report that you may read to your e-mail address, at times of a named zone, with the figures of "
        "your projects. It stops itself, and says why, once you may no longer read the report or it can no longer be "
        "made.",
        request=ReportScheduleInput,
        responses={201: ReportScheduleOutput},
        request_example={"report": 7, "cron": "0 8 * * 1", "tz": "Europe/Berlin"},
        response_example=EXAMPLE | {"last_at": None, "last_result": None},
    )
    def post(self, request: Request) -> Response:
        fields = self.read(ReportScheduleInput)
        report = saving.find_saved_report(self.actor, fields.pop("report"))
        fields.setdefault("tz", reader_zone(self.actor).key)
        schedule = keeping.add_schedule(actor=self.actor, report=report, **fields)
        response = Response(shown(ReportScheduleOutput, schedule), status=status.HTTP_201_CREATED)
        response.headers["Location"] = f"/api/v1/report_schedules/{schedule.pk}"
        return response


class ReportScheduleView(View):
    @operation(
        "reports",
        "get_report_schedule",
        "A schedule",
        "Yours alone.",
        responses=ReportScheduleOutput,
        response_example=EXAMPLE,
    )
    def get(self, request: Request, id: str) -> Response:
        return Response(shown(ReportScheduleOutput, keeping.find_schedule(self.actor, int(id))))

    @operation(
        "reports",
        "edit_report_schedule",
        "Change a schedule",
        "Other times resume one that rests; `active` pauses and resumes.",
        request=ReportSchedulePatch,
        responses=ReportScheduleOutput,
        request_example={"active": False},
        response_example=EXAMPLE | {"active": False, "next_at": None},
    )
    def patch(self, request: Request, id: str) -> Response:
        schedule = keeping.find_schedule(self.actor, int(id))
        changes = self.read(ReportSchedulePatch)
        changed = keeping.change_schedule(actor=self.actor, schedule=schedule, changes=changes)
        return Response(shown(ReportScheduleOutput, changed))

    @operation(
        "reports",
        "delete_report_schedule",
        "Delete a schedule",
        "The report stays.",
        responses={204: None},
    )
    def delete(self, request: Request, id: str) -> Response:
        keeping.delete_schedule(actor=self.actor, schedule=keeping.find_schedule(self.actor, int(id)))
        return Response(status=status.HTTP_204_NO_CONTENT)
