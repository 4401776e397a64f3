"""kill -9 of a follower at any moment, under load and beside another one: each notification and mail exists once."""

import random
import subprocess
import sys
import threading
import time
from collections import Counter

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connections

from messaging.models import Email, Mail, Notification, NotificationKind
from messaging.notifications.choices import Ways, change_choices
from messaging.notifications.making import follower
from tasks.actions import assignments
from tasks.models import Event, Task
from tasks.tests.racing import process_environment
from tasks.tests.sizes import FOLLOWER_KILLS

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.server, pytest.mark.slow]

PATIENCE = 60


class Process:
    """A follower to be killed; its stderr is shown if it did not become ready."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "messaging.tests.follower_process"],
            env=process_environment(),
            cwd=settings.BASE_DIR,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_ready(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n", self.process.communicate()[1]

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate(timeout=PATIENCE)


def test_kill_of_followers_at_random_notifies_and_mails_of_each_event_once(cast, new_task):
    User.objects.filter(pk=cast.hugo.user.pk).update(email="hugo@example.org")
    change_choices(user=cast.hugo.user, ways={NotificationKind.ASSIGNED: Ways(email=Email.DAILY)})
    follower.catch_up()
    stop = threading.Event()
    assigned: list[int] = []

    started: list[Process] = []

    def start() -> Process:
        started.append(Process())
        return started[-1]

    def work() -> None:
        try:
            while not stop.is_set():
                task: Task = new_task()
                assignments.assign_task(actor=cast.ada.user, task=task, agents=[cast.hugo, cast.atlas])
                assigned.append(task.pk)
                time.sleep(0.01)
        finally:
            connections.close_all()

    writer = threading.Thread(target=work)
    writer.start()
    dice = random.Random(7)
    try:
        # The next one starts while this one runs, so that two of them meet and neither is waited for.
        running = start()
        for _ in range(FOLLOWER_KILLS):
            following = start()
            running.wait_ready()
            time.sleep(dice.uniform(0, 0.4))
            running.kill()
            running = following
        running.wait_ready()
        running.kill()
    finally:
        stop.set()
        writer.join(PATIENCE)
        for process in started:
            process.kill()
    follower.catch_up()
    notifications = Counter(Notification.objects.values_list("task", "recipient__username", "kind"))
    expected = {(pk, name, "assigned") for pk in assigned for name in ("hugo", "atlas")}
    assert set(notifications) == expected
    assert set(notifications.values()) == {1}
    mails = Counter(Mail.objects.values_list("event__task", "recipient__username"))
    assert mails == dict.fromkeys(((pk, "hugo") for pk in assigned), 1)
    recorded = Counter(Event.objects.filter(kind="notification.created").values_list("data__notification", flat=True))
    heads = dict(Notification.objects.heads().values_list("pk", "bundled"))
    assert heads.keys() <= recorded.keys()
    assert set(recorded.values()) == {1}
    assert sum(heads.values()) == len(notifications), "each is announced by itself, or counted by the head of its burst"
