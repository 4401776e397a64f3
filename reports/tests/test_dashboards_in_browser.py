"""Dashboards and schedules as people meet them: accessible, narrow, dark, and renewed by what happens."""

from collections.abc import Generator

import pytest

from reports.dashboards import keeping
from reports.limits import SECONDS
from reports.saving import save_report
from reports.schedules.keeping import add_schedule
from reports.schedules.stopping import stop_path
from reports.tests.conftest import NOTE_PATIENCE
from tasks.actions import claims, runs
from tasks.tests.server_process import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LONG = "Weekly pace of everything that agents completed in the year, " + "x" * 58
BY_AGENT = {
    "version": 1, "facts": "episodes", "measures": [{"aggregate": "count"}], "by": ["agent"],
    "period": {"from": "2026-01-01", "to": "2026-02-01"},
}  # fmt: skip


@pytest.fixture
def paths(cast, do_task):
    """The pages, with something on each."""
    for day in (2, 3, 5):
        do_task(f"2026-01-{day:02} 08:00", f"2026-01-{day:02} 09:00", f"2026-01-{day:02} 10:00")
    ada = cast.ada.user
    ada.email = "ada@example.org"
    ada.save()
    report = save_report(actor=ada, name=LONG, definition=BY_AGENT, project="OPS")
    schedule = add_schedule(actor=ada, report=report, cron="0 8 * * 1", tz="America/Argentina/ComodRivadavia")
    reports = [("completed", "full"), ("workload", "half"), (report.pk, "half"), ("cycle_times", "full")]
    items = [{"report": name, "size": size} for name, size in reports]
    dashboard = keeping.make_dashboard(actor=ada, name="Monday", project="OPS", items=items)
    board = f"/reports/dashboards/{dashboard.pk}/"
    saved = f"/reports/saved/{report.pk}/"
    schedules = ["/reports/schedules/", f"/reports/schedules/{schedule.pk}/", stop_path(schedule)]
    return [board, "/reports/dashboards/", saved, f"{saved}schedule/", *schedules]


@pytest.mark.parametrize("options", [{}, {"width": 360, "height": 800}, {"dark": True}], ids=["wide", "narrow", "dark"])
def test_pages_are_accessible_and_fit(open_page, cast, paths, options, subtests):
    tab = open_page(paths[0], user=cast.ada.user, **options)
    for path in paths:
        with subtests.test(path):
            tab.goto(path)
            tab.page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true })")
            tab.assert_accessible()
            tab.assert_no_sideways_scroll()


@pytest.fixture
def server(db, tmp_path) -> Generator[ServerProcess, None, None]:
    process = ServerProcess(tmp_path)
    yield process
    process.close()


@pytest.mark.server
@pytest.mark.slow
def test_dashboard_renews_itself_when_a_task_is_completed(server, open_page, cast, new_task):
    items = [{"report": "completed", "size": "half"}]
    dashboard = keeping.make_dashboard(actor=cast.ada.user, name="Monday", project="OPS", items=items)
    task = new_task()
    tab = open_page(f"/reports/dashboards/{dashboard.pk}/", at=server.url, user=cast.ada.user)
    tab.page.wait_for_selector("[data-live-state][data-state=live]")
    tab.page.evaluate(NOTE_PATIENCE)
    figures = tab.page.locator(".dashboard-tile dl")
    assert "1" not in figures.locator("dd").first.inner_text()
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="done")
    figures.locator("dd").first.filter(has_text="1").wait_for()
    # One slow report is shown as a sentence, so the page waits for longer than the server does.
    assert tab.page.evaluate("longestPatience") > 2 * 1000 * SECONDS
