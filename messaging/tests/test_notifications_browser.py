"""The notifications page in a browser: contrast, a small window, the keyboard, no policy violations."""

import pytest

from tasks.tests.test_markdown import HOSTILE

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_page_is_readable_small_and_by_keyboard(open_page, cast, new_task, notified, dark):
    for title in ("a_very_long_title_" * 10, HOSTILE[0]):
        new_task(title, assignees=[cast.hugo])
    notified()
    tab = open_page("/notifications/", user=cast.hugo.user, width=360, height=740, dark=dark)
    tab.assert_keyboard_reaches_all()
    tab.page.click("text=Notify me about")
    tab.page.wait_for_selector("text=Save")
    tab.assert_no_sideways_scroll()
    tab.assert_contrast()
    tab.page.uncheck("input[value=overdue]")
    tab.page.click("button[value=mute]")
    tab.page.wait_for_selector(".notices >> text=Muted: overdue.")
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
