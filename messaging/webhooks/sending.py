"""Sending what is due, beside the ticks of every engine: at least once, each time with the same message id.

One loop claims deliveries and writes outcomes down; a thread for each request in flight speaks HTTP and touches no
database. A claim is a lease: two engines never send the same delivery at the same time, and after a crash it is sent
again when the lease is over. No order is kept.
"""

import logging
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection
from django.db.models import Exists, OuterRef, Q

from messaging.models import Webhook, WebhookDelivery
from messaging.webhooks.bodies import Message, headers_of, message_of
from messaging.webhooks.connecting import SECONDS, Answer, post
from messaging.webhooks.keys import Unreadable, secrets_of
from messaging.webhooks.outcomes import Claim, Outcome, settle
from tasks import clock
from tasks.outage import AWAY, Outage

logger = logging.getLogger(__name__)

#: Requests in flight of one engine: in all, to one webhook, and to all that failed the last time. So what is slow or
#: away holds itself up and nobody else.
MOST, MOST_OF_ONE, MOST_FAILING = 16, 4, 6
#: Longer than any request takes.
LEASE = timedelta(seconds=4 * SECONDS)
POLL_SECONDS = 1.0
#: How long requests in flight may take to end once the engine stops; what is lost is sent again.
GRACE_SECONDS = 3.0
NO_KEY = "Its signing key cannot be read, since SECRET_KEY has changed; give the webhook a new key."

#: Called with what each attempt came to. Filled by the project, which counts them.
counters: list[Callable[[Outcome], None]] = []


@dataclass(frozen=True)
class Job:
    """A claimed delivery with all that a thread needs to send it; without ``secrets`` it cannot be signed."""

    claim: Claim
    url: str
    message: Message
    secrets: tuple[str, ...]
    fails: bool


@dataclass(frozen=True)
class Done:
    job: Job
    answer: Answer
    began: datetime


class Sender:
    """Sends due deliveries; a companion of the engine."""

    name = "deliveries"

    def __init__(self) -> None:
        self._news = threading.Event()

    def wake(self) -> None:
        """Look for due deliveries now."""
        self._news.set()

    def catch_up(self) -> int:
        """Try everything that is due now once; returns how many were tried."""
        round_ = Round(self._news, until=clock.now())
        while round_.step():
            self._news.wait(POLL_SECONDS)
            self._news.clear()
        return round_.tried

    def run(self, stop: threading.Event) -> None:
        """Send until ``stop`` is set; an outage of the database is logged once and waited out."""
        outage = Outage(logger, "The sender of webhooks")
        round_ = Round(self._news)
        with closing(connection):
            while not stop.is_set():
                self._news.clear()
                try:
                    round_.step()
                    outage.end()
                except AWAY as error:
                    outage.begin(error)
                except Exception:
                    logger.exception("Webhooks could not be sent; trying again.")
                self._wait(stop, POLL_SECONDS)
            round_.finish(GRACE_SECONDS)

    def _wait(self, stop: threading.Event, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not stop.is_set() and not self._news.is_set() and (left := end - time.monotonic()) > 0:
            # Whoever stops the engine does not ring.
            self._news.wait(min(left, 0.2))


class Round:
    """Requests in flight of one engine. ``news`` is set whenever one ends.

    ``until``: take only what was due then, and of a webhook that fails nothing more.
    """

    def __init__(self, news: threading.Event, *, until: datetime | None = None) -> None:
        self.tried = 0
        self._news = news
        self._until = until
        self._flying: dict[int, Job] = {}
        self._done: queue.SimpleQueue[Done] = queue.SimpleQueue()
        self._unsettled: list[Done] = []
        self._failed: set[int] = set()
        # Webhooks take turns: the next look begins after the last one that was served.
        self._last = 0

    def step(self) -> bool:
        """Write down what has ended and start what is due; returns whether anything is in flight."""
        self._settle()
        while len(self._flying) < MOST:
            claimed = False
            for job in self._claim():
                claimed = True
                self._start(job)
            if not claimed:
                break
        return bool(self._flying)

    def finish(self, seconds: float) -> None:
        """Wait that long for what is in flight, and write down how it ended."""
        end = time.monotonic() + seconds
        while self._flying and (left := end - time.monotonic()) > 0:
            self._news.wait(left)
            self._news.clear()
            try:
                self._settle()
            except AWAY:
                return

    def _start(self, job: Job) -> None:
        self.tried += 1
        self._flying[job.claim.delivery] = job
        threading.Thread(target=self._send, args=(job,), name="webhook", daemon=True).start()

    def _send(self, job: Job) -> None:
        began = datetime.now(UTC)
        try:
            answer = _answer_to(job, began)
        except Exception:
            logger.exception("Delivery %s could not be sent.", job.claim.delivery)
            answer = Answer(error="It could not be sent.")
        self._done.put(Done(job, answer, began))
        self._news.set()

    def _settle(self) -> None:
        while not self._done.empty():
            self._unsettled.append(self._done.get())
        while self._unsettled:
            done = self._unsettled[0]
            try:
                outcome = settle(done.job.claim, done.answer, began=done.began)
            except AWAY:
                # It stays here until the database is back.
                raise
            except Exception:
                # Sent again when its lease is over; the others must not wait for it.
                logger.exception("What became of delivery %s could not be written down.", done.job.claim.delivery)
                outcome = Outcome.OVERTAKEN
            del self._unsettled[0]
            self._flying.pop(done.job.claim.delivery, None)
            if not done.answer.accepted:
                self._failed.add(done.job.claim.webhook)
            for count in counters:
                count(outcome)

    def _claim(self) -> Iterator[Job]:
        """Claim what is due, as far as there is room: for each webhook in turn."""
        now = clock.now()
        due = min(now, self._until) if self._until is not None else now
        busy = Counter(job.claim.webhook for job in self._flying.values())
        failing = sum(job.fails for job in self._flying.values())
        rows = Webhook.objects.filter(
            Q(rests_until__isnull=True) | Q(rests_until__lte=now),
            Exists(WebhookDelivery.objects.due(now).filter(webhook=OuterRef("pk"), due_at__lte=due)),
            disabled_at__isnull=True,
        )
        rows = rows.exclude(pk__in=[pk for pk, count in busy.items() if count >= MOST_OF_ONE])
        rows = rows.exclude(pk__in=list(busy), failing_since__isnull=False)
        if self._until is not None:
            rows = rows.exclude(pk__in=self._failed)
        if failing >= MOST_FAILING:
            rows = rows.filter(failing_since__isnull=True)
        rows = rows.select_related("project").order_by("pk")
        room = MOST - len(self._flying)
        chosen = list(rows.filter(pk__gt=self._last)[:room])
        chosen += rows.filter(pk__lte=self._last)[: room - len(chosen)]
        for webhook in chosen:
            fails = webhook.failing_since is not None
            # Each gets a share at first; the next look gives away what is left.
            share = min(MOST_OF_ONE - busy[webhook.pk], max(1, room // len(chosen)))
            if fails:
                share = min(1, MOST_FAILING - failing)
            for claim in claim_due(webhook, due, now, share) if share > 0 else ():
                failing += fails
                self._last = webhook.pk
                if (job := _job(claim, webhook, now, fails)) is not None:
                    yield job


def claim_due(webhook: Webhook, due: datetime, now: datetime, most: int) -> Iterator[Claim]:
    """Claim up to ``most`` deliveries of ``webhook`` that were due then, each by an update that one engine wins."""
    waiting = WebhookDelivery.objects.due(now).filter(webhook=webhook, due_at__lte=due).order_by("due_at", "pk")
    until = now + LEASE
    for pk in list(waiting.values_list("pk", flat=True)[:most]):
        if WebhookDelivery.objects.due(now).filter(pk=pk).update(leased_until=until):
            yield Claim(pk, webhook.pk, until)


def _job(claim: Claim, webhook: Webhook, now: datetime, fails: bool) -> Job | None:
    delivery = WebhookDelivery.objects.select_related("event").filter(pk=claim.delivery).first()
    if delivery is None:
        return None
    delivery.webhook = webhook
    try:
        secrets = tuple(secrets_of(webhook, now))
    except Unreadable:
        secrets = ()
    return Job(claim, webhook.url, message_of(delivery), secrets, fails)


def _answer_to(job: Job, began: datetime) -> Answer:
    if not job.secrets:
        return Answer(error=NO_KEY)
    return post(job.url, headers_of(job.message, job.secrets, began), job.message.body)


sender = Sender()
