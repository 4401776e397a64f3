"""What the engines send to webhooks is counted in the metrics."""

from messaging.webhooks.outcomes import Outcome
from messaging.webhooks.sending import counters
from taskproject.watch.metrics import DELIVERIES, render


def test_attempts_are_counted_by_outcome():
    counter = DELIVERIES.labels("retried")
    before = counter._value.get()
    assert counters, "the project counts"
    for count in counters:
        count(Outcome.RETRIED)
    assert counter._value.get() == before + 1
    line = f'taskproject_webhook_attempts_total{{outcome="retried"}} {before + 1}'
    assert line in render(None).decode()
