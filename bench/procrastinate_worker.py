"""Yardstick: jobs per second of a Procrastinate worker, in process, with no-op jobs; or only the jobs."""

import argparse
import asyncio
import time
from typing import Any

from procrastinate import App, PsycopgConnector

#: What a job of ``--only-defer`` says of its task.
TASK = {
    "title": "Task 5357: make the nightly import faster",
    "description": "It reads each row by itself. Measure first, then read in blocks; keep the order of the rows.",
    "priority": 4,
    "due_at": "2026-03-27T08:07:33.000414+00:00",
    "estimate_minutes": 60,
    "created_at": "2026-03-05T08:07:33.000414+00:00",
}
AT_ONCE = 5000


async def defer(app: App, task: Any, jobs: int, arguments: dict[str, Any]) -> None:
    if not await app.check_connection_async():
        await app.schema_manager.apply_schema_async()
    for begin in range(0, jobs, AT_ONCE):
        numbers = range(begin, min(begin + AT_ONCE, jobs))
        await task.batch_defer_async(*({"number": number, **arguments} for number in numbers))


async def measure(url: str, jobs: int, concurrency: int, *, only_defer: bool) -> float:
    """Defer ``jobs``, then let one worker process them. Returns jobs per second of the processing alone.

    ``only_defer``: nobody processes them, and each describes a task. Returns how many there are.
    """
    app = App(connector=PsycopgConnector(conninfo=url, max_size=concurrency + 2))

    @app.task(name="nothing")
    async def nothing(number: int) -> None:
        pass

    async with app.open_async():
        await defer(app, nothing, jobs, TASK if only_defer else {})
        if only_defer:
            return jobs
        began = time.perf_counter()
        await app.run_worker_async(wait=False, concurrency=concurrency, install_signal_handlers=False)
        return jobs / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--only-defer", action="store_true")
    options = parser.parse_args()
    print(asyncio.run(measure(options.url, options.jobs, options.concurrency, only_defer=options.only_defer)))


if __name__ == "__main__":
    main()
