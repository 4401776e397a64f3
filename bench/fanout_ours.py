"""Our side of the fan-out: a server whose own process records events on command, or only the recording part.

``python -m bench.fanout_ours PORT`` serves; ``… 0`` records for servers in other processes. A line ``COUNT PER_SECOND``
on standard input records COUNT events, each in its own transaction: as fast as possible if PER_SECOND is 0, all in
one transaction if it is -1. The answer is ``{"began", "commits": {number: seconds}}``.
"""

import itertools
import json
import os
import sys
import threading
import time

import uvicorn

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskproject.settings")
from taskproject import asgi

numbers = itertools.count(1)


def record_events(count: int, per_second: float) -> dict[str, object]:
    from tasks import clock
    from tasks.events import kinds
    from tasks.events.recording import event, record
    from tasks.models import Event, Project

    project = Project.objects.first()
    chosen = list(itertools.islice(numbers, count))

    def numbered(number: int) -> Event:
        return event(kinds.TASK_BLOCKERS_CHANGED, at=clock.now(), actor=None, project=project, open=number)

    began = time.time()
    if per_second < 0:
        record(*(numbered(number) for number in chosen))
        return {"began": began, "commits": dict.fromkeys(chosen, time.time())}
    commits = {}
    for turn, number in enumerate(chosen):
        if per_second:
            time.sleep(max(0.0, began + turn / per_second - time.time()))
        record(numbered(number))
        commits[number] = time.time()
    return {"began": began, "commits": commits}


def obey() -> None:
    for line in sys.stdin:
        count, per_second = line.split()
        print(json.dumps(record_events(int(count), float(per_second))), flush=True)


def main() -> None:
    port = int(sys.argv[1])
    if not port:
        obey()
        return
    threading.Thread(target=obey, daemon=True).start()
    uvicorn.run(asgi.application, port=port, ws="websockets-sansio", log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
