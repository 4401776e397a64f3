"""A process takes a bounded amount of memory, however many threads and connections it has, and gives idle ones back."""

import asyncio
import json
import subprocess
import sys
import threading
import time

import pytest

from taskproject import memory, sqlite
from taskproject.http.pool import IDLE_SECONDS, Job, ThreadPool
from taskproject.tests.soaking import Load, Memory, memory_of, slope, watch
from taskproject.tests.test_up import ROOT, Up, environment
from tasks.tests.sizes import SOAK_SECONDS, SOAKED_TASKS, THOROUGH

MEGABYTE = 1024 * 1024
CONNECTIONS = 40
#: A table larger than what all connections may hold, read by each through its own connection.
READ_BY_MANY = """
import json, os, sys, threading
from pathlib import Path
from taskproject import memory, sqlite
sqlite.use_newest_library()
import sqlite3
folder, connections, own, together = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
own and setattr(sqlite, "CACHE_KILOBYTES", own)
together and setattr(sqlite, "HEAP_BYTES", together)
memory.bound()
def open_it():
    connection = sqlite3.connect(folder / "x.sqlite3", check_same_thread=False, isolation_level=None)
    connection.executescript(sqlite.init_command())
    return connection
def held():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
first = open_it()
first.execute("CREATE TABLE IF NOT EXISTS wide (id INTEGER PRIMARY KEY, text TEXT)")
rows = 50_000
if not first.execute("SELECT count(*) FROM wide").fetchone()[0]:
    first.execute("BEGIN")
    first.executemany("INSERT INTO wide (text) VALUES (?)", (("x" * 1000,) for _ in range(rows)))
    first.execute("COMMIT")
many = [open_it() for _ in range(connections)]
before = held()
def read(connection):
    for _ in connection.execute("SELECT text FROM wide"):
        pass
threads = [threading.Thread(target=read, args=(connection,)) for connection in many]
for thread in threads: thread.start()
for thread in threads: thread.join()
full = held()
for connection in many: connection.execute("PRAGMA shrink_memory")
library = memory._allocator()
library is None or library.malloc_trim(0)
print(json.dumps({"taken": full - before, "left": held() - before}))
"""

#: What a server may hold, in MB, under load and once it rests; and grow by in a minute of steady work.
MOST_UNDER_LOAD, MOST_IDLE, MOST_GROWTH = 300, 150, 0.1
#: One process makes everything that is there before.
PREPARE = """
import json, sys
from bench import dataset
from django.core.management import call_command
from tasks.models import Project
call_command("migrate", verbosity=0)
made = dataset.make_ready(int(sys.argv[1]), int(sys.argv[2]))
Project.objects.update(workers_create=True)
print(json.dumps(made["tokens"]))
"""


@pytest.fixture
def read_by_many(tmp_path):
    def read(*, own_kilobytes: int = 0, together: int = 0) -> dict[str, int]:
        arguments = [str(tmp_path), str(CONNECTIONS), str(own_kilobytes), str(together)]
        ended = subprocess.run(
            [sys.executable, "-c", READ_BY_MANY, *arguments],
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            cwd=ROOT,
        )
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    return read


on_linux = pytest.mark.skipif(sys.platform != "linux", reason="Only on Linux is it known what a process holds")


@on_linux
def test_connections_to_sqlite_share_one_bound_and_give_back_what_they_cache(read_by_many):
    bounded = read_by_many()
    # What is left over is what threads and statements take.
    assert bounded["taken"] < sqlite.HEAP_BYTES + 24 * MEGABYTE
    assert bounded["left"] < bounded["taken"] / 3
    # Else each takes all that it may, so that it is the bound which the first reading met.
    alone = read_by_many(together=10_000 * MEGABYTE)
    assert alone["taken"] > 3 * sqlite.HEAP_BYTES


def test_thread_is_idle_once_until_it_works_again():
    idle, ends = threading.Semaphore(0), threading.Semaphore(0)

    async def main() -> None:
        pool = ThreadPool("idle", 1, on_thread_end=ends.release, on_thread_idle=idle.release, idle_seconds=0.01)
        loop = asyncio.get_running_loop()
        for number in range(3):
            job = Job(lambda number=number: number, loop)
            pool.submit(job)
            assert await job.future == number
            assert await asyncio.to_thread(idle.acquire, timeout=30)
            assert not await asyncio.to_thread(idle.acquire, timeout=0.1)
        pool.close()

    asyncio.run(main())
    assert ends.acquire(timeout=30)


@pytest.mark.django_db
def test_idle_thread_keeps_its_connection_and_its_data(cast):
    from tasks.models import Project

    before = list(Project.objects.order_by("pk").values_list("key", flat=True))
    memory.give_back()
    assert list(Project.objects.order_by("pk").values_list("key", flat=True)) == before


def test_slope_is_that_of_most_samples():
    samples = [Memory(at, 100 + at / 60 * 0.5 + (30 if at % 37 == 0 else 0), 0) for at in range(600)]
    assert slope(samples) == pytest.approx(0.5, abs=0.05)


@on_linux
@pytest.mark.server
@pytest.mark.slow
def test_server_under_steady_work_stays_within_bounds(tmp_path):
    """At full size (``make thorough``) it also does not grow, and gives back what it needed."""
    made = subprocess.run(
        [sys.executable, "-c", PREPARE, str(SOAKED_TASKS), "8"],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert made.returncode == 0, made.stderr
    up = Up(tmp_path, "--no-demo", API_RATE_LIMIT="10000000/minute")
    try:
        load = Load(up.url, json.loads(made.stdout), project="P0", sockets=20)
        load.start()
        samples = watch(up.process.pid, SOAK_SECONDS)
        load.stop()
        assert load.failures == []
        assert min(load.cycles, load.looks, load.frames) >= 8
        assert max(sample.resident for sample in samples) <= MOST_UNDER_LOAD
        if THOROUGH:
            assert slope(samples[len(samples) // 2 :]) < MOST_GROWTH
            # Longer than it takes a thread to be idle.
            time.sleep(IDLE_SECONDS + 30)
            assert memory_of(up.process.pid).resident <= MOST_IDLE
    finally:
        assert up.end()[0] == 0
