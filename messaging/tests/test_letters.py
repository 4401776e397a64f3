"""Letters: what is kept of one that has ended, and what the admin shows of it."""

import smtplib
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from messaging.mail import letters, outcomes
from messaging.models import Letter, MailState

pytestmark = pytest.mark.django_db

FILE = ("pace.csv", "text/csv", b"agent,count")


@pytest.fixture
def hugo(cast):
    cast.hugo.user.email = "hugo@example.org"
    cast.hugo.user.save()
    return cast.hugo.user


def post(recipient):
    letters.post(
        recipient=recipient, key="pace.1", subject="Pace of OPS", text="The file is attached.", stop="/stop/by-link/",
        file=FILE,
    )  # fmt: skip
    return Letter.objects.get()


@pytest.mark.parametrize(
    ("error", "attempts"),
    [
        (smtplib.SMTPRecipientsRefused({"hugo@example.org": (550, b"unknown")}), 0),
        (OSError("away"), outcomes.ATTEMPTS - 1),
    ],
)
def test_failed_letter_keeps_no_file(hugo, monkeypatch, error, attempts):
    letter = post(hugo)
    Letter.objects.update(attempts=attempts)

    def refuse(message):
        raise error

    monkeypatch.setattr(letters, "deliver", refuse)
    assert letters.send_letters() == 0
    letter.refresh_from_db()
    assert (letter.state, letter.content) == (MailState.FAILED, None)


def test_dropped_letter_keeps_no_file(hugo):
    letter = post(hugo)
    hugo.is_active = False
    hugo.save()
    assert letters.send_letters() == 0
    letter.refresh_from_db()
    assert (letter.state, letter.content) == (MailState.DROPPED, None)


def test_letter_that_is_tried_again_keeps_its_file(hugo, monkeypatch):
    letter = post(hugo)

    def refuse(message):
        raise OSError("away")

    monkeypatch.setattr(letters, "deliver", refuse)
    assert letters.send_letters() == 0
    letter.refresh_from_db()
    assert (letter.state, bytes(letter.content)) == (MailState.WAITING, FILE[2])


def test_letter_ends_and_loses_its_file_in_one_statement(hugo):
    """So that one whose sender is killed is never sent again without its file."""
    letter, mark = post(hugo), uuid4()
    Letter.objects.update(claim=mark)
    with CaptureQueriesContext(connection) as captured:
        outcomes.end(mark, [letter], MailState.SENT, "")
    assert len([each for each in captured if each["sql"].startswith("UPDATE")]) == 1
    letter.refresh_from_db()
    assert (letter.state, letter.content, letter.claim) == (MailState.SENT, None, None)


def test_killed_sender_leaves_the_letter_whole(hugo, monkeypatch, mailoutbox):
    letter = post(hugo)
    monkeypatch.setattr(letters, "end", lambda *given: None)  # Killed between sending and marking.
    assert letters.send_letters() == 1
    monkeypatch.undo()
    Letter.objects.update(claimed_until=None)
    assert letters.send_letters() == 1
    assert [message.attachments[0][:2] for message in mailoutbox] == [(FILE[0], FILE[2].decode())] * 2
    letter.refresh_from_db()
    assert (letter.state, letter.content) == (MailState.SENT, None)


def test_admin_shows_neither_words_nor_the_link_that_stops_letters(hugo, admin_client):
    letter = post(hugo)
    for path in ("/admin/messaging/letter/", f"/admin/messaging/letter/{letter.pk}/change/"):
        answer = admin_client.get(path)
        assert answer.status_code == 200
        content = answer.content.decode()
        assert FILE[0] in content
        for hidden in ("Pace of OPS", "The file is attached.", "/stop/by-link/", "agent,count"):
            assert hidden not in content
