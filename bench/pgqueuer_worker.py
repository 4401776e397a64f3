"""Yardstick: jobs per second of a PgQueuer worker that takes no-op jobs in batches."""

import argparse
import asyncio
import time

import asyncpg
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.core.qm import QueueManager
from pgqueuer.models import Job
from pgqueuer.queries import Queries
from pgqueuer.types import QueueExecutionMode


async def measure(url: str, jobs: int, batch: int) -> float:
    """Enqueue ``jobs``, then let one manager process them in batches of ``batch``. Returns jobs per second."""
    connection = await asyncpg.connect(url)
    try:
        queries = Queries(AsyncpgDriver(connection))
        if not await queries.has_table(queries.qbe.settings.queue_table):
            await queries.install()
        manager = QueueManager(queries)

        @manager.entrypoint("nothing")
        async def nothing(job: Job) -> None:
            pass

        await queries.enqueue(["nothing"] * jobs, [None] * jobs, [0] * jobs)
        began = time.perf_counter()
        await manager.run(batch_size=batch, mode=QueueExecutionMode.drain)
        return jobs / (time.perf_counter() - began)
    finally:
        await connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--jobs", type=int, default=5000)
    parser.add_argument("--batch", type=int, default=10)
    options = parser.parse_args()
    print(asyncio.run(measure(options.url, options.jobs, options.batch)))


if __name__ == "__main__":
    main()
