"""The pages of schedules: adding and changing times, what the last sending came to, and the link that ends them."""

# Fixtures come by their names.
# ruff: noqa: F811

import re

import pytest
from django.core import mail as outbox
from django.test import Client

from messaging.mail import letters
from messaging.mail.letters import send_letters
from reports.models import ReportSchedule, SavedReport
from reports.schedules import keeping, sending
from reports.schedules.stopping import scheduled_by, stop_path
from reports.schedules.times import CHOICES, Times, times_of
from reports.tests.conftest import do_task, set_clock, utc  # noqa: F401
from taskproject.errors import DomainError, Invalid
from taskproject.tests.schedule_scene import BY_AGENT, MONDAY, hugo, our_address, parsed, scheduled  # noqa: F401
from tasks.models import Membership

pytestmark = pytest.mark.django_db


def words(answer):
    """The text of a page, with single spaces."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", answer.content.decode()))


@pytest.fixture
def browser(hugo):
    client = Client()
    client.force_login(hugo)
    return client


def test_page_adds_pauses_resumes_and_deletes_without_a_script(scheduled, browser):
    report = scheduled().report
    page = f"/reports/saved/{report.pk}/"
    assert f"{page}schedule/" in browser.get(page).content.decode()
    assert "hugo@example.org" in words(browser.get(f"{page}schedule/"))
    form = {"days": "first", "at": "09:00", "cron": "", "tz": "Asia/Tokyo", "output": "csv"}
    answer = words(browser.post(f"{page}schedule/", form, follow=True))
    assert "At 09:00 on the first day of every month, in Asia/Tokyo time, as CSV" in answer
    following = "Next: Wed 1 Apr 2026, 09:00; Fri 1 May 2026, 09:00; Mon 1 Jun 2026, 09:00, Asia/Tokyo time."
    assert following in answer
    row = ReportSchedule.objects.get(output="csv")
    path = f"/reports/schedules/{row.pk}/change/"
    assert "Paused." in words(browser.post(path, {"do": "pause", "back": "report"}, follow=True))
    assert following in words(browser.post(path, {"do": "resume", "back": "schedule"}, follow=True))
    browser.post(path, {"do": "delete"})
    assert not ReportSchedule.objects.filter(pk=row.pk).exists()


def test_wrong_times_are_refused_in_one_sentence_and_what_was_typed_stays(scheduled, browser):
    path = f"/reports/saved/{scheduled().report_id}/schedule/"
    form = {"days": "cron", "at": "08:00", "cron": "99 9 1 * *", "tz": "Asia/Tokyo", "output": "csv"}
    for change, sentence in (
        ({}, "&#x27;99&#x27; is no minute."),
        ({"tz": "Asia/Tokio", "days": "daily"}, "Asia/Tokyo"),
        ({"days": "daily", "at": "25:00"}, "&#x27;25:00&#x27; is not a time of day; write 08:00."),
        ({"days": "daily", "at": ""}, "Choose a time of day."),
        ({"days": "sometimes"}, "sometimes"),
        ({"days": "daily", "output": "pdf"}, "pdf"),
    ):
        answer = browser.post(path, form | change)
        assert answer.status_code == 400
        assert sentence in words(answer)
        content = answer.content.decode()
        assert 'aria-invalid="true"' in content or "output" in change
        assert 'value="99 9 1 * *"' in content
    assert ReportSchedule.objects.count() == 1


def test_times_are_changed_on_the_page_of_the_schedule(scheduled, browser):
    schedule = scheduled()
    path = f"/reports/schedules/{schedule.pk}/"
    content = browser.get(path).content.decode()
    assert '<option value="monday" selected>' in content
    assert 'value="08:00"' in content
    form = {"days": "weekdays", "at": "17:30", "cron": "", "tz": "Pacific/Auckland", "output": "csv"}
    answer = browser.post(path, form, follow=True)
    assert "Saved." in words(answer)
    assert "Next: Mon 2 Mar 2026, 17:30; Tue 3 Mar 2026, 17:30; Wed 4 Mar 2026, 17:30, Pacific/Auckland time." in words(
        answer
    )
    schedule.refresh_from_db()
    assert (schedule.cron, schedule.tz, schedule.output) == ("30 17 * * 1-5", "Pacific/Auckland", "csv")
    assert schedule.next_at == utc("2026-03-02 04:30")
    wrong = browser.post(path, form | {"days": "cron", "cron": "* * * * *"})
    assert (wrong.status_code, "once an hour at most" in words(wrong)) == (400, True)


def test_page_of_a_schedule_is_its_owners_alone(cast, scheduled):
    schedule = scheduled()
    ada = Client()
    ada.force_login(cast.ada.user)
    for path in (f"/reports/schedules/{schedule.pk}/", f"/reports/schedules/{schedule.pk}/change/"):
        assert ada.post(path, {"days": "daily", "at": "01:00", "tz": "UTC", "output": "csv"}).status_code == 404
    assert ada.get(f"/reports/schedules/{schedule.pk}/").status_code == 404
    schedule.refresh_from_db()
    assert schedule.cron == "0 8 * * 1"


@pytest.mark.parametrize("days", [value for value, _ in CHOICES if value != "cron"])
def test_choice_of_days_is_read_back_from_its_cron_expression(days):
    cron = Times(days, "00:05" if days == "hourly" else "23:05").as_cron()
    again = times_of(cron)
    assert (again.days, again.as_cron()) == (days, cron)
    with pytest.raises(Invalid):
        Times(days, "24:00").as_cron()


@pytest.mark.parametrize("cron", ["0 8 1,15 * *", "0 8 * 3 *", "0 8,9 * * *", "5 * * * 1", "0 8 * * 1#2"])
def test_other_times_are_read_back_as_a_cron_expression(cron):
    assert (times_of(cron).days, times_of(cron).as_cron()) == ("cron", cron)


# -- what the last sending came to ------------------------------------------------------------------------------------


def test_pages_say_what_became_of_the_last_mail(scheduled, browser, set_clock, monkeypatch, settings):
    settings.SENDS_MAIL = True
    schedule = scheduled()
    set_clock(MONDAY)
    sending.send_due()
    paths = ("/reports/schedules/", f"/reports/schedules/{schedule.pk}/", f"/reports/saved/{schedule.report_id}/")
    for state in ("The mail waits to be sent.", "The mail was handed to the mail server."):
        for path in paths:
            assert "Last: Mon 2 Mar 2026, 08:00. Put into the mails: " in words(browser.get(path))
            assert state in words(browser.get(path))
        send_letters()
    settings.SENDS_MAIL = False
    assert "The mail was printed, since this server sends none." in words(browser.get(paths[0]))
    set_clock("2026-03-09 08:00")
    sending.send_due()

    def refuse(message):
        raise OSError("no way to the server")

    monkeypatch.setattr(letters, "deliver", refuse)
    send_letters()
    assert "The mail waits to be sent again. OSError: no way to the server" in words(browser.get(paths[0]))


def test_list_names_the_reports_that_one_may_read(cast, scheduled, browser, hugo):
    scheduled(name="Pace of all")
    assert "Pace of all: At 08:00 on Monday" in words(browser.get("/reports/schedules/"))
    Membership.objects.filter(user=hugo, project=cast.ops).delete()
    answer = words(browser.get("/reports/schedules/"))
    assert "A report that you may not read any more: At 08:00 on Monday" in answer
    assert "Pace of all" not in answer
    page = words(browser.get(f"/reports/schedules/{ReportSchedule.objects.get().pk}/"))
    assert "You may not read this report any more." in page
    assert "Pace of all" not in page


def test_report_without_figures_says_so_in_the_mail(scheduled, set_clock):
    scheduled()
    set_clock(MONDAY)
    assert sending.send_due() == 1
    send_letters()
    assert "Nothing in your projects fits this report in this period" in parsed().get_body().get_content()


def test_report_that_cannot_be_made_this_time_is_told_by_mail_and_comes_the_next(scheduled, set_clock, monkeypatch):
    schedule = scheduled()
    set_clock(MONDAY)

    def slow(**given):
        raise DomainError("The report took longer than 30 s and was stopped.")

    monkeypatch.setattr(sending, "run_saved_report", slow)
    assert sending.send_due() == 0
    send_letters()
    assert parsed()["Subject"] == "Not made: Pace"
    assert "could not be made this time: The report took longer" in parsed().get_body().get_content()
    assert list(parsed().iter_attachments()) == []
    schedule.refresh_from_db()
    assert schedule.next_at == utc("2026-03-09 08:00")
    assert schedule.last_result.startswith("Not made: The report took longer")
    monkeypatch.undo()


def test_fault_of_the_server_is_said_on_the_page(scheduled, browser, set_clock, monkeypatch, caplog):
    scheduled()
    set_clock(MONDAY)

    def broken(**given):
        raise RuntimeError("secret details")

    monkeypatch.setattr(sending, "run_saved_report", broken)
    assert sending.send_due() == 0
    assert "secret details" in caplog.text
    page = words(browser.get("/reports/schedules/"))
    assert "Not made: a fault of the server" in page
    assert "secret details" not in page
    monkeypatch.undo()


# -- ending it by the link in a mail ----------------------------------------------------------------------------------


def test_link_in_a_mail_ends_its_schedule_by_a_post_alone(scheduled, browser, set_clock):
    schedule, other = scheduled(), scheduled(name="Other")
    set_clock(MONDAY)
    sending.send_due()
    send_letters()
    sent = next(each for each in map(parsed, range(len(outbox.outbox))) if each["Subject"] == "Pace")
    assert sent["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = sent["List-Unsubscribe"].strip(" <>")
    assert f"No more of these e-mails: {link}" in sent.get_body().get_content()
    path = link.removeprefix("https://tasks.example.org")
    stranger = Client(enforce_csrf_checks=True)
    for _ in range(2):
        page = stranger.get(path)
        assert (page.status_code, page["Referrer-Policy"], page["X-Robots-Tag"]) == (200, "no-referrer", "noindex")
        assert "At 08:00 on Monday, in UTC time" in words(page)
        assert "Pace" not in words(page)
    schedule.refresh_from_db()
    assert schedule.is_active
    for _ in range(2):
        answer = stranger.post(path, {"List-Unsubscribe": "One-Click"})
        assert (answer.status_code, "no longer sent to you" in words(answer)) == (200, True)
    schedule.refresh_from_db()
    other.refresh_from_db()
    assert (schedule.is_active, other.is_active) == (False, True)
    assert "Stopped: You stopped it by the link in a mail." in words(browser.get("/reports/schedules/"))
    set_clock("2026-03-09 08:00")
    assert sending.send_due() == 1
    resumed = browser.post(f"/reports/schedules/{schedule.pk}/change/", {"do": "resume"}, follow=True)
    assert "Stopped" not in words(resumed)
    schedule.refresh_from_db()
    assert schedule.next_at == utc("2026-03-16 08:00")


def test_changed_link_ends_nothing(scheduled):
    schedule = scheduled()
    path = stop_path(schedule)
    for broken in (path[:-2] + ("aa" if not path.endswith("aa") else "bb"), "/reports/schedules/stop/" + "x" * 5_000):
        assert Client().post(broken).status_code == 404
    assert scheduled_by("x") is None
    schedule.refresh_from_db()
    assert schedule.is_active


def test_link_of_a_schedule_that_was_deleted_says_that_nothing_comes(scheduled, hugo):
    schedule = scheduled()
    path = stop_path(schedule)
    keeping.delete_schedule(actor=hugo, schedule=schedule)
    for answer in (Client().get(path), Client().post(path)):
        assert (answer.status_code, "no longer sent to you" in words(answer)) == (200, True)


def test_schedule_that_is_ended_while_its_file_is_made_sends_nothing(scheduled, set_clock):
    schedule = scheduled()
    set_clock(MONDAY)
    mark = sending._take(schedule.pk)
    Client().post(stop_path(schedule))
    assert sending._send(schedule.pk, mark) == 0
    assert SavedReport.objects.get().definition == BY_AGENT
    assert send_letters() == 0
