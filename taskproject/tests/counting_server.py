"""The site under uvicorn as in production, plus ``/counts``: what the process has done so far.

For tests of the cost of waiting, which must not depend on the clock. Run as a module; prints its port.
"""

import json
import socket
import threading
from typing import Any

import uvicorn

from taskproject.asgi import application as site
from taskproject.asgi import threaded_wsgi
from tasks.waiting.work import work_room

runs = 0
_counting = threading.Lock()
_answer = threaded_wsgi.application


def _count_and_answer(*args: Any) -> Any:
    global runs
    with _counting:
        runs += 1
    return _answer(*args)


threaded_wsgi.application = _count_and_answer


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http" or scope["path"] != "/counts":
        return await site(scope, receive, send)
    counts = {
        "waiting": len(threaded_wsgi.waiting),
        "seats": len(work_room),
        "runs": runs,
        "woken": work_room.woken,
        "looks": work_room.looks,
        "busy_threads": threaded_wsgi.pool.busy,
        "threads": threaded_wsgi.pool.threads,
    }
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(counts).encode()})


if __name__ == "__main__":
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    print(listener.getsockname()[1], flush=True)  # noqa: T201 - read by the test
    config = uvicorn.Config(application, log_level="warning", access_log=False, timeout_graceful_shutdown=10)
    uvicorn.Server(config).run(sockets=[listener])
