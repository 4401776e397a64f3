"""Who is here is written behind: in one piece, seldom, kept while the database cannot take it, and before the end."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError

from tasks import clock
from tasks import presence as presences
from tasks.actions.agents import create_token
from tasks.models import Agent, AgentToken
from tasks.presence import SEEN_EVERY, Presence, presence


@pytest.fixture
def tokens(cast):
    return [create_token(actor=None, agent=agent, name="t")[0].pk for agent in (cast.atlas, cast.bert)]


def seen():
    return dict(Agent.objects.filter(slug__in=("atlas", "bert")).values_list("slug", "last_seen_at"))


def test_request_of_an_agent_is_noted_and_written_later(api):
    before = clock.now()
    assert api.atlas.get("/me").status_code == 200
    assert seen()["atlas"] is None
    presence.flush()
    at = seen()["atlas"]
    assert at >= before
    assert AgentToken.objects.get(agent__slug="atlas").last_used_at == at
    assert seen()["bert"] is None


def test_each_agent_is_written_as_of_when_it_was_seen(tokens):
    now = clock.now()
    presence.note({tokens[0]: now - timedelta(seconds=3), tokens[1]: now - timedelta(seconds=20)})
    presence.note({tokens[1]: now - timedelta(seconds=1)})
    presence.flush()
    assert seen() == {"atlas": now - timedelta(seconds=3), "bert": now - timedelta(seconds=1)}


def test_agent_that_was_written_lately_costs_nothing(tokens, django_assert_num_queries):
    now = clock.now()
    AgentToken.objects.update(last_used_at=now - SEEN_EVERY / 2)
    presence.note({tokens[0]: now})
    with django_assert_num_queries(1):
        presence.flush()
    presence.note({tokens[0]: now + SEEN_EVERY / 2})
    with django_assert_num_queries(0):
        presence.flush()
    presence.note({tokens[0]: now + SEEN_EVERY})
    presence.flush()
    assert seen()["atlas"] == now + SEEN_EVERY


def test_what_could_not_be_written_is_kept(tokens, monkeypatch):
    def be_locked(noted):
        raise OperationalError("database is locked")

    now = clock.now()
    presence.note({tokens[0]: now})
    with monkeypatch.context() as patch:
        patch.setattr(presence, "_write", be_locked)
        with pytest.raises(OperationalError):
            presence.flush()
    presence.note({tokens[1]: now})
    presence.flush()
    assert seen() == {"atlas": now, "bert": now}


def test_token_that_is_gone_disturbs_nobody(tokens):
    AgentToken.objects.filter(pk=tokens[0]).delete()
    now = clock.now()
    presence.note(dict.fromkeys(tokens, now))
    presence.flush()
    assert seen() == {"atlas": None, "bert": now}


def test_what_is_noted_during_the_last_write_is_written_too(monkeypatch):
    written, now = [], datetime.now(UTC)

    def write(noted):
        if not written:
            keeper.note({2: now})
            keeper._closing.set()
        written.append(dict(noted))

    keeper = Presence(write=write, name="test")
    monkeypatch.setattr(presences, "WRITE_EVERY_SECONDS", 0.01)
    monkeypatch.setattr(presences.connection, "close", lambda: None)
    keeper.note({1: now})
    keeper._thread.join(30)
    assert written == [{1: now}, {2: now}]


def test_thread_writes_what_is_noted_tries_again_and_writes_once_more_at_the_end(monkeypatch):
    written, failures = [], iter([OperationalError("database is locked")])
    done = threading.Event()

    def write(noted):
        for error in failures:
            raise error
        written.append(dict(noted))
        done.set()

    monkeypatch.setattr(presences, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(presences, "WRITE_EVERY_SECONDS", 0.01)
    monkeypatch.setattr(presences.connection, "close", lambda: None)
    keeper, now = Presence(write=write, name="test"), datetime.now(UTC)
    keeper.note({1: now})
    assert done.wait(30)
    monkeypatch.setattr(presences, "WRITE_EVERY_SECONDS", 1000)
    keeper.note({2: now})
    keeper.close()
    assert not keeper._thread.is_alive()
    assert written == [{1: now}, {2: now}]
