"""The notifications page in a browser: contrast, a small window, the keyboard, no policy violations."""

import pytest

from messaging.models import Notification, NotificationKind
from messaging.notifications.choices import Ways, change_choices, times_of, ways_of
from tasks.actions import assignments
from tasks.tests.test_markdown import HOSTILE

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_page_is_readable_small_and_by_keyboard(open_page, cast, new_task, notified, dark):
    for title in ("a_very_long_title_" * 10, HOSTILE[0]):
        new_task(title, assignees=[cast.hugo])
    notified()
    tab = open_page("/notifications/", user=cast.hugo.user, width=360, height=740, dark=dark)
    tab.assert_keyboard_reaches_all()
    tab.assert_no_sideways_scroll()
    tab.assert_contrast()
    tab.page.click("[aria-label^='Mark as read']")
    tab.page.wait_for_selector("text=Marked as read.")
    tab.page.wait_for_selector("[data-notifications-count='1']")


def test_burst_is_opened_and_thereby_read(open_page, cast, new_task, notified):
    for _ in range(6):
        new_task(assignees=[cast.hugo])
    notified()
    tab = open_page("/notifications/", user=cast.hugo.user, width=360, height=740)
    tab.page.wait_for_selector("text=ada assigned 6 tasks in OPS to you.")
    tab.assert_keyboard_reaches_all()
    tab.page.click("text=Show all 6")
    tab.page.wait_for_selector("text=ada assigned OPS-6 to you.")
    tab.assert_no_sideways_scroll()
    tab.assert_contrast()
    tab.page.wait_for_selector("[data-notifications-count='0']", state="attached")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_settings_are_readable_small_and_large_and_by_keyboard(open_page, cast, dark):
    tab = open_page("/notifications/settings/", user=cast.hugo.user, width=360, height=740, dark=dark)
    tab.assert_no_sideways_scroll()
    tab.assert_contrast()
    tab.assert_keyboard_reaches_all()
    tab.page.uncheck("[aria-label='Overdue: on the page']")
    tab.page.select_option("[aria-label='Failed: by e-mail']", "daily")
    tab.page.fill("#quiet_from", "22:00")
    tab.page.click("main button:text-is('Save')")
    tab.page.wait_for_selector("[role=alert] >> text=Say from when and until when, or neither.")
    assert all("400" in problem for problem in tab.problems)
    tab.problems.clear()
    tab.page.fill("#quiet_until", "7:00")
    tab.page.set_viewport_size({"width": 1280, "height": 800})
    tab.page.click("main button:text-is('Save')")
    tab.page.wait_for_selector(".notices >> text=Saved.")
    tab.assert_no_sideways_scroll()
    tab.assert_contrast()
    ways = ways_of(cast.hugo.user)
    assert (ways["overdue"].page, ways["failed"].email) == (False, "daily")
    assert f"{times_of(cast.hugo.user).quiet_until:%H:%M}" == "07:00"


FAKE = """
window.shown = [];
window.Notification = class extends EventTarget {
  static permission = "granted";
  static asked = 0;
  static async requestPermission() { Notification.asked += 1; return "granted"; }
  constructor(text, options) { super(); window.shown.push([text, options.body, options.tag]); window.last = this; }
  close() {}
};
"""


def test_browser_shows_once_in_all_tabs_what_is_wanted_as_text(open_page, cast, new_task, notified):
    change_choices(user=cast.hugo.user, ways={NotificationKind.ASSIGNED: Ways(browser=True)})
    task, other = new_task(HOSTILE[0]), new_task("Not to be shown")
    tab = open_page("/", user=cast.hugo.user)
    tab.page.context.add_init_script(FAKE)
    tab.page.reload()
    second = tab.page.context.new_page()
    second.goto(tab.page.url)
    assert tab.page.evaluate("Notification.asked") == 0
    assignments.assign_task(actor=cast.ada.user, task=task, agents=[cast.hugo])
    notified()
    for page in (tab.page, second):
        page.wait_for_selector("[data-notifications-count='1']")
    tab.page.wait_for_timeout(1500)
    row = Notification.objects.get(recipient=cast.hugo.user)
    shown = tab.page.evaluate("window.shown") + second.evaluate("window.shown")
    assert shown == [["ada assigned OPS-1 to you.", HOSTILE[0], f"taskproject-{row.pk}"]]
    change_choices(user=cast.hugo.user, ways={NotificationKind.ASSIGNED: Ways(page=True)})
    assignments.assign_task(actor=cast.ada.user, task=other, agents=[cast.hugo])
    notified()
    tab.page.wait_for_selector("[data-notifications-count='2']")
    tab.page.wait_for_timeout(500)
    assert len(tab.page.evaluate("window.shown") + second.evaluate("window.shown")) == 1
    shower = tab.page if tab.page.evaluate("window.shown.length") else second
    shower.evaluate("last.dispatchEvent(new Event('click'))")
    shower.wait_for_url("**/tasks/OPS-1")


def test_permission_is_asked_by_the_button_alone(open_page, cast):
    tab = open_page("/notifications/settings/", user=cast.hugo.user)
    tab.page.context.add_init_script(FAKE.replace('permission = "granted"', 'permission = "default"'))
    tab.page.reload()
    tab.page.wait_for_selector("[data-ask-permission]")
    assert tab.page.evaluate("Notification.asked") == 0
    tab.page.click("[data-ask-permission]")
    tab.page.wait_for_selector("text=This browser shows notifications")
    assert tab.page.evaluate("Notification.asked") == 1
