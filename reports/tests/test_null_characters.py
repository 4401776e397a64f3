"""A null character, which PostgreSQL cannot store or compare, is refused or looked past at every page of reports."""

import json
from urllib.parse import urlencode

import pytest

from reports import saving
from reports.dashboards import keeping
from reports.models import Dashboard, ReportSchedule, SavedReport
from reports.schedules.keeping import add_schedule

pytestmark = pytest.mark.django_db

NUL = "a\0b"
DEFINITION = {
    "version": 1,
    "facts": "episodes",
    "measures": [{"aggregate": "count"}],
    "period": {"last": 4, "unit": "week"},
}
CELL = {"definition": json.dumps(DEFINITION | {"by": ["agent"]}), "column": "count", "from": "2026-01-01"}


@pytest.fixture
def ada(client, cast):
    client.force_login(cast.ada.user)
    return client


@pytest.fixture
def kept(cast):
    """What ada keeps: a report, its schedule, and a dashboard."""
    actor = cast.ada.user
    actor.email = "ada@example.org"
    actor.save()
    report = saving.save_report(actor=actor, name="Pace", definition=DEFINITION)
    schedule = add_schedule(actor=actor, report=report, cron="0 8 * * 1", tz="UTC")
    return {"report": report.pk, "schedule": schedule.pk, "board": keeping.make_dashboard(actor=actor, name="Mine").pk}


@pytest.mark.parametrize(
    ("path", "query"),
    [
        *(
            (path, {name: NUL})
            for path in ("", "completed/", "cards/completed/")
            for name in ("project", "from", "bucket", "tz")
        ),
        *(("saved/", {name: NUL}) for name in ("q", "page")),
        *(("new/", {name: NUL}) for name in ("definition", "facts", "by", "tz", "project", "label", "agent")),
        *(("behind/", CELL | {"to": "2026-02-01", name: NUL}) for name in ("project", "cursor", "column", "to")),
        ("behind/", CELL | {"to": "2026-02-01", "words": json.dumps({"agent": NUL})}),
        (f"schedules/stop/{NUL}", {}),
    ],
)
def test_null_character_in_an_address_fails_no_page(ada, path, query):
    assert ada.get(f"/reports/{path.replace(NUL, 'a%00b')}?{urlencode(query)}").status_code < 500


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        *(
            ("new/", {"definition": json.dumps(DEFINITION), "name": "New", name: NUL})
            for name in ("name", "description")
        ),
        ("new/", {"definition": json.dumps(DEFINITION), "name": "New", "project": NUL}),
        *(("saved/{report}/change/", {name: NUL}) for name in ("name", "description", "project")),
        *(("dashboards/new/", {"name": "New", name: NUL}) for name in ("name", "project")),
        ("dashboards/{board}/change/", {"do": "rename", "name": NUL}),
        ("dashboards/{board}/change/", {"do": "add", "report": NUL}),
        *(("schedules/{schedule}/change/", {"do": "change", name: NUL}) for name in ("cron", "tz", "time", "back")),
        *(("saved/{report}/schedule/", {"cron": "0 9 * * 1", "tz": "UTC", name: NUL}) for name in ("cron", "tz")),
    ],
)
def test_null_character_in_a_form_fails_no_page_and_is_not_stored(ada, kept, path, fields):
    answer = ada.post(f"/reports/{path.format_map(kept)}", fields)
    assert answer.status_code < 500
    for model in (SavedReport, Dashboard, ReportSchedule):
        assert not any("\0" in str(value) for row in model.objects.values() for value in row.values())
    assert (SavedReport.objects.get().name, Dashboard.objects.get().name) == ("Pace", "Mine")
