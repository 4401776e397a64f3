"""Mails: what is written for whom and when it is due, what is sent, dropped or tried again, and how they end."""

import re
import smtplib
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy

import pytest
from django.core import mail as outbox
from django.core.mail.backends.locmem import EmailBackend
from django.test import Client

from messaging.mail import outcomes, sending
from messaging.mail.addresses import EVERYTHING, read_unsubscribe, unsubscribe_path
from messaging.models import Email, Mail, Notification, NotificationKind
from messaging.notifications.choices import DEFAULTS, Ways, change_choices, ways_of
from messaging.notifications.reading import read_notifications
from tasks.actions import assignments, claims, projects
from tasks.actions.questions import answer_question, ask_run
from tasks.actions.tasks import delete_task
from tasks.tests.fake_clock import (
    fake_clock,  # noqa: F401 - a fixture
    patch_clock,
)
from tasks.tests.test_markdown import HOSTILE

pytestmark = pytest.mark.django_db

AT_ONCE, DAILY = Ways(email=Email.AT_ONCE), Ways(email=Email.DAILY)


@pytest.fixture(autouse=True)
def _our_address(settings):
    settings.PUBLIC_URL = "https://tasks.example.org"
    settings.DEFAULT_FROM_EMAIL = "Tasks <tasks@example.org>"


@pytest.fixture
def hugo(cast):
    cast.hugo.user.email = "hugo@example.org"
    cast.hugo.user.save()
    change_choices(user=cast.hugo.user, ways={NotificationKind.ASSIGNED: AT_ONCE})
    return cast.hugo.user


@pytest.fixture
def assign(cast, hugo, new_task, notified):
    """Assigns a new task to hugo, which he is told of."""

    def assign(title="Rotate the keys", **given):
        task = new_task(title, assignees=[cast.hugo], **given)
        notified()
        return task

    return assign


def states() -> list[str]:
    return list(Mail.objects.order_by("pk").values_list("state", flat=True))


def parsed(number=0):
    return message_from_bytes(outbox.outbox[number].message().as_bytes(), policy=policy.default)


# -- what is written --------------------------------------------------------------------------------------------------


def test_mail_is_for_who_wants_it_and_has_an_address(cast, assign, new_task, notified):
    assign()
    new_task(assignees=[cast.atlas, cast.bert])
    notified()
    mail = Mail.objects.get()
    assert (mail.recipient, mail.kind, mail.daily) == (cast.hugo.user, "assigned", False)


def test_channel_without_page_makes_a_mail_and_no_notification(cast, assign, hugo):
    change_choices(user=hugo, ways={NotificationKind.ASSIGNED: Ways(page=False, email=Email.AT_ONCE)})
    assign()
    assert not Notification.objects.filter(recipient=hugo).exists()
    assert sending.send_due() == 1


def test_due_after_quiet_hours_and_daily_at_its_hour(hugo, assign, fake_clock):  # noqa: F811
    times = {"time_zone": "Europe/Vienna", "quiet_from": at(22), "quiet_until": at(7), "digest_at": at(18)}
    change_choices(user=hugo, times=times)
    fake_clock.time = datetime(2026, 10, 24, 21, 30, tzinfo=UTC)
    assign()
    change_choices(user=hugo, ways={NotificationKind.ASSIGNED: DAILY})
    assign()
    # The clocks go back in between: seven in the morning is an hour later in UTC than the day before.
    assert [mail.due_at for mail in Mail.objects.order_by("pk")] == [
        datetime(2026, 10, 25, 6, 0, tzinfo=UTC), datetime(2026, 10, 25, 17, 0, tzinfo=UTC),
    ]  # fmt: skip
    assert sending.send_due() == 0
    fake_clock.let_pass(9 * 3600)
    assert sending.send_due() == 1
    fake_clock.let_pass(24 * 3600)
    assert sending.send_due() == 1
    assert states() == ["sent", "sent"]


def test_digest_comes_at_the_hour_of_the_chosen_zone_wherever_the_browser_is(client, hugo, assign, fake_clock):  # noqa: F811
    fake_clock.time = datetime(2026, 9, 26, 0, 0, tzinfo=UTC)
    client.force_login(hugo)
    client.cookies["time_zone"] = "Europe/Vienna"
    posted = {"time_zone": "Pacific/Auckland", "digest_at": "08:00", "email_assigned": "daily", "page": "assigned"}
    assert client.post("/notifications/settings/", posted).status_code == 302
    assign()
    fake_clock.let_pass(24 * 3600)
    assign()
    # The clocks go forward in Auckland on the 27th: eight in the morning is an hour earlier in UTC.
    assert [mail.due_at for mail in Mail.objects.order_by("pk")] == [
        datetime(2026, 9, 26, 19, 0, tzinfo=UTC), datetime(2026, 9, 27, 19, 0, tzinfo=UTC),
    ]  # fmt: skip


def at(hour):
    return datetime(2026, 1, 1, hour).time()


# -- what is sent -----------------------------------------------------------------------------------------------------


def test_mail_says_what_happened_with_a_link_and_how_to_end_it(assign, hugo):
    assign("Rotate the <b>keys</b>")
    assert sending.send_due() == 1
    assert sending.send_due() == 0
    sent = parsed()
    assert (sent["Subject"], sent["To"]) == ("ada assigned OPS-1 to you.", "hugo@example.org")
    text, html = (part.get_content() for part in sent.iter_parts())
    assert "https://tasks.example.org/tasks/OPS-1" in text
    assert 'href="https://tasks.example.org/tasks/OPS-1"' in html
    assert "Rotate the &lt;b&gt;keys&lt;/b&gt;" in html
    assert sent["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert re.fullmatch(r"<https://tasks\.example\.org/unsubscribe/\S+>", sent["List-Unsubscribe"].strip())
    assert sent["Auto-Submitted"] == "auto-generated"


def test_mail_without_our_address_has_no_links(assign, settings):
    settings.PUBLIC_URL = ""
    assign()
    sending.send_due()
    assert "http" not in outbox.outbox[0].body
    assert parsed()["List-Unsubscribe"] is None


def test_several_that_are_due_are_one_mail_and_after_a_mail_others_are_gathered(assign, fake_clock):  # noqa: F811
    for _ in range(3):
        assign()
    assert sending.send_due() == 1
    assert parsed()["Subject"] == "3 notices from taskproject"
    assign()
    assert sending.send_due() == 0
    fake_clock.let_pass(61)
    assert sending.send_due() == 1


def test_digest_of_very_many_counts_the_rest(assign, monkeypatch):
    monkeypatch.setattr(sending, "MOST_NOTICES", 2)
    for _ in range(5):
        assign()
    assert sending.send_due() == 1
    assert outbox.outbox[0].subject == "5 notices from taskproject"
    assert "And 3 more." in outbox.outbox[0].body
    assert set(states()) == {"sent"}


@pytest.mark.parametrize(
    "title",
    [
        *HOSTILE[:6],
        "x\r\nBcc: all@example.org\r\n\r\nbody",
        "see https://evil.example/x and WWW.evil.example",
        "\u202eevil",
    ],
)
def test_hostile_texts_neither_head_nor_link_nor_run(assign, cast, title, new_task, notified):
    task = new_task("Harmless")
    type(task).objects.filter(pk=task.pk).update(title=title)
    cast.ops.refresh_from_db()
    assignments.assign_task(actor=cast.ada.user, task=task, agents=[cast.hugo], note=title)
    notified()
    assert sending.send_due() == 1
    sent = parsed()
    assert sent["Bcc"] is None
    assert set(sent.keys()) == {
        "Content-Type", "MIME-Version", "Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted",
        "X-Auto-Response-Suppress", "List-Unsubscribe", "List-Unsubscribe-Post",
    }  # fmt: skip
    text, html = (part.get_content() for part in sent.iter_parts())
    for part in (text, html):
        assert set(re.findall(r"https?://[^/\s\"<]+", part)) == {"https://tasks.example.org"}
        assert "\u202e" not in part
        assert not re.search(r"www\.", part, re.IGNORECASE)
    assert not re.search(r"<(script|img|svg|iframe|a href=\"(?!https://tasks))", html)


def test_address_with_a_line_break_makes_no_further_recipient(assign, hugo, cast):
    type(hugo).objects.filter(pk=hugo.pk).update(email="hugo@example.org\r\nBcc: all@example.org")
    assign()
    assert sending.send_due() == 0
    assert (states(), outbox.outbox) == (["dropped"], [])


def test_mail_of_a_question_answers_it_by_its_link_and_comes_only_while_it_is_open(cast, hugo, new_task, notified):
    run = claims.claim_task(actor=cast.atlas.user, task=new_task("Rotate the keys"))
    notified()

    def ask(prompt):
        (question,) = ask_run(actor=cast.atlas.user, run_id=run.pk, prompt=prompt, to="hugo").questions
        notified()
        return question

    question = ask("Which <b>key</b>?\r\nBcc: all@example.org\r\nhttps://evil.example/")
    assert sending.send_due() == 1
    sent = parsed()
    assert (sent["Subject"], sent["Bcc"]) == ("atlas asks you about OPS-1.", None)
    text, html = (part.get_content() for part in sent.iter_parts())
    assert "Which &lt;b&gt;key&lt;/b&gt;?" in html
    assert "https://evil" not in text + html
    [address] = re.findall(r"https://tasks\.example\.org(/q/\S+)", text)
    assert f'href="https://tasks.example.org{address}"' in html
    assert Client(enforce_csrf_checks=True).post(address, {"value": "The old one"}).status_code == 200
    question.refresh_from_db()
    assert (question.value, question.answered_by) == ("The old one", hugo)
    answer_question(actor=cast.ada.user, question_id=ask("And this?").pk, value="x")
    assert sending.send_due() == 0
    assert Mail.objects.filter(state="dropped").get().reason.startswith("The question is no longer open")


# -- what is dropped --------------------------------------------------------------------------------------------------


def test_nothing_is_mailed_that_its_recipient_may_no_longer_see_or_has_read(cast, assign, hugo):
    def dropped(change) -> str:
        Mail.objects.all().delete()
        task = assign()
        change(task)
        assert sending.send_due() == 0
        assert states() == ["dropped"]
        return Mail.objects.get().reason

    assert "read" in dropped(lambda task: read_notifications(user=hugo))
    assert "wants no" in dropped(lambda task: change_choices(user=hugo, ways={NotificationKind.ASSIGNED: Ways()}))
    change_choices(user=hugo, ways={NotificationKind.ASSIGNED: AT_ONCE})
    assert "deleted" in dropped(lambda task: delete_task(actor=cast.ada.user, task=task))
    leave = lambda task: projects.remove_member(actor=cast.root, project=cast.ops, user=hugo)  # noqa: E731
    assert "no longer a member" in dropped(leave)
    assert outbox.outbox == []


# -- failures ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def server(monkeypatch):
    """A mail server that raises what is in the list, then accepts."""
    errors: list[Exception] = []
    accept = EmailBackend.send_messages

    def send(self, messages):
        if errors:
            raise errors.pop(0)
        return accept(self, messages)

    monkeypatch.setattr(EmailBackend, "send_messages", send)
    return errors


def test_server_that_is_away_is_asked_again_later_and_less_often(assign, server, fake_clock):  # noqa: F811
    assign()
    waits = []
    server += [
        OSError("no route to host"),
        smtplib.SMTPServerDisconnected("bye\r\nbye"),
        smtplib.SMTPDataError(451, b"later"),
    ]
    for _ in range(3):
        assert sending.send_due() == 0
        mail = Mail.objects.get()
        waits.append((mail.due_at - fake_clock.time).total_seconds())
        assert sending.send_due() == 0, "not before its time"
        fake_clock.time = mail.due_at
    assert 15 <= waits[0] <= 30 <= waits[1] <= 60 <= waits[2] <= 120
    assert "later" in Mail.objects.get().reason
    assert sending.send_due() == 1
    assert (states(), len(outbox.outbox)) == (["sent"], 1)


def test_refused_address_and_worn_out_tries_have_failed(assign, server):
    assign()
    server.append(smtplib.SMTPRecipientsRefused({"hugo@example.org": (550, b"unknown")}))
    sending.send_due()
    assert states() == ["failed"]
    Mail.objects.all().delete()
    assign()
    Mail.objects.update(attempts=outcomes.ATTEMPTS)
    server.append(OSError("away"))
    sending.send_due()
    assert states() == ["failed"]


def test_claimed_mail_is_left_alone_until_its_claim_lapses_and_comes_as_the_same(assign, fake_clock, monkeypatch):  # noqa: F811
    assign()
    monkeypatch.setattr(sending, "end", lambda *given: None)  # Killed between sending and marking.
    assert sending.send_due() == 1
    monkeypatch.undo()
    patch_clock(monkeypatch, fake_clock.now)
    assert sending.send_due() == 0
    fake_clock.let_pass(outcomes.CLAIM.total_seconds())
    assert sending.send_due() == 1
    assert parsed(0)["Message-ID"] == parsed(1)["Message-ID"]
    assert states() == ["sent"]


def test_two_senders_meet_and_one_sends(assign):
    assign()
    now = datetime.now(UTC) + timedelta(seconds=5)
    recipient, daily = sending.due(now)[0]
    assert sending.claim(recipient, daily, now) is not None
    assert sending.claim(recipient, daily, now) is None


# -- ending mails -----------------------------------------------------------------------------------------------------


def test_link_ends_mails_by_a_post_alone(assign, hugo):
    assign()
    sending.send_due()
    path = parsed()["List-Unsubscribe"].strip(" <>").removeprefix("https://tasks.example.org")
    browser = Client(enforce_csrf_checks=True)
    for _ in range(3):
        page = browser.get(path)
        assert (page.status_code, page["Referrer-Policy"], page["X-Robots-Tag"]) == (200, "no-referrer", "noindex")
        assert "No more e-mails of the kind “Assigned to me”?" in page.content.decode()
    assert ways_of(hugo)[NotificationKind.ASSIGNED] == AT_ONCE
    answer = browser.post(path, {"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    assert ways_of(hugo)[NotificationKind.ASSIGNED] == DEFAULTS[NotificationKind.ASSIGNED] == Ways()
    assert browser.post(path).status_code == 200


def test_link_of_a_digest_ends_all_and_a_changed_one_none(hugo):
    path = unsubscribe_path(hugo.pk, EVERYTHING)
    broken = path[:-3] + ("abc" if not path.endswith("abc") else "abd")
    assert Client().post(broken).status_code == 404
    assert read_unsubscribe("x" * 5000) is None
    assert Client().post(path).status_code == 200
    assert {ways.email for ways in ways_of(hugo).values()} == {Email.OFF}
    assert ways_of(hugo)[NotificationKind.MENTION].browser, "what is told on the page stays"
