"""Dashboards: what they show whom, how they are arranged, and what is refused."""

import pytest
from django.test import Client

from reports.dashboards import keeping
from reports.models import Dashboard, SavedReport
from reports.saving import save_report
from taskproject.errors import Invalid, NotPermitted
from tasks.models import Membership
from tasks.tests.api_client import client_of

pytestmark = pytest.mark.django_db

BY_AGENT = {
    "version": 1, "facts": "episodes", "measures": [{"aggregate": "count"}], "by": ["agent"],
    "period": {"from": "2026-01-01", "to": "2026-02-01"},
}  # fmt: skip


def browser(user):
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def done(do_task, set_clock):
    do_task("2026-01-05 08:00", "2026-01-05 09:00", "2026-01-05 10:00")
    set_clock("2026-01-06 10:00")


@pytest.fixture
def hugo(cast):
    return cast.hugo.user


@pytest.fixture
def make(hugo):
    def make_dashboard(*reports, name="Monday", project="OPS", actor=None):
        items = [{"report": report, "size": "half"} for report in reports]
        return keeping.make_dashboard(actor=actor or hugo, name=name, project=project, items=items)

    return make_dashboard


@pytest.mark.usefixtures("done")
def test_page_shows_each_report_with_the_figures_of_its_reader(cast, hugo, make):
    pace = save_report(actor=hugo, name="Pace <b>", definition=BY_AGENT, project="OPS")
    dashboard = make("completed", pace.pk, "workload")
    page = browser(cast.vera).get(f"/reports/dashboards/{dashboard.pk}/").content.decode()
    assert page.count("dashboard-tile") == 3
    assert page.index("completed/?project=OPS") < page.index("Pace &lt;b&gt;") < page.index("workload/?project=OPS")
    assert "Atlas" in page
    assert "Arrange" not in page, "a viewer changes nothing"
    assert browser(cast.mona.user).get(f"/reports/dashboards/{dashboard.pk}/").status_code == 404


@pytest.mark.usefixtures("done")
def test_dashboard_of_a_project_counts_that_project_alone_and_ones_own_what_one_sees(cast, hugo, make):
    own = make("completed", name="Mine", project=None, actor=cast.mona.user)
    page = browser(cast.mona.user).get(f"/reports/dashboards/{own.pk}/").content.decode()
    assert "Nothing to count yet." in page, "what OPS completed is nothing to its stranger"
    Membership.objects.create(user=hugo, project=cast.other, role="worker")
    of_other = make("completed", name="Theirs", project="OTHER")
    assert "Nothing to count yet." in browser(hugo).get(f"/reports/dashboards/{of_other.pk}/").content.decode()
    all_of_hugo = make("completed", name="All", project=None)
    assert "Nothing to count yet." not in browser(hugo).get(f"/reports/dashboards/{all_of_hugo.pk}/").content.decode()


def test_report_that_is_gone_or_broken_is_one_line_and_can_be_taken_away(cast, hugo, make):
    gone = save_report(actor=hugo, name="Gone", definition=BY_AGENT, project="OPS")
    broken = save_report(actor=hugo, name="Broken", definition=BY_AGENT, project="OPS")
    private = save_report(actor=hugo, name="Private", definition=BY_AGENT)
    dashboard = make(gone.pk, "completed", broken.pk, private.pk)
    SavedReport.objects.filter(pk=gone.pk).delete()
    SavedReport.objects.filter(pk=broken.pk).update(definition=BY_AGENT | {"by": ["agent_of_old"]})
    Dashboard.objects.filter(pk=dashboard.pk).update(items=[*dashboard.items, {"report": "of_old", "size": "half"}])
    path = f"/reports/dashboards/{dashboard.pk}/"
    page = browser(cast.ada.user).get(path).content.decode()
    shown = page[: page.index("Arrange")]
    assert shown.count("deleted, or is no longer shared with you") == 3
    assert "agent_of_old" in shown
    assert "Private" not in page
    for report in (gone.pk, private.pk, "of_old"):
        browser(cast.ada.user).post(f"{path}change/", {"do": "remove", "report": str(report)})
    dashboard.refresh_from_db()
    assert [item["report"] for item in dashboard.items] == ["completed", broken.pk]


def test_page_arranges_without_a_script(hugo):
    client = browser(hugo)
    assert client.get("/reports/dashboards/new/").headers["Location"] == "/reports/dashboards/"
    path = client.post("/reports/dashboards/new/", {"name": "Monday", "project": "OPS"}).headers["Location"]

    def change(**fields):
        client.post(f"{path}change/", fields)
        return [(item["report"], item["size"]) for item in Dashboard.objects.get().items]

    change(do="add", report="completed")
    assert change(do="add", report="workload") == [("completed", "half"), ("workload", "half")]
    assert change(do="add", report="workload") == [("completed", "half"), ("workload", "half")]
    assert change(do="up", report="workload") == [("workload", "half"), ("completed", "half")]
    assert change(do="up", report="workload") == [("workload", "half"), ("completed", "half")]
    assert change(do="down", report="workload") == [("completed", "half"), ("workload", "half")]
    assert change(do="full", report="workload") == [("completed", "half"), ("workload", "full")]
    assert change(do="sideways", report="workload") == [("completed", "half"), ("workload", "full")]
    assert change(do="remove", report="completed") == [("workload", "full")]
    client.post(f"{path}change/", {"do": "rename", "name": "Tuesday"})
    assert "Tuesday" in client.get("/reports/dashboards/").content.decode()
    client.post(f"{path}change/", {"do": "delete"})
    assert not Dashboard.objects.exists()


@pytest.mark.parametrize(
    ("items", "place", "words"),
    [
        ({}, "items", "list"),
        (["completed"], "items[0]", "object"),
        ([{"report": "complete"}], "items[0].report", "did you mean 'completed'"),
        ([{"report": 999}], "items[0].report", "no saved report"),
        ([{"report": True}], "items[0].report", "name of a report"),
        ([{"report": ["completed"]}], "items[0].report", "name of a report"),
        ([{"report": "completed", "size": "huge"}], "items[0].size", "Known: half, full"),
        ([{"report": "completed", "size": ["half"]}], "items[0].size", "Known: half, full"),
        ([{"report": "completed", "sise": "half"}], "items[0].sise", "did you mean 'size'"),
        ([{"report": "completed"}, {"report": "completed"}], "items[1].report", "already"),
        ([{"report": "completed"}] * 13, "items", "At most 12"),
    ],
)
def test_items_with_a_mistake_are_refused_at_their_place(hugo, items, place, words):
    answer = client_of(hugo).post("/api/v1/dashboards", {"name": "Monday", "items": items})
    assert answer.status_code == 400
    assert words in answer.json()["errors"][place][0]
    assert not Dashboard.objects.exists()


def test_dashboard_is_made_read_changed_and_deleted_over_http(hugo):
    client = client_of(hugo)
    made = client.post("/api/v1/dashboards", {"name": "Monday", "project": "ops", "items": [{"report": "completed"}]})
    assert made.status_code == 201
    path = made.headers["Location"]
    assert made.json()["items"] == [{"report": "completed", "size": "half"}]
    assert client.get(path).json() == made.json()
    items = [{"report": "workload", "size": "full"}, {"report": "completed", "size": "half"}]
    changed = client.patch(path, {"items": items}, headers={"If-Match": '"1"'})
    assert (changed.json()["items"], changed.headers["ETag"]) == (items, '"2"')
    stale = client.patch(path, {"name": "Other"}, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["current"]["version"]) == (412, 2)
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404


def test_name_is_taken_once_and_viewers_make_none_of_a_project(cast, make):
    make()
    with pytest.raises(Invalid, match="already"):
        make()
    with pytest.raises(NotPermitted):
        make(actor=cast.vera)
