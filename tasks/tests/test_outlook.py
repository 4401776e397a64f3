"""What will become of an instruction, said before it is sent."""

from datetime import timedelta

import pytest

from tasks import clock, replies
from tasks.actions import claims, runs
from tasks.actions.messages import post_message
from tasks.models import Run
from tasks.outlook import ago

pytestmark = pytest.mark.django_db


def test_outlook_says_when_the_holder_will_have_it(api, cast, new_task, monkeypatch):
    task = new_task()

    def said():
        shown = api.vera.get(f"/tasks/{task.ref}/outlook").json()
        return shown["reaches"], shown["words"], shown["kept_words"], shown["holder"], shown["is_stopping"]

    assert said() == (
        "next_run",
        "Nobody is working on it, and this starts no run.",
        "Starts no run; whoever works on it next gets it first.",
        None,
        False,
    )
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    Run.objects.filter(pk=run.pk).update(last_heartbeat_at=clock.now() - timedelta(seconds=40, milliseconds=1))
    reaches, words, kept, holder, stopping = said()
    assert (reaches, holder, stopping) == ("next_report", "atlas", False)
    assert words.startswith("Reaches atlas with its next report; the last was 4")
    assert kept.startswith("Reaches atlas with its next report, or else the next run; the last was 4")
    runs.heartbeat_run(actor=cast.atlas.user, run_id=run.pk, wait_seconds=30)
    assert said()[:2] == ("at_once", "Reaches atlas at once.")
    runs.heartbeat_run(actor=cast.atlas.user, run_id=run.pk)
    assert said()[0] == "next_report"

    class Streams(replies.Addition):
        def listens(self, user):
            return user == cast.atlas.user

    monkeypatch.setattr(replies, "additions", [replies.Addition(), Streams()])
    assert said()[0] == "at_once"
    stop = post_message(actor=cast.ada.user, task=task, body="Stop.", kind="stop")
    runs.heartbeat_run(actor=cast.atlas.user, run_id=run.pk, ack=[f"m{stop.pk}"])
    assert said()[4] is True
    runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="done")
    assert said()[:2] == ("never", "The task is completed: nobody would get it.")


def test_outlook_for_a_person_names_the_page(api, cast, new_task):
    task = new_task()
    claims.start_task(actor=cast.hugo.user, task=task)
    shown = api.ada.get(f"/tasks/{task.ref}/outlook").json()
    assert (shown["reaches"], shown["words"]) == ("on_the_page", "hugo sees it on this page.")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "0 s ago"), (119, "119 s ago"), (120, "2 min ago"), (7_200, "2 h ago"), (172_800, "2 d ago")],
)
def test_time_since_the_last_report_in_its_largest_whole_unit(seconds, words):
    now = clock.now()
    assert ago(now - timedelta(seconds=seconds), now) == words
