"""Yardstick: jobs per second of a Procrastinate worker, in process, with no-op jobs."""

import argparse
import asyncio
import time

from procrastinate import App, PsycopgConnector


async def measure(url: str, jobs: int, concurrency: int) -> float:
    """Defer ``jobs``, then let one worker process them. Returns jobs per second of the processing alone."""
    app = App(connector=PsycopgConnector(conninfo=url, max_size=concurrency + 2))

    @app.task(name="nothing")
    async def nothing(number: int) -> None:
        pass

    async with app.open_async():
        if not await app.check_connection_async():
            await app.schema_manager.apply_schema_async()
        await nothing.batch_defer_async(*({"number": number} for number in range(jobs)))
        began = time.perf_counter()
        await app.run_worker_async(wait=False, concurrency=concurrency, install_signal_handlers=False)
        return jobs / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--concurrency", type=int, default=8)
    options = parser.parse_args()
    print(asyncio.run(measure(options.url, options.jobs, options.concurrency)))


if __name__ == "__main__":
    main()
