"""The yardstick of the fan-out: Flask-SocketIO with gevent, which broadcasts from its own process on command.

``python -m bench.fanout_flask PORT``. A line ``COUNT PER_SECOND`` on standard input broadcasts COUNT events, shaped
like ours, as fast as possible; the answer is ``{"began": seconds}``.
"""

from gevent import monkey

monkey.patch_all()

import itertools
import json
import sys
import time

import gevent
from flask import Flask
from flask_socketio import SocketIO

app = Flask(__name__)
server = SocketIO(app, async_mode="gevent", ping_interval=600, cors_allowed_origins="*")
numbers = itertools.count(1)


def broadcast(count: int) -> float:
    began = time.time()
    for number in itertools.islice(numbers, count):
        payload = {
            "id": f"0-{number}",
            "at": "2026-11-22T10:00:00.000000Z",
            "kind": "task.blockers_changed",
            "project": "P0",
            "task": None,
            "agent": None,
            "actor": None,
            "data": {"open": number},
        }
        server.emit("event", payload)
    return began


def obey() -> None:
    pool = gevent.get_hub().threadpool
    while line := pool.apply(sys.stdin.readline):
        began = broadcast(int(line.split()[0]))
        print(json.dumps({"began": began}), flush=True)


if __name__ == "__main__":
    gevent.spawn(obey)
    server.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_output=False)
