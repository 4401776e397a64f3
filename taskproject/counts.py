"""Counts against limits in the database: for what must hold across processes where there is no Redis.

Slower than memory by a transaction each, so only for what is rare: wrong passwords.
"""

import time
from datetime import UTC, datetime

from django.db import connection, transaction
from limits import RateLimitItem

from taskproject.limiter import Count
from taskproject.models import KeptCount


class DatabaseLimiter:
    """A ``Limiter`` that counts in the database, by its clock."""

    def hit(self, item: RateLimitItem, caller: str) -> bool:
        with transaction.atomic():
            start = {"window": 0, "before": 0, "now": 0, "until": datetime.fromtimestamp(0, UTC)}
            # Two first ones at a time: one creates the row, the other finds it. Then each waits for its lock.
            KeptCount.objects.bulk_create([KeptCount(key=item.key_for(caller), **start)], ignore_conflicts=True)
            rows = KeptCount.objects.filter(key=item.key_for(caller))
            count, passed = self._count(item, rows.select_for_update().first())
            if not count.has_room(item, passed):
                return False
            until = datetime.fromtimestamp((count.window + 2) * count.seconds, UTC)
            rows.update(window=count.window, before=count.before, now=count.now + 1, until=until)
        return True

    def test(self, item: RateLimitItem, caller: str) -> bool:
        count, passed = self._count(item, self._kept(item, caller))
        return count.has_room(item, passed)

    def wait(self, item: RateLimitItem, caller: str) -> float:
        count, passed = self._count(item, self._kept(item, caller))
        return count.wait(item, passed)

    def clear(self, item: RateLimitItem, caller: str) -> None:
        KeptCount.objects.filter(key=item.key_for(caller)).delete()

    def reset(self) -> None:
        KeptCount.objects.all().delete()

    @staticmethod
    def _kept(item: RateLimitItem, caller: str) -> KeptCount | None:
        return KeptCount.objects.filter(key=item.key_for(caller)).first()

    @staticmethod
    def _count(item: RateLimitItem, row: KeptCount | None) -> tuple[Count, float]:
        kept = None if row is None else Count(item.get_expiry(), row.window, row.before, row.now)
        return Count.at(_database_time(), item, kept)


def _database_time() -> float:
    """Now by the database's clock, which all processes share, in seconds since the epoch; on SQLite it is ours."""
    if connection.vendor == "sqlite":
        return time.time()
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
        return float(cursor.fetchone()[0])
