"""Running calls at once: in threads with their own connections, and in processes on the same database."""

import contextlib
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from django.conf import settings
from django.db import connection, connections

#: Seconds for all racers to finish; far more than a quiet machine needs.
PATIENCE = 1500


def _dawdle(dice: random.Random) -> Callable[..., Any]:
    """Wait briefly before each statement, so that transactions overlap in the middle and not only at their ends."""

    def execute_late(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        time.sleep(dice.choice((0, 0, 0.001, 0.004)))
        return execute(sql, params, many, context)

    return execute_late


def at_once(*calls: Callable[[], Any], seed: int | None = None) -> list[Any]:
    """Run each call in its own thread, all released together; what each returned or raised, in order.

    With a ``seed``, statements are delayed at random if transactions run concurrently, that is, on PostgreSQL.
    """
    gate = threading.Barrier(len(calls))
    outcomes: list[Any] = [None] * len(calls)

    def run(place: int, call: Callable[[], Any]) -> None:
        try:
            connection.ensure_connection()
            gate.wait(timeout=30)
            with contextlib.ExitStack() as stack:
                if seed is not None and connection.vendor == "postgresql":
                    dice = random.Random(f"{seed}-{place}")
                    stack.enter_context(connection.execute_wrapper(_dawdle(dice)))
                outcomes[place] = call()
        except Exception as error:
            outcomes[place] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=pair, name=f"racer-{pair[0]}") for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=PATIENCE)
        assert not thread.is_alive(), f"{thread.name} never came back"
    return outcomes


def in_thread(work: Callable[[], Any]) -> threading.Thread:
    """Start ``work`` in a separate thread, which closes its connections when it ends."""

    def run() -> None:
        try:
            work()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def database_url() -> str:
    """The URL of the test database, for other processes."""
    held = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{held['NAME']}"
    login = held["USER"] + (f":{held['PASSWORD']}" if held["PASSWORD"] else "")
    return f"postgresql://{login}@{held['HOST']}:{held['PORT']}/{held['NAME']}"


def process_environment(**more: str) -> dict[str, str]:
    """The environment for a process on the test database."""
    return os.environ | {
        "DATABASE_URL": database_url(),
        "REDIS_URL": settings.REDIS_URL,
        "DATA_DIR": str(settings.DATA_DIR),
        "SECRET_KEY": settings.SECRET_KEY,
        "PYTHONPATH": str(settings.BASE_DIR),
        **more,
    }


def in_processes(module: str, arguments: Sequence[Sequence[str]]) -> list[Any]:
    """Run ``python -m module …`` once per row of ``arguments``, all at once; returns their output, parsed as JSON."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", module, *row],
            env=process_environment(),
            cwd=settings.BASE_DIR,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for row in arguments
    ]
    printed = []
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n", process.communicate(timeout=60)
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in processes:
            out, err = process.communicate(timeout=PATIENCE)
            assert process.returncode == 0, err
            printed.append(json.loads(out))
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
                process.communicate()
    return printed
