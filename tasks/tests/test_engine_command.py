"""The engine as a command: one tick, and a loop that a signal ends."""

import json
import threading
from io import StringIO

import pytest
from django.core.management import call_command

from tasks import engine
from tasks.actions import claims
from tasks.models import EngineState

pytestmark = pytest.mark.django_db


def test_engine_once_reports_what_it_did(cast, new_task, let_lease_end):
    let_lease_end(claims.claim_task(actor=cast.atlas.user, task=new_task()))
    out = StringIO()
    call_command("engine", "--once", "--json", stdout=out)
    assert json.loads(out.getvalue()) == {
        "expired": 1,
        "revoked": 0,
        "undeferred": 0,
        "stalled": 0,
        "due_soon": 0,
        "overdue": 0,
        "unanswered": 0,
        "offers": 0,
        "notifications": 2,
        "scheduled reports": 0,
        "mails": 0,
        "webhooks": 0,
        "deliveries": 0,
    }
    assert EngineState.objects.exists()


def test_engine_once_without_work_says_zeros(cast):
    out = StringIO()
    call_command("engine", "--once", stdout=out)
    names = (
        "expired, revoked, undeferred, stalled, due_soon, overdue, unanswered, notifications, scheduled reports, "
        "mails, webhooks, deliveries, offers"
    )
    assert out.getvalue() == ", ".join(f"0 {name}" for name in names.split(", ")) + "\n"


def test_run_reports_each_tick_until_it_is_stopped(cast, monkeypatch):
    monkeypatch.setattr(engine, "TICK_SECONDS", 0)
    monkeypatch.setattr(engine.connection, "close", lambda: None)
    monkeypatch.setattr(engine, "companions", [])
    stop, ticks = threading.Event(), []

    def report(done):
        ticks.append(done)
        if len(ticks) == 3:
            stop.set()

    engine.run(stop, report=report)
    assert [done.as_dict() for done in ticks] == [engine.Ticked().as_dict()] * 3
