"""A browser in Auckland: the server learns its zone, and every page has the same days."""

import re

import pytest

from tasks.models import Task
from tasks.zones import choose_zone

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def late(cast, do_task) -> Task:
    """Completed late on 3 April 2026 in UTC, which was the 4th in Auckland."""
    return do_task("2026-04-01 00:00", "2026-04-01 01:00", "2026-04-03 11:30")


@pytest.fixture
def open_in_auckland(open_page, cast):
    return lambda path: open_page(path, user=cast.root, timezone_id="Pacific/Auckland", locale="en-GB")


def completed_on(page) -> str:
    """When the task was completed, as the task page says it after its scripts have run."""
    page.wait_for_selector("dt:text-is('Completed') + dd time[title^='4 Apr'], dd time[title^='3 Apr']")
    return page.locator("dt:text-is('Completed') + dd time").get_attribute("title")


def test_first_page_without_a_cookie_already_has_the_readers_days(open_in_auckland, late):
    page = open_in_auckland(f"/tasks/{late.ref}").page
    page.wait_for_selector("meta[name=time-zone][content='Pacific/Auckland']", state="attached")
    assert completed_on(page).startswith("4 Apr 2026, 00:30")
    cookie = next(cookie for cookie in page.context.cookies() if cookie["name"] == "time_zone")
    assert (cookie["value"], cookie["sameSite"], cookie["path"]) == ("Pacific/Auckland", "Lax", "/")


def test_day_on_the_task_page_is_the_bucket_in_the_report_and_the_day_in_the_admin(open_in_auckland, late):
    tab = open_in_auckland(f"/tasks/{late.ref}")
    page = tab.page
    page.wait_for_selector("meta[name=time-zone][content='Pacific/Auckland']", state="attached")
    assert completed_on(page).startswith("4 Apr 2026")
    tab.goto("/reports/completed/?bucket=day&from=2026-04-01&to=2026-04-08")
    row = page.locator("tr", has_text=re.compile(r"\b4 Apr 2026"))
    assert row.locator("td").first.inner_text() == "1"
    assert "Pacific/Auckland" in page.locator(".report-period").inner_text()
    tab.goto(f"/admin/tasks/task/{late.pk}/change/")
    assert page.locator("time[title^='4 Apr 2026, 00:30 NZDT']").count() >= 1


def test_chosen_zone_goes_before_the_browsers_also_where_the_page_rewrites_its_times(open_in_auckland, late, cast):
    choose_zone(cast.root, "America/Los_Angeles")
    page = open_in_auckland(f"/tasks/{late.ref}").page
    assert completed_on(page).startswith("3 Apr 2026, 04:30")


def test_browser_without_cookies_is_not_asked_to_reload_for_ever(open_page, late, cast):
    # What a browser that keeps no cookie of ours looks like to the script.
    tab = open_page("/login/", timezone_id="Pacific/Auckland", locale="en-GB")
    tab.page.add_init_script("Object.defineProperty(document, 'cookie', {get: () => '', set: () => {}})")
    loads: list[str] = []
    tab.page.on("load", lambda page: loads.append(page.url))
    tab.goto("/login/")
    tab.page.wait_for_load_state("networkidle")
    assert len(loads) == 1
