"""Scheduled reports: their times, that each is sent once, whose figures they have, and what stops them."""

# Fixtures come by their names.
# ruff: noqa: F811

import csv
import io

import pytest
from django.core import mail as outbox
from django.test import Client
from openpyxl import load_workbook

from messaging.mail.letters import send_letters
from reports.models import ReportSchedule, SavedReport
from reports.schedules import keeping, sending
from reports.tests.conftest import do_task, set_clock, utc  # noqa: F401
from taskproject.errors import Invalid
from taskproject.tests.schedule_scene import (  # noqa: F401
    BY_AGENT,
    MONDAY,
    hugo,
    our_address,
    parsed,
    posted,
    scheduled,
)
from tasks import engine
from tasks.models import Membership
from tasks.tests.racing import at_once
from tasks.tests.sizes import MEETINGS

# -- sending ----------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_report_comes_by_mail_with_a_file_that_opens(scheduled, do_task, set_clock):
    do_task("2026-01-05 08:00", "2026-01-05 09:00", "2026-01-05 10:00")
    schedule = scheduled()
    assert schedule.next_at == utc(MONDAY)
    set_clock("2026-03-02 07:59")
    assert sending.send_due() == 0
    set_clock(MONDAY)
    assert sending.send_due() == 1
    assert send_letters() == 1
    message = parsed()
    assert (message["Subject"], message["To"]) == ("Pace", "hugo@example.org")
    text = message.get_body().get_content()
    assert "1 Jan 2026 to 31 Jan 2026, in UTC time" in text
    assert f"https://tasks.example.org/reports/saved/{schedule.report_id}/" in text
    (file,) = message.iter_attachments()
    assert file.get_filename() == f"report-{schedule.report_id}_all_2026-01-01_2026-02-01.xlsx"
    rows = list(load_workbook(io.BytesIO(file.get_content())).worksheets[0].values)
    assert ("Atlas", 1) in rows, rows
    schedule.refresh_from_db()
    assert (schedule.next_at, schedule.last_at) == (utc("2026-03-09 08:00"), utc(MONDAY))
    assert file.get_filename() in schedule.last_result
    assert posted()[0].content is None, "the file is kept no longer than it is needed"
    assert (sending.send_due(), send_letters()) == (0, 0)


@pytest.mark.django_db
def test_csv_comes_as_it_is_downloaded(scheduled, do_task, set_clock, hugo):
    do_task("2026-01-05 08:00", "2026-01-05 09:00", "2026-01-05 10:00")
    schedule = scheduled(output="csv")
    set_clock(MONDAY)
    sending.send_due()
    send_letters()
    (file,) = parsed().iter_attachments()
    assert file.get_content_type() == "text/csv"
    client = Client()
    client.force_login(hugo)
    page = client.get(f"/reports/saved/{schedule.report_id}/?output=csv").content.decode("utf-8-sig")
    sent = file.get_payload(decode=True).decode("utf-8-sig")
    assert list(csv.reader(io.StringIO(sent))) == list(csv.reader(io.StringIO(page)))
    assert "atlas" in sent


@pytest.mark.django_db
def test_times_that_were_missed_are_sent_once(scheduled, set_clock):
    schedule = scheduled("0 * * * *")
    set_clock("2026-03-05 09:20")
    assert sending.send_due() == 1
    assert sending.send_due() == 0
    schedule.refresh_from_db()
    assert schedule.next_at == utc("2026-03-05 10:00")
    assert len(posted()) == 1


@pytest.mark.django_db
def test_engine_killed_while_it_makes_the_file_loses_nothing(scheduled, set_clock):
    schedule = scheduled()
    set_clock(MONDAY)
    assert sending._take(schedule.pk) is not None
    assert sending.send_due() == 0, "another engine has it"
    set_clock("2026-03-02 08:06")
    assert sending.send_due() == 1
    assert len(posted()) == 1


@pytest.mark.django_db
def test_engine_that_was_too_slow_sends_nothing_beside_the_one_that_took_over(scheduled, set_clock):
    schedule = scheduled()
    set_clock(MONDAY)
    slow = sending._take(schedule.pk)
    set_clock("2026-03-02 08:06")
    assert sending.send_due() == 1
    assert sending._send(schedule.pk, slow) == 0
    assert len(posted()) == 1


@pytest.mark.django_db(transaction=True)
def test_engines_at_once_send_each_report_once(scheduled, set_clock):
    for number in range(4):
        scheduled(name=f"Pace {number}")
    set_clock(MONDAY)
    done = at_once(*[sending.send_due] * 4, seed=1)
    assert sum(done) == 4
    assert len({letter.key for letter in posted()}) == 4
    assert not ReportSchedule.objects.exclude(next_at=utc("2026-03-09 08:00")).exists()
    assert sum(at_once(*[send_letters] * 3, seed=2)) == 4
    assert len(outbox.outbox) == 4


@pytest.mark.django_db
def test_schedule_that_is_changed_while_its_file_is_made_keeps_its_new_times(scheduled, hugo, set_clock):
    schedule = scheduled()
    set_clock(MONDAY)
    mark = sending._take(schedule.pk)
    keeping.change_schedule(actor=hugo, schedule=schedule, changes={"cron": "0 9 * * 2"})
    assert sending._send(schedule.pk, mark) == 0
    schedule.refresh_from_db()
    assert (schedule.next_at, posted()) == (utc("2026-03-03 09:00"), [])


@pytest.mark.django_db
def test_report_that_fails_does_not_keep_others_from_being_sent(scheduled, set_clock, monkeypatch, caplog):
    first, _ = scheduled(name="First"), scheduled(name="Second")
    set_clock(MONDAY)
    run = sending.run_saved_report

    def broken(*, report, **given):
        if report.pk == first.report_id:
            raise RuntimeError("a fault of ours")
        return run(report=report, **given)

    monkeypatch.setattr(sending, "run_saved_report", broken)
    assert sending.send_due() == 1
    assert "could not be made" in caplog.text
    monkeypatch.undo()


def test_scheduler_is_a_companion_of_the_engine():
    assert sending.scheduler in engine.companions


# -- whose figures, and what stops it ---------------------------------------------------------------------------------


@pytest.mark.django_db
def test_file_has_the_figures_of_its_owner_alone(cast, scheduled, do_task, set_clock, hugo):
    do_task("2026-01-05 08:00", "2026-01-05 09:00", "2026-01-05 10:00")
    schedule = scheduled(project=None, output="csv")
    Membership.objects.filter(user=hugo, project=cast.ops).delete()
    set_clock(MONDAY)
    assert sending.send_due() == 1
    send_letters()
    (file,) = parsed().iter_attachments()
    assert "atlas" not in file.get_content()
    schedule.refresh_from_db()
    assert schedule.is_active, "a report of one's own goes on with what one may see"


@pytest.mark.django_db
def test_owner_who_left_the_project_gets_no_more_and_is_told_once(cast, scheduled, set_clock, hugo):
    schedule = scheduled(name="Secret plan")
    Membership.objects.filter(user=hugo, project=cast.ops).delete()
    set_clock(MONDAY)
    assert sending.send_due() == 0
    set_clock("2026-03-09 08:00")
    assert sending.send_due() == 0
    assert send_letters() == 1
    message = parsed()
    assert list(message.iter_attachments()) == []
    assert "may no longer read this report" in message.get_content()
    assert "Secret plan" not in message["Subject"] + message.get_content()
    schedule.refresh_from_db()
    assert (schedule.is_active, schedule.stopped) == (False, "You may no longer read this report.")
    client = Client()
    client.force_login(hugo)
    page = client.get("/reports/schedules/").content.decode()
    assert "Stopped: You may no longer read this report." in page
    assert "Secret plan" not in page


@pytest.mark.django_db
def test_owner_who_leaves_between_writing_and_sending_gets_no_file(cast, scheduled, set_clock, hugo):
    scheduled()
    set_clock(MONDAY)
    sending.send_due()
    Membership.objects.filter(user=hugo, project=cast.ops).delete()
    assert send_letters() == 0
    (letter,) = posted()
    assert (letter.state, letter.content, outbox.outbox) == ("dropped", None, [])


@pytest.mark.django_db
def test_disabled_account_stops_its_schedules_and_gets_nothing(scheduled, set_clock, hugo):
    schedule = scheduled()
    hugo.is_active = False
    hugo.save()
    set_clock(MONDAY)
    assert (sending.send_due(), send_letters(), outbox.outbox) == (0, 0, [])
    schedule.refresh_from_db()
    assert schedule.stopped == "The account is disabled."


@pytest.mark.django_db
def test_definition_whose_words_are_gone_stops_it_until_it_is_resumed(scheduled, set_clock, hugo):
    schedule = scheduled()
    SavedReport.objects.update(definition=BY_AGENT | {"by": ["agent_of_old"]})
    set_clock(MONDAY)
    assert sending.send_due() == 0
    schedule.refresh_from_db()
    assert "agent_of_old" in schedule.stopped
    SavedReport.objects.update(definition=BY_AGENT)
    resumed = keeping.change_schedule(actor=hugo, schedule=schedule, changes={"active": True})
    assert (resumed.stopped, resumed.next_at) == ("", utc("2026-03-09 08:00"))


@pytest.mark.django_db
def test_names_that_are_code_are_text_in_the_mail(scheduled, set_clock):
    scheduled(name="=cmd|' /C calc'!A1 https://evil.example <script>x</script>")
    set_clock(MONDAY)
    sending.send_due()
    send_letters()
    message = parsed()
    assert "https://evil" not in message["Subject"] + message.get_body().get_content()
    (file,) = message.iter_attachments()
    sheets = load_workbook(io.BytesIO(file.get_content())).worksheets
    assert [cell for sheet in sheets for row in sheet.iter_rows() for cell in row if cell.data_type == "f"] == []


# -- keeping ----------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_add_without_address_or_too_many_or_twice_is_refused(cast, scheduled, hugo, monkeypatch):
    schedule = scheduled()
    report = SavedReport.objects.get()
    with pytest.raises(Invalid, match="already"):
        keeping.add_schedule(actor=hugo, report=report, cron="0  8 * * 1", tz="UTC")
    with pytest.raises(Invalid, match="Europe/Berlin"):
        keeping.add_schedule(actor=hugo, report=report, cron="0 8 * * 1", tz="Europe/Berln")
    with pytest.raises(Invalid, match="no e-mail address"):
        keeping.add_schedule(actor=cast.rita.user, report=report, cron="0 8 * * 1", tz="UTC")
    monkeypatch.setattr(keeping, "MOST_SCHEDULES", 1)
    with pytest.raises(Invalid, match="which is the limit"):
        keeping.add_schedule(actor=hugo, report=report, cron="0 9 * * 1", tz="UTC")
    assert list(ReportSchedule.objects.all()) == [schedule]


@pytest.mark.django_db
def test_schedule_of_somebody_else_is_not_there(cast, scheduled):
    schedule = scheduled()
    client = Client()
    client.force_login(cast.ada.user)
    assert client.post(f"/reports/schedules/{schedule.pk}/change/", {"do": "delete"}).status_code == 404
    assert "Pace" not in client.get("/reports/schedules/").content.decode()
    assert ReportSchedule.objects.filter(pk=schedule.pk).exists()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("beside", ["change", "add"])
def test_same_times_at_once_are_refused_to_whoever_comes_second(scheduled, hugo, beside):
    first = scheduled("0 8 * * 1")
    report, output = first.report, first.output
    second = keeping.add_schedule(actor=hugo, report=report, cron="0 9 * * 1", tz="UTC", output=output)
    for seed in range(MEETINGS):
        times = f"{seed % 60} {10 + seed // 60} * * 1"

        def change(schedule, times=times):
            return keeping.change_schedule(actor=hugo, schedule=schedule, changes={"cron": times})

        def add(times=times):
            return keeping.add_schedule(actor=hugo, report=report, cron=times, tz="UTC", output=output)

        outcomes = at_once(lambda: change(first), add if beside == "add" else lambda: change(second), seed=seed)
        (refused,) = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
        assert isinstance(refused, Invalid), refused
        assert "You already get this report at these times." in str(refused.data)
        ReportSchedule.objects.exclude(pk__in=[first.pk, second.pk]).delete()
