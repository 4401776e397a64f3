"""kill -9 of what makes and sends webhooks, at any moment, under load and beside others: no event lost, none twice."""

import random
import subprocess
import sys
import threading
import time
from collections import Counter

import pytest
from django.conf import settings
from django.db import connections

from messaging.models import WebhookDelivery
from messaging.tests.receiver import answer
from messaging.tests.webhook_scene import make_due
from messaging.webhooks.connecting import Answer
from messaging.webhooks.outcomes import Outcome, settle
from messaging.webhooks.sending import Sender, claim_due
from tasks import clock
from tasks.models import Task
from tasks.tests.racing import at_once, process_environment
from tasks.tests.sizes import WEBHOOK_KILLS

pytestmark = pytest.mark.django_db(transaction=True)

PATIENCE = 60


def start() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "messaging.tests.webhook_process"],
        env=process_environment(WEBHOOK_PRIVATE_NETWORKS="127.0.0.0/8", SECRET_KEY=settings.SECRET_KEY),
        cwd=settings.BASE_DIR,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n", process.communicate()[1]


@pytest.mark.server
@pytest.mark.slow
def test_kills_at_random_make_one_delivery_for_each_event_and_send_each_with_one_id(scene, cast, receiver, new_task):
    dice, stop = random.Random(7), threading.Event()
    sending: Counter[str] = Counter()
    twice: list[str] = []

    def reply(handler, received):
        with receiver.lock:
            sending[received.id] += 1
            if sending[received.id] > 1:
                twice.append(received.id)
        time.sleep(0.02)
        answer(503 if dice.random() < 0.1 else 204)(handler, received)
        with receiver.lock:
            sending[received.id] -= 1

    receiver.reply = reply
    made: list[int] = []

    def work() -> None:
        try:
            while not stop.is_set():
                task: Task = new_task()
                made.append(task.pk)
                time.sleep(0.05)
        finally:
            connections.close_all()

    writer = threading.Thread(target=work)
    writer.start()
    started: list[subprocess.Popen[str]] = []
    try:
        # The next one starts while this one runs, so that two of them meet and neither is waited for.
        started.append(start())
        for _ in range(WEBHOOK_KILLS):
            started.append(start())
            wait_ready(started[-2])
            # In the middle of its work: after it, or another, has sent a few more.
            goal, until = len(receiver.received) + dice.randrange(8), time.monotonic() + 5
            while len(receiver.received) < goal and time.monotonic() < until:
                time.sleep(0.005)
            time.sleep(dice.uniform(0, 0.05))
            started[-2].kill()
        wait_ready(started[-1])
        started[-1].kill()
    finally:
        stop.set()
        writer.join(PATIENCE)
        for process in started:
            process.kill()
            process.communicate(timeout=PATIENCE)
    assert receiver.received, "the processes sent something before they were killed"
    scene.follow()
    receiver.reply = answer()
    # The leases of the dead would end by themselves within a minute.
    WebhookDelivery.objects.update(leased_until=None)
    make_due()
    scene.send()
    rows = WebhookDelivery.objects.filter(kind="task.created")
    assert Counter(rows.values_list("event__task", flat=True)) == Counter(made), "each event once"
    assert set(rows.values_list("state", flat=True)) == {"delivered"}
    assert {row.message_id for row in scene.deliveries()} == set(receiver.ids), "each at least once, by its one id"
    assert twice == [], "never two at a time"


def test_two_senders_at_once_send_each_delivery_once(scene, receiver, new_task):
    for _ in range(20):
        new_task()
    scene.follow()
    outcomes = at_once(*[lambda: Sender().catch_up()] * 3)
    assert sum(outcomes) == 20, outcomes
    assert len(receiver.ids) == len(set(receiver.ids)) == 20
    assert {delivery.state for delivery in scene.deliveries()} == {"delivered"}


def test_delivery_of_a_crashed_sender_is_sent_again_when_its_lease_is_over(scene, receiver, new_task):
    new_task()
    scene.follow()
    now = clock.now()
    (claim,) = claim_due(scene.webhook, now, now, 5)
    assert list(claim_due(scene.webhook, now, now, 5)) == []
    assert scene.send() == 0, "another engine is sending it"
    WebhookDelivery.objects.update(leased_until=now)
    assert scene.send() == 1
    assert settle(claim, Answer(status=500), began=now) is Outcome.OVERTAKEN, (
        "whoever was presumed dead decides nothing"
    )
    assert scene.deliveries()[0].state == "delivered"
